//! Observers: MQTT clients in the secondary that see shadow documents there, which is how a write is known to be visible. How
//! many there are, and which devices each sees, is the plan's to say.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use gameday_report::record::Event as Recorded;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, QoS, SubscribeFilter, SubscribeReasonCode};
use serde::Deserialize;

use super::{Metric, Recorder};
use crate::{fleet::Dialer, names::device_number};

/// An observer connects again after this long.
const RECONNECT: Duration = Duration::from_millis(500);
/// Between two observers that subscribe: fifty filters each, and AWS takes 200 a second of an account.
const TURN_US: u64 = 250_000;
/// Filters in one packet.
const FILTERS_MAX: usize = 8;
/// Requests that wait for the client: packets for all that it subscribes to.
const QUEUE_MAX: usize = 16;

/// Whose turn it is to subscribe.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    next_us: AtomicU64,
}

impl Turns {
    /// Takes the next turn; the answer is when it is.
    fn take(&self, now_us: u64) -> u64 {
        let turn = |next: u64| next.max(now_us);
        let taken = self.next_us.fetch_update(Relaxed, Relaxed, |next| Some(turn(next) + TURN_US));
        turn(taken.unwrap_or(now_us))
    }
}

/// Who observes, and whose devices.
pub(crate) struct Observer {
    /// Its place among the observers, from 0.
    pub(crate) number: u32,
    pub(crate) recorder: Recorder,
    pub(crate) dialer: Dialer,
    pub(crate) client_id: String,
    /// The secondary's data endpoint.
    pub(crate) host: String,
    pub(crate) topics: Vec<String>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) run: String,
    pub(crate) primary: String,
}

/// Observes until dropped. Documents that change while it is not connected are not seen: the record says from when to when,
/// and the judge makes of it that it does not know.
pub(crate) async fn observe(observer: Observer) {
    let clock = observer.recorder.clock();
    loop {
        let turn_us = observer.turns.take(clock.now_us());
        tokio::time::sleep_until(clock.instant(turn_us)).await;
        let options = observer.dialer.options(&observer.client_id, &observer.host, Duration::from_secs(30));
        let (client, mut events) = AsyncClient::builder(options).capacity(QUEUE_MAX).build();
        let mut waits = 0;
        for filters in observer.topics.chunks(FILTERS_MAX) {
            let filters = filters.iter().map(|topic| SubscribeFilter::new(topic.clone(), QoS::AtLeastOnce));
            waits += usize::from(client.try_subscribe_many(filters.collect::<Vec<_>>()).is_ok());
        }
        let why = observer.watch(&mut events, waits).await;
        observer.tell(false, Some(why));
        tokio::time::sleep(RECONNECT).await;
    }
}

/// The part of `update/documents` that is looked at.
#[derive(Deserialize)]
struct Documents {
    current: Current,
}

#[derive(Deserialize)]
struct Current {
    state: State,
}

#[derive(Deserialize)]
struct State {
    reported: Option<Reported>,
}

#[derive(Deserialize)]
struct Reported {
    gameday: Option<Mark>,
}

/// What each write of a run carries.
#[derive(Deserialize)]
struct Mark {
    run: String,
    seq: u64,
}

impl Observer {
    /// Sees what comes until the connection ends; the answer is why. It sees all of its devices once so many subscriptions
    /// are acknowledged.
    async fn watch(&self, events: &mut EventLoop, mut waits: usize) -> String {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Incoming::Publish(message))) => {
                    let at_us = self.recorder.now_us();
                    self.see(&message.topic, &message.payload, at_us);
                }
                Ok(Event::Incoming(Incoming::SubAck(ack))) => {
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        return "a subscription was refused".to_owned();
                    }
                    waits = waits.saturating_sub(1);
                    if waits == 0 {
                        self.tell(true, None);
                    }
                }
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
    }

    /// Says whether it sees from here on.
    fn tell(&self, seeing: bool, detail: Option<String>) {
        self.recorder.event(Recorded::Observer { observer: self.number, seeing, detail });
        self.recorder.board().change(|board| {
            if seeing {
                board.observers.insert(self.number);
            } else {
                board.observers.remove(&self.number);
            }
        });
    }

    fn see(&self, topic: &[u8], payload: &[u8], at_us: u64) {
        let Some(device) = std::str::from_utf8(topic).ok().and_then(|t| t.split('/').nth(2)) else {
            return;
        };
        let Some(mark) = serde_json::from_slice::<Documents>(payload)
            .ok()
            .and_then(|d| d.current.state.reported)
            .and_then(|r| r.gameday)
            .filter(|mark| mark.run == self.run)
        else {
            return;
        };
        let Some(number) = device_number(device) else {
            return;
        };
        if let Some((region, lag)) = self.recorder.ledger().visible(number, mark.seq, at_us)
            && region == self.primary
        {
            self.recorder.meter().shadow_visible.fetch_add(1, Relaxed);
            if let Some(lag_us) = lag {
                self.recorder.meter().latency(Metric::ShadowReplication, lag_us);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observers_subscribe_one_after_another() {
        let turns = Turns::default();
        assert_eq!([turns.take(1_000), turns.take(1_000), turns.take(2_000)], [1_000, 251_000, 501_000]);
        assert_eq!(turns.take(9_000_000), 9_000_000, "nobody waits for a turn that nobody has");
    }
}
