//! Registry events: what AWS publishes on `$aws/events/...` when something in the registry changes and that kind of event
//! is switched on. Each maker answers `None` while its kind is off.

use serde_json::{Map, Value, json};

use super::{Group, Registry, Thing, ThingType};

/// An event to publish: topic and payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RegistryEvent {
    pub(crate) topic: String,
    pub(crate) payload: Value,
}

impl Registry {
    /// An event of `kind` (as in `UpdateEventConfigurations`) on `$aws/events/<topic>/<verb>`.
    fn event(&self, kind: &str, topic: &str, verb: &str, now_ms: i64, rest: Value) -> Option<RegistryEvent> {
        if !self.events.contains(kind) {
            return None;
        }
        let mut payload = Map::new();
        payload.insert("eventType".to_owned(), json!(format!("{kind}_EVENT")));
        payload.insert("eventId".to_owned(), json!(uuid::Uuid::new_v4().simple().to_string()));
        payload.insert("timestamp".to_owned(), json!(now_ms));
        payload.insert("operation".to_owned(), json!(verb.to_uppercase()));
        if let Value::Object(rest) = rest {
            payload.extend(rest);
        }
        Some(RegistryEvent { topic: format!("$aws/events/{topic}/{verb}"), payload: payload.into() })
    }

    /// `verb` is `created`, `updated` or `deleted`.
    pub(super) fn thing_event(&self, thing: &Thing, verb: &str, now_ms: i64) -> Option<RegistryEvent> {
        let rest = json!({
            "accountId": self.account,
            "thingId": thing.id,
            "thingName": thing.name,
            "versionNumber": thing.version,
            "thingTypeName": thing.type_name,
            // AWS spells this key so.
            "billinGroupName": Value::Null,
            "attributes": thing.attributes,
        });
        self.event("THING", &format!("thing/{}", thing.name), verb, now_ms, rest)
    }

    /// `verb` is `created`, `updated` or `deleted`; deprecating is an update.
    pub(super) fn type_event(&self, kind: &ThingType, verb: &str, now_ms: i64) -> Option<RegistryEvent> {
        let rest = json!({
            "accountId": self.account,
            "thingTypeId": kind.id,
            "thingTypeName": kind.name,
            "isDeprecated": kind.deprecated_ms.is_some(),
            "deprecationDate": kind.deprecated_ms,
            "searchableAttributes": kind.properties.searchable,
            "propagatingAttributes": kind.properties.propagating,
            "description": kind.properties.description,
        });
        self.event("THING_TYPE", &format!("thingType/{}", kind.name), verb, now_ms, rest)
    }

    /// `verb` is `added` or `removed`. AWS sends no account with it.
    pub(super) fn association_event(
        &self,
        thing: &Thing,
        type_name: &str,
        verb: &str,
        now_ms: i64,
    ) -> Option<RegistryEvent> {
        let topic = format!("thingTypeAssociation/thing/{}/thingType/{type_name}", thing.name);
        let rest = json!({"thingId": thing.id, "thingName": thing.name, "thingTypeName": type_name});
        self.event("THING_TYPE_ASSOCIATION", &topic, verb, now_ms, rest)
    }

    /// `verb` is `created`, `updated` or `deleted`.
    pub(super) fn group_event(&self, group: &Group, verb: &str, now_ms: i64) -> Option<RegistryEvent> {
        let parent = group.parent.as_ref().and_then(|p| self.groups.get(p));
        let mut path: Vec<Value> = self
            .ancestors(group)
            .map(|g| json!({"groupArn": self.arn(&format!("thinggroup/{}", g.name)), "groupId": g.id}))
            .collect();
        path.reverse();
        let rest = json!({
            "accountId": self.account,
            "thingGroupId": group.id,
            "thingGroupName": group.name,
            "versionNumber": group.version,
            "parentGroupName": group.parent,
            "parentGroupId": parent.map(|p| &p.id),
            "description": group.description,
            "rootToParentThingGroups": if path.is_empty() { Value::Null } else { path.into() },
            "attributes": if group.attributes.is_empty() { Value::Null } else { json!(group.attributes) },
            "dynamicGroupMappingId": Value::Null,
        });
        self.event("THING_GROUP", &format!("thingGroup/{}", group.name), verb, now_ms, rest)
    }

    /// `verb` is `added` or `removed`.
    pub(super) fn membership_event(
        &self,
        group: &Group,
        thing: &Thing,
        verb: &str,
        now_ms: i64,
    ) -> Option<RegistryEvent> {
        let topic = format!("thingGroupMembership/thingGroup/{}/thing/{}", group.name, thing.name);
        let rest = json!({
            "accountId": self.account,
            "groupArn": self.arn(&format!("thinggroup/{}", group.name)),
            "groupId": group.id,
            "thingArn": self.arn(&format!("thing/{}", thing.name)),
            "thingId": thing.id,
            "membershipId": format!("{}:{}", group.id, thing.id),
        });
        self.event("THING_GROUP_MEMBERSHIP", &topic, verb, now_ms, rest)
    }

    /// `verb` is `added` or `removed`.
    pub(super) fn hierarchy_event(
        &self,
        parent: &Group,
        child: &Group,
        verb: &str,
        now_ms: i64,
    ) -> Option<RegistryEvent> {
        let topic = format!("thingGroupHierarchy/thingGroup/{}/childThingGroup/{}", parent.name, child.name);
        let rest = json!({
            "accountId": self.account,
            "thingGroupId": parent.id,
            "thingGroupName": parent.name,
            "childGroupId": child.id,
            "childGroupName": child.name,
        });
        self.event("THING_GROUP_HIERARCHY", &topic, verb, now_ms, rest)
    }
}
