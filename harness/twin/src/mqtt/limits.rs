//! AWS's limits of the message broker (`iotcore`, defaults), each under its name, and the bucket that counts a rate.
//!
//! Limits of an account follow the twin's quota scale; those of one connection or one client id never do, since AWS does
//! not raise them either.

use std::time::Duration;

use tokio::time::Instant;

/// A message's payload.
pub(super) const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// A packet.
pub(super) const PACKET_BYTES_MAX: u32 = 146 * 1024;
/// The smallest packet limit that a client may ask for (MQTT 5).
pub(super) const CLIENT_PACKET_BYTES_MIN: u32 = 512;
/// A client id.
pub(super) const CLIENT_ID_BYTES_MAX: usize = 128;
/// CONNECT of an account a second; scaled.
pub(super) const CONNECTS_PER_S: f64 = 500.0;
/// CONNECT of one client id: at most one in this time.
pub(super) const CONNECT_PERIOD: Duration = Duration::from_secs(1);
/// Publishes a second on a connection, in and out together; what exceeds it is discarded.
pub(super) const PUBLISHES_PER_S: f64 = 100.0;
/// Bytes a second on a connection, in and out together; what exceeds it waits.
pub(super) const BYTES_PER_S: f64 = 512.0 * 1024.0;
/// Filters in one SUBSCRIBE; more end the connection.
pub(super) const FILTERS_PER_SUBSCRIBE_MAX: usize = 8;
/// Subscriptions of one connection.
pub(super) const SUBSCRIPTIONS_MAX: usize = 50;
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
/// Retained messages of an account and Region.
pub(super) const RETAINED_MAX: usize = 5_000;
/// Properties of an MQTT 5 message.
pub(super) const MESSAGE_EXPIRY_S_MAX: u32 = 604_800;
pub(super) const USER_PROPERTIES_BYTES_MAX: usize = 8 * 1024;
pub(super) const CORRELATION_BYTES_MAX: usize = 8 * 1024;
pub(super) const CONTENT_TYPE_BYTES_MAX: usize = 256;
/// A client id's counter of connections starts again after this without one.
pub(super) const VERSION_RESET: Duration = Duration::from_hours(1);

/// A token bucket that holds one second's worth. It may be overdrawn, for what is counted after the fact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    rate_per_s: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate_per_s: f64, now: Instant) -> Self {
        Self { rate_per_s, tokens: rate_per_s.max(1.0), filled: now }
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.rate_per_s;
        self.tokens = (self.tokens + gained).min(self.rate_per_s.max(1.0));
        self.filled = now;
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let granted = self.tokens >= 1.0;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }

    /// Counts `amount`, also beyond what there is.
    pub(super) fn spend(&mut self, amount: usize, now: Instant) {
        self.fill(now);
        self.tokens -= amount as f64;
    }

    /// When there will be `level` again; `None` if there is now.
    pub(super) fn waits_until(&self, level: f64) -> Option<Instant> {
        let missing = level - self.tokens;
        (missing > 0.0).then(|| self.filled + Duration::from_secs_f64(missing / self.rate_per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_grants_its_rate() {
        let now = Instant::now();
        let mut bucket = Bucket::new(100.0, now);
        let mut granted = |at| (0..500).filter(|_| bucket.take(at)).count();
        assert_eq!(granted(now), 100);
        assert_eq!(granted(now + Duration::from_millis(500)), 50);
    }

    #[test]
    fn an_overdrawn_bucket_says_when_it_is_even() {
        let now = Instant::now();
        let mut bucket = Bucket::new(1_000.0, now);
        bucket.spend(3_000, now);
        let even = bucket.waits_until(0.0).unwrap();
        assert_eq!(even.duration_since(now).as_secs(), 2);
        bucket.spend(0, even);
        assert_eq!(bucket.waits_until(0.0), None);
    }
}
