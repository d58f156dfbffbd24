//! Shadows: merges, time stamps, versions that outlive deletions.

use serde_json::{Map, Value, json};

use super::{RegionState, absent, conflict, invalid};
use crate::model::{Shadow, Written};
use crate::outcome::Outcome;
use crate::shadow::diff;

impl RegionState {
    pub(crate) fn shadow(&self, thing: &str, shadow: &str) -> Option<&Shadow> {
        self.shadows.get(&(thing.to_owned(), shadow.to_owned()))
    }

    pub(crate) fn named_shadows(&self, thing: &str) -> Vec<String> {
        let of = self.shadows.keys().filter(|(owner, name)| owner == thing && !name.is_empty());
        of.map(|(_, name)| name.clone()).collect()
    }

    /// `update` is the `state` of a request.
    pub(crate) fn update_shadow(
        &mut self,
        thing: &str,
        shadow: &str,
        update: &Value,
        expected: Option<u64>,
        now_s: u64,
    ) -> Outcome<Written> {
        const STEP: &str = "update shadow";
        let sections = update.as_object().ok_or_else(|| invalid(STEP, "the state is not an object"))?;
        let known = |(name, section): (&String, &Value)| {
            (name == "desired" || name == "reported") && (section.is_object() || section.is_null())
        };
        if !sections.iter().all(known) || null_in_list(update) {
            return Err(invalid(STEP, "the state has an invalid node"));
        }
        let key = (thing.to_owned(), shadow.to_owned());
        let there = self.shadows.get(&key).map_or(0, |document| document.version);
        if expected.is_some_and(|expected| expected != there) {
            return Err(conflict(STEP, "Version conflict"));
        }
        // The counter outlives the shadow.
        let counter = self.counters.entry(key.clone()).or_default();
        *counter += 1;
        let document = self.shadows.entry(key).or_insert_with(|| Shadow {
            state: json!({}),
            metadata: json!({}),
            version: 0,
        });
        document.version = *counter;
        stamp(update, &document.state, &mut document.metadata, now_s);
        diff::merge(update, &mut document.state);
        Ok(Written { version: document.version, timestamp_s: now_s })
    }

    pub(crate) fn delete_shadow(&mut self, thing: &str, shadow: &str) -> Outcome<()> {
        let key = (thing.to_owned(), shadow.to_owned());
        self.shadows.remove(&key).map(drop).ok_or_else(|| absent("delete shadow"))
    }
}

fn null_in_list(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| value.is_null() || null_in_list(value)),
        Value::Object(map) => map.values().any(null_in_list),
        _ => false,
    }
}

/// Stamps the leaves that an update names, also those whose value does not change.
fn stamp(update: &Value, before: &Value, metadata: &mut Value, now_s: u64) {
    let Value::Object(update) = update else {
        *metadata = leaf(update, now_s);
        return;
    };
    if !before.is_object() || !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    let Value::Object(metadata) = metadata else { return };
    for (key, value) in update {
        if value.is_null() {
            metadata.remove(key);
        } else {
            stamp(value, &before[key], metadata.entry(key).or_insert(Value::Null), now_s);
        }
    }
}

/// A list has a stamp for each of its elements.
fn leaf(value: &Value, now_s: u64) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|value| leaf(value, now_s)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), leaf(value, now_s))).collect(),
        _ => json!({ "timestamp": now_s }),
    }
}
