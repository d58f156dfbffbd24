//! One connection of a device: loops that run side by side until one ends it. One drives the MQTT client, one listens
//! whether anything is heard at all, one sends on the schedules, one follows the device's strategy.

mod send;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use gameday_report::record::{Event as Recorded, Move};
use parking_lot::Mutex;
use rumqttc::{AsyncClient, ConnectReturnCode, Event, EventLoop, Incoming, Outgoing, QoS, SubscribeFilter};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{sleep_until, timeout},
};

use super::{
    course::{Course, Heading, Turn},
    device::Device,
    refusal::Refusal,
};
use crate::measure::Metric;

/// Requests that wait for the client; a send that finds it full counts as unsent.
const QUEUE_MAX: usize = 32;
/// A graceful disconnect gets this long.
const LEAVE: Duration = Duration::from_millis(500);

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The device's strategy sends it elsewhere.
    Turned(Turn),
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
    /// When the broker was last heard.
    heard_us: u64,
    /// Why the client's loop ended.
    error: Option<String>,
    /// What the endpoint answered to that.
    refusal: Refusal,
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
    pub(super) fn new(device: &Device, heading: &Heading) -> Self {
        let fleet = &device.shared.scenario.fleet;
        let options = device.dialer.options(&device.name, &heading.host, *fleet.keep_alive);
        let (client, mut events) = AsyncClient::builder(options).capacity(QUEUE_MAX).build();
        let mut network = events.network_options();
        network.set_connection_timeout(fleet.connect_timeout.as_secs().max(1));
        events.set_network_options(network);
        Self { client, events, attempt_us: device.shared.recorder.now_us() }
    }

    /// Runs until it ends; says why, and whether a publish was acknowledged on it. `course` moves as the strategy has it.
    pub(super) async fn run(self, device: &mut Device, course: &mut Course) -> (End, bool) {
        let Self { client, mut events, attempt_us } = self;
        let state = Mutex::new(State::default());
        let (stage, _) = watch::channel(Stage::Connecting);
        let (shared, prober) = (device.shared.clone(), device.prober.clone());
        let (at, mut load) = (course.heading.clone(), device.load);
        let view = View {
            device: &*device,
            heading: &at,
            client: &client,
            state: &state,
            stage: &stage,
            attempt_us,
        };
        let turned = async {
            if course.turns_connected() {
                view.reached(Stage::Connected).await;
            }
            course.turn(&shared, &prober).await
        };
        let ended = tokio::select! {
            () = view.drive(&mut events) => None,
            () = view.silence() => None,
            () = view.send(&mut load) => Some(End::Stopped),
            turn = turned => Some(End::Turned(turn)),
            () = shared.stop.cancelled() => Some(End::Stopped),
        };
        device.load = load;
        let State { connack_us, first_ack_us, last_ack_us, error, refusal, .. } = state.into_inner();
        let error = error.unwrap_or_default();
        let end = ended.unwrap_or(if connack_us.is_some() { End::Lost } else { End::Failed });
        let region = at.region;
        if connack_us.is_some() {
            if let Some(meter) = shared.recorder.meter().region(&region) {
                meter.connected.fetch_sub(1, Relaxed);
            }
            let reason = match &end {
                End::Turned(Turn::Answer) => "answer-changed",
                End::Turned(Turn::Probes) => "primary-answers",
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
            if matches!(end, End::Turned(_) | End::Stopped) {
                leave(&client, &mut events).await;
            }
        } else if matches!(end, End::Failed) {
            let stage = device.dialer.timings.lock().stage();
            device.connect_failed(&region, stage, error, refusal);
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
    heading: &'a Heading,
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
                    let mut state = self.state.lock();
                    state.error = Some(error.to_string());
                    state.refusal = Refusal::of(&error);
                    return;
                }
            }
        }
    }

    /// Ends when the broker was not heard for half as long again as the keep-alive: the connection is half open. The client
    /// pings when it has been idle for a keep-alive, and what it sends is acknowledged, so a broker that is there is heard.
    /// Its own look only begins once it has nothing more to send, which may be never.
    async fn silence(&self) {
        self.reached(Stage::Connected).await;
        let keep_alive_us = self.device.shared.scenario.fleet.keep_alive.as_micros();
        let patience_us = u64::try_from(keep_alive_us * 3 / 2).unwrap_or(u64::MAX);
        loop {
            let until_us = self.state.lock().heard_us.saturating_add(patience_us);
            if self.now_us() >= until_us {
                self.state.lock().error = Some("keep-alive".to_owned());
                return;
            }
            sleep_until(self.device.shared.recorder.clock().instant(until_us)).await;
        }
    }

    /// Waits until the connection is that far. The sender lives as long as the view.
    async fn reached(&self, stage: Stage) {
        let _ = self.stage.subscribe().wait_for(|reached| *reached >= stage).await;
    }

    fn on(&self, event: &Event) {
        if matches!(event, Event::Incoming(_)) {
            self.state.lock().heard_us = self.now_us();
        }
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
                            &self.heading.region,
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
        if let Some(meter) = self.device.shared.recorder.meter().region(&self.heading.region) {
            meter.connected.fetch_add(1, Relaxed);
        }
        let topics = ["accepted", "rejected"].map(|end| {
            let name = &self.device.name;
            let shadow = self.device.shared.scenario.load.shadow.as_ref();
            let prefix =
                shadow.map_or_else(|| format!("$aws/things/{name}/shadow"), |shadow| shadow.topic(name));
            SubscribeFilter::new(format!("{prefix}/update/{end}"), QoS::AtLeastOnce)
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
            && let Some(meter) = recorder.meter().region(&self.heading.region)
        {
            meter.telemetry_acked.fetch_add(1, Relaxed);
        }
        if first {
            self.record_move(connack_us, now_us);
        }
    }

    fn record_move(&self, connack_us: u64, first_ack_us: u64) {
        let (device, region) = (self.device, &self.heading.region);
        let timings = *device.dialer.timings.lock();
        device.shared.recorder.event(Recorded::Moved(Move {
            device: device.name.clone(),
            direction: device.direction(region),
            region: region.clone(),
            strategy: device.strategy_name.clone(),
            last_ack_us: device.last_ack_us,
            left_us: device.left_us,
            asked_us: self.heading.asked_us,
            resolved_us: self.heading.decided_us,
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
            board.refused.remove(&device.number);
        });
    }

    fn accepted(&self, payload: &[u8]) {
        let now_us = self.now_us();
        let Some(seq) = token(payload) else { return };
        let recorder = &self.device.shared.recorder;
        let Some((intended_us, lag_us)) = recorder.ledger().acked(self.device.number, seq, now_us) else {
            return;
        };
        recorder.meter().latency(Metric::ShadowAck, now_us.saturating_sub(intended_us));
        if let Some(meter) = recorder.meter().region(&self.heading.region) {
            meter.shadow_acked.fetch_add(1, Relaxed);
        }
        // Seen in the secondary before the acknowledgement was here: the lag is below what can be told apart.
        if let Some(lag_us) = lag_us
            && self.heading.region == self.device.shared.target.primary()
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
}

/// The sequence number that a shadow reply carries as its client token.
fn token(payload: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(payload).ok()?["clientToken"].as_str()?.parse().ok()
}
