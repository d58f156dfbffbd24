//! `gameday fleet list`.

use clap::Args;
use gameday_report::ExitCode;
use serde::Serialize;

use super::Folder;
use crate::{
    output::{data, to_stderr},
    pool::{Counts, Pool},
};

/// Arguments of `gameday fleet list`.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    folder: Folder,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// A fleet in a few words.
#[derive(Debug, Serialize)]
pub(super) struct Brief {
    name: String,
    devices: u32,
    #[serde(flatten)]
    counts: Counts,
    key: crate::identity::KeyKind,
    by: Option<&'static str>,
    home: Option<String>,
}

impl Brief {
    pub(super) fn of(pool: &Pool) -> anyhow::Result<Self> {
        let manifest = &pool.manifest;
        Ok(Self {
            name: manifest.name.clone(),
            devices: manifest.devices,
            counts: pool.counts()?,
            key: manifest.key,
            by: manifest.making.as_ref().map(|making| making.by.as_str()),
            home: manifest.making.as_ref().map(|making| making.home.to_string()),
        })
    }
}

impl List {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let pools = Pool::list(&self.folder.fleets)?;
        let briefs: Vec<Brief> = pools.iter().map(Brief::of).collect::<anyhow::Result<_>>()?;
        if self.json {
            data(&serde_json::to_string_pretty(&briefs)?);
            return Ok(ExitCode::Pass);
        }
        if briefs.is_empty() {
            to_stderr(&format!("no fleets in {}", self.folder.fleets.display()));
        }
        let width = briefs.iter().map(|brief| brief.name.len()).max().unwrap_or_default();
        for Brief { name, devices, counts, by, home, .. } in &briefs {
            let by = by.unwrap_or("keys only");
            let home = home.as_deref().unwrap_or("nowhere yet");
            data(&format!("{name:<width$}  {devices:>7} devices  {:>7} made  {by:<12}  {home}", counts.made));
        }
        Ok(ExitCode::Pass)
    }
}
