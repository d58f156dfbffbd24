//! Faults over the control API: set, listed, removed.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    body::{self, Body},
    refuse,
};
use crate::{
    fault::{Fault, FaultError, FaultState, Rule, check_form},
    world::World,
};

/// How long a fault may last by itself.
const FOR_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
const EXAMPLE: &str = r#"{"fault": "region-dark", "region": "us-east-1", "for_ms": 60000}"#;

pub(super) async fn list(State(world): State<Arc<World>>) -> Json<Vec<FaultState>> {
    Json(world.fault_states())
}

pub(super) async fn show(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    match world.fault_states().into_iter().find(|state| id.parse() == Ok(state.id)) {
        Some(state) => Json(state).into_response(),
        None => no_fault(&id),
    }
}

/// 201 with its id, 200 if it was on already.
pub(super) async fn set(State(world): State<Arc<World>>, Body(body): Body) -> Response {
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

/// Removes the fault that is equal to the body, if it is on; without a body, all. Says how many were on.
pub(super) async fn clear(State(world): State<Arc<World>>, Body(body): Body) -> Response {
    if body.is_empty() {
        return removed(world.remove_faults(|_| true));
    }
    let fault = match parse(&body) {
        Ok((fault, _)) => fault,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    let count = world.remove_faults(|rule| rule.fault == fault);
    // What it names may be gone by now, but a Region never is.
    if count == 0
        && let Err(error @ FaultError::Unknown(_)) = world.check_region(&fault)
    {
        return refused(&error);
    }
    removed(count)
}

fn removed(count: usize) -> Response {
    Json(json!({"removed": count})).into_response()
}

pub(super) async fn remove(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let is_it = |rule: &Rule| id.parse() == Ok(rule.id);
    if world.remove_faults(is_it) == 0 {
        return no_fault(&id);
    }
    StatusCode::NO_CONTENT.into_response()
}

fn no_fault(id: &str) -> Response {
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
pub(super) fn parse(body: &[u8]) -> Result<(Fault, Option<Duration>), String> {
    let mut fields = body::object(body, EXAMPLE)?;
    let lasts = match fields.remove("for_ms") {
        None | Some(Value::Null) => None,
        Some(ms) => match ms.as_u64() {
            Some(ms @ 1..=FOR_MS_MAX) => Some(Duration::from_millis(ms)),
            _ => return Err(format!("for_ms: 1 to {FOR_MS_MAX}; not {ms}")),
        },
    };
    check_form(&fields)?;
    // Null is what is left out.
    fields.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(fields)).map(|fault| (fault, lasts)).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &Value) -> String {
        parse(body.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_malformed_is_named_with_what_is_allowed() {
        let region = |more: Value| {
            let mut fault = json!({"fault": "region-dark", "region": "r"});
            fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            fault
        };
        let api = |how: Value, share: Value| json!({"fault": "api", "how": how, "share": share});
        for (fault, says) in [
            (
                json!({"fault": "region-drak", "region": "r"}),
                "fault: there is no region-drak; one of region-dark, ",
            ),
            (json!({"region": "r"}), "fault: is missing; one of region-dark, "),
            (json!({"fault": 1}), "fault: one of region-dark, "),
            (json!({"fault": "region-dark"}), "region: is missing; region-dark needs it: a text"),
            (region(json!({"x": 1})), "x: region-dark has no such field; it has region, for_ms"),
            (region(json!({"region": 1})), "region: a text; not 1"),
            (region(json!({"region": null})), "region: a text; not null"),
            (region(json!({"for_ms": 0})), "for_ms: 1 to 86400000; not 0"),
            (region(json!({"for_ms": "5s"})), "for_ms: 1 to 86400000; not \"5s\""),
            (api(json!("throttle"), json!(1.5)), "share: a number from 0 to 1; not 1.5"),
            (
                api(json!("slow"), json!(0.5)),
                "how: \"throttle\", \"hang\", \"reset\", {\"delay-ms\": 500} or ",
            ),
            (api(json!("delay-ms"), json!(1)), "how: delay-ms needs a value, as in {\"delay-ms\": 500}"),
            (api(json!("error"), json!(1)), "how: error needs a value, as in {\"error\": {\"status\": 500, "),
            (api(json!({"delay-ms": "x"}), json!(1)), "how: \"throttle\""),
            (
                json!({"fault": "connections", "region": "r", "port": "ssh", "how": "reset"}),
                "port: \"mqtt\" or \"https\"; not \"ssh\"",
            ),
        ] {
            let why = error(&fault);
            assert!(why.starts_with(says), "{fault}: {why}");
        }
        for (body, says) in
            [("", "the body is empty"), ("[]", "no object"), ("{", "not JSON (line 1, column 1)")]
        {
            let why = parse(body.as_bytes()).unwrap_err();
            assert!(why.contains(says) && why.contains("{\"fault\": "), "{why}");
        }
        let (fault, _) = parse(br#"{"fault": "api", "how": "hang", "service": null}"#).unwrap();
        assert_eq!(fault, serde_json::from_value(json!({"fault": "api", "how": "hang"})).unwrap());
    }
}
