//! `gameday init`.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use gameday_report::{ExitCode, nearest};

use super::usage;
use crate::{
    library::{COMMENTED, LIBRARY, Play, SCHEMA_FILE},
    output::{data, to_stderr},
    scenario::{Scenario, schema},
};

/// Arguments of `gameday init`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday init
  gameday init --list
  gameday init storm.toml --from reconnect-storm

Nothing that is there is written over. Beside a commented scenario goes the schema that its first line
names, unless there is one.")]
pub(super) struct Init {
    /// The file to write.
    #[arg(default_value = "scenario.toml")]
    file: PathBuf,
    /// Copy this scenario of the library instead of writing a commented one.
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Say what the library has.
    #[arg(long, conflicts_with_all = ["file", "from"])]
    list: bool,
}

impl Init {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.list {
            return list();
        }
        let Some(name) = &self.from else {
            write(&self.file, COMMENTED)?;
            let schema_file = self.file.with_file_name(SCHEMA_FILE);
            if !schema_file.exists() {
                write(&schema_file, &(serde_json::to_string_pretty(&schema())? + "\n"))?;
            }
            self.done();
            return Ok(ExitCode::Pass);
        };
        let play = Play::named(name).ok_or_else(|| {
            let meant = nearest(name, LIBRARY.iter().map(|play| play.name.to_owned()));
            let meant = meant.map_or_else(|| ".".to_owned(), |name| format!(", did you mean {name}?"));
            usage(format!("the library has no {name}{meant} `gameday init --list` says what it has"))
        })?;
        write(&self.file, play.text)?;
        self.done();
        Ok(ExitCode::Pass)
    }

    fn done(&self) {
        let file = self.file.display();
        to_stderr(&format!("{file} is written; next: gameday plan {file}, gameday run {file}"));
    }
}

fn list() -> anyhow::Result<ExitCode> {
    for play in LIBRARY {
        let scenario = Scenario::parse(play.text, play.name, &[])?;
        data(&format!("{:<20} {}", play.name, scenario.title));
    }
    Ok(ExitCode::Pass)
}

/// Writes a file that must not be there.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        let path = path.display();
        match error.kind() {
            ErrorKind::AlreadyExists => usage(format!("{path} is there, and is not written over")),
            _ => usage(format!("{path} cannot be written: {error}")),
        }
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("{} is not whole", path.display()))
}
