//! An event as a row of the event table: what [`Event::read`] reads.

use serde_json::{Map, Value, json};

use crate::document::Key;
use crate::event::{AGAIN, DOCUMENT, Event, What};
use crate::order::LifeMark;
use crate::rules::EVENT_LIFE_S;

/// The row of an event.
///
/// The sort key says what was looked at and not when, so a second look replaces the first; the
/// table's stream delivers both. A document stands beside the one that the primary's function put,
/// which has another key and is not sent to mend: the handlers decide which of them is newer.
pub(super) fn of(event: &Event, origin: &str, now_ms: u64) -> Option<Map<String, Value>> {
    let row = match &event.what {
        What::Thing(thing) => json!({
            "device": thing.thing.name, "event": "sync#thing", "eventType": "THING_EVENT",
            "operation": operation(&thing.mark), "thingName": thing.thing.name,
            "thingTypeName": thing.thing.thing_type, "attributes": thing.thing.attributes,
            "thingId": thing.mark.id, "versionNumber": thing.mark.version,
            "timestamp": thing.mark.timestamp_ms,
        }),
        What::Type(of) => json!({
            "device": format!("type#{}", of.thing_type.name), "event": "sync#type",
            "eventType": "THING_TYPE_EVENT", "operation": operation(&of.mark),
            "thingTypeName": of.thing_type.name, "description": of.thing_type.description,
            "searchableAttributes": of.thing_type.searchable_attributes,
            "isDeprecated": of.thing_type.deprecated, "thingTypeId": of.mark.id,
            "timestamp": of.mark.timestamp_ms,
        }),
        What::Group(of) => json!({
            "device": format!("group#{}", of.group.name), "event": "sync#group",
            "eventType": "THING_GROUP_EVENT", "operation": operation(&of.mark),
            "thingGroupName": of.group.name, "parentGroupName": of.group.parent, "parentGroupId": of.parent_id,
            "description": of.group.description, "attributes": of.group.attributes,
            "thingGroupId": of.mark.id, "versionNumber": of.mark.version,
            "timestamp": of.mark.timestamp_ms,
        }),
        What::Membership(of) => json!({
            "device": of.thing, "event": format!("sync#membership#{}", of.group),
            "eventType": "THING_GROUP_MEMBERSHIP_EVENT",
            "operation": if of.mark.life.deleted { "REMOVED" } else { "ADDED" },
            "thingArn": format!("thing/{}", of.thing), "groupArn": format!("thinggroup/{}", of.group),
            "groupId": of.mark.group_id, "thingId": of.mark.thing_id, "membershipId": of.mark.life.id,
            "timestamp": of.mark.life.timestamp_ms,
        }),
        What::Shadow(of) => json!({
            "device": of.thing, "event": format!("sync#shadow#{}", of.shadow), "eventType": "SHADOW_EVENT",
            "operation": if of.mark.deleted { "DELETED" } else { "UPDATED" }, "shadow": of.shadow,
            "state": of.state, "metadata": of.metadata, "version": of.mark.version,
            "timestamp": of.mark.timestamp_s,
        }),
        What::Document(document) => json!({
            "device": document.key.device(), "event": format!("sync#{}", kind(&document.key)),
            "eventType": DOCUMENT, "document": serde_json::to_string(document).ok()?,
        }),
    };
    let Value::Object(mut row) = row else { return None };
    row.insert("origin".to_owned(), Value::from(origin));
    row.insert("expires".to_owned(), Value::from(now_ms / 1_000 + EVENT_LIFE_S));
    row.insert(AGAIN.to_owned(), Value::from(event.again));
    Some(row)
}

fn kind(key: &Key) -> &'static str {
    match key {
        Key::Identity(_) => "identity",
        Key::Certificate(_) => "certificate",
        Key::Policy(_) => "policy",
        Key::GroupPolicies(_) => "group-policies",
    }
}

fn operation(mark: &LifeMark) -> &'static str {
    if mark.deleted { "DELETED" } else { "UPDATED" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::events;
    use super::*;
    use crate::document::{Document, Seen};
    use crate::model::{DescribedThing, Group, Incarnation, Shadow, Thing, ThingType};

    #[test]
    fn a_row_says_what_the_event_says() {
        let attributes = BTreeMap::from([("S".to_owned(), "v".to_owned())]);
        let thing = Thing { name: "t:1".into(), thing_type: Some("pump".into()), attributes };
        let seen = DescribedThing { thing, thing_id: Some("i".into()), version: 4 };
        let life = Incarnation { id: "i".into(), version: 2, begun_ms: 3 };
        let group = Group { name: "g".into(), parent: Some("p".into()), ..Group::default() };
        let searchable_attributes = vec!["a".into(), "b".into()];
        let thing_type = ThingType { name: "pump".into(), searchable_attributes, ..ThingType::default() };
        let metadata = json!({"reported": {"N": {"timestamp": 9}}});
        let shadow = Shadow { state: json!({"reported": {"N": "5"}}), metadata, version: 3 };
        let now_ms = 1_700_000_000_000;
        let key = Key::Policy("p".into());
        let document = Document { key, looked_ms: now_ms, seen: Seen::Policy(None) };
        for event in [
            events::thing(&seen, now_ms).unwrap(),
            events::thing_gone("t", None, now_ms),
            events::thing_type(thing_type, life.clone(), now_ms),
            events::thing_type_gone("pump", None, now_ms),
            events::group(group, Some("pi".into()), life, now_ms),
            events::group_gone("g", None, now_ms),
            events::member("t:1", "ti".into(), "g", "gi".into(), now_ms),
            events::no_member("t", "g", None, now_ms),
            events::shadow("t", "name#1", shadow, now_ms),
            events::shadow_gone("t", "", None, now_ms),
            Event { what: What::Document(document), again: true },
        ] {
            let row = of(&event, "eu-west-1", now_ms).unwrap();
            assert_eq!(Event::read(&row).as_ref(), Ok(&event), "{row:?}");
            assert_eq!(row["origin"], "eu-west-1");
            assert_eq!(row["expires"], 1_700_000_000 + EVENT_LIFE_S);
        }
    }
}
