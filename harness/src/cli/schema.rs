//! `gameday schema`.

use clap::Args;
use gameday_report::ExitCode;

use crate::{output::data, scenario::schema};

/// Arguments of `gameday schema`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  gameday schema > gameday.schema.json

Editors that know taplo take it by the first line of a scenario: #:schema ./gameday.schema.json")]
pub(super) struct Schema {}

impl Schema {
    #[expect(clippy::unused_self, reason = "each command is run by its value")]
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        data(&serde_json::to_string_pretty(&schema())?);
        Ok(ExitCode::Pass)
    }
}
