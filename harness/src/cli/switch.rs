//! `gameday switch`: the process of the dead-man's switch, which a run starts.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use gameday_report::ExitCode;

use super::block_on;
use crate::{log, switch};

/// Arguments of `gameday switch`.
#[derive(Debug, Args)]
pub(super) struct Switch {
    /// The run folder.
    folder: PathBuf,
    /// By then the run has ended, seconds from now.
    #[arg(long)]
    limit_s: u64,
}

impl Switch {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        log::to_stderr();
        block_on(switch::watch(self.folder, Duration::from_secs(self.limit_s)))
    }
}
