//! The guide's modes.

use std::str::FromStr;

use serde_json::Value;

use crate::event::DOCUMENT;

/// What is replicated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    #[default]
    Complete,
    /// Everything but certificates, policies and what ties them: devices bring their certificates
    /// themselves, and the function `jitr` makes what belongs to them.
    JustInTime,
}

impl Mode {
    /// Whether a stream's record is for this mode.
    pub fn wants(self, record: &Value) -> bool {
        self == Self::Complete || record["dynamodb"]["NewImage"]["eventType"]["S"] != DOCUMENT
    }
}

/// A name that no mode has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no mode: there are \"complete\" and \"just-in-time\"")]
pub struct UnknownMode(String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        match name {
            "" | "complete" => Ok(Self::Complete),
            "just-in-time" => Ok(Self::JustInTime),
            other => Err(UnknownMode(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_for_the_complete_mode_alone() {
        let record = |kind: &str| json!({"dynamodb": {"NewImage": {"eventType": {"S": kind}}}});
        assert!(Mode::Complete.wants(&record("DOCUMENT")) && !Mode::JustInTime.wants(&record("DOCUMENT")));
        assert!(Mode::JustInTime.wants(&record("THING_EVENT")) && Mode::JustInTime.wants(&json!({})));
        assert_eq!("just-in-time".parse(), Ok(Mode::JustInTime));
        assert!("jitr".parse::<Mode>().is_err());
    }
}
