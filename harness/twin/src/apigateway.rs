//! API Gateway: REST APIs that hand requests to functions, in both Regions.
//!
//! The layers: an API as it is built ([`rest_api`]) and as a deployment fixes it ([`route`]); keys and usage plans
//! ([`key`]); all pure. The codec ([`api`], and [`build_api`], [`stage_api`], [`key_api`] for its parts); answering
//! requests ([`serve`]) with the events of payload version 1.0 ([`event`]).
//!
//! It guarantees that a stage answers from its deployment: what is changed later counts when it is deployed.

mod api;
mod build_api;
mod event;
mod key;
mod key_api;
mod rest_api;
mod route;
mod serve;
mod stage_api;

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rand::Rng as _;

pub(crate) use self::{api::handle, serve::serve};
use self::{key::Keys, rest_api::RestApi};

const ID_CHARS: usize = 10;

/// The API Gateway of all Regions.
#[derive(Debug, Default)]
pub(crate) struct ApiGateway {
    /// By Region and id.
    apis: Mutex<BTreeMap<(String, String), RestApi>>,
    /// By Region.
    keys: Mutex<BTreeMap<String, Keys>>,
}

/// An id as API Gateway makes them.
fn new_id() -> String {
    random_text(ID_CHARS)
}

fn random_text(chars: usize) -> String {
    let mut rng = rand::rng();
    (0..chars).map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[rng.random_range(0..36)])).collect()
}

#[cfg(test)]
mod tests;
