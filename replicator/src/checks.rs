//! What every handler must stand, whatever it does: an end at any call, and the same event twice.

use futures::FutureExt;

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

fn ends(calls: usize) -> impl Iterator<Item = Crash> {
    (1..=calls).flat_map(|at| [false, true].map(|after| Crash { at, after }))
}
