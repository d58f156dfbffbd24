//! The control API, beside the AWS API under `/_twin`: where things are, faults, quotas, ground truth. What AWS has no call
//! for goes through here, over a socket as everything else, so that a harness needs no other way in. Every refusal is
//! `{"message": ...}` and says what to do.

mod body;
mod fault;
#[cfg(test)]
mod fuzz;
mod truth;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde_json::{Value, json};

use self::body::Body;
use crate::{
    calls::Counted,
    cloudformation::ANSWER_BYTES_MAX,
    quota::{QuotaSetting, Refused},
    twin::Endpoints,
    world::World,
};

/// What is there, for those who asked for something else.
const CALLS: &str = "GET /_twin/endpoints, GET /_twin/state, GET and PUT /_twin/quotas, \
                     GET /_twin/quotas/<region>/<code>, GET, PUT and DELETE /_twin/faults, GET and DELETE /_twin/faults/<id>, GET and PUT /_twin/truth, GET and PUT /_twin/calls";
/// How a quota is set.
const SETTING: &str = r#"{"region": "us-east-1", "code": "L-64CBACAC", "value": 200}"#;

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/endpoints", get(endpoints))
        .route("/faults", get(fault::list).put(fault::set).delete(fault::clear))
        .route("/faults/{id}", get(fault::show).delete(fault::remove))
        .route("/quotas", get(refused).put(set_quota))
        .route("/quotas/{region}/{code}", get(quota))
        .route("/state", get(state))
        .route("/cloudformation/{token}", put(answer).layer(DefaultBodyLimit::max(ANSWER_BYTES_MAX)))
        .route("/truth", get(truth::read).put(truth::switch))
        .route("/calls", get(calls).put(switch_calls))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
}

pub(crate) async fn nothing(uri: Uri) -> Response {
    refuse(StatusCode::NOT_FOUND, &format!("there is no {}; there are {CALLS}", whole(&uri)))
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let message = format!("{} does not take {method}; there are {CALLS}", whole(&uri));
    refuse(StatusCode::METHOD_NOT_ALLOWED, &message)
}

/// The path as it was asked for: a nested router sees what stands behind its own.
fn whole(uri: &Uri) -> String {
    let path = uri.path();
    if path.starts_with("/_twin") { path.to_owned() } else { format!("/_twin{path}") }
}

async fn endpoints(State(world): State<Arc<World>>) -> Json<Endpoints> {
    Json(Endpoints::of(&world))
}

async fn state(State(world): State<Arc<World>>) -> Json<serde_json::Value> {
    let connected: serde_json::Map<String, serde_json::Value> =
        world.regions.iter().map(|r| (r.name.clone(), json!(r.broker.connected()))).collect();
    Json(json!({"connected": connected}))
}

async fn calls(State(world): State<Arc<World>>) -> Json<Vec<Counted>> {
    Json(world.calls.list())
}

async fn switch_calls(State(world): State<Arc<World>>, Body(body): Body) -> Response {
    truth::switched(&body, |on| world.calls.set(on))
}

async fn refused(State(world): State<Arc<World>>) -> Json<Vec<Refused>> {
    Json(world.quotas.refused())
}

async fn quota(State(world): State<Arc<World>>, Path((region, code)): Path<(String, String)>) -> Response {
    match world.quotas.of(&region, &code) {
        Some(quota) => Json(quota).into_response(),
        None => refuse(StatusCode::NOT_FOUND, &format!("there is no quota {code} in {region}")),
    }
}

async fn set_quota(State(world): State<Arc<World>>, Body(body): Body) -> Response {
    let setting = match setting(&body) {
        Ok(setting) => setting,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    if world.quotas.set(&setting) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let names: Vec<&str> = world.regions.iter().map(|r| r.name.as_str()).collect();
        let message = format!("region: the twin has {} and not {}", names.join(" and "), setting.region);
        refuse(StatusCode::NOT_FOUND, &message)
    }
}

fn setting(body: &[u8]) -> Result<QuotaSetting, String> {
    let members = body::object(body, SETTING)?;
    body::only(&members, &["region", "code", "value"])?;
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(format!("{name}: a text, as in {SETTING}")),
    };
    let value = members.get("value").and_then(Value::as_f64);
    let value = value.ok_or_else(|| format!("value: a number, as in {SETTING}"))?;
    let setting = QuotaSetting { region: text("region")?, code: text("code")?, value };
    setting.check()?;
    Ok(setting)
}

/// The answer of a custom resource's function, at the URL that it was given.
async fn answer(State(world): State<Arc<World>>, Path(token): Path<String>, Body(body): Body) -> Response {
    if world.cloudformation.waiting.answer(&token, &body) {
        return StatusCode::OK.into_response();
    }
    refuse(StatusCode::NOT_FOUND, "no custom resource waits for this answer")
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message}))).into_response()
}
