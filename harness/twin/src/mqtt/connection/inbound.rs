//! What a client sends, and what AWS does when it may not. What an MQTT 5 client can be told in an acknowledgement costs
//! it its message, not its connection.

use std::{num::NonZeroU16, time::Duration};

use bytestring::ByteString;
use rmqtt_codec::{
    types::QoS,
    v5::{DisconnectReasonCode, PublishAckReason, RetainHandling, SubscribeAckReason, UnsubscribeAckReason},
};
use tokio::time::Instant;

use super::Connection;
use crate::mqtt::{
    Subscribed,
    end::End,
    grants::Action,
    limits::{PAYLOAD_BYTES_MAX, SESSION_EXPIRY_MAX, TOPIC_ALIASES_MAX},
    message::Message,
    packet::{Incoming, Outgoing, Publish, Subscribe},
    service::{self, ShadowTopic},
    topic::{self, Filter, Ingest},
};
use crate::rules::Chain;

impl Connection<'_> {
    pub(super) fn packet(&mut self, packet: Incoming, now: Instant) -> Result<(), End> {
        match packet {
            Incoming::Publish(publish) => self.publish(publish, now)?,
            Incoming::Acknowledge(packet_id) => self.seat.mailbox.acknowledge(packet_id),
            Incoming::Subscribe { packet_id, filters, has_identifier } => {
                if has_identifier {
                    let code = DisconnectReasonCode::SubscriptionIdentifiersNotSupported;
                    return Err(End::ClientError(code));
                }
                self.subscribe(packet_id, filters)?;
            }
            Incoming::Unsubscribe { packet_id, filters } => self.unsubscribe(packet_id, &filters),
            Incoming::Ping => self.queue(Outgoing::Pong),
            Incoming::Disconnect { with_will, expiry } => return Err(self.disconnect(with_will, expiry)),
            Incoming::Connect(_) | Incoming::Unexpected => {
                return Err(End::ClientError(DisconnectReasonCode::ProtocolError));
            }
        }
        Ok(())
    }

    fn publish(&mut self, publish: Publish, now: Instant) -> Result<(), End> {
        let Publish { packet_id, alias, mut message } = publish;
        if let Some(alias) = alias {
            self.resolve(alias, &mut message)?;
        }
        check(&message).map_err(End::ClientError)?;
        if !self.may_publish(now) {
            self.deny(packet_id, PublishAckReason::QuotaExceeded);
            return Ok(());
        }
        let (region, topic) = (self.region, message.topic.clone());
        let allowed = self.grants.allows(region, Action::Publish, &topic, now)
            && (!message.retain || self.grants.allows(region, Action::RetainPublish, &topic, now));
        if !allowed {
            // MQTT 3.1.1 has no other way to say so, and QoS 0 has none in either version.
            let told = self.deny(packet_id, PublishAckReason::NotAuthorized);
            return if told { Ok(()) } else { Err(End::NotAuthorized) };
        }
        let request = ShadowTopic::parse(&topic);
        if request.is_none() && topic.starts_with('$') && Ingest::parse(&topic).is_none() {
            return Err(End::ClientError(DisconnectReasonCode::TopicNameInvalid));
        }
        let payload = message.payload.clone();
        let chain = Chain::default();
        let publisher = self.publisher(&chain);
        service::publish_message(self.world, region, message, Some(self.seat.mailbox.id), publisher);
        if let Some(request) = request {
            service::shadow_request(self.world, region, request, &payload, publisher);
        }
        service::stamp(self.world, region, &topic, packet_id.is_some());
        if let Some(packet_id) = packet_id
            && !self.world.faults.mute(&region.name, &topic)
        {
            self.queue(Outgoing::Acknowledge { packet_id, reason: PublishAckReason::Success });
        }
        Ok(())
    }

    /// Counts a publish against what the connection and the account may make; what exceeds it is discarded.
    fn may_publish(&mut self, now: Instant) -> bool {
        let limits = &self.region.limits;
        if !limits.connection_publishes.take_of(&mut self.publishes, now) {
            tracing::debug!(
                client = self.client_id(),
                "more publishes than a connection may make: discarded"
            );
            return false;
        }
        let granted = limits.inbound_publishes.take(now);
        if !granted {
            tracing::debug!(client = self.client_id(), "more publishes than the account may make: discarded");
        }
        granted
    }

    /// Gives a message the topic of its alias, or the alias a new topic.
    fn resolve(&mut self, alias: NonZeroU16, message: &mut Message) -> Result<(), End> {
        if alias.get() > TOPIC_ALIASES_MAX {
            return Err(End::ClientError(DisconnectReasonCode::TopicAliasInvalid));
        }
        if message.topic.is_empty() {
            let Some(topic) = self.aliases.get(&alias) else {
                return Err(End::ClientError(DisconnectReasonCode::ProtocolError));
            };
            message.topic = topic.clone();
        } else {
            // A copy: the topic is a slice of what was read, which would be kept as long as the alias.
            self.aliases.insert(alias, ByteString::from(&*message.topic));
        }
        Ok(())
    }

    /// Refuses a `QoS` 1 message with a reason, which only MQTT 5 can; `false` if the client could not be told.
    fn deny(&mut self, packet_id: Option<NonZeroU16>, reason: PublishAckReason) -> bool {
        let Some(packet_id) = packet_id.filter(|_| self.codec.is_v5()) else {
            return false;
        };
        self.queue(Outgoing::Acknowledge { packet_id, reason });
        true
    }

    fn subscribe(&mut self, packet_id: NonZeroU16, filters: Vec<Subscribe>) -> Result<(), End> {
        if self.region.limits.subscribe_filters.is_below(filters.len()) {
            return Err(End::ClientError(DisconnectReasonCode::QuotaExceeded));
        }
        let mut results = Vec::with_capacity(filters.len());
        let mut granted = Vec::new();
        for mut asked in filters {
            asked.qos = asked.qos.less_value(QoS::AtLeastOnce);
            let (result, subscribed) = self.subscribe_one(&asked);
            results.push(result);
            if let Some(subscribed) = subscribed {
                granted.push((asked, subscribed));
            }
        }
        self.queue(Outgoing::Subscribed { packet_id, results });
        for (asked, subscribed) in &granted {
            let wanted = match asked.retain_handling {
                RetainHandling::AtSubscribe => true,
                RetainHandling::AtSubscribeNew => *subscribed == Subscribed::New,
                RetainHandling::NoAtSubscribe => false,
            };
            if wanted && Filter::parse(&asked.filter).group.is_none() {
                self.region.broker.give_retained(&self.seat, asked);
            }
        }
        if !granted.is_empty() {
            let topics: Vec<&str> = granted.iter().map(|(asked, _)| &*asked.filter).collect();
            self.presence.subscription(self.world, self.region, "subscribed", &topics);
        }
        Ok(())
    }

    fn subscribe_one(&mut self, asked: &Subscribe) -> (SubscribeAckReason, Option<Subscribed>) {
        if !Filter::parse(&asked.filter).is_valid() {
            return (SubscribeAckReason::TopicFilterInvalid, None);
        }
        let region = self.region;
        if !self.grants.allows_now(region, "iot:Subscribe", "topicfilter", &asked.filter) {
            return (SubscribeAckReason::NotAuthorized, None);
        }
        match region.broker.subscribe(self.client_id(), &self.seat, asked) {
            Subscribed::Full => (SubscribeAckReason::QuotaExceeded, None),
            subscribed if asked.qos == QoS::AtMostOnce => (SubscribeAckReason::GrantedQos0, Some(subscribed)),
            subscribed => (SubscribeAckReason::GrantedQos1, Some(subscribed)),
        }
    }

    fn unsubscribe(&mut self, packet_id: NonZeroU16, filters: &[ByteString]) {
        let mut results = Vec::with_capacity(filters.len());
        let mut ended = Vec::new();
        for filter in filters {
            if self.region.broker.unsubscribe(self.client_id(), &self.seat, filter) {
                results.push(UnsubscribeAckReason::Success);
                ended.push(&**filter);
            } else {
                results.push(UnsubscribeAckReason::NoSubscriptionExisted);
            }
        }
        self.queue(Outgoing::Unsubscribed { packet_id, results });
        if !ended.is_empty() {
            self.presence.subscription(self.world, self.region, "unsubscribed", &ended);
        }
    }

    fn disconnect(&mut self, with_will: bool, expiry: Option<Duration>) -> End {
        if let Some(expiry) = expiry {
            // A session that was to end with its connection cannot be kept after all.
            if self.expiry.is_zero() && !expiry.is_zero() {
                return End::ClientError(DisconnectReasonCode::ProtocolError);
            }
            self.expiry = expiry.min(SESSION_EXPIRY_MAX);
        }
        if with_will { End::ClientWithWill } else { End::Client }
    }
}

/// What no client may publish.
fn check(message: &Message) -> Result<(), DisconnectReasonCode> {
    if message.qos == QoS::ExactlyOnce {
        return Err(DisconnectReasonCode::QosNotSupported);
    }
    if !topic::is_topic(&message.topic) {
        return Err(DisconnectReasonCode::TopicNameInvalid);
    }
    if message.payload.len() > PAYLOAD_BYTES_MAX {
        return Err(DisconnectReasonCode::PacketTooLarge);
    }
    if message.properties.as_ref().is_some_and(|properties| !properties.fit()) {
        return Err(DisconnectReasonCode::QuotaExceeded);
    }
    Ok(())
}
