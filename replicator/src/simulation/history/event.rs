//! What AWS says about a change: rows as topic rules write them, and API-call events.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::model::DescribedThing;
use crate::simulation::region::{GroupState, TypeState};
use crate::simulation::{PRIMARY, group_arn};

/// A row of the event table.
pub(crate) type EventRow = Map<String, Value>;

fn row(value: Value) -> EventRow {
    let Value::Object(mut row) = value else { unreachable!("a row is an object") };
    row.insert("origin".to_owned(), json!(PRIMARY));
    // Of a registry event the rule selects everything.
    if row["eventType"] != "SHADOW_EVENT" {
        let id = row["event"].as_str().and_then(|event| event.split_once('#')).map(|(_, id)| id.to_owned());
        row.insert("eventId".to_owned(), json!(id));
    }
    row
}

/// The message of a rule's error action about an event whose row could not be written.
pub(crate) fn lost(row: &EventRow) -> Value {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let last = |arn: &str| text(arn).rsplit('/').next().unwrap_or_default().to_owned();
    let (device, operation) = (text("device"), text("operation").to_lowercase());
    let mut payload = row.clone();
    let topic = match text("eventType") {
        "THING_EVENT" => format!("$aws/events/thing/{device}/{operation}"),
        "THING_TYPE_EVENT" => format!("$aws/events/thingType/{}/{operation}", text("thingTypeName")),
        "THING_GROUP_EVENT" => format!("$aws/events/thingGroup/{}/{operation}", text("thingGroupName")),
        "THING_GROUP_MEMBERSHIP_EVENT" => {
            let (group, thing) = (last("groupArn"), last("thingArn"));
            format!("$aws/events/thingGroupMembership/thingGroup/{group}/thing/{thing}/{operation}")
        }
        _ => {
            let shadow = text("shadow");
            let level = if shadow.is_empty() { "shadow".to_owned() } else { format!("shadow/name/{shadow}") };
            let (version, timestamp) = (&row["version"], &row["timestamp"]);
            let (end, told) = if operation == "deleted" {
                ("delete/accepted", json!({"version": version, "timestamp": timestamp}))
            } else {
                let mut current = json!({"version": version, "metadata": row["metadata"]});
                if let Some(state) = row.get("state") {
                    current["state"] = state.clone();
                }
                ("update/documents", json!({"current": current, "timestamp": timestamp}))
            };
            payload = told.as_object().cloned().unwrap_or_default();
            format!("$aws/things/{device}/{level}/{end}")
        }
    };
    for column in ["device", "event", "origin"] {
        payload.remove(column);
    }
    let payload = STANDARD.encode(Value::Object(payload).to_string());
    json!({"ruleName": "rule", "topic": topic, "base64OriginalPayload": payload,
        "failures": [{"failedAction": "DynamoDBv2Action", "errorMessage": "throttled"}]})
}

/// `operation` is `CREATED`, `UPDATED` or `DELETED`.
pub(crate) fn thing(thing: &DescribedThing, operation: &str, number: u64, now_ms: u64) -> EventRow {
    row(json!({"device": thing.thing.name, "event": format!("thing#{number}"), "eventType": "THING_EVENT",
        "operation": operation, "thingName": thing.thing.name, "thingId": thing.thing_id,
        "versionNumber": thing.version, "timestamp": now_ms, "thingTypeName": thing.thing.thing_type,
        "attributes": thing.thing.attributes, "billinGroupName": null}))
}

pub(crate) fn thing_type(state: &TypeState, operation: &str, number: u64, now_ms: u64) -> EventRow {
    let kind = &state.thing_type;
    row(json!({"device": format!("type#{}", kind.name), "event": format!("type#{number}"),
        "eventType": "THING_TYPE_EVENT", "operation": operation, "thingTypeName": kind.name,
        "thingTypeId": state.id, "timestamp": now_ms, "isDeprecated": kind.deprecated,
        "deprecationDate": null, "description": kind.description,
        "searchableAttributes": kind.searchable_attributes}))
}

/// `parent_id` is the incarnation of the group above it.
pub(crate) fn group(
    state: &GroupState,
    parent_id: Option<&str>,
    operation: &str,
    number: u64,
    now_ms: u64,
) -> EventRow {
    let group = &state.group;
    let attributes = if group.attributes.is_empty() { Value::Null } else { json!(group.attributes) };
    row(json!({"device": format!("group#{}", group.name), "event": format!("group#{number}"),
        "eventType": "THING_GROUP_EVENT", "operation": operation, "thingGroupName": group.name,
        "thingGroupId": state.id, "versionNumber": state.version, "timestamp": now_ms,
        "parentGroupName": group.parent, "parentGroupId": parent_id, "description": group.description, "attributes": attributes,
        "dynamicGroupMappingId": null}))
}

/// A membership: who is in what, and the identities of both and of the membership.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    pub(crate) thing: String,
    pub(crate) thing_id: String,
    pub(crate) group: String,
    pub(crate) group_id: String,
    pub(crate) id: String,
}

/// `operation` is `ADDED` or `REMOVED`.
pub(crate) fn membership(member: &Membership, operation: &str, number: u64, now_ms: u64) -> EventRow {
    row(json!({"device": member.thing, "event": format!("membership#{number}"),
        "eventType": "THING_GROUP_MEMBERSHIP_EVENT", "operation": operation, "timestamp": now_ms,
        "groupArn": group_arn(PRIMARY, &member.group), "groupId": member.group_id,
        "thingArn": format!("arn:aws:iot:{PRIMARY}:123456789012:thing/{}", member.thing),
        "thingId": member.thing_id, "membershipId": member.id}))
}

/// The document after an update, or the deletion of that version.
pub(crate) fn shadow(
    thing: &str,
    name: &str,
    document: &crate::model::Shadow,
    deleted: bool,
    now_ms: u64,
) -> EventRow {
    let (version, timestamp) = (document.version, now_ms / 1_000);
    if deleted {
        return row(json!({"device": thing, "event": format!("shadow#{name}#{version}#deleted"),
            "eventType": "SHADOW_EVENT", "operation": "DELETED", "shadow": name, "version": version,
            "timestamp": timestamp}));
    }
    let mut row = row(json!({"device": thing, "event": format!("shadow#{name}#{version}"),
        "eventType": "SHADOW_EVENT", "operation": "UPDATED", "shadow": name, "version": version,
        "timestamp": timestamp, "metadata": document.metadata}));
    // A document without state has none to select.
    if document.state.as_object().is_some_and(|state| !state.is_empty()) {
        row.insert("state".to_owned(), document.state.clone());
    }
    row
}

/// The first second of 2026, when histories begin.
pub(crate) const BEGIN_S: u64 = 1_767_225_600;

/// A time of January 2026 as CloudTrail writes it, in whole seconds.
fn text(now_ms: u64) -> String {
    let second = now_ms / 1_000 - BEGIN_S;
    let (day, second) = (second / 86_400, second % 86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("2026-01-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
}

/// An API call as EventBridge tells it.
pub(crate) fn api_call(name: &str, request: &Value, response: &Value, now_ms: u64) -> Value {
    json!({"version": "0", "id": format!("{name}-{now_ms}"), "source": "aws.iot", "region": PRIMARY,
        "detail-type": "AWS API Call via CloudTrail", "time": text(now_ms), "detail": {
            "eventSource": "iot.amazonaws.com", "eventName": name, "eventTime": text(now_ms),
            "awsRegion": PRIMARY, "requestParameters": request, "responseElements": response}})
}
