//! Shadows of both Regions beside each other: those that are there ([`compare`]), and such that are written to see whether and
//! when they arrive ([`round`]).

mod compare;
mod round;
mod tally;
mod times;

use std::fmt;

use replicator::{
    aws::{AwsRegion, Both},
    compare::shadow as is_same,
    outcome::Outcome,
    pace::Pace,
    ports::Shadows,
};
use serde::Serialize;

pub(crate) use compare::{Compared, Comparing, compare};
#[cfg(test)]
pub(crate) use round::Deletions;
pub(crate) use round::{Round, Writing, Written};
pub(crate) use tally::{Finding, Tally};
pub(crate) use times::Percentiles;

/// Which shadow: the classic one of a thing has no name of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Name {
    pub(crate) thing: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) shadow: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shadow.as_str() {
            "" => f.write_str(&self.thing),
            shadow => write!(f, "{} shadow {shadow}", self.thing),
        }
    }
}

/// Both Regions, each at a pace of its own, since each has its own quota.
#[derive(Debug)]
pub(crate) struct Paced {
    pub(crate) both: Both,
    primary: Pace,
    secondary: Pace,
    /// Of both: names of shadows are asked for in both at once.
    names: Pace,
}

impl Paced {
    /// As many calls a second as these at the most, in the primary and in the secondary.
    pub(crate) fn new(both: Both, calls_per_s_max: [f64; 2], lists_per_s_max: f64) -> Self {
        let [primary, secondary] = calls_per_s_max.map(Pace::at_most);
        Self { both, primary, secondary, names: Pace::at_most(lists_per_s_max) }
    }

    fn sides(&self) -> [(&AwsRegion, &Pace); 2] {
        [(&self.both.primary, &self.primary), (&self.both.secondary, &self.secondary)]
    }

    /// A shadow of both Regions, compared. `Ok(None)`: it is in neither.
    pub(crate) async fn look(&self, name: &Name) -> Outcome<Option<Same>> {
        let clock = &self.both.clock;
        let [here, there] = self.sides().map(|(region, pace)| {
            Box::pin(pace.patient(clock, async || region.shadow(&name.thing, &name.shadow).await))
        });
        let (here, there) = futures::try_join!(here, there)?;
        Ok(match (here, there) {
            (None, None) => None,
            (Some(here), Some(there)) if is_same(&here, &there) => Some(Ok(())),
            (Some(_), Some(_)) => Some(Err(Finding::Mismatched)),
            (Some(_), None) => Some(Err(Finding::Missing)),
            (None, Some(_)) => Some(Err(Finding::OnlyInSecondary)),
        })
    }
}

/// Whether a shadow is the same in both Regions.
pub(crate) type Same = Result<(), Finding>;
