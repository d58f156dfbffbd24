//! `gameday note`: what somebody did or saw, on the timeline of a run, also after it.

use std::path::PathBuf;

use clap::Args;
use gameday_report::{
    ExitCode,
    record::{Act, ActKind, ActLog, Folder, RecordError, TEXT_CHARS_MAX},
};
use jiff::Timestamp;

use super::usage;
use crate::{output::data, runs};

/// The longest name.
const BY_CHARS_MAX: usize = 100;

/// Arguments of `gameday note`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday note latest \"on-call acknowledged\" --by Ada
  gameday note k2x81mqa \"the pager was three minutes late\"

A note of a run that has ended comes into its report with `gameday report`.")]
pub(super) struct Note {
    /// A run folder, a run's id, or `latest`.
    run: String,
    /// What to write down.
    text: String,
    /// Who says it.
    #[arg(long)]
    by: Option<String>,
    /// Where run folders are.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
}

impl Note {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let folder = runs::find(&self.out, &self.run).map_err(|error| usage(format!("{error:#}")))?;
        if self.text.trim().is_empty() {
            return Err(usage("there is nothing to write down").into());
        }
        let act = write(&folder, ActKind::Note, &self.text, self.by.as_deref())?;
        let place = folder.path().display();
        let at = act.wall.strftime("%H:%M:%S UTC");
        data(&if folder.is_open()? {
            format!("noted at {at}: {place}")
        } else {
            format!("noted at {at}; gameday report {place} brings it into the report")
        });
        Ok(ExitCode::Pass)
    }
}

/// Writes an act down.
pub(super) fn write(folder: &Folder, act: ActKind, text: &str, by: Option<&str>) -> anyhow::Result<Act> {
    let (text, by) = (text.trim(), by.map(str::trim).filter(|by| !by.is_empty()));
    for (said, most) in [(text, TEXT_CHARS_MAX), (by.unwrap_or_default(), BY_CHARS_MAX)] {
        if said.chars().count() > most {
            return Err(usage(format!("that is longer than {most} characters")).into());
        }
        if said.chars().any(char::is_control) {
            return Err(usage("that is more than one line of text").into());
        }
    }
    let act = Act { wall: Timestamp::now(), act, text: text.to_owned(), by: by.map(str::to_owned) };
    ActLog::append(folder, &act).map_err(|error| match &error {
        RecordError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            anyhow::Error::from(error).context("only who may write into the run's folder can do that")
        }
        _ => error.into(),
    })?;
    Ok(act)
}
