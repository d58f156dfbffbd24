//! MQTT 3.1.1 (and 3.1): no properties, no reasons.

use rmqtt_codec::{
    types::{Publish as Wire, QoS},
    v3::{Connect as WireConnect, ConnectAck, ConnectAckReason, Packet, SubscribeReturnCode},
    v5::{PublishAckReason, RetainHandling, SubscribeAckReason},
};

use crate::mqtt::{
    limits::{SESSION_EXPIRY, UNACKED_OUT_MAX},
    message::{Message, Will},
    packet::{Connect, Incoming, Outgoing, Publish, Refusal, Subscribe},
};

/// AWS answers 7 and not 5 to those that it does not know.
const NOT_AUTHORIZED: u8 = 7;
const BAD_CLIENT_ID: u8 = 2;
const UNAVAILABLE: u8 = 3;

/// What a packet becomes.
pub(super) enum Encoded {
    Packet(Packet),
    /// A return code that the codec does not know.
    Raw([u8; 4]),
    /// This version has no such packet.
    Nothing,
}

pub(super) fn incoming(packet: Packet) -> Incoming {
    match packet {
        Packet::Connect(connect) => Incoming::Connect(Box::new(self::connect(*connect))),
        Packet::Publish(publish) => {
            let Wire { retain, qos, topic, packet_id, payload, .. } = *publish;
            let message = Message { retain, ..Message::new(topic, payload, qos) };
            Incoming::Publish(Publish { packet_id, alias: None, message })
        }
        Packet::PublishAck { packet_id } => Incoming::Acknowledge(packet_id),
        Packet::Subscribe { packet_id, topic_filters } => {
            let filters = topic_filters
                .into_iter()
                .map(|(filter, qos)| Subscribe {
                    filter,
                    qos,
                    no_local: false,
                    retain_as_published: false,
                    retain_handling: RetainHandling::AtSubscribe,
                })
                .collect();
            Incoming::Subscribe { packet_id, filters, has_identifier: false }
        }
        Packet::Unsubscribe { packet_id, topic_filters } => {
            Incoming::Unsubscribe { packet_id, filters: topic_filters }
        }
        Packet::PingRequest => Incoming::Ping,
        Packet::Disconnect => Incoming::Disconnect { with_will: false, expiry: None },
        _ => Incoming::Unexpected,
    }
}

fn connect(connect: WireConnect) -> Connect {
    let will = connect.last_will.map(|will| Will {
        message: Message { retain: will.retain, ..Message::new(will.topic, will.message, will.qos) },
        delay: std::time::Duration::ZERO,
        expiry: None,
    });
    Connect {
        client_id: connect.client_id,
        clean_start: connect.clean_session,
        expiry: if connect.clean_session { std::time::Duration::ZERO } else { SESSION_EXPIRY },
        keep_alive_s: connect.keep_alive,
        receive_max: UNACKED_OUT_MAX,
        packet_bytes_max: None,
        will,
    }
}

pub(super) fn outgoing(packet: Outgoing) -> Encoded {
    Encoded::Packet(match packet {
        Outgoing::Accept(accept) => Packet::ConnectAck(ConnectAck {
            return_code: ConnectAckReason::ConnectionAccepted,
            session_present: accept.session_present,
        }),
        Outgoing::Refuse(refusal) => {
            let code = match refusal {
                Refusal::NotAuthorized => NOT_AUTHORIZED,
                Refusal::BadClientId => BAD_CLIENT_ID,
                Refusal::Throttled | Refusal::BadWill | Refusal::Protocol => UNAVAILABLE,
            };
            return Encoded::Raw([0x20, 2, 0, code]);
        }
        Outgoing::Publish { packet_id, again, delivery } => Packet::Publish(Box::new(Wire {
            dup: again,
            retain: delivery.retain,
            qos: delivery.qos,
            topic: delivery.message.topic.clone(),
            packet_id,
            payload: delivery.message.payload.clone(),
            properties: None,
        })),
        Outgoing::Acknowledge { packet_id, reason: PublishAckReason::Success } => {
            Packet::PublishAck { packet_id }
        }
        Outgoing::Subscribed { packet_id, results } => {
            let status = results
                .into_iter()
                .map(|result| match result {
                    SubscribeAckReason::GrantedQos0 => SubscribeReturnCode::Success(QoS::AtMostOnce),
                    SubscribeAckReason::GrantedQos1 => SubscribeReturnCode::Success(QoS::AtLeastOnce),
                    _ => SubscribeReturnCode::Failure,
                })
                .collect();
            Packet::SubscribeAck { packet_id, status }
        }
        Outgoing::Unsubscribed { packet_id, .. } => Packet::UnsubscribeAck { packet_id },
        Outgoing::Pong => Packet::PingResponse,
        Outgoing::Acknowledge { .. } | Outgoing::Disconnect(_) => return Encoded::Nothing,
    })
}
