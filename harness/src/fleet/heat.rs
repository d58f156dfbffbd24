//! Hot devices: which devices write more than others, and how much. By Zipf's law the device of rank r writes as often as the
//! first does, divided by r to the power of an exponent; all together they write what they would if they were alike.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// How hot each device is: 1 is the mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heat {
    /// By device; empty when all are alike.
    by_device: Vec<f64>,
}

impl Heat {
    /// Of so many devices. Which of them are hot is drawn by the seed.
    pub(crate) fn new(devices: u32, exponent: f64, seed: u64) -> Self {
        if exponent <= 0.0 {
            return Self { by_device: Vec::new() };
        }
        let mean = shares(devices, exponent).sum::<f64>() / f64::from(devices.max(1));
        let mut by_device: Vec<f64> = shares(devices, exponent).map(|share| share / mean).collect();
        by_device.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        Self { by_device }
    }

    pub(crate) fn of(&self, device: u32) -> f64 {
        self.by_device.get(device as usize).copied().unwrap_or(1.0)
    }
}

/// How hot the hottest is.
pub(crate) fn hottest(devices: u32, exponent: f64) -> f64 {
    if exponent <= 0.0 { 1.0 } else { f64::from(devices) / shares(devices, exponent).sum::<f64>().max(1.0) }
}

/// By rank, of the first one's.
fn shares(devices: u32, exponent: f64) -> impl Iterator<Item = f64> {
    (1..=devices).map(move |rank| f64::from(rank).powf(-exponent))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the exponent, the fleet writes as much as if all were alike, and the hottest is as hot as is said.
        #[test]
        fn heat_is_shared_out_and_not_made(devices in 1u32..2_000, exponent in 0.0f64..3.0, seed in any::<u64>()) {
            let heat = Heat::new(devices, exponent, seed);
            let all: Vec<f64> = (0..devices).map(|device| heat.of(device)).collect();
            prop_assert!((all.iter().sum::<f64>() / f64::from(devices) - 1.0).abs() < 1e-6);
            let most = all.iter().copied().fold(0.0, f64::max);
            prop_assert!((most / hottest(devices, exponent) - 1.0).abs() < 1e-6);
            prop_assert!(all.iter().all(|heat| *heat > 0.0));
        }
    }

    #[test]
    fn the_first_writes_twice_as_much_as_the_second_and_the_seed_says_who_it_is() {
        let of = |seed| {
            let heat = Heat::new(1_000, 1.0, seed);
            let mut ranked: Vec<(u32, f64)> = (0..1_000).map(|device| (device, heat.of(device))).collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
            ranked
        };
        let ranked = of(7);
        assert!((ranked[0].1 / ranked[1].1 - 2.0).abs() < 1e-9);
        assert_eq!(of(7), ranked);
        assert_ne!(of(8)[0].0, ranked[0].0);
    }
}
