//! The one table of API calls: what is called for each device, shadow update and run, by whom, where and in which phase. A test
//! runs a game day and holds every row against what the twin counted.

use super::{
    Place,
    phase::{CAPTURE_WAIT_S, Phase, deleted_per_s, made_per_s},
    quantity::{Caller, Quantity},
};
use crate::{
    aws::Pace,
    lease::RENEWAL,
    preflight,
    scenario::{Scenario, Step},
};

/// A device is looked for in the secondary this often.
const POLL_S: f64 = 0.05;
/// When something is left, the run looks for it again, so often in all.
const SWEEPS_MAX: f64 = 3.0;
/// Things, policies, certificates of one answer.
const PAGE: f64 = 250.0;
/// A stack that is made or deleted is looked at so often at the most.
const LOOKS_MAX: f64 = 120.0;
const ABOUT: f64 = 0.25;
/// Renewals of the lease beside those of the steps.
const RENEWALS_BESIDE: f64 = 4.0;
/// A shadow that another wrote in between is read again.
const TRIES_MAX: f64 = 2.0;

/// What a count is of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Per {
    /// The run.
    Run,
    /// The run, and again for each time that something was found to be left.
    Sweep,
    /// The same for each page of the fleet.
    SweepPage,
    /// Each stack of the Region: looked at until it is done.
    Stack,
    /// Each device that is made, and deleted again. One of a fleet that stays is neither.
    Made,
    /// The same, a quarter more or less: events of a device that come together are looked at together.
    MadeAbout,
    /// Each device that is confirmed to be connectable.
    Device,
    /// The same, looked for until it is there: from once to as often as the quota lets, for the time of the step.
    Awaited,
    /// Each device that a readiness step looks at.
    Looked,
    /// Each device that writes shadows.
    Writer,
    /// Each second of the run.
    Second,
    /// The run, on a target that does not end with it.
    Shared,
    /// The same, each time that the lease is renewed.
    Renewed,
    /// Each device of a fleet that stays that pre-flight draws.
    Drawn,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
struct Row {
    phase: Phase,
    caller: Caller,
    place: Place,
    service: &'static str,
    operation: &'static str,
    per: Per,
    count: f64,
}

use Caller::{CloudFormation, Harness, Replicator};
use Per::{
    Awaited, Device, Drawn, Looked, Made, MadeAbout, Renewed, Run, Second, Shared, Stack, Sweep, SweepPage,
    Writer,
};
use Phase::{Deploy, Load, Preflight, Provision, Undo};
use Place::{Global, Primary, Secondary};

const fn row(
    (phase, caller, place): (Phase, Caller, Place),
    (service, operation): (&'static str, &'static str),
    per: Per,
    count: f64,
) -> Row {
    Row { phase, caller, place, service, operation, per, count }
}

const IOT: &str = "iot";
const DATA: &str = "iotdata";

/// Calls whose number does not depend on what the devices say. Those of each shadow update are in `messages`.
const TABLE: &[Row] = &[
    // What is looked at before anything is changed. What is listed may be more pages, of an account that has more.
    row((Preflight, Harness, Primary), ("sts", "GetCallerIdentity"), Run, 1.0),
    row((Preflight, Harness, Primary), (IOT, "DescribeEndpoint"), Run, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "DescribeEndpoint"), Run, 1.0),
    row((Preflight, Harness, Primary), (IOT, "DescribeEventConfigurations"), Run, 1.0),
    row((Preflight, Harness, Primary), (IOT, "ListThings"), Run, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "ListThings"), Run, 1.0),
    row((Preflight, Harness, Primary), (IOT, "ListPolicies"), Run, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "ListPolicies"), Run, 1.0),
    row((Preflight, Harness, Primary), (IOT, "DescribeThingGroup"), Run, 2.0),
    row((Preflight, Harness, Secondary), (IOT, "DescribeThingGroup"), Run, 2.0),
    row((Preflight, Harness, Primary), (IOT, "DescribeThingGroup"), Shared, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "DescribeThingGroup"), Shared, 1.0),
    row((Preflight, Harness, Primary), ("cloudformation", "DescribeStacks"), Run, 1.0),
    row((Preflight, Harness, Secondary), ("cloudformation", "DescribeStacks"), Run, 2.0),
    row((Preflight, Harness, Global), ("route53", "ListHostedZones"), Run, 1.0),
    row((Preflight, Harness, Secondary), ("servicequotas", "ListServiceQuotas"), Run, 1.0),
    row((Preflight, Harness, Primary), (IOT, "DescribeThing"), Drawn, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "DescribeThing"), Drawn, 1.0),
    row((Preflight, Harness, Primary), (IOT, "ListThingPrincipals"), Drawn, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "ListThingPrincipals"), Drawn, 1.0),
    row((Preflight, Harness, Primary), (IOT, "DescribeCertificate"), Drawn, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "DescribeCertificate"), Drawn, 1.0),
    row((Preflight, Harness, Primary), (IOT, "ListAttachedPolicies"), Drawn, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "ListAttachedPolicies"), Drawn, 1.0),
    row((Preflight, Harness, Primary), (IOT, "ListThingGroupsForThing"), Drawn, 1.0),
    row((Preflight, Harness, Secondary), (IOT, "ListThingGroupsForThing"), Drawn, 1.0),
    // The lease.
    row((Deploy, Harness, Primary), (IOT, "DescribeThingGroup"), Shared, 1.0),
    row((Deploy, Harness, Secondary), (IOT, "DescribeThingGroup"), Shared, 2.0),
    row((Deploy, Harness, Secondary), (IOT, "CreateThingGroup"), Shared, 1.0),
    row((Load, Harness, Secondary), (IOT, "UpdateThingGroup"), Renewed, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DescribeThingGroup"), Shared, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DeleteThingGroup"), Shared, 1.0),
    // The deployment.
    row((Deploy, Harness, Primary), (IOT, "DescribeEventConfigurations"), Run, 1.0),
    row((Deploy, Harness, Primary), (IOT, "UpdateEventConfigurations"), Run, 1.0),
    row((Deploy, Harness, Primary), (IOT, "ListTargetsForPolicy"), Run, 1.0),
    row((Deploy, Harness, Secondary), (IOT, "ListTargetsForPolicy"), Run, 1.0),
    row((Deploy, Harness, Primary), (IOT, "DeletePolicy"), Run, 1.0),
    row((Deploy, Harness, Secondary), (IOT, "DeletePolicy"), Run, 1.0),
    row((Deploy, Harness, Primary), (IOT, "CreatePolicy"), Run, 2.0),
    row((Deploy, Harness, Secondary), (IOT, "CreatePolicy"), Run, 2.0),
    row((Deploy, Harness, Primary), (IOT, "CreateCertificateFromCsr"), Run, 1.0),
    row((Deploy, Harness, Secondary), (IOT, "CreateCertificateFromCsr"), Run, 2.0),
    row((Deploy, Harness, Primary), (IOT, "AttachPolicy"), Run, 1.0),
    row((Deploy, Harness, Secondary), (IOT, "AttachPolicy"), Run, 2.0),
    row((Deploy, Harness, Global), ("route53", "CreateHostedZone"), Run, 1.0),
    row((Deploy, Harness, Global), ("route53", "ChangeResourceRecordSets"), Run, 1.0),
    row((Deploy, Harness, Primary), ("cloudformation", "CreateStack"), Run, 2.0),
    row((Deploy, Harness, Secondary), ("cloudformation", "CreateStack"), Run, 3.0),
    row((Deploy, Harness, Primary), ("cloudformation", "DescribeStacks"), Stack, 2.0),
    row((Deploy, Harness, Secondary), ("cloudformation", "DescribeStacks"), Stack, 3.0),
    row((Deploy, Harness, Primary), ("cloudformation", "DescribeStackEvents"), Stack, 2.0),
    row((Deploy, Harness, Secondary), ("cloudformation", "DescribeStackEvents"), Stack, 3.0),
    row((Deploy, Harness, Primary), ("dynamodb", "DescribeTable"), Run, 1.0),
    row((Deploy, CloudFormation, Primary), (IOT, "CreateTopicRule"), Run, 8.0),
    row((Deploy, CloudFormation, Primary), ("lambda", "CreateFunction"), Run, 3.0),
    row((Deploy, CloudFormation, Secondary), ("lambda", "CreateFunction"), Run, 3.0),
    row((Deploy, CloudFormation, Primary), ("lambda", "CreateEventSourceMapping"), Run, 2.0),
    row((Deploy, CloudFormation, Secondary), ("lambda", "CreateEventSourceMapping"), Run, 1.0),
    row((Deploy, CloudFormation, Primary), ("dynamodb", "CreateTable"), Run, 1.0),
    row((Deploy, CloudFormation, Secondary), ("dynamodb", "CreateTable"), Run, 3.0),
    row((Deploy, CloudFormation, Global), ("route53", "CreateHealthCheck"), Run, 2.0),
    // Each device is made,
    row((Provision, Harness, Primary), (IOT, "CreateCertificateFromCsr"), Made, 1.0),
    row((Provision, Harness, Primary), (IOT, "AttachPolicy"), Made, 1.0),
    row((Provision, Harness, Primary), (IOT, "CreateThing"), Made, 1.0),
    row((Provision, Harness, Primary), (IOT, "AttachThingPrincipal"), Made, 1.0),
    // looked at by the replicator,
    row((Provision, Replicator, Primary), (IOT, "ListThingPrincipals"), Made, 1.0),
    row((Provision, Replicator, Primary), (IOT, "DescribeCertificate"), Made, 1.0),
    row((Provision, Replicator, Primary), (IOT, "ListAttachedPolicies"), Made, 1.0),
    row((Provision, Replicator, Primary), (IOT, "GetPolicy"), Run, 3.0),
    row((Provision, Replicator, Primary), ("sqs", "SendMessage"), Made, 1.0),
    row((Provision, Replicator, Primary), ("dynamodb", "GetItem"), MadeAbout, 6.0),
    row((Provision, Replicator, Primary), ("dynamodb", "PutItem"), Made, 2.0),
    // made in the secondary,
    row((Provision, Replicator, Secondary), (IOT, "RegisterCertificateWithoutCA"), Made, 1.0),
    row((Provision, Replicator, Secondary), (IOT, "CreateThing"), Made, 1.0),
    row((Provision, Replicator, Secondary), (IOT, "AttachPolicy"), Made, 1.0),
    row((Provision, Replicator, Secondary), (IOT, "AttachThingPrincipal"), Made, 1.0),
    row((Provision, Replicator, Secondary), (IOT, "CreatePolicy"), Run, 1.0),
    row((Provision, Replicator, Secondary), ("dynamodb", "GetItem"), MadeAbout, 3.0),
    row((Provision, Replicator, Secondary), ("dynamodb", "UpdateItem"), MadeAbout, 7.0),
    // and seen to be connectable there.
    row((Provision, Harness, Secondary), (IOT, "DescribeThing"), Awaited, 1.0),
    row((Provision, Harness, Secondary), (IOT, "ListThingPrincipals"), Awaited, 1.0),
    row((Provision, Harness, Secondary), (IOT, "DescribeCertificate"), Device, 1.0),
    row((Provision, Harness, Secondary), (IOT, "ListAttachedPolicies"), Device, 1.0),
    // Readiness.
    row((Phase::Readiness, Harness, Primary), (IOT, "DescribeThing"), Looked, 1.0),
    row((Phase::Readiness, Harness, Secondary), (IOT, "DescribeThing"), Looked, 1.0),
    row((Phase::Readiness, Harness, Primary), (IOT, "ListThingPrincipals"), Looked, 1.0),
    row((Phase::Readiness, Harness, Secondary), (IOT, "ListThingPrincipals"), Looked, 1.0),
    row((Phase::Readiness, Harness, Primary), (IOT, "DescribeCertificate"), Looked, 1.0),
    row((Phase::Readiness, Harness, Secondary), (IOT, "DescribeCertificate"), Looked, 1.0),
    row((Phase::Readiness, Harness, Primary), (IOT, "ListAttachedPolicies"), Looked, 1.0),
    row((Phase::Readiness, Harness, Secondary), (IOT, "ListAttachedPolicies"), Looked, 1.0),
    row((Phase::Readiness, Harness, Primary), (IOT, "ListThingGroupsForThing"), Looked, 1.0),
    row((Phase::Readiness, Harness, Secondary), (IOT, "ListThingGroupsForThing"), Looked, 1.0),
    // The first update of each shadow.
    row((Load, Replicator, Secondary), (DATA, "GetThingShadow"), Writer, 1.0),
    // All the time.
    row((Load, Harness, Global), ("route53", "GetHealthCheckStatus"), Second, 2.0),
    // The undo: each device,
    row((Undo, Harness, Primary), (DATA, "DeleteThingShadow"), Made, 1.0),
    row((Undo, Harness, Secondary), (DATA, "DeleteThingShadow"), Made, 1.0),
    row((Undo, Harness, Primary), (IOT, "ListThingPrincipals"), Made, 1.0),
    row((Undo, Harness, Secondary), (IOT, "ListThingPrincipals"), Made, 1.0),
    row((Undo, Harness, Primary), (IOT, "DetachThingPrincipal"), Made, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DetachThingPrincipal"), Made, 1.0),
    row((Undo, Harness, Primary), (IOT, "DetachPolicy"), Made, 1.0),
    row((Undo, Harness, Primary), (IOT, "UpdateCertificate"), Made, 1.0),
    row((Undo, Harness, Secondary), (IOT, "UpdateCertificate"), Made, 1.0),
    row((Undo, Harness, Primary), (IOT, "DeleteCertificate"), Made, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DeleteCertificate"), Made, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DescribeCertificate"), Made, 1.0),
    row((Undo, Harness, Secondary), (IOT, "ListPrincipalThings"), Made, 1.0),
    row((Undo, Harness, Primary), (IOT, "DeleteThing"), Made, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DeleteThing"), Made, 1.0),
    // what was installed,
    row((Undo, Harness, Primary), (IOT, "UpdateEventConfigurations"), Run, 1.0),
    row((Undo, Harness, Primary), (IOT, "DetachPolicy"), Run, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DetachPolicy"), Run, 2.0),
    row((Undo, Harness, Primary), (IOT, "UpdateCertificate"), Run, 1.0),
    row((Undo, Harness, Secondary), (IOT, "UpdateCertificate"), Run, 3.0),
    row((Undo, Harness, Primary), (IOT, "DeleteCertificate"), Run, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DeleteCertificate"), Run, 2.0),
    row((Undo, Harness, Global), ("route53", "ListHostedZonesByName"), Sweep, 1.0),
    row((Undo, Harness, Global), ("route53", "ListResourceRecordSets"), Run, 1.0),
    row((Undo, Harness, Global), ("route53", "ChangeResourceRecordSets"), Run, 1.0),
    row((Undo, Harness, Global), ("route53", "DeleteHostedZone"), Run, 1.0),
    row((Undo, Harness, Primary), ("cloudformation", "DeleteStack"), Sweep, 2.0),
    row((Undo, Harness, Secondary), ("cloudformation", "DeleteStack"), Sweep, 3.0),
    row((Undo, CloudFormation, Primary), (IOT, "DeleteTopicRule"), Run, 8.0),
    row((Undo, CloudFormation, Primary), ("lambda", "DeleteFunction"), Run, 3.0),
    row((Undo, CloudFormation, Secondary), ("lambda", "DeleteFunction"), Run, 3.0),
    row((Undo, CloudFormation, Primary), ("dynamodb", "DeleteTable"), Run, 1.0),
    row((Undo, CloudFormation, Secondary), ("dynamodb", "DeleteTable"), Run, 3.0),
    row((Undo, CloudFormation, Global), ("route53", "DeleteHealthCheck"), Run, 2.0),
    // and the look for what is left.
    row((Undo, Harness, Primary), (IOT, "ListPrincipalThings"), Sweep, 1.0),
    row((Undo, Harness, Secondary), (IOT, "ListPrincipalThings"), Sweep, 2.0),
    row((Undo, Harness, Primary), (IOT, "GetPolicy"), Sweep, 1.0),
    row((Undo, Harness, Secondary), (IOT, "GetPolicy"), Sweep, 1.0),
    row((Undo, Harness, Primary), (IOT, "ListTargetsForPolicy"), SweepPage, 4.0),
    row((Undo, Harness, Secondary), (IOT, "ListTargetsForPolicy"), SweepPage, 6.0),
    row((Undo, Harness, Primary), (IOT, "DeletePolicy"), Sweep, 3.0),
    row((Undo, Harness, Secondary), (IOT, "DeletePolicy"), Sweep, 4.0),
    row((Undo, Harness, Primary), (IOT, "ListThings"), SweepPage, 2.0),
    row((Undo, Harness, Secondary), (IOT, "ListThings"), SweepPage, 2.0),
    row((Undo, Harness, Primary), (IOT, "ListCertificates"), SweepPage, 1.0),
    row((Undo, Harness, Secondary), (IOT, "ListCertificates"), SweepPage, 1.0),
    row((Undo, Harness, Primary), (IOT, "ListPolicies"), Sweep, 1.0),
    row((Undo, Harness, Secondary), (IOT, "ListPolicies"), Sweep, 1.0),
    row((Undo, Harness, Primary), (IOT, "ListTopicRules"), Sweep, 2.0),
    row((Undo, Harness, Secondary), (IOT, "ListTopicRules"), Sweep, 1.0),
    row((Undo, Harness, Primary), (IOT, "DescribeThingGroup"), Sweep, 1.0),
    row((Undo, Harness, Secondary), (IOT, "DescribeThingGroup"), Sweep, 1.0),
    row((Undo, Harness, Primary), ("cloudformation", "ListStacks"), Sweep, 1.0),
    row((Undo, Harness, Secondary), ("cloudformation", "ListStacks"), Sweep, 1.0),
    row((Undo, Harness, Primary), ("dynamodb", "ListTables"), Sweep, 1.0),
    row((Undo, Harness, Secondary), ("dynamodb", "ListTables"), Sweep, 1.0),
    row((Undo, Harness, Primary), ("lambda", "ListFunctions"), Sweep, 1.0),
    row((Undo, Harness, Secondary), ("lambda", "ListFunctions"), Sweep, 1.0),
    row((Undo, Harness, Global), ("route53", "ListHostedZones"), Sweep, 1.0),
    row((Undo, Harness, Global), ("route53", "ListHealthChecks"), Sweep, 1.0),
];

/// What each fault calls on its way in and out, by its name in scenarios. What is not here calls only the twin's own switch, or
/// is not known to the plan, which then says so.
const FAULTS: &[(&str, &[Row])] = &[
    (
        "primary-health-check",
        &[
            row((Phase::Break, Harness, Global), ("route53", "GetHealthCheck"), Run, 1.0),
            row((Phase::Break, Harness, Global), ("route53", "UpdateHealthCheck"), Run, 1.0),
            row((Phase::Heal, Harness, Global), ("route53", "GetHealthCheck"), Run, 3.0),
            row((Phase::Heal, Harness, Global), ("route53", "UpdateHealthCheck"), Run, 1.0),
        ],
    ),
    ("primary-region-dark", &[]),
    (
        "replication-paused",
        &[
            row((Phase::Break, Harness, Primary), ("dynamodb", "PutItem"), Run, 1.0),
            row((Phase::Break, Harness, Secondary), ("dynamodb", "GetItem"), Run, 1.0),
        ],
    ),
];

/// Whether the plan knows what a fault calls.
pub(super) fn knows(fault: &str) -> bool {
    FAULTS.iter().any(|(name, _)| *name == fault)
}

/// What the replicator calls for each device that is made: service, operation, and how often.
pub(crate) fn replicator_calls_of_a_device() -> impl Iterator<Item = (&'static str, &'static str, f64)> {
    let rows = TABLE.iter().filter(|row| row.caller == Replicator && matches!(row.per, Made | MadeAbout));
    rows.map(|row| (row.service, row.operation, row.count))
}

/// Every call of the table, for a scenario whose time is known.
pub(super) fn quantities(
    scenario: &Scenario,
    pace: &Pace,
    faults: &[&str],
    provision_s: (f64, f64),
    all_s: (f64, f64),
) -> Vec<Quantity> {
    let of_faults = faults.iter().filter_map(|fault| FAULTS.iter().find(|(name, _)| name == fault));
    let rows = TABLE.iter().chain(of_faults.flat_map(|(_, rows)| rows.iter()));
    let sizes = Sizes::of(scenario);
    rows.filter_map(|row| sizes.quantity(row, pace, provision_s, all_s)).collect()
}

/// How many there are of what calls are counted by.
struct Sizes {
    devices: f64,
    made: f64,
    looked: f64,
    drawn: f64,
    writers: f64,
    /// Shadow updates of all of them.
    writes_per_s: f64,
}

impl Sizes {
    fn of(scenario: &Scenario) -> Self {
        let devices = f64::from(scenario.fleet.devices);
        let provisions = scenario.step.iter().any(|step| matches!(step, Step::Provision(_)));
        let devices = if provisions { devices } else { 0.0 };
        let looks = scenario.step.iter().filter_map(|step| match step {
            Step::Readiness(step) => Some(f64::from(step.devices(scenario.fleet.devices))),
            _ => None,
        });
        let connects = scenario.step.iter().any(|step| matches!(step, Step::Connect(_)));
        Self {
            devices,
            made: if scenario.fleet.pool.is_none() { devices } else { 0.0 },
            looked: looks.sum(),
            drawn: if scenario.fleet.pool.is_some() {
                f64::from(scenario.fleet.devices.min(preflight::SAMPLE))
            } else {
                0.0
            },
            writers: if connects && scenario.load.shadow.is_some() { devices } else { 0.0 },
            writes_per_s: scenario.load.shadow.as_ref().map_or(0.0, |s| devices / s.every.as_secs_f64()),
        }
    }

    fn quantity(
        &self,
        row: &Row,
        pace: &Pace,
        provision_s: (f64, f64),
        all_s: (f64, f64),
    ) -> Option<Quantity> {
        let count = row.count;
        let pages = (self.made / PAGE).ceil().max(1.0);
        let (least, most) = match row.per {
            Run => (count, count),
            Sweep => (count, count * SWEEPS_MAX),
            SweepPage => (count, count * pages * SWEEPS_MAX),
            Stack => (count, count * LOOKS_MAX),
            Made => (count * self.made, count * self.made),
            MadeAbout => (count * self.made * (1.0 - ABOUT), count * self.made * (1.0 + ABOUT)),
            Device => (count * self.devices, count * self.devices),
            Awaited => {
                let each = (provision_s.1 / POLL_S).ceil();
                let quota = pace.rate_per_s(row.operation).unwrap_or(f64::MAX) * provision_s.1;
                (count * self.devices, (count * self.devices * each).min(quota.max(count * self.devices)))
            }
            Looked => (count * self.looked, count * self.looked),
            Writer => (0.0, count * self.writers * TRIES_MAX),
            Second => (count * all_s.0, count * all_s.1),
            Shared => (0.0, count),
            // As long as the deployment and the undo take it is renewed, too.
            Renewed => (0.0, count * (all_s.1 / RENEWAL.as_secs_f64() + RENEWALS_BESIDE)),
            Drawn => (count * self.drawn, count * self.drawn),
        };
        (most > 0.0).then(|| Quantity {
            phase: row.phase,
            place: row.place,
            caller: row.caller,
            service: row.service,
            unit: row.operation,
            least,
            most,
            peak_per_s: self.peak_per_s(row, pace),
        })
    }

    /// How many of it there are in a second, at the most. Calls of the run itself come one after another, and are not timed.
    fn peak_per_s(&self, row: &Row, pace: &Pace) -> Option<f64> {
        let per_s = match (row.per, row.phase) {
            (Made | MadeAbout | Device, Phase::Undo) => deleted_per_s(pace).min(self.made) * row.count,
            (Made | MadeAbout | Device, _) => made_per_s(pace).min(self.devices) * row.count,
            (Awaited, _) => {
                // All that are under way are looked for at once, as often as the quota lets.
                let under_way = (made_per_s(pace) * CAPTURE_WAIT_S).min(self.devices);
                under_way / POLL_S
            }
            (Looked, _) => pace.readiness_per_s().min(self.looked) * row.count,
            (Drawn, _) => pace.readiness_per_s().min(self.drawn) * row.count,
            (Second, _) => row.count,
            // The first updates of all shadows come as fast as any.
            (Writer, _) => self.writes_per_s.min(self.writers) * row.count * TRIES_MAX,
            // The keeper's own, and all that steps ask for beside it.
            (Renewed, _) => row.count * (1.0 + RENEWALS_BESIDE),
            (Run | Shared | Sweep | SweepPage | Stack, _) => return None,
        };
        let paced = match row.caller {
            Harness => pace.rate_per_s(row.operation).unwrap_or(f64::MAX),
            _ => f64::MAX,
        };
        Some(per_s.min(paced))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::CATALOGUE;

    #[test]
    fn no_call_is_in_the_table_twice_for_the_same_reason() {
        for (n, row) in TABLE.iter().enumerate() {
            let same = |other: &Row| {
                (other.phase, other.caller, other.place, other.service, other.operation, other.per)
                    == (row.phase, row.caller, row.place, row.service, row.operation, row.per)
            };
            assert!(!TABLE[n + 1..].iter().any(same), "{row:?}");
        }
    }

    #[test]
    fn the_table_knows_faults_by_the_names_of_the_catalogue() {
        for (name, _) in FAULTS {
            assert!(CATALOGUE.iter().any(|entry| entry.name == *name), "{name}");
        }
        assert!(knows("primary-region-dark") && !knows("earthquake"));
    }
}
