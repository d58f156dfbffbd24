//! Names of a run: everything that it makes carries its id, so that it is found again by name alone.

use rand::{Rng, distr::Alphanumeric};

/// Characters of an id.
pub(crate) const ID_CHARS: usize = 8;

/// The thing attribute, and the tag of stacks, that carries the run's id.
pub(crate) const RUN_ATTRIBUTE: &str = "gameday-run";

/// The thing attribute that carries the mark of the fleet, of those that stay.
pub(crate) const FLEET_ATTRIBUTE: &str = "gameday-fleet";

/// A new id, of a run or of a check.
pub(crate) fn new_id() -> String {
    let mut rng = rand::rng();
    (0..ID_CHARS).map(|_| char::from(rng.sample(Alphanumeric)).to_ascii_lowercase()).collect()
}

/// The name of a device: `gd-<run>-00001`. Numbers count from 0 inside, from 1 in names.
pub(crate) fn device_name(run: &str, number: u32) -> String {
    format!("gd-{run}-{:05}", number + 1)
}

/// The number behind a device's name.
pub(crate) fn device_number(name: &str) -> Option<u32> {
    name.rsplit('-').next()?.parse::<u32>().ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_together() {
        for number in [0, 41, 99_999, 150_000] {
            assert_eq!(device_number(&device_name("ab12cd34", number)), Some(number));
        }
        assert_eq!(device_number("gd-ab12cd34-observer"), None);
        assert_eq!(device_number("gd-ab12cd34-00000"), None);
    }
}
