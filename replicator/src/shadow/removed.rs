//! Leaves that someone else removed in the secondary.
//!
//! A removal leaves no time stamp. It is known by three facts: the primary had the leaf when it was
//! brought last, it has not written it since, and the secondary does not have it any more.

use serde_json::{Map, Value};

use super::diff::{self, Document};

/// What is wanted, without the leaves that the secondary had and someone else removed since.
pub(super) fn without(wanted: Document<'_>, brought: Document<'_>, current: &Value) -> Value {
    let Value::Object(map) = wanted.state else { return wanted.state.clone() };
    let mut stays = Map::new();
    for (key, value) in map {
        let part = |of: Document<'_>| -> (Value, Value) { (of.state[key].clone(), of.metadata[key].clone()) };
        let there = current.get(key).filter(|there| !there.is_null());
        let is_object = value.as_object().is_some_and(|map| !map.is_empty());
        if is_object && there.is_none_or(Value::is_object) {
            let (before, before_metadata) = part(brought);
            let rest = without(
                Document { state: value, metadata: &wanted.metadata[key] },
                Document { state: &before, metadata: &before_metadata },
                there.unwrap_or(&Value::Null),
            );
            if there.is_some() || rest.as_object().is_some_and(|rest| !rest.is_empty()) {
                stays.insert(key.clone(), rest);
            }
        } else if there.is_some() || !is_as_brought(value, &wanted.metadata[key], brought, key) {
            stays.insert(key.clone(), value.clone());
        }
    }
    Value::Object(stays)
}

fn is_as_brought(value: &Value, metadata: &Value, brought: Document<'_>, key: &str) -> bool {
    let (now_s, then_s) = (diff::newest_s(metadata), diff::newest_s(&brought.metadata[key]));
    now_s.is_some() && now_s == then_s && diff::same(value, &brought.state[key])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_brought_and_went_stays_away_until_the_primary_writes_it_again() {
        let stamps = |a_s: u64| json!({"r": {"a": {"timestamp": a_s}, "o": {"x": {"timestamp": 5}}}});
        let state = json!({"r": {"a": 1, "o": {"x": 1}}});
        let (old, new) = (stamps(5), stamps(6));
        let brought = Document { state: &state, metadata: &old };
        let same = Document { state: &state, metadata: &old };
        assert_eq!(without(same, brought, &json!({"r": {"a": 1}})), json!({"r": {"a": 1}}));
        assert_eq!(without(same, brought, &json!({"r": {}})), json!({"r": {}}));
        assert_eq!(without(same, brought, &json!({})), json!({}));
        let written = Document { state: &state, metadata: &new };
        assert_eq!(without(written, brought, &json!({})), json!({"r": {"a": 1}}));
        let nothing = Document { state: &Value::Null, metadata: &Value::Null };
        assert_eq!(without(same, nothing, &json!({})), state, "it was never brought");
    }
}
