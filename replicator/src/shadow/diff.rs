//! The update that turns one shadow state into another, by the rule with which AWS merges updates.
//!
//! AWS merges objects key by key, removes a key that is set to `null`, and replaces everything else,
//! arrays too, as a whole. [`update`] is the inverse: `merge(update(a, b), a) == b`, save for the
//! leaves that the caller wants left alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Whether two values are the same to a reader of the shadow: `1` and `1.0` are.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() != b.is_f64() && a.as_f64() == b.as_f64())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// The newest time stamp in a piece of metadata: a leaf's own, or the newest under it.
pub fn newest_s(metadata: &Value) -> Option<u64> {
    match metadata {
        // A leaf is `{"timestamp": 1}`; a key of that name in the state has an object there.
        Value::Object(map) => map
            .iter()
            .filter_map(|(key, value)| match value {
                Value::Number(stamp) if key == "timestamp" => stamp.as_u64(),
                other => newest_s(other),
            })
            .max(),
        Value::Array(list) => list.iter().filter_map(newest_s).max(),
        _ => None,
    }
}

/// A place where two states are compared.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// A JSON pointer from the top of the state.
    pub pointer: &'a str,
    /// What the secondary has there.
    pub current: &'a Value,
    /// What the primary has there, if anything.
    pub wanted: Option<&'a Value>,
    /// What the secondary knows about its time.
    pub current_metadata: &'a Value,
    /// What the primary knows about the time of its value; null where it has none.
    pub wanted_metadata: &'a Value,
}

/// Leaves that were left alone, with their time in the secondary.
pub type Kept = BTreeMap<String, u64>;

/// Computes the update from `current` to `wanted`, asking `keep` about every leaf that the secondary
/// has. Answers with the update, if one is needed, and with the leaves that were kept.
pub fn update<K>(current: &Document<'_>, wanted: &Document<'_>, keep: K) -> (Option<Value>, Kept)
where
    K: Fn(Place<'_>) -> bool,
{
    let mut walk = Walk { keep, kept: Kept::new() };
    let pairs = [current.state, wanted.state].map(|state| state.as_object().cloned().unwrap_or_default());
    let patch = walk.objects("", &pairs[0], &pairs[1], current.metadata, wanted.metadata);
    ((!patch.is_empty()).then_some(Value::Object(patch)), walk.kept)
}

/// A state and its metadata.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The state.
    pub state: &'a Value,
    /// The time of each leaf.
    pub metadata: &'a Value,
}

struct Walk<K> {
    keep: K,
    kept: Kept,
}

impl<K: Fn(Place<'_>) -> bool> Walk<K> {
    fn objects(
        &mut self,
        pointer: &str,
        current: &Map<String, Value>,
        wanted: &Map<String, Value>,
        current_metadata: &Value,
        wanted_metadata: &Value,
    ) -> Map<String, Value> {
        let mut patch = Map::new();
        for (key, value) in current {
            let pointer = child(pointer, key);
            let (mine, theirs) = (&current_metadata[key], &wanted_metadata[key]);
            let wanted = wanted.get(key).filter(|wanted| !wanted.is_null());
            if let Some(change) = self.values(&pointer, value, wanted, mine, theirs) {
                patch.insert(key.clone(), change);
            }
        }
        for (key, value) in
            wanted.iter().filter(|(key, value)| !value.is_null() && !current.contains_key(*key))
        {
            patch.insert(key.clone(), without_nulls(value));
        }
        patch
    }

    fn values(
        &mut self,
        pointer: &str,
        current: &Value,
        wanted: Option<&Value>,
        current_metadata: &Value,
        wanted_metadata: &Value,
    ) -> Option<Value> {
        let nothing = Map::new();
        match (current, wanted) {
            (Value::Object(current), Some(Value::Object(wanted))) => {
                let patch = self.objects(pointer, current, wanted, current_metadata, wanted_metadata);
                (!patch.is_empty()).then_some(Value::Object(patch))
            }
            (Value::Object(map), None) => {
                // All of it has to go, unless a leaf under it is to stay.
                let before = self.kept.len();
                let patch = self.objects(pointer, map, &nothing, current_metadata, &Value::Null);
                if self.kept.len() == before {
                    return Some(Value::Null);
                }
                (!patch.is_empty()).then_some(Value::Object(patch))
            }
            _ => self.leaf(pointer, current, wanted, current_metadata, wanted_metadata),
        }
    }

    fn leaf(
        &mut self,
        pointer: &str,
        current: &Value,
        wanted: Option<&Value>,
        current_metadata: &Value,
        wanted_metadata: &Value,
    ) -> Option<Value> {
        let place = Place { pointer, current, wanted, current_metadata, wanted_metadata };
        if (self.keep)(place) {
            self.kept.insert(pointer.to_owned(), newest_s(current_metadata).unwrap_or_default());
            return None;
        }
        match wanted {
            None => Some(Value::Null),
            Some(wanted) if same(current, wanted) => None,
            Some(wanted) => Some(without_nulls(wanted)),
        }
    }
}

/// A new value as it can be sent: in an update, a null means removal.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The pointer of a key under a pointer.
pub(crate) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Merges an update into a state as AWS does.
pub fn merge(update: &Value, into: &mut Value) {
    let Value::Object(update) = update else {
        *into = update.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Value::Object(into) = into else { return };
    for (key, value) in update {
        if value.is_null() {
            into.remove(key);
        } else {
            merge(value, into.entry(key).or_insert(Value::Null));
        }
    }
}

/// Adds an update to another so that it remembers both, removals too.
pub fn remember(update: &Value, into: &mut Value) {
    match (update, &mut *into) {
        (Value::Object(update), Value::Object(into)) => {
            for (key, value) in update {
                remember(value, into.entry(key).or_insert(Value::Null));
            }
        }
        (update, into) => *into = update.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn state() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from),
            prop::collection::vec((0_i64..3).prop_map(Value::from), 0..3).prop_map(Value::from),
        ];
        let key = prop_oneof![Just("a"), Just("S"), Just("N"), Just("timestamp"), Just("x/y"), Just("~")];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop::collection::btree_map(key.clone().prop_map(String::from), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
        .prop_filter("a state is an object", Value::is_object)
    }

    fn plain(current: &Value, wanted: &Value) -> Option<Value> {
        let bare = |state| Document { state, metadata: &Value::Null };
        update(&bare(current), &bare(wanted), |_| false).0
    }

    proptest! {
        #[test]
        fn the_update_makes_the_state_equal(a in state(), b in state()) {
            let mut merged = a.clone();
            if let Some(update) = plain(&a, &b) {
                merge(&update, &mut merged);
            }
            prop_assert_eq!(&merged, &b);
            prop_assert_eq!(plain(&merged, &b), None);
        }
    }

    #[test]
    fn numbers_that_are_equal_need_no_update() {
        assert_eq!(plain(&json!({"a": 1, "b": [2.0]}), &json!({"a": 1.0, "b": [2]})), None);
    }

    #[test]
    fn a_kept_leaf_stays_in_an_object_that_goes() {
        let current = json!({"reported": {"o": {"mine": 1, "yours": 2}}});
        let metadata = json!({"reported": {"o": {"mine": {"timestamp": 50}, "yours": {"timestamp": 10}}}});
        let (patch, kept) = update(
            &Document { state: &current, metadata: &metadata },
            &Document { state: &json!({}), metadata: &Value::Null },
            |place| newest_s(place.current_metadata) > Some(20),
        );
        assert_eq!(patch, Some(json!({"reported": {"o": {"yours": null}}})));
        assert_eq!(kept, Kept::from([("/reported/o/mine".to_owned(), 50)]));
    }

    #[test]
    fn the_newest_stamp_is_found_beside_a_key_named_timestamp() {
        let metadata = json!({"timestamp": {"timestamp": 7}, "list": [{"timestamp": 9}, {"timestamp": 8}]});
        assert_eq!(newest_s(&metadata), Some(9));
        assert_eq!(newest_s(&json!({})), None);
    }
}
