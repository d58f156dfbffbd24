//! What a scenario asks of each quota: by phase and Region, how much of it comes together in a second at the most and in the mean.
//! [`super::headroom`] holds the peaks against quotas, and so does `gameday quota`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Caller, Phase, Place, Quantity,
    messages::{CHECKERS, Stay},
    quantity::unit,
};
use crate::cost::TRANSITIONS as PER_RECORD;

/// Codes of quotas that are not of one operation.
const CONNECTS: &str = gameday_report::record::Quota::CONNECTS;
const CONNECTIONS: &str = "L-75CAB723";
const INBOUND: &str = "L-4B33E451";
const OUTBOUND: &str = "L-FE4EDCF9";
const SUBSCRIBES: &str = "L-589D5E1D";
const SHADOWS: &str = "L-6CC6395A";
const RULES: &str = "L-5E9B88DA";
const WRITES: &str = "L-AB614373";
const READS: &str = "L-CF0CBE56";
const CONCURRENCY: &str = "L-B99A9384";
const HTTP: &str = "L-8A5B8E43";
const TRANSITIONS: &str = "L-AD9B4E93";
const LAMBDA_CALLS: &str = "twin:lambda-requests";
const ROUTE53_CALLS: &str = "twin:route53-requests";
/// Messages that the service publishes for a shadow's update, which count as inbound ones: accepted and documents.
const SHADOW_REPLIES: f64 = 2.0;
/// Filters of a device's SUBSCRIBE, each of which counts: answers to its shadow updates, good and bad.
const DEVICE_FILTERS: f64 = 2.0;
/// Runs of `capture` that the queue starts at a time: `MaximumConcurrency` in the replicator's templates.
const QUEUE_RUNS: f64 = 5.0;
/// Runs of a function on one shard of a stream at a time: `ParallelizationFactor`, in the primary and in the secondary.
const SHARD_RUNS: (f64, f64) = (1.0, 2.0);
/// Streams that the secondary reads: events and documents.
const STREAMS: f64 = 2.0;
/// Shards of a stream: a table on demand begins with four partitions, each of which takes so many writes a second.
const SHARDS_MIN: f64 = 4.0;
const SHARD_WRITES_PER_S: f64 = 1_000.0;
/// `repair` and `reconcile`, one run each.
const KEEPERS: f64 = 2.0;

/// What is summed up under one quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Limited {
    /// A quota of that code, and what it limits as a reader says it.
    Code(&'static str, &'static str),
    /// Calls of an operation of a service.
    Calls(&'static str, &'static str),
    /// AWS has no quota of its own for it; the text says why.
    Free(&'static str, &'static str),
}

impl Limited {
    /// As a reader says it.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Code(_, what) | Self::Calls(_, what) | Self::Free(what, _) => what,
        }
    }
}

const RECORDS: Limited = Limited::Free("stream records", "limited as rows written");

/// What is asked of one quota in one phase and place, by all callers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Demand {
    pub(crate) place: Place,
    pub(crate) phase: Phase,
    pub(crate) limited: Limited,
    /// The most in a second, or at a time, of what is timed.
    pub(crate) timed: Option<f64>,
    /// Calls of the phase that come one after another at a rate that nobody plans: no second can have more.
    pub(crate) untimed: f64,
    /// The mean over the phase: at its shortest or at its limit, whichever is more. None where the phase has no time.
    pub(crate) sustained: Option<f64>,
    /// Whether it counts what there is at a time, and not what there is in a second.
    pub(crate) is_level: bool,
}

/// A reconnect storm: the devices that come to a Region when all of them move.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Influx {
    pub(crate) phase: Phase,
    pub(crate) place: Place,
    pub(crate) devices: f64,
    /// CONNECTs a second of devices that see at the same moment that they have to move.
    pub(crate) per_s: f64,
    /// CONNECTs a second of everybody else, all the time: of health checks.
    pub(crate) others_per_s: f64,
}

/// How long each phase is, at the least and at the most.
pub(super) type Phases = BTreeMap<Phase, (f64, f64)>;

/// What comes together in a phase.
#[derive(Debug, Default)]
struct Sum {
    /// The harness has one pace for all its calls of an operation.
    harness_per_s: f64,
    others_per_s: f64,
    is_timed: bool,
    untimed: f64,
    least: f64,
    most: f64,
}

impl Sum {
    fn add(&mut self, quantity: &Quantity, times: f64) {
        self.least += quantity.least * times;
        self.most += quantity.most * times;
        let Some(per_s) = quantity.peak_per_s.map(|per_s| per_s * times) else {
            self.untimed += quantity.most * times;
            return;
        };
        self.is_timed = true;
        if quantity.caller == Caller::Harness && quantity.is_call() {
            self.harness_per_s = self.harness_per_s.max(per_s);
        } else {
            self.others_per_s += per_s;
        }
    }

    fn demand(&self, place: Place, phase: Phase, limited: Limited, time: Option<(f64, f64)>) -> Demand {
        let timed = self.is_timed.then_some(self.harness_per_s + self.others_per_s);
        let mean = |count: f64, seconds: f64| if seconds > 0.0 { count / seconds } else { 0.0 };
        // A mean is never above what comes together at the most, also where a step ends before its time.
        let peak = timed.map_or(f64::MAX, |timed| timed + self.untimed);
        let sustained =
            time.map(|(least_s, most_s)| mean(self.least, least_s).max(mean(self.most, most_s)).min(peak));
        Demand { place, phase, limited, timed, untimed: self.untimed, sustained, is_level: false }
    }
}

/// Under which quotas a quantity counts, and how much of it.
fn limited(quantity: &Quantity) -> Vec<(Limited, f64)> {
    let messages = Limited::Code(INBOUND, "inbound messages");
    let shadows = Limited::Code(SHADOWS, "shadow requests");
    let written = Limited::Code(WRITES, "rows written");
    match (quantity.service, quantity.unit) {
        unit::CONNECT => vec![(Limited::Code(CONNECTS, "CONNECT"), 1.0)],
        unit::SUBSCRIBE => {
            let filters = if quantity.caller == Caller::Devices { DEVICE_FILTERS } else { 1.0 };
            vec![(Limited::Code(SUBSCRIBES, "SUBSCRIBE"), filters)]
        }
        unit::PUBLISH => vec![(messages, 1.0)],
        unit::DELIVERY => vec![(Limited::Code(OUTBOUND, "outbound messages"), 1.0)],
        unit::SHADOW_UPDATE | ("iotdata", "UpdateThingShadow") => {
            vec![(shadows, 1.0), (messages, SHADOW_REPLIES)]
        }
        ("iotdata", _) => vec![(shadows, 1.0)],
        unit::RULE_EVALUATION => vec![(Limited::Code(RULES, "rule evaluations"), 1.0)],
        unit::RULE_ACTION => {
            vec![(Limited::Free("rule actions", "limited as rule evaluations and rows"), 1.0)]
        }
        unit::STREAM_RECORD => vec![(RECORDS, 1.0)],
        unit::ROW | unit::REPLICATED_ROW | ("dynamodb", "PutItem" | "UpdateItem") => vec![(written, 1.0)],
        ("dynamodb", "GetItem" | "Scan") => vec![(Limited::Code(READS, "rows read"), 1.0)],
        unit::CHECK_REQUEST => vec![(Limited::Code(HTTP, "health check requests"), 1.0)],
        // What runs at a time is limited, and said below.
        unit::INVOCATION | unit::TRANSITION | unit::CONNECTION_S => Vec::new(),
        unit::DNS_QUERY => vec![(Limited::Free("DNS questions", "Route 53 answers all"), 1.0)],
        ("sqs", "SendMessage") => {
            vec![(Limited::Free("SendMessage", "AWS sets no limit for standard queues"), 1.0)]
        }
        ("route53", _) => vec![(Limited::Code(ROUTE53_CALLS, "Route 53 calls"), 1.0)],
        ("lambda", _) => vec![(Limited::Code(LAMBDA_CALLS, "Lambda API calls"), 1.0)],
        (service, operation) => vec![(Limited::Calls(service, operation), 1.0)],
    }
}

/// All of them, by place, quota and phase.
pub(super) fn all(quantities: &[Quantity], stays: &[Stay], phases: &Phases) -> Vec<Demand> {
    let mut sums: BTreeMap<(Place, Limited, Phase), Sum> = BTreeMap::new();
    for quantity in quantities {
        for (limited, times) in limited(quantity) {
            sums.entry((quantity.place, limited, quantity.phase)).or_default().add(quantity, times);
        }
    }
    let mut all: Vec<Demand> = sums
        .into_iter()
        .map(|((place, limited, phase), sum)| sum.demand(place, phase, limited, phases.get(&phase).copied()))
        .collect();
    all.extend(stays.iter().filter(|stay| stay.devices > 0.0).map(|stay| {
        let limited = Limited::Code(CONNECTIONS, "connections");
        level(stay.place, stay.phase, limited, stay.devices)
    }));
    all.extend(phases.keys().flat_map(|phase| runs(quantities, *phase)));
    all
}

/// Functions that run at a time in a phase: what reads the queue and each shard of the streams, and a run each health checker.
fn runs(quantities: &[Quantity], phase: Phase) -> [Demand; 2] {
    let in_phase = || quantities.iter().filter(move |quantity| quantity.phase == phase);
    let rows_per_s: f64 = in_phase()
        .filter(|quantity| (quantity.service, quantity.unit) == unit::REPLICATED_ROW)
        .filter_map(|quantity| quantity.peak_per_s)
        .sum();
    let shards =
        if rows_per_s > 0.0 { (rows_per_s / SHARD_WRITES_PER_S).ceil().max(SHARDS_MIN) } else { 0.0 };
    let queue = if phase == Phase::Provision && shards > 0.0 { QUEUE_RUNS } else { 0.0 };
    let limited = Limited::Code(CONCURRENCY, "functions");
    let primary = CHECKERS + queue + shards * SHARD_RUNS.0;
    let secondary = CHECKERS + KEEPERS + shards * SHARD_RUNS.1 * STREAMS;
    [(Place::Primary, primary), (Place::Secondary, secondary)]
        .map(|(place, most)| level(place, phase, limited, most))
}

fn level(place: Place, phase: Phase, limited: Limited, most: f64) -> Demand {
    Demand { place, phase, limited, timed: Some(most), untimed: 0.0, sustained: Some(most), is_level: true }
}

/// What comes on top where a workflow applies each record: an execution, and its transitions.
pub(crate) fn of_workflow(demands: &[Demand]) -> Vec<Demand> {
    let records =
        demands.iter().filter(|demand| demand.place == Place::Secondary && demand.limited == RECORDS);
    let times = |demand: &Demand, limited, times: f64| Demand {
        limited,
        timed: demand.timed.map(|timed| timed * times),
        untimed: demand.untimed * times,
        sustained: demand.sustained.map(|sustained| sustained * times),
        ..*demand
    };
    let both = |demand: &Demand| {
        let executions = Limited::Calls("states", "StartExecution");
        [
            times(demand, executions, 1.0),
            times(demand, Limited::Code(TRANSITIONS, "state transitions"), PER_RECORD),
        ]
    };
    records.flat_map(both).collect()
}

/// The storms of a scenario, by phase.
pub(super) fn influxes(quantities: &[Quantity], stays: &[Stay]) -> Vec<Influx> {
    let storms = stays
        .iter()
        .filter(|stay| matches!(stay.phase, Phase::Failover | Phase::Failback) && stay.arrivals.1 > 0.0);
    let influx = |stay: &Stay| {
        let others = quantities.iter().filter(|quantity| {
            (quantity.service, quantity.unit) == unit::CONNECT
                && (quantity.phase, quantity.place) == (stay.phase, stay.place)
                && quantity.caller != Caller::Devices
        });
        Influx {
            phase: stay.phase,
            place: stay.place,
            devices: stay.arrivals.1,
            per_s: stay.arrivals_per_s,
            others_per_s: others.filter_map(|quantity| quantity.peak_per_s).sum(),
        }
    };
    storms.map(influx).collect()
}
