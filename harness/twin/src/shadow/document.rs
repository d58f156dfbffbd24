//! One shadow document: AWS's merge rule, the metadata that goes with it, and the difference of desired and reported.

use serde_json::{Map, Value, json};

use super::composed;

/// A shadow's state and the time of each leaf's last update.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Document {
    /// `desired` and `reported`, each an object; absent when empty.
    state: Map<String, Value>,
    /// The same tree with `{"timestamp": <s>}` at each leaf.
    metadata: Map<String, Value>,
    pub(super) version: u64,
}

impl Document {
    /// A new document. One that was deleted before goes on from its last version.
    pub(super) fn new(last_version: Option<u64>) -> Self {
        Self { version: last_version.unwrap_or(0), ..Self::default() }
    }

    /// Merges the request's sections; returns the metadata of just these.
    pub(super) fn merge(&mut self, request: &Map<String, Value>, now_s: i64) -> Value {
        let mut stamped = Map::new();
        for (section, change) in request {
            let Value::Object(change) = change else {
                self.state.remove(section);
                self.metadata.remove(section);
                continue;
            };
            inside(&mut self.state, section, |state| merge_object(state, change));
            inside(&mut self.metadata, section, |metadata| merge_metadata(metadata, change, now_s));
            stamped.insert(section.clone(), Value::Object(stamps(change, now_s)));
        }
        Value::Object(stamped)
    }

    /// State, metadata and version: `current` and `previous` of `update/documents`.
    pub(super) fn whole(&self) -> Value {
        self.clone().into_whole()
    }

    pub(super) fn into_whole(self) -> Value {
        let Self { state, metadata, version } = self;
        composed([
            ("state", Value::Object(state)),
            ("metadata", Value::Object(metadata)),
            ("version", version.into()),
        ])
    }

    /// What desired has and reported has not, with its metadata.
    pub(super) fn delta(&self) -> Option<(Value, Value)> {
        let desired = self.state.get("desired")?;
        let empty = json!({});
        let reported = self.state.get("reported").unwrap_or(&empty);
        let metadata = self.metadata.get("desired").unwrap_or(&empty);
        difference(desired, reported, metadata)
    }

    pub(super) fn state_bytes(&self) -> usize {
        serde_json::to_string(&self.state).map_or(usize::MAX, |text| text.len())
    }
}

/// Changes the object under `key` in place; what was no object counts as empty, and an empty one goes away.
fn inside(map: &mut Map<String, Value>, key: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut child = match map.remove(key) {
        Some(Value::Object(child)) => child,
        _ => Map::new(),
    };
    change(&mut child);
    if !child.is_empty() {
        map.insert(key.to_owned(), Value::Object(child));
    }
}

fn merge_object(target: &mut Map<String, Value>, change: &Map<String, Value>) {
    for (key, value) in change {
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(inner) if inner.is_empty() => {
                target.entry(key.clone()).or_insert_with(|| json!({}));
            }
            Value::Object(inner) => inside(target, key, |child| merge_object(child, inner)),
            leaf => {
                target.insert(key.clone(), leaf.clone());
            }
        }
    }
}

fn merge_metadata(target: &mut Map<String, Value>, change: &Map<String, Value>, now_s: i64) {
    for (key, value) in change {
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(inner) => {
                // A leaf that becomes an object loses the stamp that it had as a leaf.
                if target.get(key).is_some_and(|m| m.get("timestamp").is_some_and(Value::is_i64)) {
                    target.remove(key);
                }
                inside(target, key, |child| merge_metadata(child, inner, now_s));
            }
            _ => {
                target.insert(key.clone(), json!({"timestamp": now_s}));
            }
        }
    }
}

fn stamps(change: &Map<String, Value>, now_s: i64) -> Map<String, Value> {
    change
        .iter()
        .map(|(key, value)| {
            let stamp = match value {
                Value::Object(inner) => Value::Object(stamps(inner, now_s)),
                _ => json!({"timestamp": now_s}),
            };
            (key.clone(), stamp)
        })
        .collect()
}

fn difference(desired: &Value, reported: &Value, metadata: &Value) -> Option<(Value, Value)> {
    let (Value::Object(desired), Value::Object(reported)) = (desired, reported) else {
        return (desired != reported).then(|| (desired.clone(), metadata.clone()));
    };
    let (mut state, mut stamps) = (Map::new(), Map::new());
    for (key, want) in desired {
        let stamp = metadata.get(key).cloned().unwrap_or(Value::Null);
        let differs = match reported.get(key) {
            Some(have) => difference(want, have, &stamp),
            None => Some((want.clone(), stamp)),
        };
        if let Some((value, stamp)) = differs {
            state.insert(key.clone(), value);
            stamps.insert(key.clone(), stamp);
        }
    }
    (!state.is_empty()).then_some((Value::Object(state), Value::Object(stamps)))
}

#[cfg(test)]
mod tests;
