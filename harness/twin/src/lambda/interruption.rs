//! Functions that are killed in the middle of an invocation: the fault, and the one place that decides.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use rand::Rng as _;

/// The chance that an invocation is cut off, by Region and function.
#[derive(Debug, Default)]
pub(crate) struct Interruptions {
    chances: Mutex<BTreeMap<(String, String), f64>>,
}

impl Interruptions {
    /// Sets the chance, from 0 (never) to 1.
    #[cfg_attr(not(test), allow(dead_code, reason = "what the fault of a crashing function switches"))]
    pub(crate) fn set(&self, region: &str, function: &str, chance: f64) {
        let (key, chance) = ((region.to_owned(), function.to_owned()), chance.clamp(0.0, 1.0));
        let mut chances = self.chances.lock();
        if chance > 0.0 {
            chances.insert(key, chance);
        } else {
            chances.remove(&key);
        }
    }

    /// Whether this invocation is to be cut off.
    pub(crate) fn interrupt(&self, region: &str, function: &str) -> bool {
        let chances = self.chances.lock();
        if chances.is_empty() {
            return false;
        }
        let key = (region.to_owned(), function.to_owned());
        chances.get(&key).is_some_and(|chance| rand::rng().random_bool(*chance))
    }
}

/// When an invocation is cut off that takes about this long: at any moment of it, equally likely.
pub(crate) fn moment(usual: Duration) -> Duration {
    usual.mul_f64(rand::rng().random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_function_that_is_named_is_interrupted() {
        let interruptions = Interruptions::default();
        interruptions.set("r", "f", 1.0);
        assert!(interruptions.interrupt("r", "f"));
        assert!(!interruptions.interrupt("r", "g") && !interruptions.interrupt("s", "f"));
        interruptions.set("r", "f", 0.0);
        assert!(!interruptions.interrupt("r", "f"));
    }
}
