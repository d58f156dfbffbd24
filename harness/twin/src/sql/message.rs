//! What a statement looks at: the message, who sent it, and what else it may ask.

use std::{cell::OnceCell, fmt};

use serde_json::Value;

/// What functions ask of the Region.
pub(crate) trait Lookup {
    /// A shadow's document; "" is the classic one.
    fn shadow(&self, thing: &str, shadow: &str) -> Option<Value>;
}

/// A message that rules look at.
pub(crate) struct Message<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: Payload<'a>,
    pub(crate) now_ms: i64,
    pub(crate) account: &'a str,
    /// None if it did not come over MQTT.
    pub(crate) client_id: Option<&'a str>,
    pub(crate) principal: Option<&'a str>,
    pub(crate) lookup: &'a dyn Lookup,
    pub(crate) trace: OnceCell<String>,
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Message<'_> {
    /// An id of this message, the same for all who ask.
    pub(crate) fn trace_id(&self) -> &str {
        self.trace.get_or_init(|| uuid::Uuid::new_v4().to_string())
    }
}

/// A payload, which is read as JSON when a rule first needs it.
#[derive(Debug)]
pub(crate) struct Payload<'a> {
    pub(crate) bytes: &'a [u8],
    json: OnceCell<Option<Value>>,
}

impl<'a> Payload<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, json: OnceCell::new() }
    }

    /// The payload as JSON; one that is empty counts as an empty object.
    pub(crate) fn json(&self) -> Option<&Value> {
        let read = || {
            if self.bytes.is_empty() {
                return Some(Value::Object(serde_json::Map::new()));
            }
            serde_json::from_slice(self.bytes).ok()
        };
        self.json.get_or_init(read).as_ref()
    }
}
