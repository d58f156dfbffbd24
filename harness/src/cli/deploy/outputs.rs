//! `gameday outputs`.

use std::collections::BTreeMap;

use clap::Args;
use gameday_report::ExitCode;
use replicator::templates::{HEALTH, JITR, PRIMARY, SECONDARY, TABLES};
use serde::Serialize;

use crate::{
    cli::{at::At, block_on},
    deploy::{Stacks, stack_name},
    output::{data, to_stderr},
};

/// Arguments of `gameday outputs`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  gameday outputs --json | jq -r '.stacks[].outputs.HealthCheck // empty'

Exits with 1 if nothing is deployed.")]
pub(in crate::cli) struct Outputs {
    #[command(flatten)]
    at: At,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Deployed {
    postfix: String,
    primary: String,
    secondary: String,
    stacks: Vec<Deployment>,
}

/// One stack.
#[derive(Debug, Serialize)]
struct Deployment {
    name: String,
    region: String,
    status: String,
    outputs: BTreeMap<String, String>,
}

impl Outputs {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.print())
    }

    async fn print(self) -> anyhow::Result<ExitCode> {
        let aws = self.at.reach().await?.aws;
        let (primary, secondary) = (&aws.primary, &aws.secondary);
        let mut stacks = Vec::new();
        for (clients, template) in [
            (secondary, TABLES),
            (secondary, SECONDARY),
            (primary, PRIMARY),
            (primary, JITR),
            (secondary, JITR),
            (primary, HEALTH),
            (secondary, HEALTH),
        ] {
            let name = stack_name(&self.at.postfix, template);
            let Some(stack) = Stacks::quiet(clients).find(&name).await? else { continue };
            let pair = |output: &aws_sdk_cloudformation::types::Output| {
                Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
            };
            stacks.push(Deployment {
                name,
                region: clients.region.clone(),
                status: stack.stack_status().map_or_else(String::new, |status| status.as_str().to_owned()),
                outputs: stack.outputs().iter().filter_map(pair).collect(),
            });
        }
        if stacks.is_empty() {
            to_stderr(&format!("nothing is deployed as gameday-{}", self.at.postfix));
        }
        let exit = if stacks.is_empty() { ExitCode::Error } else { ExitCode::Pass };
        let (primary, secondary) = (primary.region.clone(), secondary.region.clone());
        let deployed = Deployed { postfix: self.at.postfix, primary, secondary, stacks };
        if self.json {
            data(&serde_json::to_string_pretty(&deployed)?);
        } else {
            deployed.stacks.iter().for_each(print);
        }
        Ok(exit)
    }
}

fn print(stack: &Deployment) {
    data(&format!("{} in {}: {}", stack.name, stack.region, stack.status));
    for (key, value) in &stack.outputs {
        data(&format!("  {key:<14} {value}"));
    }
}
