//! What waits for one session: the queue of a connected client, the messages stored while it is away, and the `QoS` 1
//! messages that it has not acknowledged. Bounded, and without memory while empty.

use std::{collections::VecDeque, num::NonZeroU16, time::Duration};

use parking_lot::Mutex;
use rmqtt_codec::types::QoS;
use tokio::{sync::Notify, time::Instant};

use super::{
    limits::{OFFLINE_MESSAGES_MAX, QUEUE_MESSAGES_MAX, UNACKED_OUT_MAX},
    message::Delivery,
};
use crate::{bucket::Bucket, quota::Limit};

/// Messages taken in one go.
const TAKE_MAX: usize = 64;
/// An empty queue with more room than this is given back.
const IDLE_CAPACITY_MAX: usize = 8;

/// The mailbox of one session.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// Unique in its Region.
    pub(super) id: u64,
    /// Told when something comes in.
    pub(super) wake: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The connection that may take; `None` while the session is offline.
    connection: Option<u64>,
    /// An offline session takes nothing more after this.
    expires: Option<Instant>,
    queue: VecDeque<Delivery>,
    /// Stored while offline.
    stored: VecDeque<Delivery>,
    in_flight: VecDeque<InFlight>,
    in_flight_max: usize,
    packet_id: u16,
}

#[derive(Debug)]
struct InFlight {
    packet_id: NonZeroU16,
    delivery: Delivery,
    first_sent: Instant,
    sent: Instant,
}

/// What [`Mailbox::take`] found.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) deliveries: Vec<Delivery>,
    /// There is more that could be taken now.
    pub(super) more: bool,
    /// There are stored messages, which come at their own rate.
    pub(super) stored: bool,
}

impl Mailbox {
    pub(super) fn new(id: u64) -> Self {
        Self { id, wake: Notify::new(), inner: Mutex::default() }
    }

    /// A connection sits down. At most `in_flight_max` messages will be unacknowledged.
    pub(super) fn attach(&self, connection: u64, in_flight_max: usize) {
        let mut inner = self.inner.lock();
        inner.store();
        inner.connection = Some(connection);
        inner.expires = None;
        inner.in_flight_max = in_flight_max.min(UNACKED_OUT_MAX);
    }

    /// The session goes offline until `expires`: what is left of `QoS` 1 is stored.
    pub(super) fn detach(&self, expires: Instant) {
        let mut inner = self.inner.lock();
        inner.store();
        inner.connection = None;
        inner.expires = Some(expires);
    }

    /// Whether its client is connected.
    pub(super) fn is_attached(&self) -> bool {
        self.inner.lock().connection.is_some()
    }

    /// Takes a message in; `false` if it was dropped. `queued` is what the account may store a second for those offline.
    pub(super) fn push(&self, delivery: Delivery, now: Instant, queued: &Limit) -> bool {
        let mut inner = self.inner.lock();
        if inner.connection.is_some() {
            let fits = inner.queue.len() < QUEUE_MESSAGES_MAX;
            if fits {
                inner.queue.push_back(delivery);
                drop(inner);
                self.wake.notify_one();
            }
            return fits;
        }
        let fits = delivery.qos != QoS::AtMostOnce
            && inner.stored.len() < OFFLINE_MESSAGES_MAX
            && inner.expires.is_none_or(|expires| now < expires)
            && queued.take(now);
        if fits {
            inner.stored.push_back(delivery);
        }
        fits
    }

    /// Hands out what `connection` may have now, in order, stored messages first as far as `drain` grants them. What has
    /// expired is dropped. The caller makes the `QoS` 1 messages among them [tracked](Self::track) before it takes again.
    pub(super) fn take(&self, connection: u64, drain: &mut Bucket, now: Instant) -> Taken {
        let mut inner = self.inner.lock();
        let mut taken = Taken::default();
        if inner.connection != Some(connection) {
            return taken;
        }
        let mut room = inner.in_flight_max.saturating_sub(inner.in_flight.len());
        while room > 0 && !inner.stored.is_empty() && drain.take(now) {
            if let Some(delivery) = inner.stored.pop_front()
                && !delivery.message.has_expired(now)
            {
                room -= 1;
                taken.deliveries.push(delivery);
            }
        }
        taken.stored = !inner.stored.is_empty();
        while taken.deliveries.len() < TAKE_MAX
            && let Some(next) = inner.queue.front()
        {
            let tracked = next.qos != QoS::AtMostOnce;
            if tracked && room == 0 {
                break;
            }
            if let Some(delivery) = inner.queue.pop_front()
                && !delivery.message.has_expired(now)
            {
                room -= usize::from(tracked);
                taken.deliveries.push(delivery);
            }
        }
        taken.more = taken.deliveries.len() >= TAKE_MAX && !inner.queue.is_empty();
        release(&mut inner.queue);
        release(&mut inner.stored);
        taken
    }

    /// Notes a `QoS` 1 message as sent, under a packet id of its own.
    pub(super) fn track(&self, delivery: Delivery, now: Instant) -> NonZeroU16 {
        let mut inner = self.inner.lock();
        let packet_id = inner.next_packet_id();
        inner.in_flight.push_back(InFlight { packet_id, delivery, first_sent: now, sent: now });
        packet_id
    }

    /// The client has it.
    pub(super) fn acknowledge(&self, packet_id: NonZeroU16) {
        let mut inner = self.inner.lock();
        if let Some(at) = inner.in_flight.iter().position(|f| f.packet_id == packet_id) {
            inner.in_flight.remove(at);
        }
        release(&mut inner.in_flight);
    }

    /// What was sent at least `age` ago and not acknowledged, as sent again now. What is older than `age_max` is given up.
    pub(super) fn overdue(
        &self,
        age: Duration,
        age_max: Duration,
        now: Instant,
    ) -> Vec<(NonZeroU16, Delivery)> {
        let mut inner = self.inner.lock();
        inner.in_flight.retain(|f| now.duration_since(f.first_sent) < age_max);
        let overdue = inner.in_flight.iter_mut().filter(|f| now.duration_since(f.sent) >= age);
        overdue
            .map(|f| {
                f.sent = now;
                (f.packet_id, f.delivery.clone())
            })
            .collect()
    }
}

impl Inner {
    /// What a connection left behind becomes stored; `QoS` 0 is lost with it.
    fn store(&mut self) {
        let left = std::mem::take(&mut self.queue).into_iter().filter(|d| d.qos != QoS::AtMostOnce);
        let room = OFFLINE_MESSAGES_MAX.saturating_sub(self.stored.len());
        self.stored.extend(left.take(room));
    }

    fn next_packet_id(&mut self) -> NonZeroU16 {
        loop {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            let id = NonZeroU16::new(self.packet_id).unwrap_or(NonZeroU16::MIN);
            // At most a hundred are taken, so that this ends.
            if !self.in_flight.iter().any(|f| f.packet_id == id) {
                return id;
            }
        }
    }
}

fn release<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > IDLE_CAPACITY_MAX {
        *queue = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::{mqtt::message::Message, quota::Quotas};

    /// No limit of its own.
    fn queued() -> Arc<Limit> {
        Quotas::new(1.0, false, &[]).limit("us-east-1", "L-35DA9240")
    }

    fn delivery(qos: QoS, expires: Option<Instant>) -> Delivery {
        let message = Message { expires, ..Message::new("t".into(), Bytes::new(), qos) };
        Delivery { message: Arc::new(message), qos, retain: false }
    }

    #[test]
    fn an_offline_session_stores_qos_1_and_gives_it_slowly() {
        let (mailbox, now, queued) = (Mailbox::new(1), Instant::now(), queued());
        mailbox.detach(now + Duration::from_mins(1));
        assert!(!mailbox.push(delivery(QoS::AtMostOnce, None), now, &queued), "QoS 0 is not stored");
        let stored =
            (0..2_000).filter(|_| mailbox.push(delivery(QoS::AtLeastOnce, None), now, &queued)).count();
        assert_eq!(stored, OFFLINE_MESSAGES_MAX);
        assert!(
            !mailbox.push(delivery(QoS::AtLeastOnce, None), now + Duration::from_secs(61), &queued),
            "expired"
        );
        mailbox.attach(7, 1_000);
        let mut drain = Bucket::new(10.0, now);
        assert!(mailbox.take(6, &mut drain, now).deliveries.is_empty(), "not this connection's");
        let first = mailbox.take(7, &mut drain, now);
        assert_eq!((first.deliveries.len(), first.stored), (10, true));
        assert_eq!(mailbox.take(7, &mut drain, now + Duration::from_secs(1)).deliveries.len(), 10);
    }

    #[test]
    fn in_flight_is_bounded_and_acknowledged_once() {
        let (mailbox, now, queued) = (Mailbox::new(1), Instant::now(), queued());
        let mut drain = Bucket::new(10.0, now);
        mailbox.attach(1, 2);
        for _ in 0..3 {
            assert!(mailbox.push(delivery(QoS::AtLeastOnce, None), now, &queued));
        }
        let ids: Vec<_> =
            mailbox.take(1, &mut drain, now).deliveries.into_iter().map(|d| mailbox.track(d, now)).collect();
        assert_eq!(ids.len(), 2);
        assert!(mailbox.take(1, &mut drain, now).deliveries.is_empty());
        mailbox.acknowledge(ids[0]);
        assert_eq!(mailbox.take(1, &mut drain, now).deliveries.len(), 1);
        let later = now + Duration::from_secs(40);
        let again = mailbox.overdue(Duration::from_secs(30), Duration::from_mins(5), later);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].0, ids[1]);
        assert!(mailbox.overdue(Duration::from_secs(30), Duration::from_mins(5), later).is_empty());
        let much_later = now + Duration::from_secs(301);
        assert!(mailbox.overdue(Duration::ZERO, Duration::from_mins(5), much_later).is_empty());
    }

    #[test]
    fn an_expired_message_is_not_delivered() {
        let (mailbox, now, queued) = (Mailbox::new(1), Instant::now(), queued());
        mailbox.attach(1, 100);
        mailbox.push(delivery(QoS::AtMostOnce, Some(now + Duration::from_secs(1))), now, &queued);
        let taken = mailbox.take(1, &mut Bucket::new(10.0, now), now + Duration::from_secs(2));
        assert!(taken.deliveries.is_empty());
    }
}
