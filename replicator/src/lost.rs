//! Events that a topic rule could not write: the rule's error action brings them here.
//!
//! The row is the one that the rule would have written, from the topic and the payload alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::outcome::{Failure, Outcome};
use crate::ports::{Clock, Documents, Source};
use crate::rules::{EVENT_LIFE_S, is_own};

/// Whether a function was invoked by an error action.
pub fn is_lost(event: &Value) -> bool {
    event.get("base64OriginalPayload").is_some() && event.get("topic").is_some()
}

/// Writes the event of an error action's message. What cannot be read is a failure: the function's
/// own dead-letter queue keeps it.
pub async fn apply<S: Source>(source: &S, message: &Value) -> Outcome<()> {
    let unreadable = |why: String| Failure::permanent("read lost event", why);
    let topic = message["topic"].as_str().ok_or_else(|| unreadable("it has no topic".to_owned()))?;
    let payload = payload(message).map_err(unreadable)?;
    match row(topic, &payload, source.region_name(), source.clock().now_ms()).map_err(unreadable)? {
        Some(row) => source.documents().put_event(&row).await,
        None => Ok(()),
    }
}

fn payload(message: &Value) -> Result<Map<String, Value>, String> {
    let text = message["base64OriginalPayload"].as_str().ok_or("it has no payload")?;
    let bytes = STANDARD.decode(text).map_err(|why| why.to_string())?;
    serde_json::from_slice(&bytes).map_err(|why| why.to_string())
}

/// The row that [`crate::rules`] make of a message; none if no rule takes it.
fn row(
    topic: &str,
    payload: &Map<String, Value>,
    region: &str,
    now_ms: u64,
) -> Result<Option<Map<String, Value>>, String> {
    let levels: Vec<&str> = topic.split('/').collect();
    let stays = match levels.as_slice() {
        ["$aws", "events", "thingGroupMembership", _, group, _, thing, _] => is_own(group) || is_own(thing),
        ["$aws", "events", _, name, _] | ["$aws", "things", name, ..] => is_own(name),
        _ => false,
    };
    if stays {
        return Ok(None);
    }
    let (device, mut row) = match levels.as_slice() {
        ["$aws", "events", "thing", name, _] => ((*name).to_owned(), registry("thing", payload)?),
        ["$aws", "events", "thingType", name, _] => (format!("type#{name}"), registry("type", payload)?),
        ["$aws", "events", "thingGroup", name, _] => (format!("group#{name}"), registry("group", payload)?),
        ["$aws", "events", "thingGroupMembership", _, _, _, thing, _] => {
            ((*thing).to_owned(), registry("membership", payload)?)
        }
        ["$aws", "things", thing, "shadow", rest @ ..] => {
            let (shadow, operation) = match rest {
                ["name", shadow, operation @ ..] => (*shadow, operation),
                operation => ("", operation),
            };
            let row = match operation {
                ["update", "documents"] => updated(shadow, payload)?,
                ["delete", "accepted"] => deleted(shadow, payload)?,
                _ => return Err(format!("no rule has the topic {topic}")),
            };
            ((*thing).to_owned(), row)
        }
        _ => return Err(format!("no rule has the topic {topic}")),
    };
    row.insert("device".to_owned(), json!(device));
    row.insert("expires".to_owned(), json!(now_ms / 1_000 + EVENT_LIFE_S));
    row.insert("origin".to_owned(), json!(region));
    Ok(Some(row))
}

/// The whole payload, keyed by its own identity.
fn registry(kind: &str, payload: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let id = payload.get("eventId").and_then(Value::as_str).ok_or("it has no eventId")?;
    let mut row = payload.clone();
    row.insert("event".to_owned(), json!(format!("{kind}#{id}")));
    Ok(row)
}

fn updated(shadow: &str, payload: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let current = payload.get("current").unwrap_or(&Value::Null);
    let version = current["version"].as_u64().ok_or("it has no version")?;
    let columns = [
        ("event", Some(json!(format!("shadow#{shadow}#{version}")))),
        ("operation", Some(json!("UPDATED"))),
        ("state", current.get("state").cloned()),
        ("metadata", current.get("metadata").cloned()),
    ];
    Ok(shadow_row(shadow, version, payload, columns))
}

fn deleted(shadow: &str, payload: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let version = payload.get("version").and_then(Value::as_u64).ok_or("it has no version")?;
    let columns = [
        ("event", Some(json!(format!("shadow#{shadow}#{version}#deleted")))),
        ("operation", Some(json!("DELETED"))),
    ];
    Ok(shadow_row(shadow, version, payload, columns))
}

/// A column that selects nothing is left out, as the rule leaves it out.
fn shadow_row<const N: usize>(
    shadow: &str,
    version: u64,
    payload: &Map<String, Value>,
    columns: [(&str, Option<Value>); N],
) -> Map<String, Value> {
    let common = [
        ("eventType", Some(json!("SHADOW_EVENT"))),
        ("shadow", Some(json!(shadow))),
        ("version", Some(json!(version))),
        ("timestamp", payload.get("timestamp").cloned()),
    ];
    let columns = columns.into_iter().chain(common);
    columns.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests;
