//! A storm: devices that come to a broker, the work of their handshakes, its CONNECT quota, and the back-off of those whom it
//! refuses. A discrete-event simulation; an event is an attempt.

use std::{cmp::Ordering, collections::BinaryHeap};

use rand_chacha::ChaCha8Rng;

use super::{figure::Drawn, gate::Gate};
use crate::scenario::Backoff;

/// Attempts of one who is never let in, at the most.
const ATTEMPTS_MAX: u32 = 100_000;

/// Where devices come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broker<'a> {
    pub(super) connects_per_s: f64,
    pub(super) burst: f64,
    /// Handshakes that the machine does in a second, of all who come; infinite if that is in nobody's way.
    pub(super) handshakes_per_s: f64,
    pub(super) timeout_s: f64,
    pub(super) backoff: &'a Backoff,
    /// Nobody is waited for beyond this.
    pub(super) until_s: f64,
    /// How many devices each comer stands for.
    pub(super) weight: f64,
}

/// What became of those who came.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Storm {
    /// When each had its first publish acknowledged, in the order of those who came; none if not by then.
    pub(super) in_s: Vec<Option<f64>>,
    /// CONNECTs that the quota refused.
    pub(super) throttled: f64,
}

#[derive(Debug, Clone, Copy)]
enum Attempt {
    Begins,
    /// Its handshake is done.
    Asks,
}

#[derive(Debug, Clone, Copy)]
struct Next {
    at_s: f64,
    who: usize,
    failures: u32,
    attempt: Attempt,
}

impl Broker<'_> {
    /// Lets those in who come at these times. `takes` is the time from the beginning of an attempt to the first
    /// acknowledgement when nothing is in the way.
    pub(super) fn lets_in(&self, rng: &mut ChaCha8Rng, comes_s: &[f64], takes: Drawn<'_>) -> Storm {
        let mut quota = Gate::quota(self.connects_per_s, self.burst.max(self.weight));
        let mut machine = Gate::work(self.handshakes_per_s);
        let mut storm = Storm { in_s: vec![None; comes_s.len()], throttled: 0.0 };
        let mut queue: BinaryHeap<Next> = comes_s
            .iter()
            .enumerate()
            .map(|(who, at_s)| Next { at_s: *at_s, who, failures: 0, attempt: Attempt::Begins })
            .collect();
        while let Some(Next { at_s, who, failures, attempt }) = queue.pop() {
            if at_s > self.until_s || failures > ATTEMPTS_MAX {
                continue;
            }
            let again = |at_s: f64, rng: &mut ChaCha8Rng| Next {
                at_s: at_s + self.backoff.wait(rng, failures + 1).as_secs_f64(),
                who,
                failures: failures + 1,
                attempt: Attempt::Begins,
            };
            match attempt {
                Attempt::Begins => {
                    let done_s = machine.pass(at_s, self.weight);
                    if done_s - at_s > self.timeout_s {
                        queue.push(again(at_s + self.timeout_s, rng));
                    } else {
                        queue.push(Next { at_s: done_s, who, failures, attempt: Attempt::Asks });
                    }
                }
                Attempt::Asks if quota.takes(at_s, self.weight) => {
                    if let Some(slot) = storm.in_s.get_mut(who) {
                        *slot = Some(at_s + takes.next(rng)).filter(|in_s| *in_s <= self.until_s);
                    }
                }
                Attempt::Asks => {
                    storm.throttled += self.weight;
                    queue.push(again(at_s, rng));
                }
            }
        }
        storm
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    /// The earliest is the greatest: the heap gives it first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at_s.total_cmp(&self.at_s).then_with(|| other.who.cmp(&self.who))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn broker(backoff: &Backoff) -> Broker<'_> {
        Broker {
            connects_per_s: 100.0,
            burst: 100.0,
            handshakes_per_s: f64::INFINITY,
            timeout_s: 20.0,
            backoff,
            until_s: f64::INFINITY,
            weight: 1.0,
        }
    }

    fn last(storm: &Storm) -> f64 {
        storm.in_s.iter().map(|in_s| in_s.unwrap_or(f64::INFINITY)).fold(0.0, f64::max)
    }

    #[test]
    fn a_storm_takes_hardly_longer_than_the_quota_makes_it() {
        let (backoff, mut rng) = (Backoff::default(), ChaCha8Rng::seed_from_u64(1));
        let comes: Vec<f64> = (0..2_000).map(|n| f64::from(n) / 1_000.0).collect();
        let storm = broker(&backoff).lets_in(&mut rng, &comes, Drawn::Same(0.01));
        let last_s = last(&storm);
        // (2,000 - 100) / 100.
        assert!((19.0..25.0).contains(&last_s), "{last_s}");
        assert!(storm.throttled > 1_000.0, "{}", storm.throttled);
        let half = storm.in_s.iter().filter(|in_s| in_s.is_some_and(|in_s| in_s < 9.5)).count();
        assert!((950..1_100).contains(&half), "{half} by half of the time");
    }

    #[test]
    fn who_stands_for_many_is_let_in_as_they_are() {
        let (backoff, mut rng) = (Backoff::default(), ChaCha8Rng::seed_from_u64(1));
        let comes: Vec<f64> = (0..200).map(|n| f64::from(n) / 100.0).collect();
        let many = Broker { weight: 10.0, ..broker(&backoff) };
        let last_s = last(&many.lets_in(&mut rng, &comes, Drawn::Same(0.01)));
        assert!((19.0..26.0).contains(&last_s), "{last_s}");
    }

    #[test]
    fn the_machine_and_the_limit_are_in_the_way() {
        let (backoff, mut rng) = (Backoff::default(), ChaCha8Rng::seed_from_u64(1));
        let slow = Broker { handshakes_per_s: 50.0, ..broker(&backoff) };
        let last_s = last(&slow.lets_in(&mut rng, &[0.0; 200], Drawn::Same(0.0)));
        assert!((last_s - 4.0).abs() < 0.1, "{last_s}");
        let brief = Broker { timeout_s: 1.0, until_s: 3.0, ..slow };
        let storm = brief.lets_in(&mut rng, &[0.0; 1_000], Drawn::Same(0.0));
        let out = storm.in_s.iter().filter(|in_s| in_s.is_none()).count();
        assert!(out > 700, "{out} gave up waiting, and were not in by then");
    }
}
