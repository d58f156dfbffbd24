//! A month of the replicator: what a fleet that is there does to it, and what it costs though nothing happens.

use clap::ValueEnum;
use serde::Serialize;

use super::{
    price::Item,
    usage::{CHARGED, HEALTH_GB_S, QUEUE_CALLS, REPLICATOR_GB_S, ROW_KB, Usage},
};
use crate::{
    plan::{CHECKERS, Plan, STATE_WRITES, STREAM_BATCH, queries_per_s, replicator_calls_of_a_device},
    scenario::Scenario,
};

/// Seconds of a month, as AWS counts 730 hours.
const MONTH_S: f64 = 730.0 * 3_600.0;
const REPAIR_S: f64 = 60.0;
const RECONCILE_S: f64 = 1_800.0;
/// A run of `reconcile` goes on for so long at the most, at 256 MB.
const RECONCILE_GB_S: f64 = 0.25 * 300.0;
/// Transitions of an execution: the choice and its task. Tries that follow are not counted.
pub(crate) const TRANSITIONS: f64 = 2.0;
/// CONNECT, SUBSCRIBE, two messages, both delivered and acknowledged.
const PROBE_MESSAGES: f64 = 8.0;

/// How events come to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dispatch {
    Direct,
    Workflow,
}

/// What happens in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Month {
    /// Devices that are made.
    pub(crate) new_devices: f64,
    /// Updates of shadows in the primary.
    pub(crate) shadow_updates: f64,
    /// 1 KB units of a shadow.
    pub(crate) shadow_kb: f64,
    /// Questions for the fleet's name, were none answered on the way.
    pub(crate) dns_queries_max: f64,
    /// Between the requests of a health checker.
    pub(crate) check_interval_s: f64,
}

impl Month {
    /// Of a scenario's fleet, made once and at its load all the time.
    pub(crate) fn of(scenario: &Scenario, plan: &Plan) -> Self {
        Self {
            new_devices: f64::from(plan.devices),
            shadow_updates: plan.shadow_updates_per_s * MONTH_S,
            shadow_kb: plan.sizes.shadow_kb,
            dns_queries_max: queries_per_s(scenario) * MONTH_S,
            check_interval_s: scenario.dns.health_check.interval.as_secs_f64(),
        }
    }

    /// What it takes.
    pub(crate) fn usage(&self, dispatch: Dispatch) -> Usage {
        let mut usage = Usage::default();
        // An event of each new device and of each update; and the documents of new devices, rows that no rule writes.
        let events = self.shadow_updates + self.new_devices;
        usage.exactly(Item::IotRule, events);
        usage.exactly(Item::IotAction, events);
        let mut rows = events;
        let mut state_writes = self.shadow_updates * STATE_WRITES;
        let mut queued = 0.0;
        for (service, operation, count) in replicator_calls_of_a_device() {
            let calls = count * self.new_devices;
            match (service, operation) {
                ("iot", operation) if CHARGED.contains(&operation) => {
                    usage.exactly(Item::IotOperation, calls);
                }
                ("dynamodb", "PutItem") => rows += calls,
                ("dynamodb", "UpdateItem") => state_writes += calls,
                ("dynamodb", "GetItem") => usage.exactly(Item::DynamodbRead, calls),
                ("sqs", "SendMessage") => queued += calls,
                _ => {}
            }
        }
        usage.exactly(Item::IotOperation, self.shadow_updates * self.shadow_kb);
        usage.exactly(Item::DynamodbReplicatedWrite, rows * ROW_KB * 2.0);
        usage.exactly(Item::DynamodbWrite, state_writes);
        usage.exactly(Item::SqsRequest, queued * QUEUE_CALLS);
        // Streams are read in batches: full ones at the best, of one record each at the worst. `capture` reads the primary's.
        let batches = (rows / STREAM_BATCH, rows);
        let mut runs = (batches.0 * 2.0 + queued / 10.0, batches.1 * 2.0 + queued);
        if dispatch == Dispatch::Workflow {
            usage.exactly(Item::StatesTransition, rows * TRANSITIONS);
            runs = (runs.0 + rows, runs.1 + rows);
        }
        let repairs = MONTH_S / REPAIR_S;
        runs = (runs.0 + repairs, runs.1 + repairs);
        usage.exactly(Item::DynamodbRead, repairs);
        usage.add(Item::LambdaRequest, runs);
        usage.add(Item::LambdaGbSecond, (runs.0 * REPLICATOR_GB_S, runs.1 * REPLICATOR_GB_S));
        usage.add(Item::Route53Query, (0.0, self.dns_queries_max));
        let reconciles = MONTH_S / RECONCILE_S;
        usage.exactly(Item::LambdaRequest, reconciles);
        usage.add(Item::LambdaGbSecond, (reconciles * REPLICATOR_GB_S, reconciles * RECONCILE_GB_S));
        self.health_checks(&mut usage);
        usage
    }

    /// Two health checks by HTTPS, and the zone of the fleet's name.
    fn health_checks(&self, usage: &mut Usage) {
        let probes = 2.0 * CHECKERS * MONTH_S / self.check_interval_s;
        usage.exactly(Item::ApigatewayRequest, probes);
        usage.exactly(Item::LambdaRequest, probes);
        usage.exactly(Item::LambdaGbSecond, probes * HEALTH_GB_S);
        usage.exactly(Item::IotMessage, probes * PROBE_MESSAGES);
        usage.exactly(Item::Route53Check, 2.0);
        // HTTPS and latency; a fast interval is another one.
        let options = if self.check_interval_s < 30.0 { 3.0 } else { 2.0 };
        usage.exactly(Item::Route53CheckOption, 2.0 * options);
        usage.exactly(Item::Route53Zone, 1.0);
    }
}
