//! What was found of shadows: all are counted, the first are told.

use std::fmt;

use serde::Serialize;

use super::{Name, Same};

/// Shadows that are told one by one. All are counted.
const TOLD_MAX: usize = 1_000;

/// In what a shadow is not the same in both Regions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "finding", content = "why")]
pub(crate) enum Finding {
    /// The secondary has another state.
    Mismatched,
    /// The secondary does not have it.
    Missing,
    /// It is in the secondary and not in the primary.
    OnlyInSecondary,
    /// It could not be written, or not be looked at.
    Error(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatched => f.write_str("another state in the secondary"),
            Self::Missing => f.write_str("not in the secondary"),
            Self::OnlyInSecondary => f.write_str("only in the secondary"),
            Self::Error(why) => write!(f, "could not be compared: {why}"),
        }
    }
}

/// A shadow that is not the same, or of which it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    pub(crate) name: Name,
    #[serde(flatten)]
    pub(crate) finding: Finding,
}

/// All shadows.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Tally {
    pub(crate) compared: u64,
    pub(crate) synced: u64,
    pub(crate) mismatched: u64,
    pub(crate) missing: u64,
    pub(crate) only_in_secondary: u64,
    pub(crate) errors: u64,
    /// The first that are not the same, by name.
    pub(crate) told: Vec<Told>,
}

impl Tally {
    pub(super) fn count(&mut self, name: Name, same: Same) {
        self.compared += 1;
        let Err(finding) = same else {
            self.synced += 1;
            return;
        };
        *match &finding {
            Finding::Mismatched => &mut self.mismatched,
            Finding::Missing => &mut self.missing,
            Finding::OnlyInSecondary => &mut self.only_in_secondary,
            Finding::Error(_) => &mut self.errors,
        } += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(Told { name, finding });
        }
    }

    pub(super) fn sort(&mut self) {
        self.told.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// How many are not the same, for certain.
    pub(crate) fn differ(&self) -> u64 {
        self.mismatched + self.missing + self.only_in_secondary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> Name {
        Name { thing: format!("t{n:05}"), shadow: String::new() }
    }

    #[test]
    fn d45_everything_is_counted_by_what_it_is() {
        let mut tally = Tally::default();
        let found = [
            Ok(()),
            Err(Finding::Mismatched),
            Err(Finding::Missing),
            Err(Finding::Missing),
            Err(Finding::OnlyInSecondary),
            Err(Finding::Error("throttled".to_owned())),
        ];
        found.into_iter().enumerate().for_each(|(n, same)| tally.count(name(n), same));
        assert_eq!((tally.compared, tally.synced, tally.mismatched, tally.missing), (6, 1, 1, 2));
        assert_eq!((tally.only_in_secondary, tally.errors, tally.differ()), (1, 1, 4));
        (0..TOLD_MAX).for_each(|n| tally.count(name(n), Err(Finding::Missing)));
        assert_eq!((tally.told.len(), tally.missing), (TOLD_MAX, 2 + TOLD_MAX as u64));
    }

    #[test]
    fn a_finding_reads_as_a_sentence_and_as_json() {
        let named = Name { thing: "lamp".to_owned(), shadow: "config".to_owned() };
        assert_eq!(format!("{named}: {}", Finding::Missing), "lamp shadow config: not in the secondary");
        let told = |name, finding| serde_json::to_value(Told { name, finding }).unwrap();
        let json = serde_json::json!({"thing": "lamp", "shadow": "config", "finding": "missing"});
        assert_eq!(told(named, Finding::Missing), json);
        let json = serde_json::json!({"thing": "t00007", "finding": "error", "why": "throttled"});
        assert_eq!(told(name(7), Finding::Error("throttled".to_owned())), json);
    }
}
