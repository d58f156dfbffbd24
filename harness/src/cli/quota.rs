//! `gameday quota`: whether the quotas of both Regions hold a scenario's fleet; and what quotas really are, found by calls.

mod check;
mod measure;
mod mqtt;

use std::path::PathBuf;

use clap::Args;
use gameday_report::ExitCode;

use self::{check::Check, measure::Measure};
use super::{at::TargetArgs, block_on, usage};
use crate::scenario::Scenario;

/// Arguments of `gameday quota`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday quota scenarios/region-failover.toml --devices 100000 --primary eu-west-1 --secondary eu-north-1
  gameday quota scenarios/region-failover.toml --target aws --primary eu-west-1 --secondary eu-central-1 --csv
  gameday quota scenarios/region-failover.toml --target aws --primary eu-west-1 --secondary eu-central-1 --request
  gameday quota --measure --target http://127.0.0.1:PORT --operation CreateThing --operation CONNECT
  gameday quota --measure --target aws --primary eu-west-1 --secondary eu-central-1 --operation DescribeThing --beyond

With a scenario: what its plan asks of each quota, by phase and Region, beside what applies: what
Service Quotas says at --target (or at the twin of AWS_ENDPOINT_URL); otherwise nothing is called, and AWS's
defaults count, of --primary and --secondary, or as the scenario's [twin] sets them. Exits with 14 if a
row exceeds its quota, and with 11 if one of the fleet or the replicator is unknown. --request asks AWS
for what is listed: that changes the account, cannot be taken back, and is printed request by request.

With --measure calls go out at a steady rate, whether or not those before were answered, and faster
rung by rung: to four fifths of the quota that Service Quotas says, or, with --beyond, until something
is throttled. Above the quota, what goes through is the quota; its error is one call in those counted.

Every call is harmless: it names what does not exist, or asks what changes nothing. But with --beyond
the whole quota is used up for about half a minute, and production in the same account and Region
is throttled meanwhile. Over MQTT (CONNECT, PUBLISH on one connection, PUBLISH-IN-ALL, SUBSCRIBE) a certificate
and a policy are made for it, written down before, and deleted. Exits with 0 if each quota was measured or is as large as the cap, with 11 if
one could not be said.")]
pub(super) struct Quota {
    /// A scenario file: do the quotas hold it?
    #[arg(required_unless_present_any = ["measure", "list"], conflicts_with_all = ["measure", "list"])]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    check: Check,
    #[command(flatten)]
    measure: Measure,
    #[command(flatten)]
    target: TargetArgs,
    /// Call nothing: list the operations that can be measured, and why a call of each changes nothing.
    #[arg(long)]
    list: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Quota {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.list {
            measure::list();
            return Ok(ExitCode::Pass);
        }
        let Some(path) = &self.scenario else {
            return block_on(async { self.measure.run(&self.target, self.json).await });
        };
        if self.json && self.check.csv {
            return Err(usage("--json and --csv are two forms of the same: give one").into());
        }
        let scenario = Scenario::load(path, &self.check.set)?;
        block_on(async { Box::pin(self.check.run(scenario, &self.target, self.json)).await })
    }
}
