//! What stands behind the broker: publishing into a Region, and the shadow service, for MQTT and HTTPS alike.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use bytestring::ByteString;
use rmqtt_codec::types::QoS;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    limits::{MESSAGE_EXPIRY_S_MAX, PAYLOAD_BYTES_MAX},
    message::{Message, Properties},
    topic::{Ingest, is_topic},
};
use crate::{
    dynamodb::fixed_digest,
    region::Region,
    rules::{Chain, Publisher},
    shadow::ShadowError,
    truth::Fact,
    world::World,
};

/// What can be asked of a shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShadowOperation {
    Update,
    Get,
    Delete,
}

impl ShadowOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Get => "get",
            Self::Delete => "delete",
        }
    }
}

/// A shadow request's topic, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShadowTopic<'a> {
    pub(super) thing: &'a str,
    /// "" is the classic shadow.
    pub(super) shadow: &'a str,
    pub(super) operation: ShadowOperation,
}

impl<'a> ShadowTopic<'a> {
    pub(super) fn parse(topic: &'a str) -> Option<Self> {
        let rest = topic.strip_prefix("$aws/things/")?;
        let (thing, rest) = rest.split_once("/shadow/")?;
        let (shadow, operation) = match rest.strip_prefix("name/") {
            Some(named) => named.split_once('/')?,
            None => ("", rest),
        };
        let operation = match operation {
            "update" => ShadowOperation::Update,
            "get" => ShadowOperation::Get,
            "delete" => ShadowOperation::Delete,
            _ => return None,
        };
        (!thing.is_empty() && !thing.contains('/')).then_some(Self { thing, shadow, operation })
    }
}

/// Publishes a message in a Region: to subscribers, then through the topic rules.
pub(crate) fn publish(world: &Arc<World>, region: &Region, topic: &str, payload: &Bytes, qos: QoS) {
    let message = Message::new(ByteString::from(topic), payload.clone(), qos);
    publish_message(world, region, message, None, Publisher::service(&Chain::default()));
}

/// Publishes a message of a client; `from` is its mailbox. Reserved topics retain nothing; a topic of basic ingest goes
/// to its rule and to nobody else.
pub(super) fn publish_message(
    world: &Arc<World>,
    region: &Region,
    mut message: Message,
    from: Option<u64>,
    publisher: Publisher<'_>,
) {
    if let Some(Ingest { rule, topic }) = Ingest::parse(&message.topic) {
        return region.rules.ingest(world, region, (rule, topic), &message.payload, publisher);
    }
    message.retain &= !message.topic.starts_with('$');
    let (topic, payload) = (message.topic.clone(), message.payload.clone());
    let lost = world.faults.grey(&region.name, &topic);
    if !lost.subscribers {
        region.broker.route(message, from);
    }
    if !lost.rules {
        region.rules.run(world, region, &topic, &payload, publisher);
    }
}

/// Stamps a client's message that is about to be acknowledged.
pub(super) fn stamp(world: &World, region: &Region, topic: &str, is_qos_1: bool) {
    world.truth.stamp(|| Fact::Publish {
        region: region.name.clone(),
        topic: topic.to_owned(),
        qos: u8::from(is_qos_1),
    });
}

/// What a rule's republish action sends.
#[derive(Debug)]
pub(crate) struct Republish {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: QoS,
    pub(crate) properties: Option<Properties>,
    pub(crate) expiry: Option<Duration>,
}

/// Publishes what a rule says: to topics, shadows and other rules. The error says why it is not published.
pub(crate) fn republish(
    world: &Arc<World>,
    region: &Region,
    outgoing: Republish,
    publisher: Publisher<'_>,
) -> Result<(), String> {
    let Republish { topic, payload, qos, properties, expiry } = outgoing;
    let topic = ByteString::from(topic);
    let request = ShadowTopic::parse(&topic);
    if !may_be_published(&topic, request) {
        return Err(format!("The topic may not be published to: {topic}"));
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(format!("The payload has more than {PAYLOAD_BYTES_MAX} bytes"));
    }
    if properties.as_ref().is_some_and(|properties| !properties.fit()) {
        return Err("The headers are too large".to_owned());
    }
    let expiry = expiry.map(|expiry| expiry.min(Duration::from_secs(MESSAGE_EXPIRY_S_MAX.into())));
    let message = Message {
        expires: expiry.map(|expiry| Instant::now() + expiry),
        properties: properties.map(Box::new),
        ..Message::new(topic.clone(), payload.clone(), qos)
    };
    publish_message(world, region, message, None, publisher);
    if let Some(request) = request {
        shadow_request(world, region, request, &payload, publisher);
    }
    Ok(())
}

/// Of the reserved topics, shadow requests and basic ingest.
fn may_be_published(topic: &str, request: Option<ShadowTopic<'_>>) -> bool {
    is_topic(topic) && (!topic.starts_with('$') || request.is_some() || Ingest::parse(topic).is_some())
}

/// Carries out a shadow request and publishes what AWS publishes about it. The answer is `accepted`'s payload.
pub(crate) fn shadow(
    world: &Arc<World>,
    region: &Region,
    thing: &str,
    shadow: &str,
    operation: ShadowOperation,
    payload: &[u8],
) -> Result<Value, ShadowError> {
    let topic = ShadowTopic { thing, shadow, operation };
    shadow_for(world, region, topic, payload, Publisher::service(&Chain::default()))
}

/// The same as a part of what a publish gives rise to.
fn shadow_for(
    world: &Arc<World>,
    region: &Region,
    ShadowTopic { thing, shadow, operation }: ShadowTopic<'_>,
    payload: &[u8],
    publisher: Publisher<'_>,
) -> Result<Value, ShadowError> {
    let (limits, now) = (&region.limits, Instant::now());
    if !limits.shadow_requests.take(now)
        || !region.shadow_rates.lock().take(thing, &limits.thing_shadow_requests, now)
    {
        return Err(ShadowError::throttled());
    }
    let now_s = world.clock.now_s();
    let prefix = prefix(thing, shadow);
    let send = |suffix: &str, message: &Value| {
        // What the service publishes counts as the account's, and is not held back by it.
        limits.inbound_publishes.spend(1, now);
        tell(world, region, format!("{prefix}/{suffix}"), message, publisher);
    };
    match operation {
        ShadowOperation::Update => {
            let updated = {
                let mut shadows = region.shadows.lock();
                let updated = shadows.update(thing, shadow, payload, now_s)?;
                // Under the lock: the order of stamps is that of versions.
                world.truth.stamp(|| Fact::Shadow {
                    region: region.name.clone(),
                    thing: thing.to_owned(),
                    shadow: shadow.to_owned(),
                    version: updated.accepted["version"].as_u64().unwrap_or_default(),
                    state: fixed_digest(&updated.documents["current"]["state"]),
                    token: updated.accepted["clientToken"].as_str().map(str::to_owned),
                });
                updated
            };
            send("update/accepted", &updated.accepted);
            if let Some(delta) = &updated.delta {
                send("update/delta", delta);
            }
            send("update/documents", &updated.documents);
            Ok(updated.accepted)
        }
        ShadowOperation::Get => {
            let document = region.shadows.lock().get(thing, shadow, payload, now_s)?;
            send("get/accepted", &document);
            Ok(document)
        }
        ShadowOperation::Delete => {
            let deleted = region.shadows.lock().delete(thing, shadow, payload, now_s)?;
            send("delete/accepted", &deleted);
            Ok(deleted)
        }
    }
}

/// Why a publish over HTTPS was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishRefusal {
    /// The topic is not one that may be published to.
    Topic,
    /// More than the account may publish.
    Throttled,
    /// The payload is larger than a message may be.
    TooLarge,
}

/// A publish over HTTPS by a certificate or a user: what a client's publish over MQTT does.
pub(crate) fn publish_over_https(
    world: &Arc<World>,
    region: &Region,
    topic: &str,
    payload: &Bytes,
    qos: QoS,
    principal: &str,
) -> Result<(), PublishRefusal> {
    let request = ShadowTopic::parse(topic);
    if !may_be_published(topic, request) {
        return Err(PublishRefusal::Topic);
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(PublishRefusal::TooLarge);
    }
    if !region.limits.inbound_publishes.take(Instant::now()) {
        return Err(PublishRefusal::Throttled);
    }
    let chain = Chain::default();
    let publisher = Publisher { principal: Some(principal), ..Publisher::service(&chain) };
    let message = Message::new(ByteString::from(topic), payload.clone(), qos);
    publish_message(world, region, message, None, publisher);
    if let Some(request) = request {
        shadow_request(world, region, request, payload, publisher);
    }
    stamp(world, region, topic, qos != QoS::AtMostOnce);
    Ok(())
}

/// A shadow request that came over MQTT: a refusal is published, too.
pub(super) fn shadow_request(
    world: &Arc<World>,
    region: &Region,
    topic: ShadowTopic<'_>,
    payload: &[u8],
    publisher: Publisher<'_>,
) {
    let Err(refusal) = shadow_for(world, region, topic, payload, publisher) else {
        return;
    };
    let mut message =
        json!({"code": refusal.code, "message": refusal.message, "timestamp": world.clock.now_s()});
    if let Ok(request) = serde_json::from_slice::<Value>(payload)
        && let Some(token) = request.get("clientToken")
    {
        message["clientToken"] = token.clone();
    }
    let to = format!("{}/{}/rejected", prefix(topic.thing, topic.shadow), topic.operation.as_str());
    tell(world, region, to, &message, publisher);
}

/// Publishes a message of the shadow service about a request of `publisher`.
fn tell(world: &Arc<World>, region: &Region, topic: String, message: &Value, publisher: Publisher<'_>) {
    let message = Message::new(topic.into(), Bytes::from(message.to_string()), QoS::AtLeastOnce);
    publish_message(world, region, message, None, Publisher::service(publisher.chain));
}

fn prefix(thing: &str, shadow: &str) -> String {
    if shadow.is_empty() {
        format!("$aws/things/{thing}/shadow")
    } else {
        format!("$aws/things/{thing}/shadow/name/{shadow}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shadow_topics_are_taken_apart() {
        let parsed = ShadowTopic::parse("$aws/things/a:b/shadow/update").unwrap();
        assert_eq!((parsed.thing, parsed.shadow), ("a:b", ""));
        let parsed = ShadowTopic::parse("$aws/things/t/shadow/name/n/get").unwrap();
        assert_eq!((parsed.thing, parsed.shadow, parsed.operation), ("t", "n", ShadowOperation::Get));
        for other in ["$aws/things/t/shadow/update/accepted", "$aws/things//shadow/update", "a/b"] {
            assert_eq!(ShadowTopic::parse(other), None, "{other}");
        }
    }
}
