//! The plan: what a scenario will create, call, break and undo, computed from the scenario alone. The run does what the
//! plan says; the plan is in the run folder.

mod observation;

use gameday_report::record::Strategy;
use serde::Serialize;

pub(crate) use observation::Observation;

use crate::{
    aws::{Pace, READINESS_CALLS},
    scenario::{Scenario, Step},
};

/// Calls for each device, and the Region: to make it,
const MAKING: [(&str, &str); 4] = [
    ("CreateCertificateFromCsr", "primary"),
    ("AttachPolicy", "primary"),
    ("CreateThing", "primary"),
    ("AttachThingPrincipal", "primary"),
];
/// to see that it is connectable,
const LOOKING: [(&str, &str); 4] = [
    ("DescribeThing", "secondary"),
    ("ListThingPrincipals", "secondary"),
    ("DescribeCertificate", "secondary"),
    ("ListAttachedPolicies", "secondary"),
];
/// and to delete it.
const DELETING: [(&str, &str); 3] =
    [("UpdateCertificate", "both"), ("DeleteCertificate", "both"), ("DeleteThing", "both")];

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Plan {
    /// Things, certificates: one each a device, in both Regions.
    pub(crate) devices: u32,
    /// How many of them have which strategy.
    pub(crate) strategies: Vec<Strategy>,
    /// Other things that are made, by kind and Region.
    pub(crate) creates: Vec<Made>,
    /// Calls of the harness that grow with the fleet, and the rate that they are paced to.
    pub(crate) calls: Vec<Calls>,
    /// What each step does.
    pub(crate) steps: Vec<String>,
    /// Faults, in the order applied; each is cured by the heal step and at the end of the run whatever happens.
    pub(crate) faults: Vec<&'static str>,
    /// Messages a second, steady state.
    pub(crate) telemetry_per_s: f64,
    /// Shadow updates a second, steady state.
    pub(crate) shadow_updates_per_s: f64,
    /// How shadow documents are observed in the secondary.
    pub(crate) observation: Option<Observation>,
    /// At the longest: every step at its limit. Typical runs end their steps early.
    pub(crate) duration_s_max: u64,
}

/// A kind of resource and how many of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Made {
    pub(crate) kind: &'static str,
    pub(crate) region: &'static str,
    pub(crate) count: u32,
}

/// An operation, how often it is called, and how fast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Calls {
    pub(crate) operation: &'static str,
    pub(crate) region: &'static str,
    pub(crate) count: u32,
    pub(crate) rate_per_s_max: f64,
}

impl Plan {
    /// The plan of a scenario against a target whose quotas are AWS's defaults times `quota_scale`.
    pub(crate) fn of(scenario: &Scenario, quota_scale: f64) -> Self {
        let devices = scenario.fleet.devices;
        let per_s = |every: Option<std::time::Duration>| {
            every.map_or(0.0, |every| f64::from(devices) / every.as_secs_f64())
        };
        let pace = Pace::new(quota_scale);
        let calls_of = |operation, region, count| Calls {
            operation,
            region,
            count,
            rate_per_s_max: pace.rate_per_s(operation).unwrap_or(f64::MAX),
        };
        let calls = |(operation, region)| calls_of(operation, region, devices);
        // A pooled fleet is neither made nor deleted.
        let is_ours = |_: &_| scenario.fleet.pool.is_none();
        let made = MAKING.into_iter().filter(is_ours).map(calls);
        let seen = LOOKING.into_iter().map(calls);
        let deleted = DELETING.into_iter().filter(is_ours).map(calls);
        let looks = scenario.step.iter().filter_map(|step| match step {
            Step::Readiness(step) => Some(step.devices(devices)),
            _ => None,
        });
        let looks = looks.flat_map(|count| {
            READINESS_CALLS.into_iter().map(move |operation| calls_of(operation, "both", count))
        });
        Self {
            devices,
            strategies: scenario.fleet.strategy.recorded(devices),
            creates: creates(),
            calls: made.chain(seen).chain(deleted).chain(looks).collect(),
            steps: scenario.step.iter().map(|step| label(step, scenario)).collect(),
            faults: scenario.step.iter().flat_map(faults).collect(),
            telemetry_per_s: per_s(scenario.load.telemetry.as_ref().map(|t| *t.every)),
            shadow_updates_per_s: per_s(scenario.load.shadow.as_ref().map(|s| *s.every)),
            observation: Observation::of(scenario),
            duration_s_max: scenario.step.iter().map(|step| step.time_max().as_secs()).sum::<u64>()
                + scenario.converge_at_most.as_secs(),
        }
    }
}

fn creates() -> Vec<Made> {
    let made = |kind, region, count| Made { kind, region, count };
    vec![
        made("stack", "primary", 2),
        made("stack", "secondary", 3),
        made("policy", "primary", 2),
        made("policy", "secondary", 3),
        made("health check", "global", 2),
        made("hosted zone", "global", 1),
    ]
}

fn faults(step: &Step) -> Vec<&'static str> {
    match step {
        Step::Break(step) => step.faults.iter().map(|fault| fault.entry().name).collect(),
        _ => Vec::new(),
    }
}

/// A step as a reader would say it.
pub(crate) fn label(step: &Step, scenario: &Scenario) -> String {
    let devices = scenario.fleet.devices;
    match step {
        Step::Provision(_) => match &scenario.fleet.pool {
            Some(pool) => {
                format!("Take {devices} devices of fleet {pool}, until each is connectable in the secondary")
            }
            None => format!("Provision {devices} devices, until each is connectable in the secondary"),
        },
        Step::Connect(step) => format!("Connect {devices} devices, {} a second", step.rate_per_s),
        Step::Hold(step) => format!("Hold for {}", step.time),
        Step::Readiness(step) if step.sample.is_some() => {
            let drawn = step.devices(devices);
            format!("Look whether the secondary would let a sample of {drawn} of {devices} devices in")
        }
        Step::Readiness(_) => format!("Look whether the secondary would let each of {devices} devices in"),
        Step::Break(step) => {
            let faults: Vec<&str> = step.faults.iter().map(|fault| fault.entry().label).collect();
            format!("Break: {}", faults.join(", "))
        }
        Step::Heal(_) => "Heal every fault".to_owned(),
    }
}

/// A step's name in the record.
pub(crate) fn name(step: &Step) -> &'static str {
    match step {
        Step::Provision(_) => "provision",
        Step::Connect(_) => "connect",
        Step::Hold(_) => "hold",
        Step::Readiness(_) => "readiness",
        Step::Break(_) => "break",
        Step::Heal(_) => "heal",
    }
}
