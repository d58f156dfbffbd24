//! A device that connects with its certificate, subscribes, and hears what it publishes.

use std::{collections::BTreeSet, time::Duration};

use gameday_report::Verdict;
use rumqttc::{
    AsyncClient, ConnectReturnCode, Event, EventLoop, Incoming, PublishOptions, QoS, SubscribeReasonCode,
};
use tokio::time::{Instant, sleep, timeout_at};

use super::Ended;
use crate::fleet::{Dialer, leave};

/// Messages that have to come back.
const MESSAGES: u8 = 5;
/// Requests that wait for the client: a subscription and the messages.
const QUEUE_MAX: usize = 8;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// An attempt to connect that failed is made again after this long.
const PAUSE: Duration = Duration::from_millis(500);

/// Who connects where.
#[derive(Debug)]
pub(super) struct Echo<'a> {
    pub(super) dialer: &'a Dialer,
    pub(super) client_id: &'a str,
    pub(super) host: &'a str,
    pub(super) topic: String,
}

/// The attempt that came furthest: a Region that refused once has refused, whatever became of the attempts after that.
#[derive(Debug)]
struct Furthest {
    /// None: there was no attempt.
    stage: Option<&'static str>,
    why: String,
}

/// The stages of an attempt.
const STAGES: [&str; 4] = ["dns", "tcp", "tls", "connack"];

impl Default for Furthest {
    fn default() -> Self {
        Self { stage: None, why: "there was no time".to_owned() }
    }
}

impl Furthest {
    /// An attempt that did not pass that stage, and why.
    fn take(&mut self, stage: &'static str, why: String) {
        let rank = |stage| STAGES.iter().position(|other| *other == stage);
        // Of those that came as far, the first: the last was perhaps cut short.
        if rank(stage) > self.stage.and_then(rank) {
            *self = Self { stage: Some(stage), why };
        }
    }

    /// A Region that was not reached is not known.
    fn verdict(&self) -> Verdict {
        if matches!(self.stage, None | Some("dns" | "tcp")) { Verdict::Unknown } else { Verdict::Fail }
    }
}

impl Echo<'_> {
    /// Tries until all came back or the time is up. A Region that was not reached is not known; one that refused has failed.
    pub(super) async fn run(&self, limit: Instant) -> Ended {
        let mut attempts = 0;
        let mut heard = BTreeSet::new();
        let mut furthest = Furthest::default();
        while Instant::now() < limit {
            attempts += 1;
            heard.clear();
            let options = self.dialer.options(self.client_id, self.host, KEEP_ALIVE);
            let (client, mut events) = AsyncClient::builder(options).capacity(QUEUE_MAX).build();
            let mut network = events.network_options();
            network.set_connection_timeout(limit.saturating_duration_since(Instant::now()).as_secs().max(1));
            events.set_network_options(network);
            match timeout_at(limit, self.hear(&client, &mut events, &mut heard)).await {
                Ok(Ok(())) => {
                    leave(&client, &mut events).await;
                    return (
                        Verdict::Pass,
                        format!("{MESSAGES} messages came back, connected at attempt {attempts}"),
                    );
                }
                Ok(Err(error)) => furthest.take(self.dialer.timings.lock().stage(), error),
                // The attempt under way counts as far as it came.
                Err(_) => {
                    furthest.take(self.dialer.timings.lock().stage(), "no answer in time".to_owned());
                    break;
                }
            }
            sleep(PAUSE.min(limit.saturating_duration_since(Instant::now()))).await;
        }
        let (verdict, stage) = (furthest.verdict(), furthest.stage.unwrap_or("connect"));
        let heard = heard.len();
        (
            verdict,
            format!(
                "{heard} of {MESSAGES} messages came back from {}, {attempts} attempts: {stage}: {}",
                self.host, furthest.why
            ),
        )
    }

    async fn hear(
        &self,
        client: &AsyncClient,
        events: &mut EventLoop,
        heard: &mut BTreeSet<u8>,
    ) -> Result<(), String> {
        let full = |error: rumqttc::ClientError| error.to_string();
        loop {
            match events.poll().await.map_err(|error| error.to_string())? {
                Event::Incoming(Incoming::ConnAck(ack)) if ack.code == ConnectReturnCode::Success => {
                    client.try_subscribe(self.topic.clone(), QoS::AtLeastOnce).map_err(full)?;
                }
                Event::Incoming(Incoming::SubAck(ack)) => {
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        return Err("the subscription was refused".to_owned());
                    }
                    for number in 1..=MESSAGES {
                        let options = PublishOptions::at_least_once();
                        client.try_publish(self.topic.clone(), vec![number], options).map_err(full)?;
                    }
                }
                Event::Incoming(Incoming::Publish(message)) => {
                    heard.extend(message.payload.first().filter(|number| (1..=MESSAGES).contains(number)));
                    if heard.len() == usize::from(MESSAGES) {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refused_once_has_refused() {
        let mut furthest = Furthest::default();
        assert_eq!(furthest.verdict(), Verdict::Unknown);
        furthest.take("tcp", "refused".to_owned());
        assert_eq!(furthest.verdict(), Verdict::Unknown, "nobody was there");
        furthest.take("connack", "not authorised".to_owned());
        furthest.take("dns", "no answer in time".to_owned());
        assert_eq!((furthest.verdict(), furthest.stage), (Verdict::Fail, Some("connack")));
        assert_eq!(furthest.why, "not authorised");
    }
}
