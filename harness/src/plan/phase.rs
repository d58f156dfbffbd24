//! The phases of a game day: which step belongs to which, and how long each takes at the least and at the most.

use serde::Serialize;

use super::label;
use crate::{
    aws::Pace,
    scenario::{Break, Heal, Scenario, Step, Strategy, Until},
};

/// A look of the replicator at a new device waits for the calls that make it.
pub(crate) const CAPTURE_WAIT_S: f64 = 3.0;
/// What was sent last has this long to be acknowledged.
const SETTLE_S: f64 = 1.0;

/// A part of a game day. Cost, quotas and times are told apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// What is there is looked at.
    Preflight,
    /// The replicator and the health checks are installed.
    Deploy,
    /// Devices are made, and confirmed in the secondary.
    Provision,
    /// Devices are compared in both Regions.
    Readiness,
    /// Devices connect and talk in the primary.
    Load,
    /// Faults are applied.
    Break,
    /// Devices move to the secondary, and stay there.
    Failover,
    /// Faults are cured.
    Heal,
    /// Devices come home, and stay there.
    Failback,
    /// Everything is deleted again.
    Undo,
}

impl Phase {
    pub(crate) const ALL: [Self; 10] = [
        Self::Preflight,
        Self::Deploy,
        Self::Provision,
        Self::Readiness,
        Self::Load,
        Self::Break,
        Self::Failover,
        Self::Heal,
        Self::Failback,
        Self::Undo,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Deploy => "deploy",
            Self::Provision => "provision",
            Self::Readiness => "readiness",
            Self::Load => "load",
            Self::Break => "break",
            Self::Failover => "failover",
            Self::Heal => "heal",
            Self::Failback => "failback",
            Self::Undo => "undo",
        }
    }
}

/// A step as it is planned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlannedStep {
    /// As a reader would say it, and as the record does.
    pub(crate) label: String,
    /// The phase in which its time is spent.
    pub(crate) phase: Phase,
    pub(crate) least_s: f64,
    pub(crate) most_s: f64,
    /// Whether the step waits for the devices to be where it says.
    #[serde(skip)]
    pub(crate) waits: bool,
    /// Whether devices only stay where they are.
    #[serde(skip)]
    pub(crate) is_hold: bool,
    /// Whether devices that are connected send.
    #[serde(skip)]
    pub(crate) talks: bool,
}

/// The steps of a scenario, with the time that it takes for the secondary to catch up and the undo.
pub(super) fn steps(scenario: &Scenario, pace: &Pace) -> Vec<PlannedStep> {
    let (mut phase, mut talks) = (Phase::Load, false);
    let mut steps: Vec<PlannedStep> = scenario
        .step
        .iter()
        .map(|step| {
            phase = match step {
                Step::Break(_) => Phase::Failover,
                Step::Heal(_) => Phase::Failback,
                _ => phase,
            };
            talks |= matches!(step, Step::Connect(_));
            let at = match step {
                Step::Provision(_) => Phase::Provision,
                Step::Readiness(_) if !talks => Phase::Readiness,
                _ => phase,
            };
            let most_s = step.time_max().as_secs_f64();
            PlannedStep {
                label: label(step, scenario),
                phase: at,
                least_s: least_s(step, scenario, pace).min(most_s),
                most_s,
                waits: matches!(
                    step,
                    Step::Break(Break { until: Some(_), .. }) | Step::Heal(Heal { until: Some(_), .. })
                ),
                is_hold: matches!(step, Step::Hold(_) | Step::Readiness(_)),
                talks,
            }
        })
        .collect();
    if scenario.step.iter().any(|step| matches!(step, Step::Connect(_))) {
        steps.push(PlannedStep {
            label: "Let the secondary catch up".to_owned(),
            phase,
            least_s: SETTLE_S,
            most_s: SETTLE_S + scenario.converge_at_most.as_secs_f64(),
            waits: false,
            is_hold: false,
            talks: false,
        });
    }
    // Last, so that the steps of the scenario keep their places.
    if scenario.steady.hypotheses(&scenario.step).is_some() {
        steps.push(PlannedStep {
            label: "Be steady before the first fault".to_owned(),
            phase: Phase::Load,
            least_s: 0.0,
            most_s: scenario.steady.at_most.as_secs_f64(),
            waits: false,
            is_hold: true,
            talks: scenario.step.iter().any(|step| matches!(step, Step::Connect(_))),
        });
    }
    steps
}

/// Devices that are made in a second: no faster than they can be confirmed, one call of the tightest quota each.
pub(crate) fn made_per_s(pace: &Pace) -> f64 {
    pace.rate_per_s("DescribeCertificate").unwrap_or(f64::MAX)
}

/// Devices that are deleted in a second.
pub(crate) fn deleted_per_s(pace: &Pace) -> f64 {
    let rates = ["UpdateCertificate", "DeleteCertificate", "DetachPolicy"];
    rates.iter().filter_map(|operation| pace.rate_per_s(operation)).fold(f64::MAX, f64::min)
}

fn least_s(step: &Step, scenario: &Scenario, pace: &Pace) -> f64 {
    let devices = f64::from(scenario.fleet.devices);
    match step {
        // A fleet that stays is only confirmed.
        Step::Provision(_) if scenario.fleet.pool.is_some() => devices / made_per_s(pace),
        Step::Provision(_) => devices / made_per_s(pace) + CAPTURE_WAIT_S,
        // The first begins at once.
        Step::Connect(step) => (devices - 1.0) / f64::from(step.rate_per_s),
        Step::Hold(step) => step.time.as_secs_f64(),
        Step::Readiness(step) => f64::from(step.devices(scenario.fleet.devices)) / pace.readiness_per_s(),
        Step::Break(Break { until: Some(Until::FailedOver), .. }) => {
            noticed_s(scenario, |strategy| match strategy {
                Strategy::Cname(_) => Notice::HealthCheck,
                Strategy::Sticky(sticky) if sticky.every.is_some() => Notice::HealthCheck,
                // A connection that is closed is noticed at once; only one that is half open takes its keep-alive.
                Strategy::DualEndpoint(_) | Strategy::Sticky(_) => Notice::After(0.0),
            })
        }
        Step::Heal(Heal { until: Some(Until::FailedBack), .. }) => {
            noticed_s(scenario, |strategy| match strategy {
                Strategy::Cname(_) => Notice::HealthCheck,
                Strategy::DualEndpoint(dual) => {
                    Notice::After(dual.probe.as_secs_f64() * f64::from(dual.successes.saturating_sub(1)))
                }
                Strategy::Sticky(_) => Notice::After(0.0),
            })
        }
        Step::Break(_) | Step::Heal(_) => 0.0,
    }
}

/// By what a device sees that it has to move.
enum Notice {
    /// The health check turns first, and then the answer does.
    HealthCheck,
    /// By itself, after so many seconds at the least.
    After(f64),
}

/// The least time until the last device has noticed: that of the slowest strategy.
fn noticed_s(scenario: &Scenario, notice: impl Fn(&Strategy) -> Notice) -> f64 {
    let check = &scenario.dns.health_check;
    // The first result of the row may come at once, the others an interval apart each.
    let turned_s = check.interval.as_secs_f64() * f64::from(check.failures.saturating_sub(1));
    let all = scenario.fleet.strategy.shares();
    let all = all.into_iter().map(|(_, strategy)| match notice(strategy) {
        Notice::HealthCheck => turned_s,
        Notice::After(seconds) => seconds,
    });
    all.fold(0.0, f64::max)
}
