//! One connection of the device: three loops side by side until one ends it. One drives the MQTT client, one sends on the schedule,
//! one follows the name. When the name moves, what is on its way is waited for a moment, and nothing more is sent there.

use std::{collections::BTreeSet, time::Duration};

use parking_lot::Mutex;
use rumqttc::{
    AsyncClient, ClientError, ConnectReturnCode, Event as MqttEvent, EventLoop, Incoming, PublishOptions,
    QoS, SubscribeReasonCode,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Event, Host, PubSub, Settings, event::Unsent};
use crate::fleet::{Schedule, leave};

/// Requests that wait for the client; what finds it full is unsent.
const QUEUE_MAX: usize = 32;
/// AWS's largest packet.
const PACKET_BYTES_MAX: usize = 146 * 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Acknowledgements and messages that are on their way when all was sent are waited for so long.
const LAST_MAX: Duration = Duration::from_secs(5);
/// The same when the name has moved.
const LAST_BEFORE_MOVE_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether they came.
const LAST_PERIOD: Duration = Duration::from_millis(20);
/// Messages that are known not to have come back yet. Beyond this the oldest is forgotten.
const OUT_MAX: usize = 10_000;

/// Why a session ended.
#[derive(Debug)]
pub(super) enum End {
    /// All was sent, or somebody stopped it.
    Done,
    /// The name points elsewhere.
    Moved,
    /// It was not established, or broke.
    Lost(String),
}

/// How far a session came. Who is let in and may do nothing is thrown out again and again, which is no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reached {
    Nothing,
    Connection,
    /// Something was acknowledged, or heard.
    Answer,
}

/// What is left to send, from session to session.
#[derive(Debug)]
pub(super) struct Sending {
    schedule: Option<Schedule>,
    /// Of the message that is next, from 1.
    number: u32,
    count: Option<u32>,
    /// Numbers of those that have not come back.
    out: BTreeSet<u32>,
    unacknowledged: u32,
}

impl Sending {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { schedule: None, number: 1, count: settings.count, out: BTreeSet::new(), unacknowledged: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.count.is_some_and(|count| self.number > count)
    }

    /// The number of a message that is due now, if one is.
    fn take(&mut self, now_us: u64) -> Option<u32> {
        if self.is_done() {
            return None;
        }
        self.schedule.as_mut()?.take(now_us)?;
        let number = self.number;
        self.number = self.number.saturating_add(1);
        Some(number)
    }

    fn sent(&mut self, number: u32) {
        self.out.insert(number);
        if self.out.len() > OUT_MAX {
            self.out.pop_first();
        }
    }
}

/// A connection to a host.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) of: &'a PubSub<'a>,
    pub(super) host: &'a str,
}

impl Session<'_> {
    /// Runs until it ends; says why, and how far it came. `host` moves with the name.
    pub(super) async fn run(&self, sending: &mut Sending, host: &mut Host) -> (End, Reached) {
        let settings = &self.of.settings;
        let mut options = self.of.dialer.options(&settings.client_id, self.host, KEEP_ALIVE);
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (client, mut events) = AsyncClient::builder(options).capacity(QUEUE_MAX).build();
        let mut network = events.network_options();
        network.set_connection_timeout(whole_seconds(settings.connect_timeout));
        events.set_network_options(network);
        let (ready, subscribed) = watch::channel(false);
        let reached = Mutex::new(Reached::Nothing);
        let shared = Mutex::new(std::mem::replace(sending, Sending::new(settings)));
        let view = View {
            session: self,
            client: &client,
            ready: &ready,
            reached: &reached,
            sending: &shared,
            leaving: CancellationToken::new(),
        };
        let end = tokio::select! {
            error = view.drive(&mut events) => End::Lost(error),
            end = view.send(subscribed) => end,
            () = view.follow(host) => End::Moved,
        };
        *sending = shared.into_inner();
        // What was not acknowledged here, or did not come back, does neither elsewhere.
        sending.unacknowledged = 0;
        sending.out.clear();
        let reached = reached.into_inner();
        if reached > Reached::Nothing && !matches!(end, End::Lost(_)) {
            leave(&client, &mut events).await;
        }
        // Nothing is due any more for whoever was told to stop.
        if !self.of.stop.is_cancelled() {
            self.own_up(sending);
        }
        (end, reached)
    }

    /// What was due meanwhile was not sent.
    fn own_up(&self, sending: &mut Sending) {
        while let Some(number) = sending.take(self.of.clock.now_us()) {
            let payload = self.of.settings.payload(number);
            self.of.events.tell(&Event::Unsent { payload, why: Unsent::NoConnection });
        }
    }
}

impl Settings {
    fn payload(&self, number: u32) -> String {
        format!("{} [{number} {}]", self.message, self.id)
    }

    /// The number of a message, if it is one of these.
    fn number(&self, payload: &str) -> Option<u32> {
        let mark = payload.strip_prefix(self.message.as_str())?.strip_prefix(" [")?.strip_suffix(']')?;
        mark.strip_suffix(self.id.as_str())?.strip_suffix(' ')?.parse().ok()
    }
}

/// A connection's bound counts whole seconds; it is never shorter than was asked for.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0 || time.is_zero())
}

/// What the loops of a session see.
struct View<'a> {
    session: &'a Session<'a>,
    client: &'a AsyncClient,
    ready: &'a watch::Sender<bool>,
    reached: &'a Mutex<Reached>,
    sending: &'a Mutex<Sending>,
    /// The name has moved: nothing more is sent.
    leaving: CancellationToken,
}

impl View<'_> {
    /// Drives the client until its connection ends; says why.
    async fn drive(&self, events: &mut EventLoop) -> String {
        let (of, settings) = (self.session.of, &self.session.of.settings);
        loop {
            match events.poll().await {
                Err(error) => return error.to_string(),
                Ok(MqttEvent::Incoming(Incoming::ConnAck(ack))) => {
                    if ack.code != ConnectReturnCode::Success {
                        return format!("{:?}", ack.code);
                    }
                    *self.reached.lock() = Reached::Connection;
                    of.events.tell(&Event::Connected { host: self.session.host.to_owned() });
                    if let Err(error) = self.client.try_subscribe(settings.topic.clone(), QoS::AtLeastOnce) {
                        return error.to_string();
                    }
                }
                Ok(MqttEvent::Incoming(Incoming::SubAck(ack))) => {
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        return format!("the subscription to {} was refused", settings.topic);
                    }
                    self.ready.send_replace(true);
                }
                Ok(MqttEvent::Incoming(Incoming::PubAck(_))) => {
                    *self.reached.lock() = Reached::Answer;
                    let mut sending = self.sending.lock();
                    sending.unacknowledged = sending.unacknowledged.saturating_sub(1);
                    drop(sending);
                    of.events.tell(&Event::Acknowledged);
                }
                Ok(MqttEvent::Incoming(Incoming::Publish(message))) => {
                    *self.reached.lock() = Reached::Answer;
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let (topic, payload) = (text(&message.topic), text(&message.payload));
                    let own = self.is_own(&payload);
                    of.events.tell(&Event::Received { topic, payload, own });
                }
                Ok(_) => {}
            }
        }
    }

    /// Whether it is one of ours that had not come back.
    fn is_own(&self, payload: &str) -> bool {
        let number = self.session.of.settings.number(payload);
        number.is_some_and(|number| self.sending.lock().out.remove(&number))
    }

    /// Waits until the name has moved, and for what is on its way then.
    async fn follow(&self, host: &mut Host) {
        self.session.of.moved(host).await;
        self.leaving.cancel();
        self.last(LAST_BEFORE_MOVE_MAX).await;
    }

    /// Waits so long at the most for acknowledgements and messages that are on their way.
    async fn last(&self, within: Duration) {
        let limit = Instant::now() + within;
        while Instant::now() < limit && self.is_waiting() {
            sleep(LAST_PERIOD).await;
        }
    }

    /// Sends on the schedule, and waits for the last to come back.
    async fn send(&self, mut subscribed: watch::Receiver<bool>) -> End {
        let (of, settings) = (self.session.of, &self.session.of.settings);
        // From the beginning of the attempt, and once more for the subscription.
        let limit = Instant::now() + settings.connect_timeout * 2;
        tokio::select! {
            () = of.stop.cancelled() => return End::Done,
            ready = timeout_at(limit, subscribed.wait_for(|ready| *ready)) => {
                if ready.is_err() {
                    return End::Lost("no answer to the subscription in time".to_owned());
                }
            }
        }
        self.begin();
        while let Some(next_us) = self.next_us() {
            tokio::select! {
                () = of.stop.cancelled() => break,
                // Whoever follows the name ends this.
                () = self.leaving.cancelled() => std::future::pending().await,
                () = sleep_until(of.clock.instant(next_us)) => {}
            }
            let due = self.sending.lock().take(of.clock.now_us());
            if let Some(number) = due {
                self.publish(number);
            }
        }
        self.last(LAST_MAX).await;
        End::Done
    }

    /// The first message is due now; of a schedule that goes on, what was due before was not sent.
    fn begin(&self) {
        let of = self.session.of;
        let mut sending = self.sending.lock();
        if sending.schedule.is_some() {
            self.session.own_up(&mut sending);
        } else {
            sending.schedule = Some(Schedule::new(of.clock.now_us(), of.settings.interval, 0.0));
        }
    }

    fn next_us(&self) -> Option<u64> {
        let sending = self.sending.lock();
        sending.schedule.filter(|_| !sending.is_done()).map(|schedule| schedule.next_us)
    }

    fn is_waiting(&self) -> bool {
        let sending = self.sending.lock();
        sending.unacknowledged > 0 || !sending.out.is_empty()
    }

    fn publish(&self, number: u32) {
        let settings = &self.session.of.settings;
        let payload = settings.payload(number);
        let options = if settings.acknowledged {
            PublishOptions::at_least_once()
        } else {
            PublishOptions::at_most_once()
        };
        let events = &self.session.of.events;
        // Known before it can come back.
        self.sending.lock().sent(number);
        if let Err(error) = self.client.try_publish(settings.topic.clone(), payload.clone(), options) {
            self.sending.lock().out.remove(&number);
            let is_full = matches!(error, ClientError::RequestChannelFull(_));
            let why = if is_full { Unsent::TooFast } else { Unsent::NoConnection };
            events.tell(&Event::Unsent { payload, why });
            return;
        }
        self.sending.lock().unacknowledged += u32::from(settings.acknowledged);
        events.tell(&Event::Sent { topic: settings.topic.clone(), payload });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(id: &str) -> Settings {
        Settings {
            client_id: "lamp".into(),
            id: id.into(),
            topic: "t".into(),
            message: "Hello [1".into(),
            count: None,
            interval: Duration::from_secs(1),
            acknowledged: true,
            connect_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_message_is_known_by_whoever_sent_it_and_by_nobody_else() {
        let (ours, others) = (settings("abcd1234"), settings("wxyz6789"));
        assert_eq!(ours.number(&ours.payload(12)), Some(12));
        assert_eq!(ours.number(&others.payload(12)), None);
        for other in ["", "Hello [1", "Hello [1 [12]", "Hello [1 [x abcd1234]", "Hello [1 [12 abcd1234"] {
            assert_eq!(ours.number(other), None, "{other}");
        }
    }

    #[test]
    fn a_bound_is_never_shorter_than_was_asked_for() {
        let seconds = [0, 1, 1_000, 1_500, 10_000].map(|ms| whole_seconds(Duration::from_millis(ms)));
        assert_eq!(seconds, [1, 1, 1, 2, 10]);
    }
}
