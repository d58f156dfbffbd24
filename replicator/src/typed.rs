//! From `DynamoDB`'s typed JSON (`{"S":"x"}`, `{"N":"1"}`) to plain JSON.
//!
//! A typed value is told from a plain one by *where* it stands, never by what it looks like: a
//! device may well have keys named `S`, `N` or `M`. Strings stay strings, whatever they resemble;
//! integers of 64 bits stay integers; other numbers keep their value as 64-bit floats.

use std::str::FromStr;

use serde_json::{Map, Number, Value};

/// A typed value that does not follow `DynamoDB`'s rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A value that is not an object with exactly one type tag.
    #[error("not a typed value")]
    NotTyped,
    /// A tag that this reader does not know, or whose content does not fit it.
    #[error("type {0} with content that does not fit")]
    Content(String),
}

/// Decodes an item or image: a map of names to typed values.
pub fn item(image: &Map<String, Value>) -> Result<Map<String, Value>, Malformed> {
    image.iter().map(|(name, typed)| Ok((name.clone(), value(typed)?))).collect()
}

/// Decodes one typed value.
pub fn value(typed: &Value) -> Result<Value, Malformed> {
    let Value::Object(object) = typed else { return Err(Malformed::NotTyped) };
    let mut entries = object.iter();
    let (Some((tag, content)), None) = (entries.next(), entries.next()) else {
        return Err(Malformed::NotTyped);
    };
    let wrong = || Malformed::Content(tag.clone());
    match (tag.as_str(), content) {
        // Binary stays in its base64 text: no event of ours has any.
        ("S" | "B", Value::String(text)) => Ok(Value::String(text.clone())),
        ("N", Value::String(text)) => number(text).ok_or_else(wrong),
        ("BOOL", Value::Bool(truth)) => Ok(Value::Bool(*truth)),
        ("NULL", Value::Bool(_)) => Ok(Value::Null),
        ("M", Value::Object(map)) => Ok(Value::Object(item(map)?)),
        ("L", Value::Array(list)) => list.iter().map(value).collect::<Result<_, _>>().map(Value::Array),
        ("SS" | "BS", Value::Array(list)) if list.iter().all(Value::is_string) => Ok(content.clone()),
        ("NS", Value::Array(list)) => list
            .iter()
            .map(|text| text.as_str().and_then(number).ok_or_else(wrong))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        _ => Err(wrong()),
    }
}

fn number(text: &str) -> Option<Value> {
    Number::from_str(text).ok().map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_look_like_type_tags_stay_keys() {
        let typed = json!({"M": {"color": {"M": {"R": {"N": "255"}, "B": {"N": "128"}, "S": {"S": "0.5"}}},
            "only": {"M": {"M": {"M": {"N": {"N": "5"}}}}}}});
        assert_eq!(
            value(&typed).unwrap(),
            json!({"color": {"R": 255, "B": 128, "S": "0.5"}, "only": {"M": {"N": 5}}})
        );
    }

    #[test]
    fn dates_stay_text_and_null_stays_null() {
        let typed = json!({"L": [{"S": "2021-03-31T10:00:00.000"}, {"NULL": true}, {"BOOL": false}]});
        assert_eq!(value(&typed).unwrap(), json!(["2021-03-31T10:00:00.000", null, false]));
    }

    #[test]
    fn numbers_keep_their_value() {
        for (text, expected) in [
            ("0", json!(0)),
            ("-7", json!(-7)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1E-7", json!(1e-7)),
            ("1E+20", json!(1e20)),
            ("3.25", json!(3.25)),
        ] {
            assert_eq!(value(&json!({"N": text})).unwrap(), expected);
        }
        assert!(value(&json!({"N": "twelve"})).is_err());
    }

    #[test]
    fn what_is_not_typed_is_refused() {
        for wrong in [json!(1), json!({}), json!({"S": "a", "N": "1"}), json!({"S": 1}), json!({"Q": "a"})] {
            assert!(value(&wrong).is_err(), "{wrong}");
        }
    }
}
