//! The events of the primary Region, read from the rows of the event table.

mod attribute;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::document::Document;
use crate::model::{Group, Thing, ThingType};
use crate::order::{LifeMark, MembershipMark, ShadowMark};

pub use attribute::Unreadable;
use attribute::{flag, list, map, optional_text, text, whole};

/// A thing was made, changed or deleted. `mark.deleted` says the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingEvent {
    /// The thing after the event; of a deleted one, as it last was.
    pub thing: Thing,
    /// Its place in the order.
    pub mark: LifeMark,
}

/// A thing type was made, deprecated, brought back or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeEvent {
    /// The type after the event.
    pub thing_type: ThingType,
    /// Its place in the order.
    pub mark: LifeMark,
}

/// A group was made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEvent {
    /// The group after the event.
    pub group: Group,
    /// The incarnation of the group above it.
    pub parent_id: Option<String>,
    /// Its members are found by a query: it is not replicated.
    pub dynamic: bool,
    /// Its place in the order.
    pub mark: LifeMark,
}

/// A thing was put into a group, or taken out (`mark.life.deleted`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipEvent {
    /// The thing.
    pub thing: String,
    /// The group.
    pub group: String,
    /// Its place in the order.
    pub mark: MembershipMark,
}

/// A shadow document after an update, or the deletion of a shadow (`mark.deleted`).
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowEvent {
    /// The thing whose shadow it is.
    pub thing: String,
    /// The shadow's name, empty for the classic one.
    pub shadow: String,
    /// The whole state: `desired` and `reported`. Empty if it was deleted.
    pub state: Value,
    /// The time of each leaf of the state.
    pub metadata: Value,
    /// Its place in the order.
    pub mark: ShadowMark,
}

/// Anything that the event table can hold for us.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A thing.
    Thing(ThingEvent),
    /// A thing type.
    Type(TypeEvent),
    /// A group.
    Group(GroupEvent),
    /// A thing in a group.
    Membership(MembershipEvent),
    /// A shadow.
    Shadow(ShadowEvent),
    /// What was seen of something that no event carries.
    Document(Document),
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub what: What,
    /// Sent to mend: to be applied also if it is the one applied last.
    pub again: bool,
}

/// The column that says `again`.
pub const AGAIN: &str = "again";

impl Event {
    /// Reads a decoded row.
    pub fn read(row: &Map<String, Value>) -> Result<Self, Unreadable> {
        let what = match text(row, "eventType").unwrap_or_default() {
            "THING_EVENT" => What::Thing(thing(row)?),
            "THING_TYPE_EVENT" => What::Type(thing_type(row)?),
            "THING_GROUP_EVENT" => What::Group(group(row)?),
            "THING_GROUP_MEMBERSHIP_EVENT" => What::Membership(membership(row)?),
            "SHADOW_EVENT" => What::Shadow(shadow(row)?),
            DOCUMENT => What::Document(document(row)?),
            other => return Err(Unreadable::Type(other.to_owned())),
        };
        Ok(Self { what, again: row.get(AGAIN) == Some(&Value::Bool(true)) })
    }
}

/// The `eventType` of a document.
pub const DOCUMENT: &str = "DOCUMENT";

fn deleted(row: &Map<String, Value>) -> Result<bool, Unreadable> {
    match text(row, "operation")? {
        "CREATED" | "UPDATED" | "ADDED" => Ok(false),
        "DELETED" | "REMOVED" => Ok(true),
        other => Err(Unreadable::Operation(other.to_owned())),
    }
}

fn mark(row: &Map<String, Value>, id: &'static str, version: &'static str) -> Result<LifeMark, Unreadable> {
    Ok(LifeMark {
        id: text(row, id)?.to_owned(),
        version: whole(row, version)?,
        timestamp_ms: whole(row, "timestamp")?,
        deleted: deleted(row)?,
    })
}

fn thing(row: &Map<String, Value>) -> Result<ThingEvent, Unreadable> {
    let name = text(row, "thingName")?.to_owned();
    let thing = Thing { name, thing_type: optional_text(row, "thingTypeName")?, attributes: texts(row)? };
    Ok(ThingEvent { thing, mark: mark(row, "thingId", "versionNumber")? })
}

fn thing_type(row: &Map<String, Value>) -> Result<TypeEvent, Unreadable> {
    let thing_type = ThingType {
        name: text(row, "thingTypeName")?.to_owned(),
        description: optional_text(row, "description")?.filter(|text| !text.is_empty()),
        searchable_attributes: list(row, "searchableAttributes")?,
        deprecated: flag(row, "isDeprecated")?,
    };
    // Types have no version number.
    Ok(TypeEvent { thing_type, mark: mark(row, "thingTypeId", "timestamp")? })
}

fn group(row: &Map<String, Value>) -> Result<GroupEvent, Unreadable> {
    let group = Group {
        name: text(row, "thingGroupName")?.to_owned(),
        parent: optional_text(row, "parentGroupName")?,
        description: optional_text(row, "description")?.filter(|text| !text.is_empty()),
        attributes: texts(row)?,
    };
    let dynamic = optional_text(row, "dynamicGroupMappingId")?.is_some();
    let parent_id = optional_text(row, "parentGroupId")?;
    Ok(GroupEvent { group, parent_id, dynamic, mark: mark(row, "thingGroupId", "versionNumber")? })
}

fn membership(row: &Map<String, Value>) -> Result<MembershipEvent, Unreadable> {
    let last = |arn: &'static str| Ok(text(row, arn)?.rsplit('/').next().unwrap_or_default().to_owned());
    let (life, group_id) = (mark(row, "membershipId", "timestamp")?, text(row, "groupId")?.to_owned());
    let thing_id = optional_text(row, "thingId")?.unwrap_or_default();
    Ok(MembershipEvent {
        thing: last("thingArn")?,
        group: last("groupArn")?,
        mark: MembershipMark { life, group_id, thing_id },
    })
}

fn shadow(row: &Map<String, Value>) -> Result<ShadowEvent, Unreadable> {
    let deleted = deleted(row)?;
    // A shadow whose last key was removed has no state left to select, a deleted one never has.
    let state = map(row, "state")?.filter(|_| !deleted).cloned().unwrap_or_default();
    Ok(ShadowEvent {
        thing: text(row, "device")?.to_owned(),
        shadow: text(row, "shadow")?.to_owned(),
        state: Value::Object(state),
        metadata: row.get("metadata").cloned().unwrap_or(Value::Null),
        mark: ShadowMark { version: whole(row, "version")?, timestamp_s: whole(row, "timestamp")?, deleted },
    })
}

fn document(row: &Map<String, Value>) -> Result<Document, Unreadable> {
    serde_json::from_str(text(row, "document")?).map_err(|_| Unreadable::Attribute("document"))
}

fn texts(row: &Map<String, Value>) -> Result<BTreeMap<String, String>, Unreadable> {
    let wrong = || Unreadable::Attribute("attributes");
    let pairs = map(row, "attributes")?.into_iter().flatten();
    pairs.map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(wrong)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(row: &Value) -> Result<What, Unreadable> {
        Event::read(row.as_object().unwrap()).map(|event| event.what)
    }

    #[test]
    fn a_thing_event_with_a_null_type_is_read() {
        let row = json!({"eventType": "THING_EVENT", "operation": "CREATED", "thingName": "t", "thingId": "i",
            "versionNumber": 1, "timestamp": 1_604_934_523_456_u64, "thingTypeName": null,
            "attributes": {"S": "v"}});
        let What::Thing(event) = read(&row).unwrap() else { panic!("a thing event") };
        assert_eq!(event.thing.thing_type, None);
        assert_eq!(event.thing.attributes["S"], "v");
        assert!(!event.mark.deleted);
    }

    #[test]
    fn a_type_keeps_its_description_and_searchable_attributes() {
        let row = json!({"eventType": "THING_TYPE_EVENT", "operation": "UPDATED", "thingTypeName": "pump",
            "thingTypeId": "i", "timestamp": 7, "isDeprecated": true, "description": "d",
            "searchableAttributes": ["a", "b"], "deprecationDate": null});
        let What::Type(event) = read(&row).unwrap() else { panic!("a type event") };
        assert_eq!((event.mark.version, event.mark.timestamp_ms), (7, 7));
        assert_eq!(event.thing_type.searchable_attributes, ["a", "b"]);
        assert!(event.thing_type.deprecated);
    }

    #[test]
    fn a_group_knows_its_parent_and_a_membership_its_names() {
        let row = json!({"eventType": "THING_GROUP_EVENT", "operation": "CREATED", "thingGroupName": "g",
            "thingGroupId": "i", "versionNumber": 1, "timestamp": 7, "parentGroupName": "p",
            "parentGroupId": "pi", "description": null, "attributes": null, "dynamicGroupMappingId": null});
        let What::Group(event) = read(&row).unwrap() else { panic!("a group event") };
        assert_eq!(event.group.parent.as_deref(), Some("p"));
        assert!(!event.dynamic);
        let row = json!({"eventType": "THING_GROUP_MEMBERSHIP_EVENT", "operation": "REMOVED", "groupId": "i",
            "groupArn": "arn:aws:iot:r:1:thinggroup/g", "thingArn": "arn:aws:iot:r:1:thing/t:1",
            "thingId": "ti", "membershipId": "m", "timestamp": 8});
        let What::Membership(event) = read(&row).unwrap() else { panic!("a membership event") };
        assert_eq!((event.thing.as_str(), event.group.as_str()), ("t:1", "g"));
        assert!(event.mark.life.deleted);
    }

    #[test]
    fn an_unknown_type_is_named_and_not_skipped() {
        let row = json!({"eventType": "FLEET_EVENT"});
        assert_eq!(read(&row), Err(Unreadable::Type("FLEET_EVENT".into())));
        assert_eq!(read(&json!({})), Err(Unreadable::Type(String::new())));
    }

    #[test]
    fn a_shadow_without_state_is_an_empty_one_and_a_deleted_one_is_known() {
        let mut row = json!({"eventType": "SHADOW_EVENT", "operation": "UPDATED", "device": "t", "shadow": "",
            "version": 3, "timestamp": 5});
        let What::Shadow(event) = read(&row).unwrap() else { panic!("a shadow event") };
        assert_eq!(event.state, json!({}));
        row["operation"] = json!("DELETED");
        let What::Shadow(event) = read(&row).unwrap() else { panic!("a shadow event") };
        assert!(event.mark.deleted);
    }

    #[test]
    fn an_event_that_mends_says_so() {
        let row = json!({"eventType": "SHADOW_EVENT", "operation": "DELETED", "device": "t", "shadow": "",
            "version": 3, "timestamp": 5, "again": true});
        assert!(Event::read(row.as_object().unwrap()).unwrap().again);
    }
}
