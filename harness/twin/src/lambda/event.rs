//! Asynchronous invocations: retried after failures, given up in the end, and what then happens to them.
//!
//! A failure of the function costs a try; being throttled costs none, and lasts until the event is too old.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::{
    destination::{Destination, bury},
    function::{Function, Invoked, Wish},
};
use crate::{room::Place, world::World};

/// Waits before the retries, as AWS has them.
const RETRY_WAITS: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];
/// Waits after being throttled, the first and the longest, as AWS has them.
const THROTTLED_WAIT_MIN: Duration = Duration::from_secs(1);
const THROTTLED_WAIT_MAX: Duration = Duration::from_mins(5);
pub(crate) const RETRIES_DEFAULT: u32 = 2;
/// AWS's oldest event.
pub(crate) const AGE_MAX_DEFAULT: Duration = Duration::from_hours(6);

/// How a function's asynchronous invocations are treated.
#[derive(Debug, Clone)]
pub(crate) struct EventConfig {
    /// None: not set, which is AWS's default.
    pub(crate) retries_max: Option<u32>,
    /// None: not set, which is AWS's default.
    pub(crate) age_max: Option<Duration>,
    pub(crate) on_success: Option<Destination>,
    pub(crate) on_failure: Option<Destination>,
    pub(crate) modified: Timestamp,
}

/// An event and what has become of it.
struct Event<'a> {
    world: &'a Arc<World>,
    function: &'a Arc<Function>,
    payload: Bytes,
    /// The id of all its tries.
    request_id: String,
    tries: u32,
    last: Option<Invoked>,
    /// Where it waits.
    place: Place,
}

/// Runs an event until it has succeeded or is given up.
pub(crate) async fn run(world: &Arc<World>, function: &Arc<Function>, payload: Bytes, place: Place) {
    let request_id = uuid::Uuid::new_v4().to_string();
    let mut event = Event { world, function, payload, request_id, tries: 0, last: None, place };
    let arrived = Instant::now();
    let mut throttled_wait = THROTTLED_WAIT_MIN;
    loop {
        let config = function.event_config.lock().clone();
        let config = config.as_ref();
        let age_max = config.and_then(|c| c.age_max).unwrap_or(AGE_MAX_DEFAULT);
        let retries_max = config.and_then(|c| c.retries_max).unwrap_or(RETRIES_DEFAULT);
        let wish = Wish { request_id: Some(event.request_id.clone()), ..Wish::default() };
        let wait = match world.lambda.run(world, function, event.payload.clone(), wish).await {
            Ok(invoked) => {
                let succeeded = invoked.output.function_error.is_none();
                event.tries += 1;
                event.keep(invoked);
                if succeeded {
                    return event.tell(config.and_then(|c| c.on_success.as_ref()), "Success");
                }
                if event.tries > retries_max {
                    return event.give_up("RetriesExhausted");
                }
                let retry = usize::try_from(event.tries - 1).unwrap_or_default();
                RETRY_WAITS[retry.min(RETRY_WAITS.len() - 1)]
            }
            Err(_) if function.gone.is_cancelled() => return,
            Err(_) if function.pool.reserved() == Some(0) => return event.give_up("ZeroReservedConcurrency"),
            Err(_) => {
                let wait = throttled_wait;
                throttled_wait = (throttled_wait * 2).min(THROTTLED_WAIT_MAX);
                wait
            }
        };
        if arrived.elapsed().saturating_add(wait) > age_max {
            // The next try would come too late.
            sleep(age_max.saturating_sub(arrived.elapsed())).await;
            return event.give_up("EventAgeExceeded");
        }
        sleep(wait).await;
    }
}

impl Event<'_> {
    /// Keeps the last answer, for a record of it; without its payload if there is no room for that.
    fn keep(&mut self, mut invoked: Invoked) {
        if !self.place.resize(self.payload.len() + invoked.output.payload.len()) {
            self.place.resize(self.payload.len());
            invoked.output.payload = Bytes::new();
        }
        self.last = Some(invoked);
    }

    fn give_up(&self, condition: &str) {
        let function = self.function;
        tracing::warn!(function = function.name, condition, "an event was given up");
        let config = function.event_config.lock().clone();
        self.tell(config.and_then(|c| c.on_failure).as_ref(), condition);
        if let Some(queue) = &function.deployed().settings.dead_letters {
            let error = self.last.as_ref().map(|l| json_or_text(&l.output.payload));
            let error = error.as_ref().and_then(|e| e["errorMessage"].as_str()).unwrap_or_default();
            bury(self.world, &function.region, queue, &self.payload, &self.request_id, error);
        }
    }

    fn tell(&self, destination: Option<&Destination>, condition: &str) {
        if let Some(destination) = destination {
            destination.send(
                self.world,
                &self.function.region,
                &self.record(condition, self.world.clock.now()),
            );
        }
    }

    /// The record that a destination is sent.
    fn record(&self, condition: &str, now: Timestamp) -> Json {
        let mut record = json!({
            "version": "1.0",
            "timestamp": millisecond_text(now),
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": format!("{}:$LATEST", self.function.arn),
                "condition": condition,
                "approximateInvokeCount": self.tries,
            },
            "requestPayload": json_or_text(&self.payload),
        });
        if let Some(last) = &self.last {
            record["responseContext"] = response_context(last.output.function_error.as_deref());
            record["responsePayload"] = json_or_text(&last.output.payload);
        }
        record
    }
}

/// What records say of the last answer.
pub(crate) fn response_context(function_error: Option<&str>) -> Json {
    let mut context = json!({"statusCode": 200, "executedVersion": "$LATEST"});
    if let Some(error) = function_error {
        context["functionError"] = json!(error);
    }
    context
}

pub(crate) fn millisecond_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn json_or_text(payload: &Bytes) -> Json {
    serde_json::from_slice(payload).unwrap_or_else(|_| json!(String::from_utf8_lossy(payload)))
}
