//! How many pieces of work go on at once: fewer while failures that may pass come, more again while they do not.
//!
//! A function does not know the account's quotas, nor how many of its instances share them. Each piece of work that waits
//! for a throttled call waits longer the more of them there are, until its time is over and all of its calls were for
//! nothing. So the crowd halves when that happens, and grows by one for as much work as it has places.

use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::ports::Clock;

/// Failures closer to each other than this are one: they were waiting together.
pub const SIGN_MS: u64 = 1_000;

/// The crowd of one function, which outlives its invocations.
#[derive(Debug)]
pub struct Crowd {
    places_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    places: usize,
    /// Pieces of work that went well since the places were changed.
    went: usize,
    sign_ms: Option<u64>,
}

impl Crowd {
    /// As many at once, at the most and at first.
    pub fn new(places_max: usize) -> Self {
        let places_max = places_max.max(1);
        Self { places_max, state: Mutex::new(State { places: places_max, went: 0, sign_ms: None }) }
    }

    /// How many there may be now.
    pub fn places(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).places
    }

    /// A piece of work went well, or is to be done again.
    fn ended(&self, is_done: bool, now_ms: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_done {
            if state.sign_ms.is_none_or(|sign_ms| now_ms.saturating_sub(sign_ms) >= SIGN_MS) {
                *state = State { places: (state.places / 2).max(1), went: 0, sign_ms: Some(now_ms) };
            }
            return;
        }
        state.went += 1;
        if state.went >= state.places && state.places < self.places_max {
            (state.places, state.went) = (state.places + 1, 0);
        }
    }

    /// Does all of it, as much at once as there are places. `is_done` says of an answer whether the work went well, or failed
    /// for a reason that may pass.
    pub async fn work<C, I, O>(&self, clock: &C, work: I, is_done: impl Fn(&O) -> bool) -> Vec<O>
    where
        C: Clock,
        I: IntoIterator<Item: Future<Output = O>>,
    {
        let (mut work, mut busy, mut answers) = (work.into_iter(), FuturesUnordered::new(), Vec::new());
        loop {
            while busy.len() < self.places() {
                let Some(next) = work.next() else { break };
                busy.push(next);
            }
            let Some(answer) = busy.next().await else { return answers };
            self.ended(is_done(&answer), clock.now_ms());
            answers.push(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn it_halves_once_for_failures_that_come_together_and_grows_by_one_a_round() {
        let crowd = Crowd::new(8);
        (0..5).for_each(|ms| crowd.ended(false, 1_000 + ms));
        assert_eq!(crowd.places(), 4);
        crowd.ended(false, 2_000);
        assert_eq!(crowd.places(), 2);
        (0..2).for_each(|_| crowd.ended(true, 2_000));
        assert_eq!(crowd.places(), 3);
        (0..3).for_each(|_| crowd.ended(true, 2_000));
        assert_eq!(crowd.places(), 4);
        (0..100).for_each(|_| crowd.ended(true, 2_000));
        assert_eq!(crowd.places(), 8, "and no further");
        (0..100).for_each(|n| crowd.ended(false, 10_000 * n));
        assert_eq!(crowd.places(), 1, "somebody goes on");
    }

    struct Still;

    impl Clock for Still {
        fn now_ms(&self) -> u64 {
            7
        }

        async fn sleep_ms(&self, _: u64) {}
    }

    #[tokio::test]
    async fn no_more_than_its_places_work_at_once_and_all_is_done() {
        let (crowd, busy, most) = (Crowd::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        let (busy, most) = (&busy, &most);
        let work = (0..20).map(|n| async move {
            most.fetch_max(busy.fetch_add(1, Relaxed) + 1, Relaxed);
            tokio::task::yield_now().await;
            busy.fetch_sub(1, Relaxed);
            n
        });
        let mut answers = crowd.work(&Still, work, |n| *n != 0).await;
        answers.sort_unstable();
        assert_eq!(answers, (0..20).collect::<Vec<_>>());
        assert_eq!(most.load(Relaxed), 3);
        assert!((1..=3).contains(&crowd.places()));
    }
}
