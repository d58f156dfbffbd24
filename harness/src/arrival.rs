//! Waiting for something to arrive in a Region, by looking again and again. What is seen was there some time before, and no look
//! says since when: each arrival says how much earlier it may have been.

use std::time::Duration;

use replicator::outcome::Outcome;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

/// The pause after the first look, and how it grows from look to look.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_GROWTH: f64 = 1.5;
/// No pause is longer, and so no arrival is told more too late than this and what a look takes.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// For so long what was seen last is taken to hold, when the time is up and the last look has no answer yet.
const FRESH: Duration = Duration::from_secs(3);

/// How a wait ended. `T` is what was seen instead of what was waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrival<T> {
    /// It is there, since `after` at the latest and since `earlier_at_most` before that at the earliest.
    There { after: Duration, earlier_at_most: Duration },
    /// The time was up.
    NotInTime(T),
    /// The time was up, and the last look had no answer.
    Unknown(String),
    /// Somebody stopped it.
    Stopped,
}

/// Looks until `look` says that it is there (`None`), the time is up or somebody stops it. Times count from `since`.
pub(crate) async fn arrival<T>(
    since: Instant,
    limit: Instant,
    stop: &CancellationToken,
    look: impl AsyncFn() -> Outcome<Option<T>>,
) -> Arrival<T> {
    let mut last: Option<(Instant, Result<T, String>)> = None;
    let mut absent_since = since;
    let mut pause = PAUSE_MIN;
    loop {
        let asked = Instant::now();
        let looked = tokio::select! {
            () = stop.cancelled() => return Arrival::Stopped,
            looked = timeout_at(limit, look()) => looked,
        };
        match looked {
            Ok(Ok(None)) => {
                let after = since.elapsed();
                let seen = since + after;
                return Arrival::There {
                    after,
                    earlier_at_most: seen.saturating_duration_since(absent_since),
                };
            }
            Ok(Ok(Some(instead))) => {
                absent_since = asked.max(since);
                last = Some((Instant::now(), Ok(instead)));
            }
            Ok(Err(failure)) => last = Some((Instant::now(), Err(failure.to_string()))),
            Err(_) => {
                return match last {
                    Some((at, Ok(instead))) if at.elapsed() <= FRESH => Arrival::NotInTime(instead),
                    Some((_, Err(why))) => Arrival::Unknown(why),
                    _ => Arrival::Unknown("no answer in time".to_owned()),
                };
            }
        }
        let left = limit.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return match last {
                Some((_, Ok(instead))) => Arrival::NotInTime(instead),
                Some((_, Err(why))) => Arrival::Unknown(why),
                None => Arrival::Unknown("no answer in time".to_owned()),
            };
        }
        tokio::select! {
            () = stop.cancelled() => return Arrival::Stopped,
            // The last look is made a moment before the time is up, so that it has an answer.
            () = sleep(pause.min(left.saturating_sub(PAUSE_MIN).max(PAUSE_MIN))) => {}
        }
        pause = pause.mul_f64(PAUSE_GROWTH).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use replicator::outcome::Failure;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    async fn waits(
        within: Duration,
        look: impl AsyncFn() -> Outcome<Option<&'static str>>,
    ) -> Arrival<&'static str> {
        let now = Instant::now();
        arrival(now, now + within, &CancellationToken::new(), look).await
    }

    #[tokio::test]
    async fn an_arrival_says_how_much_earlier_it_may_have_been() {
        let (began, comes) = (Instant::now(), 200 * MS);
        let look = async || Ok((began.elapsed() < comes).then_some("nothing"));
        let arrived = waits(60_000 * MS, look).await;
        let Arrival::There { after, earlier_at_most } = arrived else { panic!("{arrived:?}") };
        assert!(after >= comes, "{after:?}");
        // The wait began a moment after the test did.
        assert!(
            after <= comes + earlier_at_most,
            "it came at {comes:?}, {earlier_at_most:?} before {after:?}"
        );
        // What is there at the first look may have been there from the beginning.
        let arrived = waits(60_000 * MS, async || Ok(None)).await;
        let Arrival::There { after, earlier_at_most } = arrived else { panic!("{arrived:?}") };
        assert_eq!(after, earlier_at_most);
    }

    #[tokio::test]
    async fn what_is_not_known_is_not_absent() {
        let within = 200 * MS;
        assert_eq!(waits(within, async || Ok(Some("nothing"))).await, Arrival::NotInTime("nothing"));
        let fails = async || Err(Failure::transient("look", "throttled"));
        assert_eq!(waits(within, fails).await, Arrival::Unknown("look: throttled".to_owned()));
        let silent = async || std::future::pending().await;
        assert_eq!(waits(within, silent).await, Arrival::Unknown("no answer in time".to_owned()));
        // Absent when it was looked at first; then there was no answer for so long that it may have come.
        let looks = AtomicU32::new(0);
        let silent = async || match looks.fetch_add(1, Relaxed) {
            0 => Ok(Some("nothing")),
            _ => std::future::pending().await,
        };
        let ended = waits(FRESH + within, silent).await;
        assert_eq!(ended, Arrival::Unknown("no answer in time".to_owned()));
    }

    #[tokio::test]
    async fn whoever_stops_it_does_not_wait() {
        let stop = CancellationToken::new();
        let stopper = stop.clone();
        tokio::spawn(async move {
            sleep(50 * MS).await;
            stopper.cancel();
        });
        let began = Instant::now();
        let far = began + 600_000 * MS;
        assert_eq!(arrival(began, far, &stop, async || Ok(Some(()))).await, Arrival::Stopped);
        assert!(began.elapsed() < 60_000 * MS);
    }
}
