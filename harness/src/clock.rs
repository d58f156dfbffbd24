//! The run's clock: microseconds since it began for every duration, the wall clock for people.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Started once a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock {
    began: Instant,
    pub(crate) began_wall: Timestamp,
}

impl RunClock {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), began_wall: Timestamp::now() }
    }

    /// Microseconds since the run began.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The wall clock now. It may be stepped; nothing is computed from it.
    pub(crate) fn wall(&self) -> Timestamp {
        let _ = self;
        Timestamp::now()
    }

    /// The wall clock at `at_us`, by the run's own clock.
    pub(crate) fn wall_at(&self, at_us: u64) -> Timestamp {
        self.began_wall.checked_add(Duration::from_micros(at_us)).unwrap_or(self.began_wall)
    }

    /// The moment `at_us` for a timer.
    pub(crate) fn instant(&self, at_us: u64) -> tokio::time::Instant {
        (self.began + Duration::from_micros(at_us)).into()
    }
}
