//! One connection of a device: three loops that run side by side until one ends it. One drives the MQTT client, one sends
//! on the schedules, one follows the fleet's name.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use gameday_report::record::{Event as Recorded, Move};
use parking_lot::Mutex;
use rumqttc::{
    AsyncClient, ConnectReturnCode, Event, EventLoop, Incoming, Outgoing, PublishOptions, QoS,
    SubscribeFilter,
};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{sleep_until, timeout},
};

use super::{
    device::{Device, Follow, changed},
    load::{Load, shadow_body, telemetry_body},
};
use crate::measure::Metric;

/// Requests that wait for the client; a send that finds it full counts as unsent.
const QUEUE_MAX: usize = 32;
/// A send later than this after its intended time, while connected, counts as late.
const LATE_US: u64 = 250_000;
/// A graceful disconnect gets this long.
const LEAVE: Duration = Duration::from_millis(500);

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The fleet's name points elsewhere now.
    AnswerChanged,
    /// It was never established.
    Failed,
    /// It broke.
    Lost,
    /// The run is over.
    Stopped,
}

/// A publish on its way.
#[derive(Debug, Clone, Copy)]
struct Sent {
    intended_us: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Hello,
    Telemetry,
    /// Acknowledged by `accepted`, not by PUBACK.
    Shadow {
        seq: u64,
    },
}

/// What the loops share.
#[derive(Debug, Default)]
struct State {
    /// Handed to the client, in order.
    queued: VecDeque<Sent>,
    /// On the wire, by packet id.
    in_flight: BTreeMap<u16, Sent>,
    connack_us: Option<u64>,
    first_ack_us: Option<u64>,
    last_ack_us: Option<u64>,
    /// Why the client's loop ended.
    error: Option<String>,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Connecting,
    Connected,
    Subscribed,
}

pub(super) struct Connection {
    client: AsyncClient,
    events: EventLoop,
    attempt_us: u64,
}

impl Connection {
    pub(super) fn new(device: &Device, follow: &Follow) -> Self {
        let fleet = &device.shared.scenario.fleet;
        let options = device.dialer.options(&device.name, &follow.pointed.host, *fleet.keep_alive);
        let (client, mut events) = AsyncClient::builder(options).capacity(QUEUE_MAX).build();
        let mut network = events.network_options();
        network.set_connection_timeout(fleet.connect_timeout.as_secs().max(1));
        events.set_network_options(network);
        Self { client, events, attempt_us: device.shared.recorder.now_us() }
    }

    /// Runs until it ends; says why, and whether a publish was acknowledged on it. `follow` moves with the name.
    pub(super) async fn run(self, device: &mut Device, follow: &mut Follow) -> (End, bool) {
        let Self { client, mut events, attempt_us } = self;
        let state = Mutex::new(State::default());
        let (stage, _) = watch::channel(Stage::Connecting);
        let shared = device.shared.clone();
        let (at, mut load) = (follow.clone(), device.load);
        let view =
            View { device: &*device, follow: &at, client: &client, state: &state, stage: &stage, attempt_us };
        let ended = tokio::select! {
            () = view.drive(&mut events) => None,
            () = view.send(&mut load) => Some(End::Stopped),
            () = changed(&shared, follow) => Some(End::AnswerChanged),
            () = shared.stop.cancelled() => Some(End::Stopped),
        };
        device.load = load;
        let State { connack_us, first_ack_us, last_ack_us, error, .. } = state.into_inner();
        let error = error.unwrap_or_default();
        let end = ended.unwrap_or(if connack_us.is_some() { End::Lost } else { End::Failed });
        let region = at.region;
        if connack_us.is_some() {
            if let Some(meter) = shared.recorder.meter().region(&region) {
                meter.connected.fetch_sub(1, Relaxed);
            }
            let reason = match &end {
                End::AnswerChanged => "answer-changed",
                End::Stopped => "stop",
                End::Failed | End::Lost => error.as_str(),
            };
            let left = Recorded::Left {
                device: device.name.clone(),
                region: region.clone(),
                reason: reason.to_owned(),
            };
            device.left_us = Some(shared.recorder.now_us());
            shared.recorder.event(left);
            if matches!(end, End::AnswerChanged | End::Stopped) {
                leave(&client, &mut events).await;
            }
        } else if matches!(end, End::Failed) {
            let stage = device.dialer.timings.lock().stage();
            device.connect_failed(&region, stage, &error);
        }
        if first_ack_us.is_some() {
            device.region = Some(region);
            device.attempts = 0;
            device.last_ack_us = last_ack_us;
        }
        (end, first_ack_us.is_some())
    }
}

/// Says goodbye, within a bound.
pub(crate) async fn leave(client: &AsyncClient, events: &mut EventLoop) {
    if client.try_disconnect_now().is_ok() {
        let goodbye = async { while events.poll().await.is_ok() {} };
        // A peer that is not there takes no goodbye.
        let _ = timeout(LEAVE, goodbye).await;
    }
}

/// What the loops of one connection see.
struct View<'a> {
    device: &'a Device,
    follow: &'a Follow,
    client: &'a AsyncClient,
    state: &'a Mutex<State>,
    stage: &'a watch::Sender<Stage>,
    attempt_us: u64,
}

impl View<'_> {
    fn now_us(&self) -> u64 {
        self.device.shared.recorder.now_us()
    }

    /// Drives the client until its connection ends.
    async fn drive(&self, events: &mut EventLoop) {
        loop {
            match events.poll().await {
                Ok(event) => self.on(&event),
                Err(error) => {
                    self.state.lock().error = Some(error.to_string());
                    return;
                }
            }
        }
    }

    fn on(&self, event: &Event) {
        match event {
            Event::Incoming(Incoming::ConnAck(ack)) if ack.code == ConnectReturnCode::Success => {
                self.connected();
            }
            Event::Incoming(Incoming::SubAck(_)) => {
                self.stage.send_replace(Stage::Subscribed);
            }
            Event::Outgoing(Outgoing::Publish(id)) => {
                let mut state = self.state.lock();
                if let Some(sent) = state.queued.pop_front() {
                    state.in_flight.insert(*id, sent);
                    if let Kind::Shadow { seq } = sent.kind {
                        let shared = &self.device.shared;
                        shared.recorder.ledger().sent(
                            self.device.number,
                            seq,
                            &self.follow.region,
                            self.now_us(),
                        );
                    }
                }
            }
            Event::Incoming(Incoming::PubAck(ack)) => self.acknowledged(ack.pkid),
            Event::Incoming(Incoming::Publish(message)) => {
                let topic = String::from_utf8_lossy(&message.topic);
                if topic.ends_with("/update/accepted") {
                    self.accepted(&message.payload);
                } else if topic.ends_with("/update/rejected") {
                    self.rejected(&message.payload);
                }
            }
            _ => {}
        }
    }

    fn connected(&self) {
        self.state.lock().connack_us = Some(self.now_us());
        if let Some(meter) = self.device.shared.recorder.meter().region(&self.follow.region) {
            meter.connected.fetch_add(1, Relaxed);
        }
        let topics = ["accepted", "rejected"].map(|end| {
            SubscribeFilter::new(
                format!("$aws/things/{}/shadow/update/{end}", self.device.name),
                QoS::AtLeastOnce,
            )
        });
        // The queue is empty on a new connection; should it not be, the stage stays and no shadow write is made.
        let _ = self.client.try_subscribe_many(topics);
        self.stage.send_replace(Stage::Connected);
    }

    fn acknowledged(&self, id: u16) {
        let now_us = self.now_us();
        let mut state = self.state.lock();
        let Some(sent) = state.in_flight.remove(&id) else {
            return;
        };
        state.last_ack_us = Some(now_us);
        let first = state.first_ack_us.is_none();
        if first {
            state.first_ack_us = Some(now_us);
        }
        let connack_us = state.connack_us.unwrap_or(now_us);
        drop(state);
        let recorder = &self.device.shared.recorder;
        if let Kind::Telemetry = sent.kind {
            recorder.meter().latency(Metric::PublishAck, now_us.saturating_sub(sent.intended_us));
        }
        if let Kind::Telemetry | Kind::Hello = sent.kind
            && let Some(meter) = recorder.meter().region(&self.follow.region)
        {
            meter.telemetry_acked.fetch_add(1, Relaxed);
        }
        if first {
            self.record_move(connack_us, now_us);
        }
    }

    fn record_move(&self, connack_us: u64, first_ack_us: u64) {
        let (device, region) = (self.device, &self.follow.region);
        let timings = *device.dialer.timings.lock();
        device.shared.recorder.event(Recorded::Moved(Move {
            device: device.name.clone(),
            direction: device.direction(region),
            region: region.clone(),
            last_ack_us: device.last_ack_us,
            left_us: device.left_us,
            resolved_us: self.follow.resolved_us,
            attempt_us: self.attempt_us,
            dns_us: timings.dns_us.unwrap_or(connack_us),
            tcp_us: timings.tcp_us.unwrap_or(connack_us),
            tls_us: timings.tls_us.unwrap_or(connack_us),
            connack_us,
            first_ack_us,
            attempts: device.attempts,
        }));
        device.shared.recorder.board().change(|board| {
            board.device_regions.insert(device.number, region.clone());
        });
    }

    fn accepted(&self, payload: &[u8]) {
        let Some(seq) = token(payload) else { return };
        let now_us = self.now_us();
        let recorder = &self.device.shared.recorder;
        let Some((intended_us, lag_us)) = recorder.ledger().acked(self.device.number, seq, now_us) else {
            return;
        };
        recorder.meter().latency(Metric::ShadowAck, now_us.saturating_sub(intended_us));
        if let Some(meter) = recorder.meter().region(&self.follow.region) {
            meter.shadow_acked.fetch_add(1, Relaxed);
        }
        // Seen in the secondary before the acknowledgement was here: the lag is below what can be told apart.
        if let Some(lag_us) = lag_us
            && self.follow.region == self.device.shared.target.primary()
        {
            recorder.meter().latency(Metric::ShadowReplication, lag_us);
        }
    }

    fn rejected(&self, payload: &[u8]) {
        let Some(seq) = token(payload) else { return };
        let code = serde_json::from_slice::<Value>(payload).ok().and_then(|v| v["code"].as_u64());
        let code = code.and_then(|c| u16::try_from(c).ok()).unwrap_or(0);
        self.device.shared.recorder.ledger().rejected(self.device.number, seq, code);
    }

    /// Sends on the schedules until the load ends.
    async fn send(&self, load: &mut Load) {
        let shared = &self.device.shared;
        let mut stage = self.stage.subscribe();
        // The sender lives as long as this loop.
        let _ = stage.wait_for(|s| *s >= Stage::Connected).await;
        self.hello();
        let _ = stage.wait_for(|s| *s >= Stage::Subscribed).await;
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
        let topic = format!("$aws/things/{}/shadow/update", self.device.name);
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

/// The sequence number that a shadow reply carries as its client token.
fn token(payload: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(payload).ok()?["clientToken"].as_str()?.parse().ok()
}
