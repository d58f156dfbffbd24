//! `gameday run`.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use gameday_report::ExitCode;

use super::{
    block_on,
    started::{Aimed, Started},
};
use crate::{
    output::{self, to_stderr},
    results::Bucket,
    run::RunOptions,
};

/// Arguments of `gameday run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday run scenarios/region-failover.toml
  gameday run scenarios/region-failover.toml --set fleet.devices=50 --set step.3.hold.for=10s
  gameday run scenarios/region-failover.toml --page --progress plain
  gameday run scenarios/region-failover.toml --target http://127.0.0.1:4566 --out /var/gameday --json
  gameday run scenarios/smoke.toml --results s3://game-days/smoke

Ctrl-C heals, cleans up and still writes the record; a second one gives that up and says what is left. The report is report.html in the run folder.")]
pub(super) struct Run {
    #[command(flatten)]
    started: Started,
    /// Everything random in the load is drawn from this; without it one is drawn and printed.
    #[arg(long)]
    seed: Option<u64>,
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
    /// Keep the run folder in a bucket as well, when the report is written: with the credentials of the environment, whatever
    /// the target is. A failure is said, and changes no exit code.
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    results: Option<Bucket>,
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
    if text == "aws" { Ok(text.to_owned()) } else { Aimed::parse(text).map(|aimed| aimed.target) }
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let options = match self.started.options(self.seed)? {
            Ok(options) => options,
            Err(why) => {
                to_stderr(&format!("refused, nothing was changed: {why}"));
                return Ok(ExitCode::Refused);
            }
        };
        block_on(crate::run::run(RunOptions {
            json: self.json,
            progress: self.progress.map(output::Progress::from),
            page: self.page,
            is_spoilt: self.spoil_faults,
            results: self.results,
            ..options
        }))
    }
}
