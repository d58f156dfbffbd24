//! The observer: one MQTT client in the secondary that sees every shadow document there, which is how a write is known to
//! be visible. AWS delivers at most 100 messages a second on a connection; the plan checks that the load stays below.

use std::{sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use gameday_report::record::Event as Recorded;
use rumqttc::{AsyncClient, Event, Incoming, QoS, SubscribeReasonCode};
use serde::Deserialize;

use super::{Metric, Recorder};
use crate::{fleet::Dialer, names::device_number};

/// The observer connects again after this long.
const RECONNECT: Duration = Duration::from_millis(500);

/// Who observes, and whose devices.
pub(crate) struct Observer {
    pub(crate) recorder: Recorder,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) client_id: String,
    /// The secondary's data endpoint.
    pub(crate) host: String,
    pub(crate) run: String,
    pub(crate) primary: String,
}

/// Observes until dropped. Documents that change while it is not connected are not seen: the record says from when to when,
/// and the judge makes of it that it does not know.
pub(crate) async fn observe(observer: Observer) {
    loop {
        let options = observer.dialer.options(&observer.client_id, &observer.host, Duration::from_secs(30));
        let (client, mut events) = AsyncClient::builder(options).capacity(8).build();
        if client.try_subscribe("$aws/things/+/shadow/update/documents", QoS::AtLeastOnce).is_ok() {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Incoming::Publish(message))) => {
                        let at_us = observer.recorder.now_us();
                        observer.see(&message.topic, &message.payload, at_us);
                    }
                    Ok(Event::Incoming(Incoming::SubAck(ack))) => {
                        let seeing =
                            ack.return_codes.iter().all(|code| *code != SubscribeReasonCode::Failure);
                        let detail = (!seeing).then(|| "the subscription was refused".to_owned());
                        observer.recorder.event(Recorded::Observer { seeing, detail });
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let detail = Some(error.to_string());
                        observer.recorder.event(Recorded::Observer { seeing: false, detail });
                        break;
                    }
                }
            }
        }
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
