//! What every handler and every function must stand, whatever it does: an end at any call, and the same
//! event twice.

use std::ops::Range;

use futures::FutureExt;
use proptest::prelude::*;

use crate::order::LEASE_MS;
use crate::outcome::Outcome;
use crate::replicate::{Applied, Change};
use crate::simulation::{Crash, Twins};

/// The result of what never waits, as nothing does in a world of a unit test.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

/// Runs an event to its end once; then, each time in a world of its own, ended at each call in turn,
/// before and after its effect, once and once more in the repeat, and run again after that. `check` is
/// asked about every end, with the story in words. Run once more the event must call no Region.
pub(crate) async fn at_every_call(
    setup: impl Fn() -> Twins,
    run: impl AsyncFn(&Twins) -> Outcome<Applied>,
    check: impl Fn(&Twins, &str),
) {
    let twins = setup();
    twins.crash(None);
    run(&twins).await.unwrap();
    let calls = twins.calls();
    check(&twins, "no end");
    twins.crash(None);
    assert_eq!(run(&twins).await.unwrap().change, Change::Superseded);
    assert_eq!(twins.region_calls(), Vec::<String>::new(), "a duplicate costs no call");
    assert!(calls.len() > 2, "{calls:?}");
    for first in ends(calls.len()) {
        for second in [None].into_iter().chain(ends(calls.len() + 3).map(Some)) {
            let twins = setup();
            let story = format!("{calls:?}: ended at {first:?}, then {second:?}");
            for crash in [Some(first), second].into_iter().flatten() {
                twins.crash(Some(crash));
                let _ = run(&twins).await;
                twins.crash(None);
                twins.advance_ms(LEASE_MS);
            }
            let applied = run(&twins).await;
            assert!(applied.is_ok(), "{story}: {applied:?}");
            check(&twins, &story);
        }
    }
}

/// The same for whatever is more than one event: run to its end once and once more, then, each time in a
/// world of its own, ended at each call and run again after that. `run` says whether all of it was done.
pub(crate) async fn at_every_end<T: AsRef<Twins>>(
    setup: impl AsyncFn() -> T,
    run: impl AsyncFn(&T) -> bool,
    check: impl Fn(&T, &str),
) {
    let place = setup().await;
    let twins = place.as_ref();
    twins.crash(None);
    assert!(run(&place).await, "no end");
    let calls = twins.calls();
    assert!(!calls.is_empty());
    check(&place, "no end");
    twins.advance_ms(LEASE_MS);
    assert!(run(&place).await, "twice");
    check(&place, "twice");
    for end in ends(calls.len()) {
        let place = setup().await;
        let twins = place.as_ref();
        let story = format!("ended at {end:?} of {calls:?}");
        twins.crash(Some(end));
        run(&place).await;
        twins.crash(None);
        twins.advance_ms(LEASE_MS);
        assert!(run(&place).await, "{story}");
        check(&place, &story);
    }
}

/// Runs an event to its end, after a function that was ended with it, if there was one.
pub(crate) async fn after_an_end(
    twins: &Twins,
    end: Option<Crash>,
    run: impl AsyncFn() -> Outcome<Applied>,
) -> Applied {
    if let Some(end) = end {
        twins.crash(Some(end));
        let _ = run().await;
        twins.crash(None);
        twins.advance_ms(LEASE_MS);
    }
    run().await.unwrap()
}

/// For one delivery in three, at which of its first calls a function ends.
pub(crate) fn some_end(calls: Range<usize>) -> impl Strategy<Value = Option<Crash>> {
    let end = (calls, any::<bool>()).prop_map(|(at, after)| Crash { at, after });
    prop::option::weighted(0.3, end)
}

fn ends(calls: usize) -> impl Iterator<Item = Crash> {
    (1..=calls).flat_map(|at| [false, true].map(|after| Crash { at, after }))
}
