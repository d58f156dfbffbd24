//! The control API, beside the AWS API under `/_twin`: where things are, and faults on and off. What AWS has no call for
//! goes through here, over a socket as everything else, so that a harness needs no other way in.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use crate::{
    fault::Fault,
    quota::{QuotaSetting, Refused},
    twin::Endpoints,
    world::World,
};

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/endpoints", get(endpoints))
        .route("/faults", get(list).put(apply).delete(cure))
        .route("/quotas", get(refused).put(set_quota))
        .route("/state", get(state))
}

async fn endpoints(State(world): State<Arc<World>>) -> Json<Endpoints> {
    Json(Endpoints::of(&world))
}

async fn list(State(world): State<Arc<World>>) -> Json<Vec<Fault>> {
    Json(world.faults())
}

async fn apply(State(world): State<Arc<World>>, Json(fault): Json<Fault>) -> Response {
    set(&world, &fault, true)
}

async fn cure(State(world): State<Arc<World>>, Json(fault): Json<Fault>) -> Response {
    set(&world, &fault, false)
}

async fn state(State(world): State<Arc<World>>) -> Json<serde_json::Value> {
    let connected: serde_json::Map<String, serde_json::Value> =
        world.regions.iter().map(|r| (r.name.clone(), json!(r.broker.connected()))).collect();
    Json(json!({"connected": connected}))
}

async fn refused(State(world): State<Arc<World>>) -> Json<Vec<Refused>> {
    Json(world.quotas.refused())
}

async fn set_quota(State(world): State<Arc<World>>, Json(setting): Json<QuotaSetting>) -> Response {
    if let Err(message) = setting.check() {
        return (StatusCode::BAD_REQUEST, Json(json!({"message": message}))).into_response();
    }
    if world.quotas.set(&setting) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::NOT_FOUND, Json(json!({"message": "the twin has no such Region or quota"})))
            .into_response()
    }
}

fn set(world: &World, fault: &Fault, on: bool) -> Response {
    if world.set_fault(fault, on) {
        tracing::info!(?fault, on, "fault");
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::NOT_FOUND, Json(json!({"message": "the twin has no such Region"}))).into_response()
    }
}

impl World {
    /// Switches a fault on or off; `false` if its Region is not one of the twin's.
    fn set_fault(&self, fault: &Fault, on: bool) -> bool {
        let (Fault::RegionDark { region } | Fault::ReplicationPaused { region }) = fault;
        let Some(region) = self.region(region) else {
            return false;
        };
        match fault {
            Fault::RegionDark { .. } => region.dark.set(on),
            Fault::ReplicationPaused { .. } => region.replication_paused.set(on),
        }
        true
    }

    /// The faults that are on.
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for region in &self.regions {
            if region.dark.is_on() {
                faults.push(Fault::RegionDark { region: region.name.clone() });
            }
            if region.replication_paused.is_on() {
                faults.push(Fault::ReplicationPaused { region: region.name.clone() });
            }
        }
        faults
    }
}
