//! What devices say, and what follows from it: connections, messages, shadow updates, topic rules, rows of the event table, records
//! of its streams, functions. Counts are between two bounds: each step at its least time and at its limit.

use std::collections::BTreeMap;

use super::{
    Caller, Observation, Phase, Place,
    phase::{PlannedStep, made_per_s},
    quantity::{Quantity, unit},
};
use crate::{
    aws::Pace,
    scenario::{Scenario, Step, Strategy},
};

/// Checkers of a Route 53 health check, each with its own interval.
pub(crate) const CHECKERS: f64 = 16.0;
/// Records that a function is given at once, at the most: `BatchSize` in the replicator's templates.
pub(crate) const STREAM_BATCH: f64 = 100.0;
const QUEUE_BATCH: f64 = 10.0;
/// Between two runs of `repair`.
const REPAIR_S: f64 = 60.0;
/// Calls of the state table for a shadow update: the key is taken, and what was applied is written down.
pub(crate) const STATE_WRITES: f64 = 2.0;
/// Rows that `capture` writes of a device: its principals, and its certificate.
const DOCUMENTS: f64 = 2.0;

/// Faults with which devices stay where they are.
const HARMLESS: [&str; 1] = ["replication-paused"];
/// Faults with which nothing reaches the primary.
const DARK: &str = "primary-region-dark";

/// How long how many devices are somewhere, in one phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stay {
    pub(super) phase: Phase,
    pub(super) place: Place,
    /// Devices times seconds.
    device_s: (f64, f64),
    /// Devices that come there in this phase, and how many in a second.
    pub(super) arrivals: (f64, f64),
    pub(super) arrivals_per_s: f64,
    /// Devices that are there at the most.
    pub(super) devices: f64,
}

/// Where devices are in each phase.
pub(super) fn stays(scenario: &Scenario, steps: &[PlannedStep], faults: &[&str]) -> Vec<Stay> {
    let Some(connect) = scenario.step.iter().find_map(|step| match step {
        Step::Connect(connect) => Some(connect),
        _ => None,
    }) else {
        return Vec::new();
    };
    let devices = f64::from(scenario.fleet.devices);
    let harmless = !faults.is_empty() && faults.iter().all(|fault| HARMLESS.contains(fault));
    let dark = faults.contains(&DARK);
    let mut stays = Vec::new();
    for phase in [Phase::Load, Phase::Failover, Phase::Failback] {
        let talking = steps.iter().filter(|step| step.phase == phase && step.talks);
        let (mut wait, mut held, mut waits) = ((0.0, 0.0), (0.0, 0.0), false);
        for step in talking {
            waits |= step.waits;
            let sum = if step.is_hold { &mut held } else { &mut wait };
            *sum = (sum.0 + step.least_s, sum.1 + step.most_s);
        }
        if wait.1 + held.1 == 0.0 {
            continue;
        }
        let all = (wait.0 + held.0, wait.1 + held.1);
        let mut stay = |place, device_s, arrivals, arrivals_per_s, devices| {
            stays.push(Stay { phase, place, device_s, arrivals, arrivals_per_s, devices });
        };
        let none = (0.0, 0.0);
        match phase {
            Phase::Load => {
                let rate = f64::from(connect.rate_per_s).min(devices);
                // They come one after another.
                let coming = devices * wait.0 / 2.0;
                stay(
                    Place::Primary,
                    (coming + devices * held.0, devices * all.1),
                    (devices, devices),
                    rate,
                    devices,
                );
            }
            _ if harmless => {
                stay(Place::Primary, (devices * all.0, devices * all.1), none, 0.0, devices);
            }
            Phase::Failover => {
                let storm = storm_per_s(scenario, failover_spread_s);
                let left = if dark { 0.0 } else { devices * if waits { wait.1 } else { all.1 } };
                stay(Place::Primary, (0.0, left), none, 0.0, if dark { 0.0 } else { devices });
                let least = if waits { devices } else { 0.0 };
                stay(Place::Secondary, (least * held.0, devices * all.1), (least, devices), storm, devices);
            }
            _ => {
                let back = coming_home(scenario);
                let away = devices - back;
                let (home, storm) =
                    (if waits { back } else { 0.0 }, storm_per_s(scenario, failback_spread_s));
                stay(Place::Primary, (home * held.0, back * all.1), (home, back), storm, back);
                let still = away * all.1 + back * if waits { wait.1 } else { all.1 };
                let from = if waits { away * all.0 } else { 0.0 };
                stay(Place::Secondary, (from, still), none, 0.0, devices);
            }
        }
    }
    stays
}

/// Devices whose strategy brings them home.
fn coming_home(scenario: &Scenario) -> f64 {
    let strategies = scenario.fleet.strategy.recorded(scenario.fleet.devices);
    strategies.iter().filter(|strategy| strategy.fails_back).map(|strategy| f64::from(strategy.devices)).sum()
}

/// Devices that come in a second, when all of them move: those of each strategy, spread as they find out.
fn storm_per_s(scenario: &Scenario, spread_s: impl Fn(&Scenario, &Strategy) -> f64) -> f64 {
    let counts = scenario.fleet.strategy.counts(scenario.fleet.devices);
    let all = scenario.fleet.strategy.shares().into_iter().zip(counts);
    all.map(|((_, strategy), count)| f64::from(count) / spread_s(scenario, strategy).max(1.0)).sum()
}

/// Questions for the fleet's name in a second: of devices that follow it.
pub(crate) fn queries_per_s(scenario: &Scenario) -> f64 {
    let counts = scenario.fleet.strategy.counts(scenario.fleet.devices);
    let all = scenario.fleet.strategy.shares().into_iter().zip(counts);
    all.map(|((_, strategy), count)| match strategy {
        Strategy::Cname(cname) => f64::from(count) / asked_s(scenario, *cname.every),
        Strategy::Sticky(sticky) => {
            sticky.every.map_or(0.0, |every| f64::from(count) / asked_s(scenario, *every))
        }
        Strategy::DualEndpoint(_) => 0.0,
    })
    .sum()
}

/// Devices that follow the name ask each period, and not before the answer that they have has run out.
fn asked_s(scenario: &Scenario, every: std::time::Duration) -> f64 {
    every.max(*scenario.dns.ttl).as_secs_f64()
}

fn failover_spread_s(scenario: &Scenario, strategy: &Strategy) -> f64 {
    let heard = [
        scenario.load.telemetry.as_ref().map(|load| *load.every),
        scenario.load.shadow.as_ref().map(|load| *load.every),
    ];
    match strategy {
        Strategy::Cname(cname) => asked_s(scenario, *cname.every),
        Strategy::Sticky(sticky) if let Some(every) = sticky.every => asked_s(scenario, *every),
        // A keep-alive and a half after they last heard of the broker: as far apart as that was.
        Strategy::DualEndpoint(_) | Strategy::Sticky(_) => {
            heard.into_iter().flatten().fold(*scenario.fleet.keep_alive, std::cmp::min).as_secs_f64()
        }
    }
}

fn failback_spread_s(scenario: &Scenario, strategy: &Strategy) -> f64 {
    match strategy {
        Strategy::Cname(cname) => asked_s(scenario, *cname.every),
        Strategy::DualEndpoint(dual) => dual.probe.as_secs_f64(),
        Strategy::Sticky(_) => f64::MAX,
    }
}

/// Messages and all that follows from them.
pub(super) struct Messages<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) pace: &'a Pace,
    pub(super) stays: &'a [Stay],
    pub(super) observation: Option<Observation>,
    /// How long each phase is.
    pub(super) phases: &'a BTreeMap<Phase, (f64, f64)>,
}

impl Messages<'_> {
    pub(super) fn quantities(&self) -> Vec<Quantity> {
        let mut all = Vec::new();
        for stay in self.stays {
            self.devices(stay, &mut all);
        }
        self.observers(&mut all);
        self.registry(&mut all);
        for (phase, time) in self.phases {
            self.health_checks(*phase, *time, &mut all);
            let (at, by) = ((*phase, Place::Secondary), Caller::Replicator);
            let repairs = (0.0, (time.1 / REPAIR_S).ceil());
            add(&mut all, at, by, unit::INVOCATION, repairs, None);
            add(&mut all, at, by, ("dynamodb", "Scan"), repairs, None);
        }
        all
    }

    /// One device's messages and shadow updates a second, least and most: a ramp begins with another rate.
    fn rates(&self) -> [(f64, f64); 2] {
        let load = &self.scenario.load;
        let from = load.ramp.as_ref().map_or(1.0, |ramp| ramp.from);
        let each = |every: Option<std::time::Duration>| {
            let rate = every.map_or(0.0, |every| 1.0 / every.as_secs_f64());
            (rate * from.min(1.0), rate * from.max(1.0))
        };
        [each(load.telemetry.as_ref().map(|t| *t.every)), each(load.shadow.as_ref().map(|s| *s.every))]
    }

    fn devices(&self, stay: &Stay, all: &mut Vec<Quantity>) {
        let [telemetry, shadow] = self.rates();
        // A device's schedule begins somewhere in its period: one more or one less each.
        let sent = |rate: (f64, f64)| {
            let edge = if rate.1 > 0.0 { stay.devices } else { 0.0 };
            (
                (stay.device_s.0 * rate.0 - edge).max(0.0),
                stay.device_s.1 * rate.1 + if stay.device_s.1 > 0.0 { edge } else { 0.0 },
            )
        };
        let (messages, updates) = (sent(telemetry), sent(shadow));
        let at = (stay.phase, stay.place);
        let by = Caller::Devices;
        let storm = (stay.arrivals.1 > 0.0).then_some(stay.arrivals_per_s);
        add(all, at, by, unit::CONNECT, stay.arrivals, storm);
        add(all, at, by, unit::SUBSCRIBE, stay.arrivals, storm);
        add(all, at, by, unit::CONNECTION_S, stay.device_s, None);
        let queries_per_s = queries_per_s(self.scenario);
        let share = stay.device_s.1 / f64::from(self.scenario.fleet.devices);
        add(all, (stay.phase, Place::Global), by, unit::DNS_QUERY, (0.0, share * queries_per_s), None);
        let updates_per_s = stay.devices * shadow.1;
        // The first message of a connection is sent at once.
        let published = (messages.0 + updates.0 + stay.arrivals.0, messages.1 + updates.1 + stay.arrivals.1);
        let published_per_s = stay.devices * telemetry.1 + updates_per_s + stay.arrivals_per_s;
        add(all, at, by, unit::PUBLISH, published, Some(published_per_s));
        add(all, at, by, unit::SHADOW_UPDATE, updates, Some(updates_per_s));
        // A device hears of its updates' acceptance.
        add(all, at, by, unit::DELIVERY, updates, Some(updates_per_s));
        let seen = self.observation.map_or(0.0, |o| f64::from(o.observed) / f64::from(o.devices.max(1)));
        let times = |(least, most): (f64, f64), by: f64| (least * by, most * by);
        if stay.place == Place::Primary {
            replicated(stay.phase, updates, updates_per_s, Caller::Devices, all);
            let state = times(updates, STATE_WRITES);
            let (there, by) = ((stay.phase, Place::Secondary), Caller::Replicator);
            // One that finds another version is made anew.
            let (least, most) = updates;
            let tried = (least, most + if most > 0.0 { stay.devices } else { 0.0 });
            add(all, there, by, ("iotdata", "UpdateThingShadow"), tried, Some(updates_per_s));
            add(all, there, by, ("dynamodb", "UpdateItem"), state, Some(updates_per_s * STATE_WRITES));
            add(
                all,
                there,
                Caller::Harness,
                unit::DELIVERY,
                times(updates, seen),
                Some(updates_per_s * seen),
            );
        } else {
            let by = Caller::Harness;
            add(all, at, by, unit::DELIVERY, times(updates, seen), Some(updates_per_s * seen));
        }
    }

    /// Events of new devices, and what `capture` writes of them.
    fn registry(&self, all: &mut Vec<Quantity>) {
        let provisions = self.scenario.step.iter().any(|step| matches!(step, Step::Provision(_)));
        if !provisions || self.scenario.fleet.pool.is_some() {
            return;
        }
        let made = f64::from(self.scenario.fleet.devices);
        let per_s = made_per_s(self.pace).min(made);
        let phase = Phase::Provision;
        replicated(phase, (made, made), per_s, Caller::Devices, all);
        let documents = (made * DOCUMENTS, made * DOCUMENTS);
        replicated(phase, documents, per_s * DOCUMENTS, Caller::Replicator, all);
        let queue = ((made / QUEUE_BATCH).ceil(), made);
        add(all, (phase, Place::Primary), Caller::Replicator, unit::INVOCATION, queue, None);
    }

    fn observers(&self, all: &mut Vec<Quantity>) {
        let Some(observation) = self.observation else { return };
        let observers = f64::from(observation.observers);
        let (at, by) = ((Phase::Deploy, Place::Secondary), Caller::Harness);
        add(all, at, by, unit::CONNECT, (observers, observers), None);
        add(
            all,
            at,
            by,
            unit::SUBSCRIBE,
            (observers, observers * f64::from(observation.devices_per_observer)),
            None,
        );
    }

    /// Each checker asks by HTTPS; the function behind connects, subscribes, sends two messages and hears them.
    fn health_checks(&self, phase: Phase, time: (f64, f64), all: &mut Vec<Quantity>) {
        let per_s = CHECKERS / self.scenario.dns.health_check.interval.as_secs_f64();
        for place in [Place::Primary, Place::Secondary] {
            let is_broken = place == Place::Primary && matches!(phase, Phase::Failover | Phase::Failback);
            let asked = (if is_broken { 0.0 } else { time.0 * per_s - CHECKERS }, time.1 * per_s + CHECKERS);
            let asked = (asked.0.max(0.0), asked.1);
            let (at, by) = ((phase, place), Caller::HealthCheckers);
            let twice = (asked.0 * 2.0, asked.1 * 2.0);
            for unit in [unit::CHECK_REQUEST, unit::INVOCATION, unit::CONNECT, unit::SUBSCRIBE] {
                add(all, at, by, unit, asked, Some(per_s));
            }
            for unit in [unit::PUBLISH, unit::DELIVERY] {
                add(all, at, by, unit, twice, Some(per_s * 2.0));
            }
        }
    }
}

/// What an event costs on its way: rule, row, replica, two streams, and the functions that read them.
fn replicated(phase: Phase, events: (f64, f64), per_s: f64, by: Caller, all: &mut Vec<Quantity>) {
    let (here, there) = ((phase, Place::Primary), (phase, Place::Secondary));
    // Documents are rows too, and no rule writes them.
    if by == Caller::Devices {
        for unit in [unit::RULE_EVALUATION, unit::RULE_ACTION, unit::ROW] {
            add(all, here, Caller::Replicator, unit, events, Some(per_s));
        }
    }
    for at in [here, there] {
        add(all, at, Caller::Replicator, unit::STREAM_RECORD, events, Some(per_s));
        let invocations = ((events.0 / STREAM_BATCH).ceil(), events.1);
        add(all, at, Caller::Replicator, unit::INVOCATION, invocations, None);
    }
    add(all, there, Caller::Replicator, unit::REPLICATED_ROW, events, Some(per_s));
}

fn add(
    all: &mut Vec<Quantity>,
    (phase, place): (Phase, Place),
    caller: Caller,
    (service, unit): (&'static str, &'static str),
    (least, most): (f64, f64),
    peak_per_s: Option<f64>,
) {
    if most <= 0.0 {
        return;
    }
    all.push(Quantity { phase, place, caller, service, unit, least, most, peak_per_s });
}
