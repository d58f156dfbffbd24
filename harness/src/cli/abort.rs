//! `gameday abort`: ends a run from elsewhere. It heals and cleans up, as after Ctrl-C.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::Args;
use gameday_report::{
    ExitCode,
    record::{ActKind, Event, Folder},
};

use super::{note::write, usage};
use crate::{
    output::{data, to_stderr},
    runs,
};

/// A run looks four times a second; one that is held up for longer does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// With `--wait`: healing and cleaning up have bounds of their own, and these are below it.
const END_MAX: Duration = Duration::from_mins(30);
const PERIOD: Duration = Duration::from_millis(500);

/// Arguments of `gameday abort`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday abort latest --by Ada --why \"customers are calling\"
  gameday abort k2x81mqa --wait

Exits with 0 once the run is stopping; with --wait, once it has ended and all is undone, or with 20 when something is left.")]
pub(super) struct Abort {
    /// A run folder, a run's id, or `latest`.
    run: String,
    /// Why: it comes into the record.
    #[arg(long, default_value = "")]
    why: String,
    /// Who aborts it.
    #[arg(long)]
    by: Option<String>,
    /// Wait until it has ended.
    #[arg(long)]
    wait: bool,
    /// Where run folders are.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
}

impl Abort {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let folder = runs::find(&self.out, &self.run).map_err(|error| usage(format!("{error:#}")))?;
        let path = folder.path().display();
        if !folder.is_open()? {
            return Err(usage(format!(
                "{path}: the run does not go on; `gameday status {path}` says how it stands"
            ))
            .into());
        }
        write(&folder, ActKind::Abort, &self.why, self.by.as_deref())?;
        let is_stopping = |event: &Event| matches!(event, Event::Stopping { .. } | Event::RunEnded { .. });
        if !until(&folder, ANSWER_MAX, is_stopping)? {
            bail!(
                "{path}: the run has not answered for {} s. It may be cleaning up already, or hang: `gameday status {path}`",
                ANSWER_MAX.as_secs()
            );
        }
        if !self.wait {
            data(&format!("stopping, it heals and cleans up: gameday status {path}"));
            return Ok(ExitCode::Pass);
        }
        to_stderr("stopping: waiting until it has healed and cleaned up");
        if !until(&folder, END_MAX, |event| matches!(event, Event::RunEnded { .. }))? {
            bail!("{path}: the run has not ended in {} minutes", END_MAX.as_secs() / 60);
        }
        let summary = gameday_report::judge(&folder.read()?);
        data(&format!("{path}: {}", summary.reason));
        Ok(if summary.undo.complete { ExitCode::Pass } else { ExitCode::UndoIncomplete })
    }
}

/// Waits until the record has such an event, or the run is gone; whether it has.
fn until(folder: &Folder, limit: Duration, is_awaited: impl Fn(&Event) -> bool) -> anyhow::Result<bool> {
    let began = Instant::now();
    loop {
        // In this order: a run that ends in between has said so.
        let is_open = folder.is_open()?;
        if folder.read_events()?.iter().rev().any(|entry| is_awaited(&entry.event)) {
            return Ok(true);
        }
        if !is_open {
            bail!("{}: the run was killed; what it changed stands", folder.path().display());
        }
        if began.elapsed() >= limit {
            return Ok(false);
        }
        std::thread::sleep(PERIOD);
    }
}
