//! Mistakes that are made on purpose, to prove that histories find them.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// Keys are not held against others.
    NoLease,
    /// Nothing is remembered: every event seems newer.
    NoOrder,
    /// The version that a shadow is expected to have is not looked at.
    NoCompare,
    /// What a batch says is to come again does not.
    FailuresIgnored,
    /// An error row is not written.
    NoErrorRow,
    /// Nobody says what the last holder of a key was about to do.
    NoUnfinished,
}

impl Planted {
    pub(crate) const ALL: [Self; 6] = [
        Self::NoLease,
        Self::NoOrder,
        Self::NoCompare,
        Self::FailuresIgnored,
        Self::NoErrorRow,
        Self::NoUnfinished,
    ];
}
