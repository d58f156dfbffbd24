//! An open-loop schedule: when each send is meant, whatever became of those before.

/// A periodic schedule on the run's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) next_us: u64,
    every_us: u64,
}

impl Schedule {
    /// Begins somewhere in its first period, as `phase` (0 to 1) says, so that devices do not send in step.
    pub(crate) fn new(now_us: u64, every: std::time::Duration, phase: f64) -> Self {
        let every_us = u64::try_from(every.as_micros()).unwrap_or(u64::MAX).max(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a period is positive and not larger than it"
        )]
        let offset_us = (every_us as f64 * phase.clamp(0.0, 1.0)) as u64;
        Self { next_us: now_us + offset_us, every_us }
    }

    /// The next intended time, if it is due.
    pub(crate) fn take(&mut self, now_us: u64) -> Option<u64> {
        let due = self.next_us;
        if due > now_us {
            return None;
        }
        self.next_us = due + self.every_us;
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// For all ways of looking, every intended time is handed out once and on its grid: a late look loses none.
        #[test]
        fn no_intended_time_is_lost(
            every_ms in 1u64..500, phase in 0.0f64..1.0, looks in proptest::collection::vec(0u64..3_000_000, 1..20),
        ) {
            let mut schedule = Schedule::new(0, Duration::from_millis(every_ms), phase);
            let first = schedule.next_us;
            let mut looks = looks;
            looks.sort_unstable();
            let mut taken = Vec::new();
            for now in &looks {
                while let Some(due) = schedule.take(*now) {
                    prop_assert!(due <= *now);
                    taken.push(due);
                }
            }
            let last = looks.last().copied().unwrap_or(0);
            let expected: Vec<u64> = (0..4_000_u64).map(|n| first + n * every_ms * 1_000).take_while(|t| *t <= last).collect();
            prop_assert_eq!(taken, expected);
        }
    }
}
