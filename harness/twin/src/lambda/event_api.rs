//! The operations on how a function's asynchronous invocations are treated.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{empty, input, invalid},
    destination::Destination,
    event::EventConfig,
    function::Function,
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

const RETRIES_MAX: i64 = 2;
const AGE_MIN_S: i64 = 60;
const AGE_MAX_S: i64 = 21_600;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigRequest {
    maximum_retry_attempts: Option<i64>,
    maximum_event_age_in_seconds: Option<i64>,
    destination_config: Option<Json>,
}

impl ConfigRequest {
    /// The configuration with what the request says of it.
    fn apply(&self, world: &World, region: &str, mut config: EventConfig) -> Result<EventConfig, AwsError> {
        if let Some(retries) = self.maximum_retry_attempts {
            if !(0..=RETRIES_MAX).contains(&retries) {
                return Err(invalid(format!("MaximumRetryAttempts must be 0 to {RETRIES_MAX}")));
            }
            config.retries_max = u32::try_from(retries).ok();
        }
        if let Some(seconds) = self.maximum_event_age_in_seconds {
            if !(AGE_MIN_S..=AGE_MAX_S).contains(&seconds) {
                return Err(invalid(format!("MaximumEventAgeInSeconds must be {AGE_MIN_S} to {AGE_MAX_S}")));
            }
            config.age_max = Some(Duration::from_secs(seconds.unsigned_abs()));
        }
        if let Some(destinations) = &self.destination_config {
            let read = |when| Destination::read(world, region, destinations, when, Destination::find);
            config.on_success = read("OnSuccess")?;
            config.on_failure = read("OnFailure")?;
        }
        config.modified = world.clock.now();
        Ok(config)
    }
}

/// Answers a call under `event-invoke-config`.
pub(super) fn handle(
    world: &Arc<World>,
    call: &Call,
    function: &Function,
    method: &Method,
    rest: &[&str],
) -> Result<Reply, AwsError> {
    let now = world.clock.now();
    let none = || EventConfig {
        retries_max: None,
        age_max: None,
        on_success: None,
        on_failure: None,
        modified: now,
    };
    let set = function.event_config.lock().clone();
    let missing = || {
        let message = format!("The function {}:$LATEST doesn't have an EventInvokeConfig", function.arn);
        AwsError::new(404, "ResourceNotFoundException", message)
    };
    let replace = |before: EventConfig| {
        let request: ConfigRequest = input(call)?;
        let config = request.apply(world, &function.region, before)?;
        let reply = Reply::json(200, &describe(function, &config));
        *function.event_config.lock() = Some(config);
        Ok(reply)
    };
    match (method, rest) {
        (&Method::PUT, []) => replace(none()),
        (&Method::POST, []) => replace(set.ok_or_else(missing)?),
        (&Method::GET, []) => Ok(Reply::json(200, &describe(function, &set.ok_or_else(missing)?))),
        (&Method::DELETE, []) => {
            set.ok_or_else(missing)?;
            *function.event_config.lock() = None;
            Ok(empty(204))
        }
        (&Method::GET, ["list"]) => {
            let configs: Vec<Json> = set.iter().map(|config| describe(function, config)).collect();
            Ok(Reply::json(200, &json!({"FunctionEventInvokeConfigs": configs})))
        }
        _ => Err(AwsError::unknown_operation(&format!("{method} {}", call.raw_path))),
    }
}

fn describe(function: &Function, config: &EventConfig) -> Json {
    let mut answer = json!({
        "LastModified": config.modified.as_millisecond() as f64 / 1000.0,
        "FunctionArn": format!("{}:$LATEST", function.arn),
        "DestinationConfig": {
            "OnSuccess": Destination::describe(config.on_success.as_ref()),
            "OnFailure": Destination::describe(config.on_failure.as_ref()),
        },
    });
    if let Some(retries) = config.retries_max {
        answer["MaximumRetryAttempts"] = json!(retries);
    }
    if let Some(age) = config.age_max {
        answer["MaximumEventAgeInSeconds"] = json!(age.as_secs());
    }
    answer
}
