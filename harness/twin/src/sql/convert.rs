//! Conversions between types, as AWS documents them. `None` is *undefined*.

use bigdecimal::RoundingMode;
use serde_json::{Value, json};

use super::number::Number;

/// What `cast` can make of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Whole,
    Decimal,
    Boolean,
}

impl Type {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "string" | "nvarchar" | "text" | "ntext" | "varchar" => Self::Text,
            "int" | "integer" => Self::Whole,
            "double" | "decimal" => Self::Decimal,
            "bool" | "boolean" => Self::Boolean,
            _ => return None,
        })
    }
}

/// A value as a text; null has none.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        // A decimal without a fraction is a whole number.
        Value::Number(_) => Some(Number::of(value)?.json()?.to_string()),
        other => Some(other.to_string()),
    }
}

/// `true` and `false`, also as texts in any case.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// `cast`: the conversions, and between numbers and booleans besides.
pub(super) fn cast(value: &Value, to: Type) -> Option<Value> {
    let number = || match value {
        Value::Bool(b) => Some(Number::Whole(i128::from(*b))),
        other => Number::of(other),
    };
    match to {
        Type::Text => text(value).map(Value::String),
        Type::Whole => number()?.rounded(RoundingMode::Floor).map(|n| json!(n)),
        Type::Decimal => number()?.json(),
        Type::Boolean if value.is_number() => Some(json!(number()? != Number::Whole(0))),
        Type::Boolean => boolean(value).map(Value::Bool),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts() {
        for (value, to, expected) in [
            (json!(true), "Int", Some(json!(1))),
            (json!("2.9"), "integer", Some(json!(2))),
            (json!(-2.1), "INT", Some(json!(-3))),
            (json!("5E-1"), "Decimal", Some(json!(0.5))),
            (json!(0), "bool", Some(json!(false))),
            (json!(0.5), "Boolean", Some(json!(true))),
            (json!("TRUE"), "bool", Some(json!(true))),
            (json!("yes"), "bool", None),
            (json!([1, "a"]), "String", Some(json!("[1,\"a\"]"))),
            (json!(2.0), "varchar", Some(json!("2"))),
            (json!(null), "String", None),
            (json!([1]), "Int", None),
        ] {
            assert_eq!(cast(&value, Type::parse(to).unwrap()), expected, "{value} as {to}");
        }
        assert_eq!(Type::parse("date"), None);
    }
}
