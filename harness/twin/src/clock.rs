//! The twin's clock: the only place that reads the wall clock, so that state below it is a function of its inputs.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

/// Longest single sleep. The wall clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_hours(1);
/// Shortest sleep: the wall clock and the timer may differ by less than a tick of either.
const SLEEP_MIN: Duration = Duration::from_millis(1);

/// The time that a request says in seconds since the epoch; `None` if there is no such time.
pub(crate) fn at_seconds(seconds: f64) -> Option<Timestamp> {
    SignedDuration::try_from_secs_f64(seconds).ok().and_then(|d| Timestamp::from_duration(d).ok())
}

/// The wall clock of the twin's Regions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock;

impl Clock {
    pub(crate) fn now(self) -> Timestamp {
        let _ = self;
        Timestamp::now()
    }

    /// Milliseconds since the epoch, as registry events carry them.
    pub(crate) fn now_ms(self) -> i64 {
        self.now().as_millisecond()
    }

    /// Seconds since the epoch, as shadow documents carry them.
    pub(crate) fn now_s(self) -> i64 {
        self.now().as_second()
    }

    /// Sleeps until the wall clock says so.
    pub(crate) async fn sleep_until(self, until: Timestamp) {
        loop {
            let left = until.duration_since(self.now());
            if left.as_nanos() <= 0 {
                return;
            }
            sleep(left.unsigned_abs().clamp(SLEEP_MIN, SLEEP_MAX)).await;
        }
    }
}
