//! The catalogue of faults: one table, from which names, labels, checks of scenarios and documentation come.

use std::{fmt, sync::LazyLock};

use futures::future::BoxFuture;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Breakage, api, broker, devices, dns, function,
    ground::{Ground, Struck},
    health_check, identity, quota, region, replication, rule,
};
use crate::fault::Parameter;

/// Every fault, as it stands on the page.
pub static CATALOGUE: &[&FaultEntry] = &[
    &health_check::PATH,
    &health_check::INVERTED,
    &health_check::SECRET,
    &health_check::STUCK,
    &region::DARK,
    &region::HALF_DARK,
    &broker::LOSES,
    &broker::MUTE,
    &devices::CUT_OFF,
    &identity::CERTIFICATE,
    &identity::POLICY,
    &dns::STALE,
    &dns::FAILING,
    &quota::TOO_SMALL,
    &replication::PAUSED,
    &replication::SLOW,
    &replication::MAPPING,
    &rule::DISABLED,
    &function::THROTTLED,
    &function::KILLED,
    &api::THROTTLED,
    &api::SLOW,
];

/// What can be broken.
pub struct FaultEntry {
    /// Its name in scenarios and records.
    pub name: &'static str,
    /// Its name for a reader.
    pub label: &'static str,
    /// Its colour in reports: that of its kind.
    pub colour: Colour,
    /// Targets that have it.
    pub targets: Targets,
    /// Whose things it breaks.
    pub touches: Touches,
    /// What it does.
    pub what: &'static str,
    /// What a scenario may say of it.
    pub parameters: &'static [Parameter],
    /// What shows that it acts.
    pub proof: &'static str,
    /// What shows that it is cured.
    pub cure_proof: &'static str,
    /// Breaks. The cure has to be intended before anything changes.
    pub(crate) strike: for<'a> fn(Ground<'a>, &'a Breakage) -> BoxFuture<'a, anyhow::Result<Struck<'a>>>,
}

/// Where a fault can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Targets {
    /// By calls of AWS's own API, which the twin has, too.
    TwinAndAws,
    /// AWS has no call for it.
    Twin,
}

/// What a fault reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Touches {
    /// What the run itself deployed.
    Deployment,
    /// Devices that play.
    Devices,
    /// A Region or a service, with whoever else is in it.
    Region,
}

/// The kinds of faults, by what they break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// What decides where the fleet goes.
    Detection,
    /// A Region, or its broker.
    Region,
    /// Who is let in.
    Identity,
    /// What keeps the secondary ready.
    Replication,
}

impl Colour {
    /// As CSS.
    pub fn css(self) -> &'static str {
        match self {
            Self::Detection => "#8250df",
            Self::Region => "#cf222e",
            Self::Identity => "#bf8700",
            Self::Replication => "#0969da",
        }
    }
}

impl Targets {
    /// For a reader.
    pub fn words(self) -> &'static str {
        match self {
            Self::TwinAndAws => "twin, AWS",
            Self::Twin => "twin",
        }
    }
}

impl Touches {
    /// For a reader.
    pub fn words(self) -> &'static str {
        match self {
            Self::Deployment => "what the run deployed",
            Self::Devices => "the devices that play",
            Self::Region => "a whole Region or service",
        }
    }
}

impl fmt::Debug for FaultEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A fault by the name that scenarios use.
#[derive(Clone, Copy)]
pub struct FaultName(&'static FaultEntry);

impl FaultName {
    /// The fault of this name.
    pub fn named(name: &str) -> Option<Self> {
        CATALOGUE.iter().find(|entry| entry.name == name).map(|entry| Self(entry))
    }

    /// Its line in the catalogue.
    pub fn entry(self) -> &'static FaultEntry {
        self.0
    }
}

impl fmt::Debug for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl PartialEq for FaultName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for FaultName {}

impl Serialize for FaultName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

/// All names, for whoever has to be told.
static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| CATALOGUE.iter().map(|entry| entry.name).collect());

impl<'de> Deserialize<'de> for FaultName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| de::Error::unknown_variant(&name, &NAMES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_say_what_they_are() {
        for entry in CATALOGUE {
            assert_eq!(
                CATALOGUE.iter().filter(|other| other.name == entry.name).count(),
                1,
                "{}",
                entry.name
            );
            let kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(entry.name.chars().all(kebab), "{}", entry.name);
            assert_eq!(serde_json::to_value(FaultName::named(entry.name).unwrap()).unwrap(), entry.name);
            for text in [entry.label, entry.what, entry.proof, entry.cure_proof] {
                assert!(!text.is_empty() && !text.contains('|'), "{}", entry.name);
            }
        }
    }
}
