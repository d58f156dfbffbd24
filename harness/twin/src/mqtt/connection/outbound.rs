//! What a client gets.

use rmqtt_codec::types::QoS;
use tokio::time::Instant;

use super::Connection;
use crate::mqtt::{grants::Action, message::Delivery, packet::Outgoing};

impl Connection<'_> {
    /// Queues what waits in the mailbox and may go; `true` if there is more. What the certificate's policies do not let
    /// it receive, and what exceeds its rate, is discarded.
    pub(super) fn deliver(&mut self, now: Instant) -> bool {
        let taken = self.seat.mailbox.take(self.seat.connection, &mut self.drain, now);
        self.has_stored = taken.stored;
        let region = self.region;
        for delivery in taken.deliveries {
            if !self.grants.allows(region, Action::Receive, &delivery.message.topic, now) {
                tracing::debug!(client = self.client_id(), "may not receive a message: discarded");
            } else if region.limits.connection_publishes.take_of(&mut self.publishes, now) {
                self.send(delivery, now);
            } else {
                tracing::debug!(
                    client = self.client_id(),
                    "more messages than a connection may get: discarded"
                );
            }
        }
        taken.more
    }

    fn send(&mut self, delivery: Delivery, now: Instant) {
        let packet_id =
            (delivery.qos != QoS::AtMostOnce).then(|| self.seat.mailbox.track(delivery.clone(), now));
        let sent = self.try_queue(Outgoing::Publish { packet_id, again: false, delivery });
        if let (Some(packet_id), false) = (packet_id, sent) {
            // Larger than its client takes: as good as delivered, MQTT 5 says.
            self.seat.mailbox.acknowledge(packet_id);
        }
    }

    pub(super) fn queue(&mut self, packet: Outgoing) {
        self.try_queue(packet);
    }

    fn try_queue(&mut self, packet: Outgoing) -> bool {
        let encoded = self.codec.encode(packet, &mut self.wire.output);
        if let Err(error) = &encoded {
            tracing::debug!(client = self.client_id(), %error, "a packet could not be encoded");
        }
        encoded.is_ok()
    }
}
