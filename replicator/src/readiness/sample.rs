//! A sample of the fleet: the same seed draws the same devices of the same fleet.

use std::collections::BTreeMap;

use super::Candidate;

/// A sample of a list whose length is not known: those with the smallest hashes, so that neither the
/// order of the list nor its pages matter.
pub(super) struct Sample {
    size: usize,
    seed: u64,
    drawn: BTreeMap<(u64, String), Candidate>,
}

impl Sample {
    pub(super) fn new(size: usize, seed: u64) -> Self {
        Self { size, seed, drawn: BTreeMap::new() }
    }

    /// A device of the list, which is drawn or not.
    pub(super) fn offer(&mut self, device: Candidate) {
        let hash = hash(self.seed, &device.name);
        self.drawn.insert((hash, device.name.clone()), device);
        if self.drawn.len() > self.size {
            self.drawn.pop_last();
        }
    }

    /// The devices that were drawn.
    pub(super) fn drawn(self) -> Vec<Candidate> {
        self.drawn.into_values().collect()
    }
}

/// FNV-1a over the name and the seed, mixed as in splitmix64.
fn hash(seed: u64, name: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut z =
        name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
