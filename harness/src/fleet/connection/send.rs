//! What a connection sends: the hello that ends a move, and the load on its schedules.

use std::sync::atomic::Ordering::Relaxed;

use rumqttc::PublishOptions;
use tokio::time::sleep_until;

use super::{Kind, Sent, Stage, View};
use crate::fleet::load::{Load, shadow_body, telemetry_body};

/// A send later than this after its intended time, while connected, counts as late.
const LATE_US: u64 = 250_000;

impl View<'_> {
    /// Sends on the schedules until the load ends.
    pub(super) async fn send(&self, load: &mut Load) {
        let shared = &self.device.shared;
        self.reached(Stage::Connected).await;
        self.hello();
        self.reached(Stage::Subscribed).await;
        load.begin(shared, self.device.number);
        load.own_up(shared, self.device.number);
        while let Some(next_us) = load.next_us() {
            tokio::select! {
                () = shared.load_stop.cancelled() => break,
                () = sleep_until(shared.recorder.clock().instant(next_us)) => {}
            }
            let now_us = self.now_us();
            let due = load.take(now_us);
            if let Some(due_us) = due.telemetry_us {
                self.telemetry(due_us, now_us, true);
            }
            if let Some(due_us) = due.shadow_us {
                self.shadow(due_us, now_us);
            }
        }
        std::future::pending::<()>().await;
    }

    /// The first message on each connection: its acknowledgement is what ends a move. It is beside the schedule, and its
    /// latency is no sample of the load's.
    fn hello(&self) {
        let now_us = self.now_us();
        self.telemetry(now_us, now_us, false);
    }

    fn telemetry(&self, intended_us: u64, now_us: u64, scheduled: bool) {
        let body = telemetry_body(&self.device.shared, intended_us);
        let kind = if scheduled { Kind::Telemetry } else { Kind::Hello };
        self.publish(format!("dt/gameday/{}", self.device.name), body, intended_us, now_us, kind);
    }

    fn shadow(&self, intended_us: u64, now_us: u64) {
        let shared = &self.device.shared;
        let Some(load) = &shared.scenario.load.shadow else { return };
        let seq = shared.recorder.ledger().intend(self.device.number, intended_us);
        let topic = format!("{}/update", load.topic(&self.device.name));
        self.publish(topic, shadow_body(&shared.run, seq, load), intended_us, now_us, Kind::Shadow { seq });
    }

    fn publish(&self, topic: String, body: String, intended_us: u64, now_us: u64, kind: Kind) {
        let meter = self.device.shared.recorder.meter();
        // The queue of the client and ours go together, so that packet ids are matched in order.
        let mut state = self.state.lock();
        if self.client.try_publish(topic, body, PublishOptions::at_least_once()).is_err() {
            meter.unsent.fetch_add(1, Relaxed);
            return;
        }
        state.queued.push_back(Sent { intended_us, kind });
        drop(state);
        if now_us.saturating_sub(intended_us) > LATE_US {
            meter.late_sends.fetch_add(1, Relaxed);
        }
    }
}
