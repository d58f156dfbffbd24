//! Setting and removing faults, with all that follows: switches of Regions, connections that are reset, answers that are
//! kept, the end of those that last a time.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::{
    DnsFailure, Fault, FaultState, Kind, Rule,
    rules::{RULES_MAX, Terms},
    value::{fits, is_name},
};
use crate::{mqtt::Severed, truth::Fact, world::World};

fn unknown(what: &str, name: &str) -> Result<(), FaultError> {
    Err(FaultError::Unknown(format!("{what}: {name}")))
}

/// Why a fault was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// A field does not fit; it comes first.
    #[error("{0}")]
    Invalid(String),
    /// It names what the twin has not.
    #[error("the twin has no such {0}")]
    Unknown(String),
    /// Too many are on.
    #[error("{RULES_MAX} faults are on, and that is all there can be")]
    TooMany,
}

/// What became of setting a fault.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Set {
    /// None: it is over already, and nothing of it can be listed or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<u64>,
    /// What it hit at once.
    pub(crate) hits: u64,
    /// When it ends by itself, which may be another time than that of the equal one before; none: when it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends_in_ms: Option<u64>,
    /// It was not on before.
    #[serde(skip)]
    pub(crate) is_new: bool,
}

/// A fault that is removed when this is dropped.
#[derive(Debug)]
pub struct FaultGuard {
    world: Weak<World>,
    id: Option<u64>,
}

impl FaultGuard {
    pub(crate) fn new(world: &Arc<World>, id: Option<u64>) -> Self {
        Self { world: Arc::downgrade(world), id }
    }

    /// What the fault has hit so far; none once it has ended.
    pub fn hits(&self) -> Option<u64> {
        let world = self.world.upgrade()?;
        world.fault_states().into_iter().find(|state| Some(state.id) == self.id).map(|state| state.hits)
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade() {
            world.remove_faults(|rule| Some(rule.id) == self.id);
        }
    }
}

impl World {
    /// Sets a fault, for a time or until it is removed. An equal one that is on is kept, and lasts as long as is asked for
    /// now.
    pub(crate) fn set_fault(
        self: &Arc<Self>,
        fault: Fault,
        lasts: Option<Duration>,
    ) -> Result<Set, FaultError> {
        fault.check().map_err(FaultError::Invalid)?;
        self.check_names(&fault)?;
        if let Fault::ConnectionsDrop { region, client, .. } = &fault {
            // Over as soon as it is done: it is never in the list.
            let id = self.faults.next_id();
            let hits = self.sever(region, client.as_ref(), &fault, id, Severed::Lost);
            self.truth.stamp(|| Fact::Fault { id, on: true, fault: Box::new(fault.clone()) });
            tracing::info!(id, ?fault, hits, "fault");
            return Ok(Set { id: None, hits, ends_in_ms: None, is_new: true });
        }
        let lasts = match &fault {
            Fault::BrokerRestart { down_ms, .. } => Some(Duration::from_millis(*down_ms)),
            _ => lasts,
        };
        let terms = Terms {
            lasts,
            before: matches!(&fault, Fault::Dns { how: DnsFailure::Stale, .. })
                .then(|| Arc::new(self.route53.copy())),
            writes_before: match &fault {
                Fault::ReplicationPaused { region } => self.dynamodb.writes_from(region),
                _ => 0,
            },
        };
        let changing = self.faults.changing.lock();
        let set = self.faults.set(fault, self.clock.now(), terms);
        let (rule, is_new) = set.ok_or(FaultError::TooMany)?;
        self.switch(&rule.fault, true);
        drop(changing);
        if is_new {
            self.truth.stamp(|| Fact::Fault { id: rule.id, on: true, fault: Box::new(rule.fault.clone()) });
            tracing::info!(id = rule.id, fault = ?rule.fault, "fault");
        }
        if let Fault::BrokerRestart { region, .. } = &rule.fault {
            rule.count(self.sever(region, None, &rule.fault, rule.id, Severed::Restarted));
        }
        if let Fault::ClientsCutOff { region, .. } = &rule.fault
            && let Some(region) = self.region(region)
        {
            let severed = region.broker.sever(Severed::Lost, |id| rule.fault.cuts(id));
            rule.count(u64::try_from(severed).unwrap_or(u64::MAX));
        }
        if let Some(ends) = rule.ends {
            self.end_at(&rule, ends);
        }
        Ok(Set { id: Some(rule.id), hits: rule.hits(), ends_in_ms: rule.ends_in_ms(), is_new })
    }

    /// Removes the faults that are chosen; says how many.
    pub(crate) fn remove_faults(&self, chosen: impl Fn(&Rule) -> bool) -> usize {
        let changing = self.faults.changing.lock();
        let gone = self.faults.remove(chosen);
        for rule in &gone {
            self.switch(&rule.fault, false);
        }
        drop(changing);
        for rule in &gone {
            self.truth.stamp(|| Fact::Fault { id: rule.id, on: false, fault: Box::new(rule.fault.clone()) });
            tracing::info!(id = rule.id, fault = ?rule.fault, hits = rule.hits(), "fault removed");
        }
        gone.len()
    }

    /// The faults that are on, in the order in which they were set.
    pub(crate) fn fault_states(&self) -> Vec<FaultState> {
        let state = |rule: &Arc<Rule>| {
            let mut state = rule.state();
            if let Fault::ReplicationPaused { region } = &rule.fault {
                state.hits = self.dynamodb.writes_from(region).saturating_sub(rule.writes_before);
            }
            state
        };
        self.faults.all().iter().map(state).collect()
    }

    /// Its Region has to be there.
    pub(crate) fn check_region(&self, fault: &Fault) -> Result<(), FaultError> {
        // Global services are asked by the name of any Region.
        let is_global = matches!(fault, Fault::Api { service: Some(s), .. } if s == "route53" || s == "sts");
        if let Some(region) = fault.region()
            && !is_global
            && self.region(region).is_none()
        {
            return unknown("Region", region);
        }
        Ok(())
    }

    /// What it names in its Region has to be there, unless it is a pattern.
    fn check_names(&self, fault: &Fault) -> Result<(), FaultError> {
        self.check_region(fault)?;
        match fault {
            Fault::FunctionKill { region, function, .. }
                if is_name(function) && self.lambda.function(region, function).is_err() =>
            {
                unknown("function", function)
            }
            Fault::StreamPoison { region, table, .. }
                if is_name(table) && !self.dynamodb.has_table(region, table) =>
            {
                unknown("table", table)
            }
            Fault::RulesSilent { region, rule: Some(rule), .. }
                if is_name(rule) && self.region(region).is_some_and(|r| r.rules.get(rule).is_err()) =>
            {
                unknown("topic rule", rule)
            }
            Fault::HealthChecksStuck { check: Some(check) } if self.route53.health(check).is_none() => {
                unknown("health check", check)
            }
            _ => Ok(()),
        }
    }

    /// What a fault of a whole Region switches.
    fn switch(&self, fault: &Fault, on: bool) {
        let region = fault.region().and_then(|name| self.region(name));
        match (fault.kind(), region) {
            (Kind::RegionDark, Some(region)) => region.dark.set(on),
            (Kind::RegionHalfDark, Some(region)) => {
                region.half_dark.set(on);
                if !on {
                    // What they have lost, their clients would wait for.
                    region.broker.sever(Severed::Lost, |_| true);
                }
            }
            (Kind::ReplicationPaused, Some(region)) => region.replication_paused.set(on),
            (Kind::ReplicationSlow, _) => self.dynamodb.wake(),
            _ => {}
        }
    }

    /// Cuts MQTT connections; says how many.
    fn sever(&self, region: &str, client: Option<&String>, fault: &Fault, id: u64, how: Severed) -> u64 {
        let Some(region) = self.region(region) else { return 0 };
        let mut dice = super::rules::dice(id);
        let share = fault.share();
        let severed = region.broker.sever(how, |id| fits(client, id) && share.comes_up(&mut dice));
        u64::try_from(severed).unwrap_or(u64::MAX)
    }

    /// Removes a rule when its time is over, unless it was given another.
    fn end_at(self: &Arc<Self>, rule: &Arc<Rule>, ends: Instant) {
        let (world, rule) = (Arc::clone(self), Arc::clone(rule));
        let tasks = self.tasks.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = world.shutdown.cancelled() => {}
                () = rule.gone.cancelled() => {}
                () = rule.renewed.cancelled() => {}
                () = sleep_until(ends) => {
                    world.remove_faults(|other| other.id == rule.id && other.ends == Some(ends));
                }
            }
        });
    }
}
