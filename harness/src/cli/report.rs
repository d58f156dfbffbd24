//! `gameday report`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use gameday_report::{
    ExitCode,
    record::{Folder, RecordError},
};

use super::UsageError;
use crate::output::data;

/// Arguments of `gameday report`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  gameday report runs/region-failover/latest

Exits with the code of the run's verdict.")]
pub(super) struct Report {
    /// A run folder.
    folder: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let folder = Folder::open(&self.folder).map_err(|error| match error {
            RecordError::NoRunFolder { .. } => UsageError(error.to_string()).into(),
            other => anyhow::Error::from(other),
        })?;
        if folder.is_open()? {
            let path = self.folder.display();
            return Err(UsageError(format!("{path}: the run has not ended; nothing was written")).into());
        }
        let summary = gameday_report::write_results(&folder)
            .with_context(|| format!("{} could not be judged", self.folder.display()))?;
        if self.json {
            data(&serde_json::to_string(&summary)?);
        } else {
            data(&format!("{}: {}", folder.report().display(), summary.reason));
        }
        Ok(summary.exit)
    }
}
