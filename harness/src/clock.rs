//! The run's clock: microseconds since it began for every duration, the wall clock for people and for moments that others
//! tell by theirs.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Of so many tries the one counts in which both clocks were read closest together.
const READS: usize = 16;

/// Started once a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock {
    began: Instant,
    pub(crate) began_wall: Timestamp,
}

impl RunClock {
    pub(crate) fn start() -> Self {
        let (began, began_wall) = read_both();
        Self { began, began_wall }
    }

    /// Microseconds since the run began.
    pub(crate) fn now_us(&self) -> u64 {
        self.us(Instant::now())
    }

    /// The wall clock now. It may be stepped.
    pub(crate) fn wall(&self) -> Timestamp {
        let _ = self;
        Timestamp::now()
    }

    /// The wall clock at `at_us`, by the run's own clock.
    pub(crate) fn wall_at(&self, at_us: u64) -> Timestamp {
        self.began_wall.checked_add(Duration::from_micros(at_us)).unwrap_or(self.began_wall)
    }

    /// A moment that somebody told by the wall clock, as microseconds since the run began: right as long as that one's clock
    /// and this machine's agree, and neither was stepped.
    pub(crate) fn us_at(&self, wall: Timestamp) -> u64 {
        let since = wall.duration_since(self.began_wall);
        u64::try_from(since.as_micros()).unwrap_or(0)
    }

    /// A moment of this process as microseconds since the run began.
    pub(crate) fn us(&self, at: impl Into<Instant>) -> u64 {
        let since = at.into().saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// The moment `at_us` for a timer.
    pub(crate) fn instant(&self, at_us: u64) -> tokio::time::Instant {
        (self.began + Duration::from_micros(at_us)).into()
    }

    /// By how much the wall clock is ahead of where it would be, had it gone as the run's own; in microseconds. What changes
    /// from one call to the next was a step of the clock, or the machine slept.
    pub(crate) fn wall_ahead_us(&self) -> i64 {
        let (now, wall) = read_both();
        let gone = i128::try_from(now.saturating_duration_since(self.began).as_micros()).unwrap_or(0);
        let gone_wall = wall.duration_since(self.began_wall).as_micros();
        i64::try_from(gone_wall - gone).unwrap_or(0)
    }
}

/// Both clocks at one moment.
fn read_both() -> (Instant, Timestamp) {
    let read = || {
        let before = Instant::now();
        let wall = Timestamp::now();
        (before.elapsed(), before, wall)
    };
    let mut best = read();
    for _ in 1..READS {
        let again = read();
        if again.0 < best.0 {
            best = again;
        }
    }
    (best.1, best.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_the_wall_clock_is_found_on_the_runs_own() {
        let clock = RunClock::start();
        assert_eq!(clock.us_at(clock.wall_at(1_234_567)), 1_234_567);
        let before_it_began = clock.began_wall.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(clock.us_at(before_it_began), 0);
        assert_eq!(clock.us(clock.instant(42)), 42);
    }

    #[test]
    fn a_step_of_the_wall_clock_shows() {
        let mut clock = RunClock::start();
        let before_us = clock.wall_ahead_us();
        // As if the wall clock had been set two seconds ahead since then.
        clock.began_wall = clock.began_wall.checked_sub(Duration::from_secs(2)).unwrap();
        let stepped_us = clock.wall_ahead_us() - before_us;
        assert!((1_900_000..2_100_000).contains(&stepped_us), "{stepped_us}");
    }
}
