//! `gameday validate`.

use std::path::PathBuf;

use clap::Args;
use gameday_report::ExitCode;

use crate::{
    output::{data, to_stderr},
    scenario::Scenario,
};

/// Arguments of `gameday validate`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  gameday validate scenarios/*.toml")]
pub(super) struct Validate {
    /// Scenario files.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(&self) -> ExitCode {
        let mut exit = ExitCode::Pass;
        for path in &self.scenarios {
            match Scenario::load(path, &[]) {
                Ok(scenario) => data(&format!("ok  {}: {}", path.display(), scenario.title)),
                Err(error) => {
                    to_stderr(&format!("error: {:#}", anyhow::Error::from(error)));
                    exit = ExitCode::Usage;
                }
            }
        }
        exit
    }
}
