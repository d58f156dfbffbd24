//! A share of what could be hit, from nothing to all.

use rand::Rng;
use serde::{Deserialize, Serialize};

const MILLION: u32 = 1_000_000;

/// A share from 0 to 1, in millionths, so that equal shares are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share {
    millionths: u32,
}

impl Share {
    /// All of it.
    pub const ALL: Self = Self { millionths: MILLION };

    /// Whether it is all.
    pub fn is_all(&self) -> bool {
        *self == Self::ALL
    }

    /// Throws the dice.
    pub(super) fn comes_up(self, dice: &mut impl Rng) -> bool {
        self.is_all() || dice.random_range(0..MILLION) < self.millionths
    }

    /// Whether this hash falls into the share: the same answer each time.
    pub(super) fn holds(self, hash: u64) -> bool {
        hash % u64::from(MILLION) < u64::from(self.millionths)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::ALL
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(share: f64) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("share must be a number from 0 to 1, got {share}"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
        let millionths = (share * f64::from(MILLION)).round() as u32;
        Ok(Self { millionths })
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        Self::from(share.millionths) / Self::from(MILLION)
    }
}
