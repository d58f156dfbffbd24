//! `gameday fleet compare`.

use std::sync::Arc;

use clap::Args;
use gameday_report::ExitCode;
use serde::Serialize;

use super::{Folder, elsewhere, home};
use crate::{
    cli::{at::TargetArgs, leave::Leave, usage},
    output::{Output, data},
    pool::{self, Comparison, Method, Pool, Which, valid_name},
};

/// Arguments of `gameday fleet compare`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday fleet compare lamps
  gameday fleet compare --query 'attributes.site:berlin'
  gameday fleet compare --json

Without a fleet and without a query all things of both Regions are compared. Exits with 0 if all are the same, with 10 if one
differs, is in one Region only or, of a fleet, in neither, and with 11 if it cannot be said: some could not be compared, or there
was none.")]
pub(super) struct Compare {
    /// The fleet; without it what the query finds.
    #[arg(value_parser = valid_name)]
    name: Option<String>,
    #[command(flatten)]
    folder: Folder,
    /// A query of the fleet index, which has to be on in both Regions.
    #[arg(long, conflicts_with = "name")]
    query: Option<String>,
    /// Leave certificates and policies aside, as is done with fleets of just-in-time registration.
    #[arg(long)]
    things_only: bool,
    #[command(flatten)]
    leave: Leave,
    #[command(flatten)]
    target: TargetArgs,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    primary: &'a str,
    secondary: &'a str,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

impl Compare {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let reached = self.target.reach().await?;
        let home = home(&reached).await?;
        let (which, identities) = match &self.name {
            None => (Which::Found(self.query.clone()), !self.things_only),
            Some(name) => {
                let pool = Pool::open(&self.folder.fleets, name)?;
                let pool = pool.ok_or_else(|| usage(format!("there is no fleet {name}")))?;
                if let Some(error) = elsewhere(&pool, &home) {
                    return Err(error);
                }
                let making = pool.manifest.making.as_ref();
                let by = making.ok_or_else(|| usage(format!("fleet {name} has keys only")))?.by;
                let names = (1..=pool.manifest.devices).map(|number| pool.device(number)).collect();
                (Which::Named(names), !self.things_only && by != Method::JustInTime)
            }
        };
        self.leave.apply(&reached.aws).await;
        let output = Arc::new(Output::new());
        let both = reached.aws.both(&home.account);
        let pace = &reached.aws.pace;
        let of_things = || pace.rate_per_s("ListThingGroupsForThing").unwrap_or(f64::MAX);
        let per_s_max = if identities { pace.readiness_per_s() } else { of_things() };
        let on_progress = |comparison: &Comparison| {
            // In a pipe a line for each would be too many.
            if output.is_live() || comparison.devices.is_multiple_of(1_000) {
                output.status(&format!("compared: {}", comparison.devices));
            }
        };
        let compared = Box::pin(pool::compare(&both, which, identities, per_s_max, &on_progress)).await;
        output.finish();
        let comparison = compared?;
        if self.json {
            let told = Told { primary: &home.primary, secondary: &home.secondary, comparison: &comparison };
            data(&serde_json::to_string_pretty(&told)?);
        } else {
            comparison.told.iter().for_each(|told| data(&format!("{}: {}", told.thing, told.finding)));
            let Comparison { devices, same, differ, unknown, .. } = &comparison;
            data(&format!(
                "{devices} compared: {same} the same, {differ} not, {unknown} could not be compared"
            ));
        }
        Ok(exit(&comparison))
    }
}

/// That one differs outranks that it is not known of another.
fn exit(comparison: &Comparison) -> ExitCode {
    match comparison {
        Comparison { differ: 1.., .. } => ExitCode::Missed,
        Comparison { unknown: 1.., .. } | Comparison { devices: 0, .. } => ExitCode::Inconclusive,
        _ => ExitCode::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_outranks_what_is_not_known_and_nothing_is_not_the_same() {
        let of = |same, differ, unknown| {
            exit(&Comparison { devices: same + differ + unknown, same, differ, unknown, told: Vec::new() })
        };
        assert_eq!(of(3, 0, 0), ExitCode::Pass);
        assert_eq!(of(3, 1, 1), ExitCode::Missed);
        assert_eq!(of(3, 0, 1), ExitCode::Inconclusive);
        assert_eq!(of(0, 0, 0), ExitCode::Inconclusive);
    }
}
