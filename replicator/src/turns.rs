//! Turns: calls of one operation wait for each other at the pace of its [`Rate`], so that few of them are throttled and none of
//! the quota is left unused.
//!
//! Who comes first is first. Only the one at the head of the queue looks at the rate, so that it holds for all who wait as soon
//! as it changes. Tries that an SDK makes again on its own have no turn; their answers count as all others do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::rate::Rate;

/// No turn of a function is further away: whoever waits holds a key meanwhile. If that is too soon, the call is throttled, its
/// event is tried again later, and the [crowd](crate::crowd) gets smaller.
pub const TURN_MS_MAX: u64 = 2_500;

/// The turns of one Region, shared by all that call it.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    origin: Instant,
    wait_max: Duration,
    /// Of quotas that are not known.
    share: f64,
    slots: Mutex<BTreeMap<&'static str, Arc<Slot>>>,
}

/// One operation.
#[derive(Debug)]
struct Slot {
    rate: Mutex<Rate>,
    queue: tokio::sync::Mutex<()>,
}

impl Turns {
    /// Turns that are no further away than `wait_max`, and take that share of what they learn.
    pub fn new(wait_max: Duration, share: f64) -> Self {
        let (origin, slots) = (Instant::now(), Mutex::default());
        Self(Arc::new(Shared { origin, wait_max, share, slots }))
    }

    /// Waits for the turn of a call of that operation, by AWS's name for it.
    pub async fn take(&self, operation: &'static str) {
        self.wait(&self.slot(operation)).await;
    }

    /// The same of an operation whose quota is known: no more than so many a second.
    pub async fn take_below(&self, operation: &'static str, per_s: f64) {
        let slot = self.slot(operation);
        slot.rate().set_most(per_s);
        self.wait(&slot).await;
    }

    /// A try of that operation was answered. One that takes no turns has no rate.
    pub fn answered(&self, operation: &str, is_throttled: bool) {
        let slot = self.slots().get(operation).cloned();
        if let Some(slot) = slot {
            slot.rate().answered(self.0.origin.elapsed(), is_throttled);
        }
    }

    /// Calls a second of that operation; none if nothing holds them back.
    pub fn per_s(&self, operation: &str) -> Option<f64> {
        let slot = self.slots().get(operation).cloned()?;
        slot.rate().per_s()
    }

    async fn wait(&self, slot: &Slot) {
        let turn = async {
            let _first = slot.queue.lock().await;
            let now = self.0.origin.elapsed();
            let turn = slot.rate().turn_within(now, self.0.wait_max);
            if turn > now {
                sleep(turn.saturating_sub(now)).await;
            }
        };
        if slot.rate().per_s().is_none() {
            // Nobody waits; that somebody asked counts.
            slot.rate().turn(self.0.origin.elapsed());
        } else if self.0.wait_max == Duration::MAX {
            turn.await;
        } else {
            // Who waited that long goes.
            timeout(self.0.wait_max, turn).await.ok();
        }
    }

    fn slot(&self, operation: &'static str) -> Arc<Slot> {
        let new = || {
            Arc::new(Slot {
                rate: Mutex::new(Rate::default().sharing(self.0.share)),
                queue: tokio::sync::Mutex::default(),
            })
        };
        self.slots().entry(operation).or_insert_with(new).clone()
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Slot>>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Turns {
    /// Of quotas that are not known, all of them, however long it takes.
    fn default() -> Self {
        Self::new(Duration::MAX, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATION: &str = "DescribeCertificate";

    async fn waited_ms(turns: &Turns, operation: &'static str) -> u128 {
        let began = Instant::now();
        turns.take(operation).await;
        began.elapsed().as_millis()
    }

    #[tokio::test]
    async fn nothing_waits_until_something_is_throttled() {
        let turns = Turns::default();
        let began = Instant::now();
        for _ in 0..1_000 {
            turns.take(OPERATION).await;
        }
        assert!(began.elapsed().as_millis() < 500, "{:?}", began.elapsed());
        assert_eq!(turns.per_s(OPERATION), None);
        // As many went through as a quota of 50 a second lets through at once.
        (0..50).for_each(|_| turns.answered(OPERATION, false));
        turns.answered(OPERATION, true);
        let mut all = 0;
        for _ in 0..20 {
            all += waited_ms(&turns, OPERATION).await;
        }
        assert!((300..=2_000).contains(&all), "about 50 a second: {all} ms");
        assert!(waited_ms(&turns, "AttachPolicy").await < 20, "another has its own");
        turns.answered("ListThings", true);
        assert_eq!(turns.per_s("ListThings"), None, "it took no turn");
    }

    #[tokio::test]
    async fn who_waits_gains_by_a_rate_that_rises() {
        let (turns, began) = (Turns::default(), Instant::now());
        turns.take_below(OPERATION, 4.0).await;
        let waiting = futures::future::join_all((0..12).map(|_| turns.take_below(OPERATION, 4.0)));
        let raise = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            turns.slot(OPERATION).rate().set_most(1_000.0);
        };
        futures::join!(waiting, raise);
        let took = began.elapsed();
        assert!(took < Duration::from_millis(1_500), "at the old rate it would be three seconds: {took:?}");
    }

    #[tokio::test]
    async fn a_turn_is_never_far_away() {
        let turns = Turns::new(Duration::from_millis(200), 1.0);
        turns.take_below(OPERATION, 0.1).await;
        let began = Instant::now();
        futures::future::join_all((0..5).map(|_| turns.take_below(OPERATION, 0.1))).await;
        let took = began.elapsed();
        assert!((200..1_500).contains(&took.as_millis()), "{took:?}");
    }
}
