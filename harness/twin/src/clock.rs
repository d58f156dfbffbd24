//! The twin's clock: the only place that reads the wall clock, so that state below it is a function of its inputs.

use jiff::Timestamp;

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
}
