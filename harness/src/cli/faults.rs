//! `gameday faults`.

use clap::Args;
use gameday_report::ExitCode;

use crate::{
    fault::{CATALOGUE, json, markdown},
    output::data,
};

/// Arguments of `gameday faults`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday faults
  gameday faults --markdown > harness/FAULTS.md")]
pub(super) struct Faults {
    /// Everything that is known of each, as JSON.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// The catalogue page.
    #[arg(long)]
    markdown: bool,
}

impl Faults {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.json {
            data(&serde_json::to_string_pretty(&json())?);
        } else if self.markdown {
            data(markdown().trim_end());
        } else {
            for entry in CATALOGUE {
                data(&format!("{:<30} {:<10} {}", entry.name, entry.targets.words(), entry.label));
            }
        }
        Ok(ExitCode::Pass)
    }
}
