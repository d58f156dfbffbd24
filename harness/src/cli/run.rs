//! `gameday run`.

use std::path::{Path, PathBuf};

use clap::Args;
use gameday_report::ExitCode;

use super::block_on;
use crate::{run::RunOptions, scenario::Scenario};

/// Arguments of `gameday run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday run scenarios/region-failover.toml
  gameday run scenarios/region-failover.toml --set fleet.devices=50 --set step.3.hold.for=10s
  gameday run scenarios/region-failover.toml --target http://127.0.0.1:4566 --out /var/gameday --json

Ctrl-C heals, cleans up and still writes the record. The report is report.html in the run folder.")]
pub(super) struct Run {
    /// The scenario file.
    scenario: PathBuf,
    /// `twin` for one in this process, or the address of one that `gameday twin` started. A run works on the twin only
    /// for now; `deploy`, `outputs` and `destroy` also on AWS.
    #[arg(long, default_value = "twin", value_parser = target)]
    target: String,
    /// Where run folders go: <out>/<scenario>/<time>-<id>.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// The folder of fleets that stay, for a scenario with fleet.pool.
    #[arg(long, value_name = "FOLDER", default_value = "fleets")]
    fleets: PathBuf,
    /// Everything random in the load is drawn from this; without it one is drawn and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Change a value of the scenario, as path=value. May be given more than once.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

fn target(text: &str) -> Result<String, String> {
    match text {
        "aws" => {
            Err("`gameday run` works on the twin only for now; `deploy`, `outputs` and `destroy` also on AWS"
                .to_owned())
        }
        _ if text == "twin" || text.starts_with("http://") => Ok(text.to_owned()),
        _ => {
            Err("give `twin`, or the address that `gameday twin` printed, as http://127.0.0.1:PORT"
                .to_owned())
        }
    }
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let scenario = Scenario::load(&self.scenario, &self.set)?;
        // Small enough to be read and typed.
        let seed = self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let options = RunOptions {
            replay: self.replay(seed),
            scenario_path: self.scenario,
            scenario,
            target: self.target,
            out: self.out,
            fleets: self.fleets,
            seed,
            json: self.json,
        };
        block_on(crate::run::run(options))
    }

    fn replay(&self, seed: u64) -> String {
        let mut command = format!("gameday run {} --seed {seed}", self.scenario.display());
        if self.target != "twin" {
            command += " --target ";
            command += &self.target;
        }
        if self.fleets != Path::new("fleets") {
            command += " --fleets '";
            command += &self.fleets.to_string_lossy();
            command.push('\'');
        }
        for set in &self.set {
            command += " --set '";
            command += set;
            command.push('\'');
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_aimed_at_a_twin() {
        assert!(target("twin").is_ok() && target("http://127.0.0.1:4566").is_ok());
        assert!(target("aws").unwrap_err().contains("on the twin only for now"));
        assert!(target("mars").unwrap_err().contains("http://127.0.0.1:PORT"));
    }
}
