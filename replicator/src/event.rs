//! The events of the primary Region, read from the rows of the event table.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What a thing is: the part of the registry that events carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// The name, equal in both Regions.
    pub name: String,
    /// The type, if it has one.
    pub thing_type: Option<String>,
    /// All attributes, not a change of them.
    pub attributes: BTreeMap<String, String>,
}

/// What happened to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It was made.
    Created,
    /// Its attributes or type changed.
    Updated,
    /// It is gone.
    Deleted,
}

/// A registry event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingEvent {
    /// What happened.
    pub operation: Operation,
    /// The thing after the event; of a deleted one, as it last was.
    pub thing: Thing,
    /// The identity of the incarnation: a thing made again under its name has another one.
    pub thing_id: String,
    /// Rises with each change of one incarnation.
    pub version: u64,
    /// When it happened in the primary.
    pub timestamp_ms: u64,
}

/// A shadow document after an update.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowEvent {
    /// The thing whose shadow it is.
    pub thing: String,
    /// The shadow's name, empty for the classic one.
    pub shadow: String,
    /// The whole state: `desired` and `reported`.
    pub state: Value,
    /// The time of each leaf of the state.
    pub metadata: Value,
    /// Rises with each accepted update.
    pub version: u64,
    /// When it happened in the primary.
    pub timestamp_s: u64,
}

/// Anything that the event table can hold for us.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A thing was made, changed or deleted.
    Thing(ThingEvent),
    /// A shadow changed.
    Shadow(ShadowEvent),
}

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

impl Event {
    /// Reads a decoded row.
    pub fn read(row: &Map<String, Value>) -> Result<Self, Unreadable> {
        match text(row, "eventType").unwrap_or_default() {
            "THING_EVENT" => thing(row).map(Self::Thing),
            "SHADOW_EVENT" => shadow(row).map(Self::Shadow),
            other => Err(Unreadable::Type(other.to_owned())),
        }
    }
}

fn thing(row: &Map<String, Value>) -> Result<ThingEvent, Unreadable> {
    let operation = match text(row, "operation")? {
        "CREATED" => Operation::Created,
        "UPDATED" => Operation::Updated,
        "DELETED" => Operation::Deleted,
        other => return Err(Unreadable::Operation(other.to_owned())),
    };
    let name = text(row, "thingName")?.to_owned();
    Ok(ThingEvent {
        operation,
        thing: Thing { name, thing_type: optional_text(row, "thingTypeName")?, attributes: attributes(row)? },
        thing_id: text(row, "thingId")?.to_owned(),
        version: whole(row, "versionNumber")?,
        timestamp_ms: whole(row, "timestamp")?,
    })
}

fn shadow(row: &Map<String, Value>) -> Result<ShadowEvent, Unreadable> {
    match text(row, "operation")? {
        "UPDATED" => {}
        other => return Err(Unreadable::Operation(other.to_owned())),
    }
    // A shadow whose last key was removed has no state left to select.
    let state = match row.get("state") {
        Some(state @ Value::Object(_)) => state.clone(),
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(_) => return Err(Unreadable::Attribute("state")),
    };
    Ok(ShadowEvent {
        thing: text(row, "device")?.to_owned(),
        shadow: text(row, "shadow")?.to_owned(),
        state,
        metadata: row.get("metadata").cloned().unwrap_or(Value::Null),
        version: whole(row, "version")?,
        timestamp_s: whole(row, "timestamp")?,
    })
}

fn attributes(row: &Map<String, Value>) -> Result<BTreeMap<String, String>, Unreadable> {
    let wrong = || Unreadable::Attribute("attributes");
    match row.get("attributes") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(wrong)?.to_owned())))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn text<'a>(row: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, Unreadable> {
    row.get(name).and_then(Value::as_str).ok_or(Unreadable::Attribute(name))
}

fn optional_text(row: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Unreadable> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Unreadable::Attribute(name)),
    }
}

fn whole(row: &Map<String, Value>, name: &'static str) -> Result<u64, Unreadable> {
    row.get(name).and_then(Value::as_u64).ok_or(Unreadable::Attribute(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(row: &Value) -> Result<Event, Unreadable> {
        Event::read(row.as_object().unwrap())
    }

    #[test]
    fn a_thing_event_with_a_null_type_is_read() {
        let row = json!({"eventType": "THING_EVENT", "operation": "CREATED", "thingName": "t", "thingId": "i",
            "versionNumber": 1, "timestamp": 1_604_934_523_456_u64, "thingTypeName": null,
            "attributes": {"S": "v"}});
        let Event::Thing(event) = read(&row).unwrap() else { panic!("a thing event") };
        assert_eq!(event.thing.thing_type, None);
        assert_eq!(event.thing.attributes["S"], "v");
    }

    #[test]
    fn an_unknown_type_is_named_and_not_skipped() {
        let row = json!({"eventType": "THING_GROUP_EVENT"});
        assert_eq!(read(&row), Err(Unreadable::Type("THING_GROUP_EVENT".into())));
        assert_eq!(read(&json!({})), Err(Unreadable::Type(String::new())));
    }

    #[test]
    fn a_shadow_without_state_is_an_empty_one() {
        let row = json!({"eventType": "SHADOW_EVENT", "operation": "UPDATED", "device": "t", "shadow": "",
            "version": 3, "timestamp": 5});
        let Event::Shadow(event) = read(&row).unwrap() else { panic!("a shadow event") };
        assert_eq!(event.state, json!({}));
    }
}
