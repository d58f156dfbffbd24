//! Waiting a little for what is on its way: another function that holds a key, a group whose event
//! comes a moment later, a detachment that has not settled.

use std::future::Future;

use serde_json::Value;

use crate::outcome::{Class, Failure, Outcome};
use crate::ports::{Clock, State, Taken, World};

/// The waits between tries. They grow, and together they last three seconds. An event that goes through
/// several rounds of them, which takes several others that are late, ends with
/// [`EVENT_MS_MAX`](crate::settle::EVENT_MS_MAX) and is tried again.
pub(crate) const WAITS_MS: [u64; 4] = [250, 500, 750, 1_500];

/// How old an event may be for a wait to make sense: what an older one misses comes with no wait.
pub(crate) const YOUNG_MS_MAX: u64 = 10_000;

/// Makes a call, and again after each wait while it fails with that class.
pub(crate) async fn patiently<C, T, F, Called>(clock: &C, class: Class, mut call: F) -> Outcome<T>
where
    C: Clock,
    F: FnMut() -> Called,
    Called: Future<Output = Outcome<T>>,
{
    for wait_ms in WAITS_MS {
        match call().await {
            Err(failure) if failure.class == class => clock.sleep_ms(wait_ms).await,
            other => return other,
        }
    }
    call().await
}

/// Whether something that happened at that time is young enough to wait for what belongs to it.
pub(crate) fn is_young<C: Clock>(clock: &C, timestamp_ms: u64) -> bool {
    clock.now_ms().saturating_sub(timestamp_ms) < YOUNG_MS_MAX
}

/// Takes a key beside the handler's own, waiting for whoever has it.
pub(crate) async fn take<W: World>(world: &W, key: &str, intent: &Value) -> Outcome<Taken> {
    let clock = world.clock();
    patiently(clock, Class::Conflict, || world.state().take(key, intent, clock.now_ms())).await
}

/// A row of another kind than its key says: someone else writes into the state table.
pub(crate) fn wrong_row(key: &str) -> Failure {
    Failure::permanent("state", format_args!("the row of {key} is of another kind"))
}
