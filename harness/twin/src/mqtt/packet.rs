//! Packets as the broker sees them, the same for both versions of MQTT. Reason codes are those of MQTT 5; the codec of
//! 3.1.1 leaves out what that version cannot say.

use std::{num::NonZeroU16, time::Duration};

use bytestring::ByteString;
use rmqtt_codec::{
    types::QoS,
    v5::{DisconnectReasonCode, PublishAckReason, RetainHandling, SubscribeAckReason, UnsubscribeAckReason},
};

use super::message::{Delivery, Message, Will};

/// What a client sends.
#[derive(Debug)]
pub(super) enum Incoming {
    Connect(Box<Connect>),
    Publish(Publish),
    Acknowledge(NonZeroU16),
    Subscribe {
        packet_id: NonZeroU16,
        filters: Vec<Subscribe>,
        has_identifier: bool,
    },
    Unsubscribe {
        packet_id: NonZeroU16,
        filters: Vec<ByteString>,
    },
    Ping,
    Disconnect {
        with_will: bool,
        expiry: Option<Duration>,
    },
    /// What only a server sends, or what belongs to `QoS` 2.
    Unexpected,
}

/// CONNECT.
#[derive(Debug)]
pub(super) struct Connect {
    /// "" asks for one.
    pub(super) client_id: ByteString,
    pub(super) clean_start: bool,
    /// How long the session outlives the connection.
    pub(super) expiry: Duration,
    pub(super) keep_alive_s: u16,
    /// Unacknowledged messages that the client bears.
    pub(super) receive_max: usize,
    /// The largest packet that the client takes.
    pub(super) packet_bytes_max: Option<u32>,
    pub(super) will: Option<Will>,
}

/// PUBLISH of a client.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) packet_id: Option<NonZeroU16>,
    pub(super) alias: Option<NonZeroU16>,
    pub(super) message: Message,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug)]
pub(super) struct Subscribe {
    pub(super) filter: ByteString,
    pub(super) qos: QoS,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    pub(super) retain_handling: RetainHandling,
}

/// What the broker sends.
#[derive(Debug)]
pub(super) enum Outgoing {
    Accept(Box<Accept>),
    Refuse(Refusal),
    Publish { packet_id: Option<NonZeroU16>, again: bool, delivery: Delivery },
    Acknowledge { packet_id: NonZeroU16, reason: PublishAckReason },
    Subscribed { packet_id: NonZeroU16, results: Vec<SubscribeAckReason> },
    Unsubscribed { packet_id: NonZeroU16, results: Vec<UnsubscribeAckReason> },
    Pong,
    Disconnect(DisconnectReasonCode),
}

/// CONNACK of a connection that is accepted. What is `Some` differs from what the client asked.
#[derive(Debug, Default)]
pub(super) struct Accept {
    pub(super) session_present: bool,
    pub(super) assigned_client_id: Option<ByteString>,
    pub(super) keep_alive_s: Option<u16>,
    pub(super) expiry: Option<Duration>,
}

/// Why a CONNECT is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotAuthorized,
    BadClientId,
    /// Too many connections a second, of the client id or of the account.
    Throttled,
    /// The will asks for `QoS` 2.
    BadWill,
    /// A packet limit below what AWS takes.
    Protocol,
}
