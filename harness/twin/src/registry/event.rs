//! Registry events: what AWS publishes on `$aws/events/thing/...` when a thing changes and the event is switched on.

use serde_json::{Value, json};

use super::{Registry, Thing};

/// An event to publish: topic and payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RegistryEvent {
    pub(crate) topic: String,
    pub(crate) payload: Value,
}

impl Registry {
    /// The event of a thing's change, if `THING` events are on. `verb` is `created`, `updated` or `deleted`.
    pub(super) fn thing_event(&self, thing: &Thing, verb: &str, now_ms: i64) -> Option<RegistryEvent> {
        if !self.events.contains("THING") {
            return None;
        }
        let payload = json!({
            "eventType": "THING_EVENT",
            "eventId": uuid::Uuid::new_v4().simple().to_string(),
            "timestamp": now_ms,
            "operation": verb.to_uppercase(),
            "accountId": self.account,
            "thingId": thing.id,
            "thingName": thing.name,
            "versionNumber": thing.version,
            "thingTypeName": Value::Null,
            // AWS spells this key so.
            "billinGroupName": Value::Null,
            "attributes": thing.attributes,
        });
        Some(RegistryEvent { topic: format!("$aws/events/thing/{}/{verb}", thing.name), payload })
    }
}
