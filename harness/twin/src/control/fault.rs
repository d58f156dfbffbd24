//! Faults over the control API: set, listed, removed.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::refuse;
use crate::{
    fault::{Fault, FaultError, FaultState},
    world::World,
};

/// How long a fault may last by itself.
const FOR_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

pub(super) async fn list(State(world): State<Arc<World>>) -> Json<Vec<FaultState>> {
    Json(world.fault_states())
}

pub(super) async fn show(State(world): State<Arc<World>>, Path(id): Path<u64>) -> Response {
    match world.fault_states().into_iter().find(|state| state.id == id) {
        Some(state) => Json(state).into_response(),
        None => no_fault(id),
    }
}

/// 201 with its id, 200 if it was on already.
pub(super) async fn set(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let (fault, lasts) = match parse(&body) {
        Ok(parsed) => parsed,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    match world.set_fault(fault, lasts) {
        Ok(set) => {
            let status = if set.is_new { StatusCode::CREATED } else { StatusCode::OK };
            (status, Json(set)).into_response()
        }
        Err(error) => refused(&error),
    }
}

/// Removes the fault that is equal to the body, if it is on; without a body, all.
pub(super) async fn clear(State(world): State<Arc<World>>, body: Bytes) -> Response {
    if body.is_empty() {
        world.remove_faults(|_| true);
        return StatusCode::NO_CONTENT.into_response();
    }
    let fault = match parse(&body) {
        Ok((fault, _)) => fault,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    // What it names may be gone by now, but a Region never is.
    if world.remove_faults(|rule| rule.fault == fault) == 0
        && let Err(error @ FaultError::Unknown(_)) = world.check_region(&fault)
    {
        return refused(&error);
    }
    StatusCode::NO_CONTENT.into_response()
}

pub(super) async fn remove(State(world): State<Arc<World>>, Path(id): Path<u64>) -> Response {
    if world.remove_faults(|rule| rule.id == id) == 0 {
        return no_fault(id);
    }
    StatusCode::NO_CONTENT.into_response()
}

fn no_fault(id: u64) -> Response {
    refuse(StatusCode::NOT_FOUND, &format!("the twin has no fault {id} that is on"))
}

fn refused(error: &FaultError) -> Response {
    let status = match error {
        FaultError::Invalid(_) => StatusCode::BAD_REQUEST,
        FaultError::Unknown(_) => StatusCode::NOT_FOUND,
        FaultError::TooMany => StatusCode::CONFLICT,
    };
    refuse(status, &error.to_string())
}

/// A fault, and how long it lasts if `for_ms` says so. An error names the field.
fn parse(body: &[u8]) -> Result<(Fault, Option<Duration>), String> {
    let body: Value = serde_json::from_slice(body).map_err(|e| format!("body is not JSON: {e}"))?;
    let Value::Object(mut fields) = body else {
        return Err("body is not a JSON object".to_owned());
    };
    let lasts = match fields.remove("for_ms") {
        None | Some(Value::Null) => None,
        Some(ms) => match ms.as_u64() {
            Some(ms @ 1..=FOR_MS_MAX) => Some(Duration::from_millis(ms)),
            _ => return Err(format!("for_ms: 1 to {FOR_MS_MAX}, got {ms}")),
        },
    };
    match fault(&fields) {
        Ok(fault) => Ok((fault, lasts)),
        Err(error) => Err(match culprit(&fields, &error) {
            Some(field) => format!("{field}: {error}"),
            None => error,
        }),
    }
}

fn fault(fields: &Map<String, Value>) -> Result<Fault, String> {
    serde_json::from_value(json!(fields)).map_err(|error| error.to_string())
}

/// The field that an error is about, where the error does not say it: without it, the error is another one.
fn culprit<'a>(fields: &'a Map<String, Value>, error: &str) -> Option<&'a str> {
    if error.contains("field `") {
        return None;
    }
    let is_it = |name: &&String| {
        let mut others = fields.clone();
        others.remove(*name);
        fault(&others).map_or_else(|other| other != error, |_| true)
    };
    fields.keys().filter(|name| *name != "fault").find(is_it).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &Value) -> String {
        parse(body.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_malformed_is_named() {
        assert!(error(&json!({"fault": "region-drak", "region": "r"})).contains("region-dark"));
        assert!(error(&json!({"region": "r"})).contains("missing field `fault`"));
        assert!(error(&json!({"fault": "region-dark"})).contains("missing field `region`"));
        assert!(error(&json!({"fault": "region-dark", "region": "r", "x": 1})).contains("`x`"));
        assert!(error(&json!({"fault": "region-dark", "region": 1})).starts_with("region: "));
        let api = |how: Value, share: Value| json!({"fault": "api", "how": how, "share": share});
        assert!(error(&api(json!("throttle"), json!(1.5))).starts_with("share: share must be"));
        assert!(error(&api(json!("slow"), json!(0.5))).starts_with("how: "));
        assert!(error(&api(json!({"delay-ms": "x"}), json!(1))).starts_with("how: "));
        assert!(error(&json!({"fault": "region-dark", "region": "r", "for_ms": 0})).starts_with("for_ms: "));
    }
}
