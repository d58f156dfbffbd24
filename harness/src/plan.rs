//! The plan: what a scenario will create, call, break and undo, computed from the scenario alone and without a network. The run
//! carries out the plan that `gameday plan` prints, and the plan is in the run folder. Cost and quotas are read from it.

mod aim;
mod calls;
mod demand;
mod headroom;
mod messages;
mod observation;
mod phase;
mod quantity;
mod show;

use std::collections::BTreeMap;

use gameday_report::record::Strategy;
use serde::Serialize;

pub(crate) use aim::Aim;
pub(crate) use calls::replicator_calls_of_a_device;
pub(crate) use demand::{Demand, Influx, Limited, of_workflow};
pub(crate) use headroom::Headroom;
pub(crate) use messages::{CHECKERS, STATE_WRITES, STREAM_BATCH, queries_per_s};
pub(crate) use observation::Observation;
pub(crate) use phase::{Phase, PlannedStep};
pub(crate) use quantity::{Caller, Place, Quantity, unit};
pub(crate) use show::{number, range, show, span};

use crate::{
    aws::Pace,
    cost::{Bill, Moment, Prices, Usage},
    fault::Breakage,
    scenario::{Scenario, Step},
};

/// A plan. The same scenario and aim give the same plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Plan {
    /// The scenario's.
    pub(crate) title: String,
    pub(crate) aim: Aim,
    /// Things, certificates: one each a device, in both Regions.
    pub(crate) devices: u32,
    /// How many of them have which strategy.
    pub(crate) strategies: Vec<Strategy>,
    /// What is made, by kind and Region; all of it is deleted again.
    pub(crate) creates: Vec<Made>,
    /// What each step does, and how long it takes.
    pub(crate) steps: Vec<PlannedStep>,
    /// Faults, in the order applied, with what becomes of each; each is cured by the heal step and at the end of the run
    /// whatever happens.
    pub(crate) faults: Vec<PlannedFault>,
    /// Messages a second, steady state.
    pub(crate) telemetry_per_s: f64,
    /// Shadow updates a second, steady state.
    pub(crate) shadow_updates_per_s: f64,
    pub(crate) sizes: Sizes,
    /// How shadow documents are observed in the secondary.
    pub(crate) observation: Option<Observation>,
    /// Every step at its least and at its limit, without deployment and undo: they take seconds on a twin, minutes on AWS.
    pub(crate) duration_s_min: f64,
    pub(crate) duration_s_max: f64,
    /// Everything that is called, said and invoked, by phase, place and caller.
    pub(crate) quantities: Vec<Quantity>,
    /// What is asked of each quota, by phase.
    #[serde(skip)]
    pub(crate) demands: Vec<Demand>,
    /// The storms of devices that move together.
    #[serde(skip)]
    pub(crate) influxes: Vec<Influx>,
    /// Each peak beside its quota, the tightest first.
    pub(crate) headroom: Vec<Headroom>,
    /// What the run would cost on AWS.
    pub(crate) cost: Bill,
}

/// What messages and updates are billed as.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Sizes {
    /// Units of 5 KB of a message.
    pub(crate) message_units: f64,
    /// Units of 1 KB of a shadow.
    pub(crate) shadow_kb: f64,
}

/// A kind of resource and how many of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Made {
    pub(crate) kind: &'static str,
    pub(crate) place: Place,
    pub(crate) count: u32,
}

/// A fault as it is planned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlannedFault {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// What shows that it acts, and that it is cured.
    pub(crate) proof: &'static str,
    pub(crate) cure_proof: &'static str,
    /// Whether the plan knows what calls it makes.
    pub(crate) calls_known: bool,
}

impl Plan {
    /// The plan of a scenario at an aim.
    ///
    /// # Errors
    /// When something that it does has no price.
    pub(crate) fn of(scenario: &Scenario, aim: Aim) -> anyhow::Result<Self> {
        Self::timed(scenario, aim, &BTreeMap::new())
    }

    /// The same with steps, by their place, that are known to take so many seconds.
    pub(crate) fn timed(scenario: &Scenario, aim: Aim, times: &BTreeMap<usize, f64>) -> anyhow::Result<Self> {
        let devices = scenario.fleet.devices;
        let per_s = |every: Option<std::time::Duration>| {
            every.map_or(0.0, |every| f64::from(devices) / every.as_secs_f64())
        };
        let pace = Pace::new(aim.quota_scale);
        let mut steps = phase::steps(scenario, &pace);
        for (place, seconds) in times {
            if let Some(step) = steps.get_mut(*place) {
                (step.least_s, step.most_s) = (*seconds, *seconds);
            }
        }
        let names: Vec<&str> = scenario.step.iter().flat_map(faults).collect();
        let mut phases: BTreeMap<Phase, (f64, f64)> = BTreeMap::new();
        for step in &steps {
            let time = phases.entry(step.phase).or_default();
            *time = (time.0 + step.least_s, time.1 + step.most_s);
        }
        let all = phases.values().fold((0.0, 0.0), |sum, time| (sum.0 + time.0, sum.1 + time.1));
        let provision = phases.get(&Phase::Provision).copied().unwrap_or_default();
        let observation = Observation::of(scenario);
        let stays = messages::stays(scenario, &steps, &names);
        let mut quantities = calls::quantities(scenario, &pace, &names, provision, all);
        let messages =
            messages::Messages { scenario, pace: &pace, stays: &stays, observation, phases: &phases };
        quantities.extend(messages.quantities());
        quantities.sort_by(|a, b| {
            (a.phase, a.service, a.unit, a.place, a.caller)
                .cmp(&(b.phase, b.service, b.unit, b.place, b.caller))
        });
        let sizes = Sizes::of(scenario);
        let demands = demand::all(&quantities, &stays, &phases);
        let cost = Bill::of(&Usage::of_run(&quantities, sizes), &Prices::read()?, Moment::Newest)?;
        Ok(Self {
            title: scenario.title.clone(),
            devices,
            strategies: scenario.fleet.strategy.recorded(devices),
            creates: creates(scenario),
            faults: scenario.step.iter().flat_map(planned_faults).collect(),
            telemetry_per_s: per_s(scenario.load.telemetry.as_ref().map(|t| *t.every)),
            shadow_updates_per_s: per_s(scenario.load.shadow.as_ref().map(|s| *s.every)),
            observation,
            duration_s_min: all.0,
            duration_s_max: all.1,
            headroom: headroom::all(&demands, &aim),
            influxes: demand::influxes(&quantities, &stays),
            demands,
            quantities,
            steps,
            aim,
            sizes,
            cost,
        })
    }

    /// As `plan.json` holds it and `gameday plan --json` prints it.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// All of one service and unit, in a place or everywhere: least and most.
    #[cfg(test)]
    pub(crate) fn total(&self, unit: (&str, &str), place: Option<Place>) -> (f64, f64) {
        let all = self.quantities.iter().filter(|quantity| {
            (quantity.service, quantity.unit) == unit && place.is_none_or(|place| quantity.place == place)
        });
        all.fold((0.0, 0.0), |(least, most), quantity| (least + quantity.least, most + quantity.most))
    }
}

impl Sizes {
    fn of(scenario: &Scenario) -> Self {
        let units = |bytes: Option<u32>, unit: f64| {
            bytes.map_or(1.0, |bytes| (f64::from(bytes) / unit).ceil().max(1.0))
        };
        Self {
            message_units: units(scenario.load.telemetry.as_ref().map(|load| load.bytes), 5_120.0),
            shadow_kb: units(scenario.load.shadow.as_ref().map(|load| load.bytes), 1_024.0),
        }
    }
}

fn creates(scenario: &Scenario) -> Vec<Made> {
    let made = |kind, place, count| Made { kind, place, count };
    let mut all = vec![
        made("stack", Place::Primary, 2),
        made("stack", Place::Secondary, 3),
        made("policy", Place::Primary, 2),
        made("policy", Place::Secondary, 3),
        made("health check", Place::Global, 2),
        made("hosted zone", Place::Global, 1),
        made("lease", Place::Secondary, 1),
    ];
    let provisions = scenario.step.iter().any(|step| matches!(step, Step::Provision(_)));
    let own = if provisions && scenario.fleet.pool.is_none() { scenario.fleet.devices } else { 0 };
    // Those of the health checks and of the observers come with the deployment.
    all.push(made("certificate", Place::Primary, own + 1));
    all.push(made("certificate", Place::Secondary, own + 2));
    if own > 0 {
        all.push(made("thing", Place::Primary, own));
        all.push(made("thing", Place::Secondary, own));
    }
    all
}

fn faults(step: &Step) -> Vec<&'static str> {
    match step {
        Step::Break(step) => step.faults.iter().map(|fault| fault.entry().name).collect(),
        _ => Vec::new(),
    }
}

fn planned_faults(step: &Step) -> Vec<PlannedFault> {
    let Step::Break(step) = step else { return Vec::new() };
    let planned = step.faults.iter().map(|fault| {
        let entry = fault.entry();
        PlannedFault {
            name: entry.name,
            label: entry.label,
            proof: entry.proof,
            cure_proof: entry.cure_proof,
            calls_known: calls::knows(entry.name),
        }
    });
    planned.collect()
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
            let faults: Vec<String> = step.faults.iter().map(Breakage::label).collect();
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

#[cfg(test)]
mod tests;
