//! Verdicts and exit codes. One place combines verdicts, one table says what each exit code means.

use serde::{Deserialize, Serialize};

/// What a record says of an objective or a check. There is no verdict without evidence: no data is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Measured, and met.
    Pass,
    /// It cannot be said.
    Unknown,
    /// Measured, and not met.
    Fail,
}

impl Verdict {
    /// `Fail` outranks `Unknown`, `Unknown` outranks `Pass`; nothing at all is `Unknown`.
    pub fn combine(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::Unknown)
    }

    /// The word for a reader.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "Pass",
            Self::Unknown => "Unknown",
            Self::Fail => "Fail",
        }
    }
}

/// What the process of a run ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitCode {
    /// Every objective was met.
    Pass,
    /// gameday itself failed.
    Error,
    /// The command line or the scenario is not valid.
    Usage,
    /// An objective was missed.
    Missed,
    /// It cannot be said whether the objectives were met.
    Inconclusive,
    /// A stop condition ended the run.
    StopCondition,
    /// An operator stopped the run.
    Operator,
    /// Pre-flight refused the run.
    Refused,
    /// Something that the run changed is not undone.
    UndoIncomplete,
}

impl ExitCode {
    /// Every exit code, in the order of their numbers: the table for `--help` and the README.
    pub const ALL: [Self; 9] = [
        Self::Pass,
        Self::Error,
        Self::Usage,
        Self::Missed,
        Self::Inconclusive,
        Self::StopCondition,
        Self::Operator,
        Self::Refused,
        Self::UndoIncomplete,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Missed => 10,
            Self::Inconclusive => 11,
            Self::StopCondition => 12,
            Self::Operator => 13,
            Self::Refused => 14,
            Self::UndoIncomplete => 20,
        }
    }

    /// The name, as in `summary.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Error => "error",
            Self::Usage => "usage",
            Self::Missed => "missed",
            Self::Inconclusive => "inconclusive",
            Self::StopCondition => "stop-condition",
            Self::Operator => "operator",
            Self::Refused => "refused",
            Self::UndoIncomplete => "undo-incomplete",
        }
    }

    /// What it means, in one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Pass => "every objective was met",
            Self::Error => "gameday itself failed",
            Self::Usage => "the command line or the scenario is not valid",
            Self::Missed => "an objective was missed",
            Self::Inconclusive => "it cannot be said whether the objectives were met",
            Self::StopCondition => "a stop condition ended the run",
            Self::Operator => "an operator stopped the run",
            Self::Refused => "pre-flight refused the run; nothing was changed",
            Self::UndoIncomplete => {
                "something that the run changed is not undone; the report lists the manual undo"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![Just(Verdict::Pass), Just(Verdict::Unknown), Just(Verdict::Fail)]
    }

    #[test]
    fn nothing_is_unknown() {
        assert_eq!(Verdict::combine([]), Verdict::Unknown);
    }

    #[test]
    fn exit_codes_are_distinct_and_in_order() {
        let codes: Vec<_> = ExitCode::ALL.iter().map(|code| code.code()).collect();
        assert_eq!(codes, [0, 1, 2, 10, 11, 12, 13, 14, 20]);
        for code in ExitCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }

    proptest! {
        #[test]
        fn combine_is_the_worst_in_any_order(mut verdicts in proptest::collection::vec(verdict(), 1..9)) {
            let combined = Verdict::combine(verdicts.iter().copied());
            let expected = if verdicts.contains(&Verdict::Fail) {
                Verdict::Fail
            } else if verdicts.contains(&Verdict::Unknown) {
                Verdict::Unknown
            } else {
                Verdict::Pass
            };
            prop_assert_eq!(combined, expected);
            verdicts.reverse();
            prop_assert_eq!(Verdict::combine(verdicts), combined);
        }
    }
}
