//! `gameday fleet search`.

use clap::{Args, ValueEnum};
use gameday_report::ExitCode;
use serde::Serialize;

use crate::{
    cli::at::TargetArgs,
    output::{data, to_stderr},
    pool::{self, Found},
};

/// Arguments of `gameday fleet search`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday fleet search 'thingName:lamps-*'
  gameday fleet search 'attributes.site:berlin AND connectivity.connected:true' --json

It is a query of AWS IoT's fleet index, which has to be on: aws iot update-indexing-configuration. With --json there is a line
for each thing.")]
pub(super) struct Search {
    /// The query.
    query: String,
    /// The Region whose index is searched.
    #[arg(long = "in", value_enum, default_value_t = In::Primary)]
    region: In,
    #[command(flatten)]
    target: TargetArgs,
    /// A line of JSON for each thing.
    #[arg(long)]
    json: bool,
}

/// One of both Regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
enum In {
    Primary,
    Secondary,
}

impl Search {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let aws = self.target.reach().await?.aws;
        let clients = if self.region == In::Primary { &aws.primary } else { &aws.secondary };
        let on_found = |found: Found| {
            data(&if self.json { serde_json::to_string(&found)? } else { line(&found) });
            Ok(())
        };
        let count = pool::search(&aws, clients, &self.query, on_found).await?;
        to_stderr(&format!("{count} things in {}", clients.region));
        Ok(ExitCode::Pass)
    }
}

fn line(found: &Found) -> String {
    let mut words = vec![found.thing.clone()];
    words.extend(found.thing_type.as_ref().map(|name| format!("type {name}")));
    words.extend(found.groups.iter().map(|name| format!("group {name}")));
    words.extend(found.attributes.iter().map(|(name, value)| format!("{name}={value}")));
    words.extend(
        found.connected.map(|connected| if connected { "connected" } else { "not connected" }.to_owned()),
    );
    words.join("  ")
}
