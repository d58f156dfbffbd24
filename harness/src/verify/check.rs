//! What is checked, and how it ended.

use std::fmt;

use gameday_report::{Verdict, units};
use serde::{Serialize, Serializer};

/// A check, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Match,
    PubSubPrimary,
    PubSubSecondary,
    Shadow,
    Delete,
    DeleteIdentity,
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Match,
        Self::PubSubPrimary,
        Self::PubSubSecondary,
        Self::Shadow,
        Self::Delete,
        Self::DeleteIdentity,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Match => "MATCH",
            Self::PubSubPrimary | Self::PubSubSecondary => "PUBSUB",
            Self::Shadow => "SHADOW",
            Self::Delete => "DELETE",
            Self::DeleteIdentity => "DELETE-IDENTITY",
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A check that was made, or could not be.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    #[serde(rename = "check")]
    pub(crate) kind: Kind,
    pub(crate) region: String,
    pub(crate) verdict: Verdict,
    pub(crate) seconds: f64,
    /// What was found, or why it failed, or why it could not be made.
    pub(crate) detail: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, region, verdict, seconds, detail } = self;
        let took = units::duration(seconds * 1e6);
        write!(f, "{:<8} {:<16} {region:<15} {took:>8}  {detail}", verdict.word(), kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_reads_as_a_line_and_as_json() {
        let check = Check {
            kind: Kind::PubSubSecondary,
            region: "us-west-2".to_owned(),
            verdict: Verdict::Fail,
            seconds: 2.0,
            detail: "3 of 5 messages came back".to_owned(),
        };
        let line = "Fail     PUBSUB           us-west-2            2 s  3 of 5 messages came back";
        assert_eq!(check.to_string(), line);
        let json = serde_json::json!({"check": "PUBSUB", "region": "us-west-2", "verdict": "fail", "seconds": 2.0,
            "detail": "3 of 5 messages came back"});
        assert_eq!(serde_json::to_value(&check).unwrap(), json);
    }
}
