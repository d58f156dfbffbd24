//! What a scenario may say of a fault, checked before the run: each parameter says what it takes, in words.

use std::time::Duration;

use serde::Serialize;
use toml::Value;

use crate::scenario::Span;

/// The longest time that a parameter takes.
const TIME_MAX: Duration = Duration::from_hours(24);
/// The largest number.
pub(super) const COUNT_MAX: i64 = 1_000_000;
/// The longest text.
pub(super) const TEXT_BYTES_MAX: usize = 256;

/// A parameter of a fault.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What holds without it.
    pub without: Without,
    /// What it is.
    pub what: &'static str,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// `"20%"` or `0.2`, more than nothing and at most all.
    Share,
    /// `"5s"`.
    Time,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// How many, from 1 on.
    Count,
    /// Any text.
    Text,
}

/// What holds when a parameter is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// As if this had been said.
    Is(&'static str),
    /// It restricts nothing: this, in words.
    All(&'static str),
}

impl Takes {
    /// In words and examples.
    pub fn words(self) -> String {
        match self {
            Self::Share => "a share, as \"20%\" or 0.2".to_owned(),
            Self::Time => "a time, as \"5s\"".to_owned(),
            Self::OneOf(names) => format!("one of {}", names.join(", ")),
            Self::Count => "a whole number from 1 on".to_owned(),
            Self::Text => "a text".to_owned(),
        }
    }

    /// What is wrong with a value.
    pub(super) fn check(self, value: &Value) -> Result<(), String> {
        let fits = match self {
            Self::Share => share(value).is_some(),
            Self::Time => match value.as_str().map(str::parse::<Span>) {
                Some(Ok(span)) if *span > TIME_MAX || span.is_zero() => {
                    return Err("must be more than nothing and at most 24h".to_owned());
                }
                Some(Ok(_)) => true,
                Some(Err(why)) => return Err(why),
                None => false,
            },
            Self::OneOf(names) => value.as_str().is_some_and(|text| names.contains(&text)),
            Self::Count => value.as_integer().is_some_and(|count| (1..=COUNT_MAX).contains(&count)),
            Self::Text => value.as_str().is_some_and(|text| !text.is_empty() && text.len() <= TEXT_BYTES_MAX),
        };
        if fits { Ok(()) } else { Err(format!("must be {}; not {value}", self.words())) }
    }
}

/// A share from more than 0 to 1.
pub(super) fn share(value: &Value) -> Option<f64> {
    let share = match value {
        Value::Float(share) => *share,
        Value::Integer(1) => 1.0,
        Value::String(text) => text.strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0,
        _ => return None,
    };
    (share > 0.0 && share <= 1.0).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_people_do() {
        for (value, is) in [
            (Value::from("20%"), Some(0.2)),
            (Value::from("100%"), Some(1.0)),
            (Value::from(0.5), Some(0.5)),
            (Value::from(1), Some(1.0)),
            (Value::from("0%"), None),
            (Value::from("101%"), None),
            (Value::from(20), None),
            (Value::from("some"), None),
        ] {
            assert_eq!(share(&value), is, "{value}");
        }
    }

    #[test]
    fn a_wrong_value_is_told_what_would_be_right() {
        for (takes, value, said) in [
            (Takes::Share, Value::from("x"), "must be a share, as \"20%\" or 0.2; not \"x\""),
            (Takes::Time, Value::from(5), "must be a time, as \"5s\"; not 5"),
            (Takes::Time, Value::from("0s"), "must be more than nothing and at most 24h"),
            (Takes::OneOf(&["a", "b"]), Value::from("c"), "must be one of a, b; not \"c\""),
            (Takes::Text, Value::from(""), "must be a text; not \"\""),
        ] {
            assert_eq!(takes.check(&value).unwrap_err(), said);
        }
        assert!(Takes::Time.check(&Value::from("5 parsecs")).unwrap_err().contains("is not a time"));
        assert!(Takes::OneOf(&["a"]).check(&Value::from("a")).is_ok());
    }
}
