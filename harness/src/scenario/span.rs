//! A length of time as people write it: `250ms`, `10s`, `5m`, `1h 30m`.

use std::{borrow::Cow, fmt, ops::Deref, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How people write a time, as a regular expression. What a scenario may say is more: that is the parser's business.
pub(super) const WRITTEN: &str = "([0-9]+(\\.[0-9]+)?) ?(ns|us|µs|ms|s|secs?|m|mins?|h|hrs?)";

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(Duration);

impl Span {
    /// So many seconds.
    pub const fn seconds(s: u64) -> Self {
        Self(Duration::from_secs(s))
    }

    /// So many milliseconds.
    pub const fn milliseconds(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = "a time is written like \"250ms\", \"10s\", \"5m\" or \"1h 30m\"";
        let time: jiff::SignedDuration =
            text.parse().map_err(|_| format!("{text:?} is not a time: {help}"))?;
        Duration::try_from(time).map(Self).map_err(|_| format!("{text:?} is negative: {help}"))
    }
}

impl Deref for Span {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        match ms {
            0 => write!(f, "0s"),
            ms if ms % 60_000 == 0 => write!(f, "{}m", ms / 60_000),
            ms if ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time, as \"250ms\", \"10s\", \"5m\" or \"1h 30m\".",
            "type": "string",
            "pattern": format!("^{WRITTEN}( ?{WRITTEN})*$"),
            "examples": ["250ms", "10s", "5m", "1h 30m"],
        })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_write_times() {
        for (text, ms) in
            [("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("1h 30m", 5_400_000), ("1.5s", 1_500)]
        {
            assert_eq!(text.parse(), Ok(Span::milliseconds(ms)), "{text}");
        }
        for text in ["", "5", "-1s", "soon"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    proptest! {
        /// For all spans, what is shown reads back as the same span.
        #[test]
        fn shown_reads_back(ms in 0u64..10_000_000) {
            let span = Span::milliseconds(ms);
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
