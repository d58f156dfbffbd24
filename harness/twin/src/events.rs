//! EventBridge: rules on the default bus of each Region, by pattern or by schedule, and what they are fed by: events that
//! clients put, and the API calls of IoT as CloudTrail tells of them.
//!
//! The layers: what a rule is ([`rule`], [`pattern`], [`schedule`], [`cron`], [`input`]), pure; the [`bus`] of a Region
//! and the task that tends it; [`delivery`] to targets, which EventBridge Scheduler shares; API calls as events
//! ([`api_event`]); the codec ([`api`], [`rule_api`], [`target_api`], [`event_api`]).
//!
//! It guarantees that a rule sees every event that was put on its bus while it was enabled, that queues, rules, targets
//! and retries are bounded, and that an API call costs one atomic load while no rule has a pattern.

mod api;
mod api_event;
mod bus;
mod cron;
mod delivery;
mod event_api;
#[cfg(test)]
mod fuzz;
mod input;
mod pattern;
mod rule;
mod rule_api;
mod schedule;
mod target_api;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use self::bus::Bus;
pub(crate) use self::{
    api::{error_reply, handle},
    api_event::api_call,
    delivery::{Delivery, Destination, RetryPolicy, spawn as spawn_delivery},
    pattern::Pattern,
    schedule::Expression,
};
use crate::{room::Room, world::World};

/// The EventBridge of all Regions.
#[derive(Debug)]
pub(crate) struct Events {
    /// By Region.
    buses: BTreeMap<String, Bus>,
    /// How long an API call takes to its event on the bus.
    api_event_delay: Duration,
    /// For what is under way to targets.
    deliveries: Arc<Room>,
}

impl Events {
    pub(crate) fn new<'a>(regions: impl IntoIterator<Item = &'a String>, api_event_delay: Duration) -> Self {
        let buses = regions.into_iter().map(|region| (region.clone(), Bus::default())).collect();
        Self { buses, api_event_delay, deliveries: delivery::room() }
    }

    fn bus(&self, region: &str) -> Option<&Bus> {
        self.buses.get(region)
    }
}

/// Starts the task of each Region's bus.
pub(crate) fn start(world: &Arc<World>) {
    for region in &world.regions {
        world.tasks.spawn(bus::tend(Arc::clone(world), Arc::clone(region)));
    }
}

/// An event as EventBridge wraps it.
pub(crate) fn envelope(
    (source, kind): (&str, &str),
    (region, account): (&str, &str),
    at: Timestamp,
    resources: &[String],
    detail: &Json,
) -> Json {
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": kind,
        "source": source,
        "account": account,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": region,
        "resources": resources,
        "detail": detail,
    })
}

#[cfg(test)]
mod tests;
