//! A message, whatever version of MQTT, or HTTPS, it came by; versions differ at the codec only.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use bytestring::ByteString;
use rmqtt_codec::types::QoS;
use tokio::time::Instant;

use super::limits::{CONTENT_TYPE_BYTES_MAX, CORRELATION_BYTES_MAX, USER_PROPERTIES_BYTES_MAX};

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(super) topic: ByteString,
    pub(super) payload: Bytes,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// It is not delivered after this.
    pub(super) expires: Option<Instant>,
    /// What MQTT 5 passes through to MQTT 5; most messages have none.
    pub(super) properties: Option<Box<Properties>>,
}

/// The properties of an MQTT 5 message that go from publisher to subscriber as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) is_utf8: bool,
    pub(crate) content_type: Option<ByteString>,
    pub(crate) response_topic: Option<ByteString>,
    pub(crate) correlation_data: Option<Bytes>,
    pub(crate) user: Vec<(ByteString, ByteString)>,
}

impl Properties {
    /// Whether they fit AWS's limits.
    pub(super) fn fit(&self) -> bool {
        let user: usize = self.user.iter().map(|(key, value)| key.len() + value.len()).sum();
        user <= USER_PROPERTIES_BYTES_MAX
            && self.correlation_data.as_ref().is_none_or(|d| d.len() <= CORRELATION_BYTES_MAX)
            && self.content_type.as_ref().is_none_or(|t| t.len() <= CONTENT_TYPE_BYTES_MAX)
    }
}

impl Message {
    pub(super) fn new(topic: ByteString, payload: Bytes, qos: QoS) -> Self {
        Self { topic, payload, qos, retain: false, expires: None, properties: None }
    }

    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// The same message without the read buffer that it is a slice of: what is kept for long must not keep that.
    pub(super) fn detached(&self) -> Self {
        Self {
            topic: ByteString::from(&*self.topic),
            payload: Bytes::copy_from_slice(&self.payload),
            ..self.clone()
        }
    }
}

/// A message on its way to one subscriber.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) message: Arc<Message>,
    pub(super) qos: QoS,
    /// The flag as the subscriber gets it.
    pub(super) retain: bool,
}

/// What the broker publishes for a client that went without a word.
#[derive(Debug, Clone)]
pub(super) struct Will {
    pub(super) message: Message,
    pub(super) delay: Duration,
    /// Counts from the moment that it is published.
    pub(super) expiry: Option<Duration>,
}

impl Will {
    pub(super) fn into_message(self, now: Instant) -> Message {
        Message { expires: self.expiry.map(|expiry| now + expiry), ..self.message }
    }
}
