//! Reading single columns of a row.

use serde_json::{Map, Value};

/// A row that is not an event we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// An event of a kind that is not replicated.
    #[error("events of type {0:?} are not replicated")]
    Type(String),
    /// An operation that the event's type does not have.
    #[error("unknown operation {0:?}")]
    Operation(String),
    /// An attribute is missing or of another type.
    #[error("attribute {0} is missing or of another type")]
    Attribute(&'static str),
}

pub(super) fn text<'a>(row: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, Unreadable> {
    row.get(name).and_then(Value::as_str).ok_or(Unreadable::Attribute(name))
}

pub(super) fn optional_text(
    row: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, Unreadable> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Unreadable::Attribute(name)),
    }
}

pub(super) fn whole(row: &Map<String, Value>, name: &'static str) -> Result<u64, Unreadable> {
    row.get(name).and_then(Value::as_u64).ok_or(Unreadable::Attribute(name))
}

pub(super) fn flag(row: &Map<String, Value>, name: &'static str) -> Result<bool, Unreadable> {
    row.get(name).and_then(Value::as_bool).ok_or(Unreadable::Attribute(name))
}

pub(super) fn map<'a>(
    row: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a Map<String, Value>>, Unreadable> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(Unreadable::Attribute(name)),
    }
}

pub(super) fn list(row: &Map<String, Value>, name: &'static str) -> Result<Vec<String>, Unreadable> {
    let wrong = || Unreadable::Attribute(name);
    match row.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => {
            list.iter().map(|text| Ok(text.as_str().ok_or_else(wrong)?.to_owned())).collect()
        }
        Some(_) => Err(wrong()),
    }
}
