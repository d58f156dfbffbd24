//! AWS's limits of the message broker that nobody can change, each under its name: sizes, times, what the protocol allows.
//! Those that are quotas, which can be set and switched off, are in [`crate::quota::DataPlane`].

use std::time::Duration;

/// A message's payload.
pub(super) const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// A packet.
pub(super) const PACKET_BYTES_MAX: u32 = 146 * 1024;
/// The smallest packet limit that a client may ask for (MQTT 5).
pub(super) const CLIENT_PACKET_BYTES_MIN: u32 = 512;
/// A client id.
pub(super) const CLIENT_ID_BYTES_MAX: usize = 128;
/// `QoS` 1 messages from a client without acknowledgement. The twin acknowledges in the order of arrival before it reads
/// on, so that a client cannot exceed it; MQTT 5 clients are told.
pub(super) const UNACKED_IN_MAX: u16 = 100;
/// `QoS` 1 messages to a client without acknowledgement; more wait.
pub(super) const UNACKED_OUT_MAX: usize = 100;
/// Topic aliases of one connection (MQTT 5), from the client.
pub(super) const TOPIC_ALIASES_MAX: u16 = 8;
/// Keep-alive: what AWS makes of 0 and of more, and of less than 30.
pub(super) const KEEP_ALIVE_S_MAX: u16 = 1_200;
pub(super) const KEEP_ALIVE_S_MIN: u16 = 30;
/// A persistent session of MQTT 3.1.1 outlives its connection by this.
pub(super) const SESSION_EXPIRY: Duration = Duration::from_hours(1);
/// And one of MQTT 5 by what its client asks, at most this.
pub(super) const SESSION_EXPIRY_MAX: Duration = Duration::from_hours(168);
/// Messages kept for one session that is offline. AWS names no such number, only 500 a second an account.
pub(super) const OFFLINE_MESSAGES_MAX: usize = 1_024;
/// Stored messages given to a session on its return, a second.
pub(super) const OFFLINE_DRAIN_PER_S: f64 = 10.0;
/// Messages that wait for one connected subscriber.
pub(super) const QUEUE_MESSAGES_MAX: usize = 1_024;
/// An MQTT 3.1.1 client that is connected and does not acknowledge gets the message again after this. AWS says that it
/// does so, not how often. MQTT 5 forbids it: there the message comes again with the next connection only.
pub(super) const REDELIVERY: Duration = Duration::from_secs(30);
/// Redelivery ends, MQTT 3.1.1 and MQTT 5.
pub(super) const REDELIVERY_MAX_V3: Duration = Duration::from_hours(1);
pub(super) const REDELIVERY_MAX_V5: Duration = Duration::from_mins(5);
/// Retained messages of a Region, whatever its quota says.
pub(super) const RETAINED_CEILING: usize = 100_000;
/// Properties of an MQTT 5 message.
pub(super) const MESSAGE_EXPIRY_S_MAX: u32 = 604_800;
pub(super) const USER_PROPERTIES_BYTES_MAX: usize = 8 * 1024;
pub(super) const CORRELATION_BYTES_MAX: usize = 8 * 1024;
pub(super) const CONTENT_TYPE_BYTES_MAX: usize = 256;
/// A client id's counter of connections starts again after this without one.
pub(super) const VERSION_RESET: Duration = Duration::from_hours(1);
