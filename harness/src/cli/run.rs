//! `gameday run`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use gameday_report::ExitCode;

use super::block_on;
use crate::{
    output::{self, to_stderr},
    plan::{Aim, Plan},
    run::RunOptions,
    scenario::Scenario,
};

/// Arguments of `gameday run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday run scenarios/region-failover.toml
  gameday run scenarios/region-failover.toml --set fleet.devices=50 --set step.3.hold.for=10s
  gameday run scenarios/region-failover.toml --page --progress plain
  gameday run scenarios/region-failover.toml --target http://127.0.0.1:4566 --out /var/gameday --json

Ctrl-C heals, cleans up and still writes the record; a second one gives that up and says what is left. The report is report.html in the run folder.")]
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
    #[command(flatten)]
    limits: super::limits::Limits,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    /// For tests: somebody else cures each fault as soon as it was applied, and the run is not told.
    #[arg(long, hide = true)]
    spoil_faults: bool,
    /// How progress is told, on standard error: lines that are drawn over (on a terminal), plain lines, or a JSON object a
    /// line. Without it that of a terminal or of a pipe.
    #[arg(long, value_enum)]
    progress: Option<Progress>,
    /// Show how the run stands on a page of its own, at an address of this machine; without one a port is chosen and printed.
    /// Another address than a loopback one shows it to whoever can reach that.
    #[arg(long, value_name = "IP:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0")]
    page: Option<SocketAddr>,
}

/// The choices of `--progress`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Progress {
    Live,
    Plain,
    Json,
}

impl From<Progress> for output::Progress {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Live => Self::Live,
            Progress::Plain => Self::Plain,
            Progress::Json => Self::Json,
        }
    }
}

/// What can be planned for: a run's targets, and AWS.
pub(super) fn plan_target(text: &str) -> Result<String, String> {
    if text == "aws" { Ok(text.to_owned()) } else { target(text) }
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
        let plan = Plan::of(&scenario, Aim::twin(&scenario.twin))?;
        if let Err(why) = self.limits.check(&plan) {
            to_stderr(&format!("refused, nothing was changed: {why}"));
            return Ok(ExitCode::Refused);
        }
        // Small enough to be read and typed.
        let seed = self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let options = RunOptions {
            replay: self.replay(seed),
            scenario_path: self.scenario,
            scenario,
            plan,
            target: self.target,
            out: self.out,
            fleets: self.fleets,
            seed,
            json: self.json,
            progress: self.progress.map(output::Progress::from),
            page: self.page,
            is_spoilt: self.spoil_faults,
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
        command += &self.limits.arguments();
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
