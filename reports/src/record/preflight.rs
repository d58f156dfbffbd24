//! What was looked at before a run changed anything, and that it was steady before anything was broken.

use serde::{Deserialize, Serialize};

/// What pre-flight saw. A run that is refused has no record, so nothing here is refused that was not to be overlooked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// A check each, in the order in which they were made.
    pub checks: Vec<PreflightCheck>,
}

/// One check of pre-flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightCheck {
    /// Its name, for example `leftovers`.
    pub name: String,
    /// What it looks at, for a reader.
    pub label: String,
    /// How it ended.
    pub outcome: PreflightOutcome,
    /// What was seen, and where it is not as it should be, what to do. One sentence.
    pub why: String,
    /// An operator said that the run goes on whatever it finds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
}

/// How a check of pre-flight ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreflightOutcome {
    /// All is well.
    Passed,
    /// Something to know; the run goes on.
    Warned,
    /// It could not be looked at. That is never well.
    Unknown,
    /// No run goes on like this.
    Refused,
}

impl PreflightOutcome {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
        }
    }
}

/// Whether it was steady before the first fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steady {
    /// Every hypothesis held for the time that the scenario asks for.
    pub held: bool,
    /// How long all of them had held then, without a break.
    pub for_us: u64,
    /// The hypotheses, as a scenario writes them.
    pub hypotheses: Vec<String>,
    /// What did not hold; empty when all did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
}
