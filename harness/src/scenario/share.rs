//! Shares of a fleet as devices: how many each share is, and which device has which.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// The stream of random numbers that places are drawn from. Devices have those from 1 on.
const STREAM: u64 = u64::MAX;
/// What a product of a share and a number of devices may lack of a whole number and still be one.
const WHOLE: f64 = 1e-9;

/// How many of `devices` each share is: by largest remainder, so that they add up to all of them. Shares add up to 1.
pub(super) fn counts(shares: &[f64], devices: u32) -> Vec<u32> {
    let exact: Vec<f64> = shares.iter().map(|share| share * f64::from(devices)).collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of the devices is positive and not more than them"
    )]
    let mut counts: Vec<u32> = exact.iter().map(|exact| (exact + WHOLE).floor() as u32).collect();
    let left = devices.saturating_sub(counts.iter().sum());
    let mut places: Vec<usize> = (0..shares.len()).collect();
    let remainder = |place: &usize| {
        let (exact, count) = (exact.get(*place), counts.get(*place));
        exact.zip(count).map_or(0.0, |(exact, count)| exact - f64::from(*count))
    };
    // The sort is stable: of equal remainders the first has it.
    places.sort_by(|a, b| remainder(b).total_cmp(&remainder(a)));
    for place in places.into_iter().cycle().take(left as usize) {
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
    }
    counts
}

/// Each device's place among the shares, by its number: drawn by the seed, so that no share is the one that connects first.
pub(crate) fn places(counts: &[u32], seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = counts
        .iter()
        .enumerate()
        .flat_map(|(place, count)| std::iter::repeat_n(place, *count as usize))
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    places.shuffle(&mut rng);
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_remainders_get_what_is_left() {
        assert_eq!(counts(&[0.7, 0.2, 0.1], 300), [210, 60, 30]);
        assert_eq!(counts(&[0.7, 0.2, 0.1], 12), [8, 3, 1]);
        assert_eq!(counts(&[0.5, 0.5], 9), [5, 4], "of equal ones the first");
        assert_eq!(counts(&[1.0], 7), [7]);
    }

    proptest! {
        /// For all shares, no device is left over or had twice, and none is further from its share than one device.
        #[test]
        fn counts_are_exact(weights in proptest::collection::vec(1u32..1_000, 1..6), devices in 1u32..9_000) {
            let sum: u32 = weights.iter().sum();
            let shares: Vec<f64> = weights.iter().map(|weight| f64::from(*weight) / f64::from(sum)).collect();
            let counts = counts(&shares, devices);
            prop_assert_eq!(counts.iter().sum::<u32>(), devices);
            for (share, count) in shares.iter().zip(&counts) {
                let exact = share * f64::from(devices);
                prop_assert!((exact - f64::from(*count)).abs() < 1.0 + 1e-6, "{exact} is {count}");
            }
        }

        /// For all counts and seeds, each share has as many devices as it should, and the same seed draws the same.
        #[test]
        fn places_hold_each_share(counts in proptest::collection::vec(0u32..60, 1..6), seed: u64) {
            let drawn = places(&counts, seed);
            for (place, count) in counts.iter().enumerate() {
                prop_assert_eq!(drawn.iter().filter(|each| **each == place).count(), *count as usize);
            }
            prop_assert_eq!(drawn, places(&counts, seed));
        }
    }

    #[test]
    fn another_seed_draws_other_places() {
        assert_ne!(places(&[50, 50], 1), places(&[50, 50], 2));
        let drawn = places(&[50, 50], 7);
        assert!(drawn[..50].contains(&1) && drawn[50..].contains(&0), "not in the order of numbers");
    }
}
