//! What Route 53 makes of the results of its checkers. It shows each checker's last result, with the time of it, and not what
//! it concludes; so its two rules are applied here again: a checker turns after `threshold` results in a row that differ, and
//! a check is healthy while more than 18 % of its checkers call it so.
//!
//! A turn is timed by the result that made it, and not by the reading that brought it: readings are a second apart.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// More than this share of the checkers has to call an endpoint healthy.
const HEALTHY_SHARE: f64 = 0.18;

/// What Route 53 makes of so many checkers that call an endpoint healthy.
pub(crate) fn is_healthy(healthy: usize, checkers: usize) -> bool {
    healthy as f64 > checkers as f64 * HEALTHY_SHARE
}

/// One checker's last result, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) checker: String,
    pub(super) success: bool,
    pub(super) checked: Timestamp,
}

/// The check went from healthy to unhealthy or back, or its health became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) healthy: bool,
    /// When the result came that turned it; none when it became known.
    pub(super) checked: Option<Timestamp>,
    pub(super) checkers_healthy: usize,
    pub(super) checkers: usize,
}

/// One check, as far as it was seen.
#[derive(Debug)]
pub(super) struct Health {
    threshold: u32,
    checkers: BTreeMap<String, Checker>,
    known: Option<bool>,
}

impl Health {
    pub(super) fn new(threshold: u32) -> Self {
        Self { threshold, checkers: BTreeMap::new(), known: None }
    }

    /// Takes one reading. The answer is what turned by it, in its order.
    pub(super) fn see(&mut self, mut seen: Vec<Seen>) -> Vec<Turn> {
        // All of them count from the first one on, or a few would be taken for all.
        for each in &seen {
            self.checkers.entry(each.checker.clone()).or_default();
        }
        seen.sort_by_key(|each| each.checked);
        let mut turns = Vec::new();
        for each in seen {
            let Some(checker) = self.checkers.get_mut(&each.checker) else { continue };
            checker.see(each.success, each.checked, self.threshold);
            let turn = self.turn(Some(each.checked));
            if self.known.is_some_and(|known| known != turn.healthy) {
                self.known = Some(turn.healthy);
                turns.push(turn);
            }
        }
        if self.known.is_none() && !self.checkers.is_empty() {
            let turn = self.turn(None);
            self.known = Some(turn.healthy);
            turns.push(turn);
        }
        turns
    }

    fn turn(&self, checked: Option<Timestamp>) -> Turn {
        let (healthy, checkers) =
            (self.checkers.values().filter(|checker| checker.healthy).count(), self.checkers.len());
        Turn { healthy: is_healthy(healthy, checkers), checked, checkers_healthy: healthy, checkers }
    }
}

/// What one checker makes of its results.
#[derive(Debug)]
struct Checker {
    healthy: bool,
    /// Results in a row that differ from its opinion.
    streak: u32,
    last_checked: Option<Timestamp>,
}

impl Default for Checker {
    /// A new checker calls its endpoint healthy.
    fn default() -> Self {
        Self { healthy: true, streak: 0, last_checked: None }
    }
}

impl Checker {
    fn see(&mut self, success: bool, checked: Timestamp, threshold: u32) {
        if self.last_checked == Some(checked) {
            return;
        }
        self.last_checked = Some(checked);
        self.streak = if success == self.healthy { 0 } else { self.streak + 1 };
        if self.streak >= threshold {
            self.healthy = success;
            self.streak = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn seen(checker: u32, success: bool, ms: i64) -> Seen {
        Seen { checker: checker.to_string(), success, checked: at(ms) }
    }

    #[test]
    fn a_checker_turns_after_the_threshold_of_new_results() {
        let mut checker = Checker::default();
        for (time, success, healthy) in [
            (1, false, true),
            (1, false, true),
            (2, false, true),
            (3, true, true),
            (4, false, true),
            (5, false, true),
            (6, false, false),
            (7, true, false),
            (8, true, false),
            (9, true, true),
        ] {
            checker.see(success, at(time), 3);
            assert_eq!(checker.healthy, healthy, "at {time}");
        }
    }

    #[test]
    fn a_turn_is_timed_by_the_result_that_made_it() {
        let mut health = Health::new(1);
        let all = |success, from: i64| (0..10).map(|n| seen(n, success, from + i64::from(n))).collect();
        assert_eq!(
            health.see(all(true, 0)),
            [Turn { healthy: true, checked: None, checkers_healthy: 10, checkers: 10 }]
        );
        assert_eq!(health.see(all(true, 0)), [], "read again");
        // Of ten, one is 10 % and two are 20 %: the ninth failure turns it, whatever the order in which they are told.
        let mut down: Vec<Seen> = all(false, 100);
        down.reverse();
        assert_eq!(
            health.see(down),
            [Turn { healthy: false, checked: Some(at(108)), checkers_healthy: 1, checkers: 10 }]
        );
        assert_eq!(
            health.see(all(true, 200)),
            [Turn { healthy: true, checked: Some(at(201)), checkers_healthy: 2, checkers: 10 }]
        );
    }

    proptest! {
        /// However results are cut into readings, as long as no checker has two in one, the same turns at the same times.
        #[test]
        fn turns_do_not_depend_on_when_they_are_read(
            results in proptest::collection::vec((0u32..6, any::<bool>()), 1..120), threshold in 1u32..4,
        ) {
            let results: Vec<Seen> =
                (0i64..).zip(&results).map(|(ms, (checker, success))| seen(*checker, *success, ms)).collect();
            let first: Vec<Seen> = (0..6).map(|n| seen(n, true, -10)).collect();
            let run = |size: usize| {
                let mut health = Health::new(threshold);
                let mut turns = health.see(first.clone());
                let mut reading: Vec<Seen> = Vec::new();
                for result in &results {
                    let again = reading.iter().any(|each| each.checker == result.checker);
                    if again || reading.len() >= size {
                        turns.extend(health.see(std::mem::take(&mut reading)));
                    }
                    reading.push(result.clone());
                }
                turns.extend(health.see(reading));
                turns
            };
            prop_assert_eq!(run(1), run(6));
        }
    }
}
