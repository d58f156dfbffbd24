//! The control API, beside the AWS API under `/_twin`: where things are, faults, quotas, ground truth. What AWS has no call
//! for goes through here, over a socket as everything else, so that a harness needs no other way in.

mod fault;
mod truth;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde_json::json;

use crate::{
    calls::Counted,
    cloudformation::ANSWER_BYTES_MAX,
    quota::{QuotaSetting, Refused},
    twin::Endpoints,
    world::World,
};

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/endpoints", get(endpoints))
        .route("/faults", get(fault::list).put(fault::set).delete(fault::clear))
        .route("/faults/{id}", get(fault::show).delete(fault::remove))
        .route("/quotas", get(refused).put(set_quota))
        .route("/state", get(state))
        .route("/cloudformation/{token}", put(answer).layer(DefaultBodyLimit::max(ANSWER_BYTES_MAX)))
        .route("/truth", get(truth::read).put(truth::switch))
        .route("/calls", get(calls).put(switch_calls))
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

async fn switch_calls(State(world): State<Arc<World>>, body: Bytes) -> Response {
    truth::switched(&body, |on| world.calls.set(on))
}

async fn refused(State(world): State<Arc<World>>) -> Json<Vec<Refused>> {
    Json(world.quotas.refused())
}

async fn set_quota(State(world): State<Arc<World>>, Json(setting): Json<QuotaSetting>) -> Response {
    if let Err(message) = setting.check() {
        return refuse(StatusCode::BAD_REQUEST, &message);
    }
    if world.quotas.set(&setting) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        refuse(StatusCode::NOT_FOUND, "the twin has no such Region or quota")
    }
}

/// The answer of a custom resource's function, at the URL that it was given.
async fn answer(State(world): State<Arc<World>>, Path(token): Path<String>, body: Bytes) -> StatusCode {
    if world.cloudformation.waiting.answer(&token, &body) { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message}))).into_response()
}
