//! MQTT 5: properties in and out, reasons out.

use std::{
    num::{NonZeroU16, NonZeroU32},
    time::Duration,
};

use rmqtt_codec::{
    types::{Publish as Wire, QoS},
    v5::{
        Connect as WireConnect, ConnectAck, ConnectAckReason, Disconnect, DisconnectReasonCode, LastWill,
        Packet, PublishAck, PublishProperties, SubscribeAck, UnsubscribeAck,
    },
};
use tokio::time::Instant;

use crate::mqtt::{
    limits::{
        MESSAGE_EXPIRY_S_MAX, PACKET_BYTES_MAX, SESSION_EXPIRY_MAX, TOPIC_ALIASES_MAX, UNACKED_IN_MAX,
        UNACKED_OUT_MAX,
    },
    message::{Delivery, Message, Properties, Will},
    packet::{Accept, Connect, Incoming, Outgoing, Publish, Refusal, Subscribe},
};

pub(super) fn incoming(packet: Packet) -> Incoming {
    match packet {
        Packet::Connect(connect) => Incoming::Connect(Box::new(self::connect(*connect))),
        Packet::Publish(publish) => Incoming::Publish(self::publish(*publish)),
        Packet::PublishAck(acknowledged) => Incoming::Acknowledge(acknowledged.packet_id),
        Packet::Subscribe(subscribe) => {
            let filters = subscribe
                .topic_filters
                .into_iter()
                .map(|(filter, options)| Subscribe {
                    filter,
                    qos: options.qos,
                    no_local: options.no_local,
                    retain_as_published: options.retain_as_published,
                    retain_handling: options.retain_handling,
                })
                .collect();
            Incoming::Subscribe {
                packet_id: subscribe.packet_id,
                filters,
                has_identifier: subscribe.id.is_some(),
            }
        }
        Packet::Unsubscribe(unsubscribe) => {
            Incoming::Unsubscribe { packet_id: unsubscribe.packet_id, filters: unsubscribe.topic_filters }
        }
        Packet::PingRequest => Incoming::Ping,
        Packet::Disconnect(disconnect) => Incoming::Disconnect {
            with_will: disconnect.reason_code != DisconnectReasonCode::NormalDisconnection,
            expiry: disconnect.session_expiry_interval_secs.map(expiry),
        },
        _ => Incoming::Unexpected,
    }
}

fn connect(connect: WireConnect) -> Connect {
    Connect {
        client_id: connect.client_id,
        clean_start: connect.clean_start,
        expiry: expiry(connect.session_expiry_interval_secs),
        keep_alive_s: connect.keep_alive,
        receive_max: connect.receive_max.map_or(UNACKED_OUT_MAX, |max| usize::from(max.get())),
        packet_bytes_max: connect.max_packet_size.map(NonZeroU32::get),
        will: connect.last_will.map(will),
    }
}

fn expiry(asked_s: u32) -> Duration {
    Duration::from_secs(u64::from(asked_s))
}

fn will(will: LastWill) -> Will {
    let properties = Properties {
        is_utf8: will.is_utf8_payload.unwrap_or(false),
        content_type: will.content_type,
        response_topic: will.response_topic,
        correlation_data: will.correlation_data,
        user: will.user_properties,
    };
    Will {
        message: Message {
            retain: will.retain,
            properties: boxed(properties),
            ..Message::new(will.topic, will.message, will.qos)
        },
        delay: expiry(will.will_delay_interval_sec.unwrap_or(0)).min(SESSION_EXPIRY_MAX),
        expiry: will.message_expiry_interval.map(|s| expiry(s.get().min(MESSAGE_EXPIRY_S_MAX))),
    }
}

fn publish(publish: Wire) -> Publish {
    let given = publish.properties.unwrap_or_default();
    let expires =
        given.message_expiry_interval.map(|s| Instant::now() + expiry(s.get().min(MESSAGE_EXPIRY_S_MAX)));
    let properties = boxed(Properties {
        is_utf8: given.is_utf8_payload,
        content_type: given.content_type,
        response_topic: given.response_topic,
        correlation_data: given.correlation_data,
        user: given.user_properties,
    });
    Publish {
        packet_id: publish.packet_id,
        alias: given.topic_alias,
        message: Message {
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            expires,
            properties,
        },
    }
}

/// Most messages have none, and none costs no memory.
fn boxed(properties: Properties) -> Option<Box<Properties>> {
    (properties != Properties::default()).then(|| Box::new(properties))
}

pub(super) fn outgoing(packet: Outgoing) -> Packet {
    match packet {
        Outgoing::Accept(accept) => Packet::ConnectAck(Box::new(accepted(*accept))),
        Outgoing::Refuse(refusal) => Packet::ConnectAck(Box::new(ConnectAck {
            reason_code: match refusal {
                Refusal::NotAuthorized => ConnectAckReason::NotAuthorized,
                Refusal::BadClientId => ConnectAckReason::ClientIdentifierNotValid,
                Refusal::Throttled => ConnectAckReason::QuotaExceeded,
                Refusal::BadWill => ConnectAckReason::QosNotSupported,
                Refusal::Protocol => ConnectAckReason::ProtocolError,
            },
            ..ConnectAck::default()
        })),
        Outgoing::Publish { packet_id, again, delivery } => {
            Packet::Publish(Box::new(delivered(packet_id, again, &delivery)))
        }
        Outgoing::Acknowledge { packet_id, reason } => {
            Packet::PublishAck(PublishAck { packet_id, reason_code: reason, ..PublishAck::default() })
        }
        Outgoing::Subscribed { packet_id, results } => Packet::SubscribeAck(SubscribeAck {
            packet_id,
            properties: Vec::new(),
            reason_string: None,
            status: results,
        }),
        Outgoing::Unsubscribed { packet_id, results } => Packet::UnsubscribeAck(UnsubscribeAck {
            packet_id,
            properties: Vec::new(),
            reason_string: None,
            status: results,
        }),
        Outgoing::Pong => Packet::PingResponse,
        Outgoing::Disconnect(code) => Packet::Disconnect(Disconnect::new(code)),
    }
}

/// CONNACK with AWS's limits.
fn accepted(accept: Accept) -> ConnectAck {
    ConnectAck {
        session_present: accept.session_present,
        session_expiry_interval_secs: accept.expiry.map(seconds),
        receive_max: NonZeroU16::new(UNACKED_IN_MAX).unwrap_or(NonZeroU16::MIN),
        max_qos: QoS::AtLeastOnce,
        max_packet_size: Some(PACKET_BYTES_MAX),
        assigned_client_id: accept.assigned_client_id,
        topic_alias_max: TOPIC_ALIASES_MAX,
        subscription_identifiers_available: false,
        server_keepalive_sec: accept.keep_alive_s,
        ..ConnectAck::default()
    }
}

fn delivered(packet_id: Option<NonZeroU16>, again: bool, delivery: &Delivery) -> Wire {
    let message = &delivery.message;
    let mut properties =
        message.properties.as_ref().map_or_else(PublishProperties::default, |p| PublishProperties {
            correlation_data: p.correlation_data.clone(),
            content_type: p.content_type.clone(),
            user_properties: p.user.clone(),
            is_utf8_payload: p.is_utf8,
            response_topic: p.response_topic.clone(),
            ..PublishProperties::default()
        });
    // What is left of its life, and never nothing: a message that has expired is not delivered.
    properties.message_expiry_interval = message.expires.map(|expires| {
        NonZeroU32::new(seconds(expires.saturating_duration_since(Instant::now()))).unwrap_or(NonZeroU32::MIN)
    });
    Wire {
        dup: again,
        retain: delivery.retain,
        qos: delivery.qos,
        topic: message.topic.clone(),
        packet_id,
        payload: message.payload.clone(),
        properties: Some(properties),
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
