//! The steps of a scenario.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fleet, Span};
use crate::fault::{Breakage, Touches};

/// One step. Each `[[step]]` holds exactly one of these keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Make the devices in the primary; done when each is connectable in the secondary.
    Provision(Provision),
    /// Connect the devices and start their load.
    Connect(Connect),
    /// Let it run.
    Hold(Hold),
    /// Look whether the secondary would let the devices in.
    Readiness(Readiness),
    /// Apply faults.
    Break(Break),
    /// Cure every fault.
    Heal(Heal),
}

/// Make the devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provision {
    /// How.
    pub via: ProvisionVia,
    /// The step times out when devices are not connectable in the secondary by then; the run goes on.
    #[serde(default = "Provision::at_most_default")]
    pub at_most: Span,
}

/// How devices are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProvisionVia {
    /// Call by call through the IoT API.
    Api,
    /// They are there: devices of a fleet that stays.
    Pool,
}

/// Connect the devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// Devices that start to connect in a second.
    #[schemars(range(min = 1))]
    pub rate_per_s: u32,
    /// The step times out when devices are not connected by then; the run goes on.
    #[serde(default = "Connect::at_most_default")]
    pub at_most: Span,
}

/// Let it run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// How long.
    #[serde(rename = "for")]
    pub time: Span,
}

/// Look whether the secondary would let the devices in: thing, ACTIVE certificate, policies, groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Readiness {
    /// How many devices are drawn. Without it all are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub sample: Option<u32>,
    /// What was not looked at by then is unknown; the run goes on.
    #[serde(default = "Readiness::at_most_default")]
    pub at_most: Span,
}

/// What faults may touch beyond what the run makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MayTouch {
    /// Devices of the fleet that stays.
    Fleet,
}

/// Apply faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// Which, in this order.
    #[schemars(length(min = 1))]
    pub faults: Vec<Breakage>,
    /// What ends the step. Without it the step ends once the faults are seen to act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// The step times out then; the run goes on.
    #[serde(default = "Break::at_most_default")]
    pub at_most: Span,
}

/// Cure every fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heal {
    /// What ends the step. Without it the step ends once the cures are read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// The step times out then; the run goes on.
    #[serde(default = "Break::at_most_default")]
    pub at_most: Span,
}

/// A state of the fleet to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// Every device has an acknowledged publish in the secondary.
    FailedOver,
    /// Every device whose strategy brings it home has an acknowledged publish in the primary again.
    FailedBack,
}

impl Step {
    /// How long it takes at the most.
    pub fn time_max(&self) -> Span {
        match self {
            Self::Provision(step) => step.at_most,
            Self::Connect(step) => step.at_most,
            Self::Hold(step) => step.time,
            Self::Readiness(step) => step.at_most,
            Self::Break(step) => step.at_most,
            Self::Heal(step) => step.at_most,
        }
    }
}

impl Provision {
    fn at_most_default() -> Span {
        Span::seconds(300)
    }
}

impl Connect {
    fn at_most_default() -> Span {
        Span::seconds(120)
    }
}

impl Readiness {
    fn at_most_default() -> Span {
        Span::seconds(300)
    }

    /// How many devices of a fleet are looked at.
    pub fn devices(&self, fleet: u32) -> u32 {
        self.sample.map_or(fleet, |sample| sample.min(fleet))
    }
}

impl Break {
    fn at_most_default() -> Span {
        Span::seconds(300)
    }
}

/// The order of steps that makes sense: provision, then connect, then the rest; what is broken may be broken once.
pub(super) fn check(steps: &[Step], fleet: &Fleet, may_touch: &[MayTouch]) -> Result<(), (String, String)> {
    let is_pooled = fleet.pool.is_some();
    let wrong = |n: usize, message: &str| Err((format!("step.{n}"), message.to_owned()));
    let (mut provisioned, mut connected, mut broken) = (false, false, false);
    if steps.is_empty() {
        return Err(("step".to_owned(), "a scenario has at least one step".to_owned()));
    }
    for (n, step) in steps.iter().enumerate() {
        if step.time_max() > super::SPAN_MAX {
            return wrong(n, "no step is longer than 24h");
        }
        match step {
            Step::Provision(_) if provisioned => return wrong(n, "devices are provisioned already"),
            Step::Provision(step) if is_pooled && step.via != ProvisionVia::Pool => {
                return wrong(n, "provision.via must be pool: fleet.pool says that the devices are there");
            }
            Step::Provision(step) if !is_pooled && step.via == ProvisionVia::Pool => {
                return wrong(n, "provision.via = \"pool\" needs fleet.pool, the name of the fleet");
            }
            Step::Provision(_) => provisioned = true,
            Step::Connect(_) if !provisioned => return wrong(n, "needs a `provision` step before it"),
            Step::Connect(_) if connected => return wrong(n, "devices are connected already"),
            Step::Connect(connect) if connect.rate_per_s == 0 => {
                return wrong(n, "connect.rate_per_s must be at least 1");
            }
            Step::Connect(_) => connected = true,
            Step::Readiness(_) if !provisioned => {
                return wrong(n, "looks at devices: needs a `provision` step before it");
            }
            Step::Readiness(step) if step.sample == Some(0) => {
                return wrong(n, "readiness.sample must be at least 1; without it all devices are looked at");
            }
            Step::Break(_) if broken => return wrong(n, "something is broken already: `heal` first"),
            Step::Break(step) if step.faults.is_empty() => return wrong(n, "break.faults names no fault"),
            Step::Break(step) if step.until.is_some() && !connected => {
                return wrong(n, "break.until waits for devices: needs a `connect` step before it");
            }
            Step::Break(step) => {
                check_faults(n, &step.faults, is_pooled && !may_touch.contains(&MayTouch::Fleet))?;
                broken = true;
            }
            Step::Heal(_) if !broken => return wrong(n, "nothing is broken here"),
            Step::Heal(Heal { until: Some(Until::FailedBack), .. }) if !fleet.strategy.any_fails_back() => {
                return wrong(
                    n,
                    "heal.until waits for devices to come home, and no strategy brings one home",
                );
            }
            Step::Heal(_) => broken = false,
            Step::Hold(_) | Step::Readiness(_) => {}
        }
    }
    Ok(())
}

/// What is wrong with the faults of a break.
fn check_faults(n: usize, faults: &[Breakage], is_fleet_safe: bool) -> Result<(), (String, String)> {
    for (place, fault) in faults.iter().enumerate() {
        let (path, entry) = (format!("step.{n}.break.faults.{place}"), fault.entry());
        fault.check().map_err(|(key, why)| match key {
            Some(key) => (format!("{path}.{key}"), why),
            None => (path.clone(), why),
        })?;
        if faults.iter().take(place).any(|before| before.entry().name == entry.name) {
            return Err((path, format!("{} is named twice", entry.name)));
        }
        if is_fleet_safe && entry.touches == Touches::Devices {
            let why = format!(
                "{} breaks devices of a fleet that stays: that needs may_touch = [\"fleet\"] at the top of the scenario",
                entry.name
            );
            return Err((path, why));
        }
    }
    Ok(())
}
