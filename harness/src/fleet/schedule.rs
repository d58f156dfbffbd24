//! An open-loop schedule: when each send is meant, whatever became of those before. Every intended time follows from the shape,
//! the seed and its number alone, so that the same seed means the same load.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the times of a schedule lie.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Shape {
    /// Of a period, how much of it a send may be late by, by chance: 0 is a clock, 1 is anywhere in its period.
    pub(crate) jitter: f64,
    /// How the rate comes to be what it is.
    pub(crate) ramp: Option<Ramp>,
}

/// A rate that changes evenly from a multiple of itself to itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ramp {
    /// The multiple that it begins with: below 1 it rises, above 1 it falls.
    pub(crate) from: f64,
    pub(crate) over: Duration,
}

/// A schedule on the run's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) next_us: u64,
    began_us: u64,
    every_us: u64,
    /// Where in its period each send lies, without jitter.
    phase: f64,
    shape: Shape,
    seed: u64,
    /// The number of the next send.
    number: u64,
}

impl Schedule {
    /// Begins somewhere in its first period, as `phase` (0 to 1) says, so that devices do not send in step.
    pub(crate) fn new(now_us: u64, every: Duration, phase: f64) -> Self {
        Self::shaped(now_us, every, phase, Shape::default(), 0)
    }

    /// The same with a shape, of which the chance is drawn by the seed.
    pub(crate) fn shaped(now_us: u64, every: Duration, phase: f64, shape: Shape, seed: u64) -> Self {
        let every_us = u64::try_from(every.as_micros()).unwrap_or(u64::MAX).max(1);
        let phase = phase.clamp(0.0, 1.0);
        let mut schedule = Self { next_us: 0, began_us: now_us, every_us, phase, shape, seed, number: 0 };
        schedule.next_us = schedule.time_us(0);
        schedule
    }

    /// The next intended time, if it is due.
    pub(crate) fn take(&mut self, now_us: u64) -> Option<u64> {
        let due = self.next_us;
        if due > now_us {
            return None;
        }
        self.number += 1;
        self.next_us = self.time_us(self.number);
        Some(due)
    }

    /// When the send of a number is meant.
    fn time_us(&self, number: u64) -> u64 {
        let late = match self.shape.jitter {
            jitter if jitter > 0.0 => jitter.min(1.0) * share(self.seed, number),
            _ => 0.0,
        };
        let inside_us = whole((self.phase + late) * self.every_us as f64);
        // At its full rate it would be so far.
        let far_us = number.saturating_mul(self.every_us).saturating_add(inside_us);
        self.began_us.saturating_add(self.shape.ramp.map_or(far_us, |ramp| ramp.reached_us(far_us)))
    }
}

impl Ramp {
    /// When a schedule that begins with another rate is where it would be after `far_us` at its own.
    ///
    /// At `t` within the ramp it is at the integral of its rate, `from t + (1 - from) t² / (2 over)`; this is the `t` at which
    /// that is `far_us`, by the form of the root that has no difference of equal numbers.
    fn reached_us(&self, far_us: u64) -> u64 {
        let over_us = self.over.as_micros() as f64;
        let at_end_us = over_us * f64::midpoint(self.from, 1.0);
        let far = far_us as f64;
        if far >= at_end_us {
            return whole(far - at_end_us + over_us);
        }
        let bend = (1.0 - self.from) / (2.0 * over_us);
        let root = (self.from * self.from + 4.0 * bend * far).max(0.0).sqrt();
        if far_us == 0 { 0 } else { whole(2.0 * far / (self.from + root)) }
    }
}

fn whole(us: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time that is not negative; what is beyond all times is cut to the last"
    )]
    let whole = us.max(0.0) as u64;
    whole
}

/// A number from 0 to 1, the same for the same seed and number.
fn share(seed: u64, number: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng.random()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_shape() -> impl Strategy<Value = Shape> {
        let ramp = (0.0f64..5.0, 1u64..60)
            .prop_map(|(from, over_s)| Ramp { from, over: Duration::from_secs(over_s) });
        (0.0f64..=1.0, proptest::option::of(ramp)).prop_map(|(jitter, ramp)| Shape { jitter, ramp })
    }

    /// The first times of a schedule.
    fn times(mut schedule: Schedule, count: usize) -> Vec<u64> {
        (0..count).map_while(|_| schedule.take(u64::MAX - 1)).collect()
    }

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

        /// Whatever its shape, times do not go back, do not depend on when they are looked at, and are the seed's.
        #[test]
        fn a_shape_is_a_schedule_too(
            shape in any_shape(), every_ms in 1u64..5_000, phase in 0.0f64..1.0, seed in any::<u64>(),
            looks in proptest::collection::vec(0u64..20_000_000, 1..20),
        ) {
            let every = Duration::from_millis(every_ms);
            let new = || Schedule::shaped(1_000, every, phase, shape, seed);
            let all = times(new(), 400);
            prop_assert!(all.is_sorted() && all[0] >= 1_000);
            let (mut schedule, mut taken, mut looks) = (new(), Vec::new(), looks);
            looks.sort_unstable();
            for now in looks {
                while taken.len() < 400 && let Some(due) = schedule.take(now) {
                    prop_assert!(due <= now);
                    taken.push(due);
                }
            }
            prop_assert_eq!(&taken[..], &all[..taken.len()]);
        }

        /// With jitter each send stays in its own period, moved by no more than its share of it.
        #[test]
        fn jitter_moves_a_send_within_its_period(jitter in 0.0f64..=1.0, seed in any::<u64>()) {
            let shape = Shape { jitter, ramp: None };
            let all = times(Schedule::shaped(0, Duration::from_secs(1), 0.0, shape, seed), 200);
            for (number, at_us) in (0u64..).zip(&all) {
                let late_us = at_us - number * 1_000_000;
                prop_assert!(late_us as f64 <= jitter * 1e6);
            }
        }

        /// In and after a ramp there are as many sends as its rate adds up to, one more or less.
        #[test]
        fn a_ramp_sends_what_its_rate_adds_up_to(from in 0.0f64..5.0, over_s in 1u64..60, at_s in 0.0f64..120.0) {
            let ramp = Ramp { from, over: Duration::from_secs(over_s) };
            let shape = Shape { jitter: 0.0, ramp: Some(ramp) };
            let every = Duration::from_millis(100);
            let (at, over) = (at_s, over_s as f64);
            let inside = at.min(over);
            // The integral of a rate that goes evenly from `from` to 1, in periods.
            let sum = (from * inside + (1.0 - from) * inside * inside / (2.0 * over) + (at - inside)) / 0.1;
            let mut schedule = Schedule::shaped(0, every, 0.0, shape, 0);
            let mut count = 0.0;
            while schedule.take(whole(at_s * 1e6)).is_some() {
                count += 1.0;
            }
            prop_assert!((count - sum).abs() <= 1.01, "{} sends, the rate adds up to {}", count, sum);
        }
    }

    #[test]
    fn chance_is_spread_evenly() {
        let mean = (0..10_000).map(|number| share(7, number)).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        let low = (0..10_000).filter(|number| share(8, *number) < 0.1).count();
        assert!((800..1_200).contains(&low), "{low}");
    }
}
