//! Route 53: hosted zones with failover records, traffic policies, and health checks that really call.
//!
//! Global, as on AWS: it belongs to no Region and goes on when one is dark. What it guarantees:
//! - an answer is a function of the zones and of the health of the checks, never of the time of asking;
//! - a change batch is applied whole or not at all, and is in force when the call returns;
//! - a health check changes its state only by what its checkers saw, or by a change of its settings.
//!
//! State ([`zone`], [`change`], [`traffic`], [`health_check`]) is pure; [`api`] is the codec, [`checker`] the tasks.

mod api;
mod change;
mod check_api;
mod checker;
mod config;
mod failover;
mod health_check;
mod name;
mod probe;
mod record;
mod traffic;
mod traffic_api;
mod traffic_document;
mod traffic_xml;
mod xml;
mod zone;
mod zone_api;
mod zone_xml;

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

#[cfg(test)]
pub(crate) use api::element;
pub(crate) use api::{error_reply, handle};
pub(crate) use name::absolute;
pub(crate) use record::{RecordSet, RecordType, texts};
pub(crate) use zone::Answer;

use crate::{
    route53::{
        config::Config,
        health_check::{Flip, Health, HealthChecks},
        probe::Outcome,
        traffic::Traffic,
        zone::Zones,
    },
    truth::Truth,
};

/// The account's hosted zones, traffic policies and health checks.
#[derive(Debug)]
pub(crate) struct Route53 {
    // Whoever holds several locks took them in this order.
    traffic: Mutex<Traffic>,
    zones: Mutex<Zones>,
    checks: Mutex<HealthChecks>,
    truth: Arc<Truth>,
}

impl Route53 {
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self::telling(&Arc::default())
    }

    /// Nothing yet, but what comes is told.
    pub(crate) fn telling(truth: &Arc<Truth>) -> Self {
        Self {
            traffic: Mutex::default(),
            zones: Mutex::default(),
            checks: Mutex::default(),
            truth: Arc::clone(truth),
        }
    }

    /// What its answers are made of, as it is now.
    pub(crate) fn copy(&self) -> Self {
        let zones = self.zones.lock();
        let checks = self.checks.lock().clone();
        Self {
            traffic: Mutex::default(),
            zones: Mutex::new(zones.clone()),
            checks: Mutex::new(checks),
            truth: Arc::default(),
        }
    }

    /// The authoritative answer for a name now. `None` asks for a type that no zone here can hold.
    pub(crate) fn answer(&self, name: &str, kind: Option<RecordType>) -> Answer {
        // A deleted check cannot say anything against its records.
        let healthy = |id: &str| self.health(id).is_none_or(|h| h.healthy);
        self.zones.lock().answer(&absolute(name), kind, &healthy)
    }

    /// Whether a health check is healthy, and since when.
    pub(crate) fn health(&self, health_check_id: &str) -> Option<Health> {
        self.checks.lock().get(health_check_id).ok().map(|c| c.health)
    }

    /// The settings that the next probe of a check works with; `None` once it is deleted.
    fn config(&self, health_check_id: &str) -> Option<Config> {
        self.checks.lock().get(health_check_id).ok().map(|c| c.config.clone())
    }

    /// Takes one checker's result. Nothing happens when the check was deleted meanwhile.
    fn observe(
        &self,
        health_check_id: &str,
        checker: usize,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Option<Flip> {
        let mut checks = self.checks.lock();
        let check = checks.get_mut(health_check_id).ok()?;
        let flip = check.observe(checker, outcome, now)?;
        self.truth.stamp(|| check.fact());
        Some(flip)
    }
}
