//! Columns of tables, to and from `DynamoDB`'s values.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value};

use crate::outcome::{Class, Failure};

/// An item, as the SDK has it.
#[expect(clippy::disallowed_types, reason = "the SDK's own type; its order is never looked at")]
pub(super) type Item = std::collections::HashMap<String, AttributeValue>;

/// The largest part of `DynamoDB`'s 400 KB that one column of ours may take.
pub(super) const COLUMN_BYTES_MAX: usize = 380_000;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn read_text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn read_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// A column that holds JSON as text.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(item: &Item, name: &str) -> Option<T> {
    serde_json::from_str(read_text(item, name)?).ok()
}

/// A row of plain JSON as an item: the inverse of [`crate::typed::item`].
pub(super) fn item(row: &Map<String, Value>) -> Item {
    row.iter().map(|(name, value)| (name.clone(), typed(value))).collect()
}

fn typed(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(value) => text(value),
        Value::Array(list) => AttributeValue::L(list.iter().map(typed).collect()),
        Value::Object(map) => AttributeValue::M(item(map)),
    }
}

/// The key of the next page as text, to be handed out and taken back.
pub(super) fn page_key(key: Option<Item>) -> Option<String> {
    let columns: BTreeMap<String, String> = key?
        .into_iter()
        .filter_map(|(name, value)| value.as_s().ok().map(|value| (name, value.clone())))
        .collect();
    serde_json::to_string(&columns).ok()
}

/// The other way. A text that is no key begins at the start.
pub(super) fn start_key(from: Option<&str>) -> Option<Item> {
    let columns: BTreeMap<String, String> = serde_json::from_str(from?).ok()?;
    Some(columns.into_iter().map(|(name, value)| (name, text(value))).collect())
}

/// Nothing about a table is the event's fault, so no event is given up for it.
pub(super) fn unavailable(failure: Failure) -> Failure {
    match failure.class {
        Class::Conflict => failure,
        _ => Failure { class: Class::Transient, ..failure },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_the_types_that_a_rule_gives_it() {
        let row = json!({"a": null, "b": [1, -2.5], "c": {"d": true, "e": "x"}});
        let item = item(row.as_object().unwrap());
        assert_eq!(item["a"], AttributeValue::Null(true));
        assert_eq!(
            item["b"],
            AttributeValue::L(vec![AttributeValue::N("1".into()), AttributeValue::N("-2.5".into())])
        );
        assert_eq!(item["c"].as_m().unwrap()["e"], text("x"));
    }

    #[test]
    fn a_page_is_found_again() {
        let key: Item = [("device".to_owned(), text("a#\"")), ("event".to_owned(), text("e"))].into();
        assert_eq!(start_key(page_key(Some(key.clone())).as_deref()), Some(key));
        assert_eq!(start_key(None), None);
        assert_eq!(page_key(None), None);
    }
}
