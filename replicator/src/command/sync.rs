//! `replicator sync`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Common, Error, Told, answer, misuse, query, said, tell};
use crate::aws::{Aws, Both, EventTable, Settings, StateTable};
use crate::outcome::Outcome;
use crate::policy::Policies;
use crate::progress::{Folder, Forgetful};
use crate::sync::{self, Direct, Kind, Mode, Options, Orphans, Report, Sink, Table};

/// Into the event table if one is named, else straight to the secondary.
#[derive(Debug, Args)]
pub(super) struct Sync {
    /// smart: what differs; all: everything; repair: what differs, also of what no thing uses, and what
    /// only the secondary has [env: `SYNC_MODE`; default: smart]
    #[arg(long)]
    sync_mode: Option<String>,
    /// A query of the fleet index; without one all things are listed [env: `QUERY_STRING`]
    #[arg(long)]
    query_string: Option<String>,
    /// The event table: its replicator applies what is sent [env: `DYNAMODB_GLOBAL_TABLE`]
    #[arg(long)]
    events_table: Option<String>,
    /// The table of documents: certificates and policies go into it, beside the rest; the event table, if
    /// none is named [env: `DOCUMENTS_TABLE`]
    #[arg(long)]
    documents_table: Option<String>,
    /// The state table of the secondary; needed unless there is an event table [env: `STATE_TABLE`]
    #[arg(long)]
    state_table: Option<String>,
    /// The error table of the secondary; needed unless there is an event table [env: `ERROR_TABLE`]
    #[arg(long)]
    error_table: Option<String>,
    /// What becomes of what only the secondary has, in a repair
    #[arg(long, value_enum, default_value_t = Wish::Say)]
    orphans: Wish,
    /// A folder in which the place is remembered: a run that was ended goes on there [env: `PROGRESS_DIR`]
    #[arg(long)]
    progress_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wish {
    /// It is said, and stays
    Say,
    /// What the replicator brought goes; needs the state table
    RemoveReplicated,
    /// All of it goes
    Remove,
}

impl Sync {
    pub(super) async fn run(self, common: &Common) -> Result<bool, Error> {
        let options = self.options(common)?;
        let both = common.connect().await?;
        let into_table = said(self.events_table.as_ref(), "DYNAMODB_GLOBAL_TABLE");
        let report = match &into_table {
            Some(table) => self.by_table(&both, table, &options).await?,
            None => self.straight(&both, &options).await?,
        };
        answer(common.json, &report)?;
        tell(&report.stats_line(into_table.is_some()));
        Ok(report.is_clean() && report.finished)
    }

    pub(super) fn options(&self, common: &Common) -> Result<Options, Error> {
        let mode = match said(self.sync_mode.as_ref(), "SYNC_MODE").as_deref() {
            None | Some("smart") => Mode::Smart,
            Some("all" | "non-smart") => Mode::All,
            Some("repair") => Mode::Repair,
            Some(other) => {
                return Err(misuse(format!("SYNC_MODE is smart, all or repair, not {other:?}")));
            }
        };
        let orphans = match self.orphans {
            Wish::Say => Orphans::Say,
            Wish::RemoveReplicated => Orphans::RemoveReplicated,
            Wish::Remove => Orphans::Remove,
        };
        if orphans != Orphans::Say && mode != Mode::Repair {
            return Err(misuse("--orphans is of a repair: --sync-mode repair"));
        }
        let query = query(self.query_string.as_ref());
        let (workers, identities) = (common.workers()?, common.identities()?);
        let name = "replicator-sync".to_owned();
        Ok(Options { mode, query, workers, orphans, identities, name, deadline_ms: None })
    }

    async fn by_table(&self, both: &Both, table: &str, options: &Options) -> Result<Report, Error> {
        let dynamodb = both.primary.clients().dynamodb();
        let of_documents = said(self.documents_table.as_ref(), "DOCUMENTS_TABLE");
        let origin = both.names.primary.clone();
        let documents = EventTable::new(dynamodb, table.to_owned(), of_documents, origin);
        let state = said(self.state_table.as_ref(), "STATE_TABLE")
            .map(|name| StateTable::new(both.secondary.clients().dynamodb(), name));
        if options.orphans == Orphans::RemoveReplicated && state.is_none() {
            return Err(misuse("--orphans remove-replicated needs the state table: --state-table"));
        }
        // A table that is not there would only be missed by the first difference, and there may be none.
        documents.look().await.map_err(|why| format!("the event table: {why}"))?;
        let (state, clock) = (state.as_ref(), &both.clock);
        let sink = Table { documents: &documents, state, clock, origin: &both.names.primary };
        Ok(self.walk(both, &sink, options).await?)
    }

    async fn straight(&self, both: &Both, options: &Options) -> Result<Report, Error> {
        let missing = || {
            misuse(
                "straight to the secondary needs the tables of its replicator, --state-table and \
                       --error-table; into the event table: --events-table",
            )
        };
        let settings = Settings {
            account: both.names.account.clone(),
            primary_region: both.names.primary.clone(),
            secondary_region: both.names.secondary.clone(),
            state_table: said(self.state_table.as_ref(), "STATE_TABLE").ok_or_else(missing)?,
            error_table: said(self.error_table.as_ref(), "ERROR_TABLE").ok_or_else(missing)?,
        };
        let (world, policies) = (Box::pin(Aws::connect(settings)).await, Policies::default());
        Ok(self.walk(both, &Direct { world: &world, policies: &policies }, options).await?)
    }

    async fn walk<K: Sink>(&self, both: &Both, sink: &K, options: &Options) -> Outcome<Report> {
        let told = Told::default();
        let on_progress = |report: &Report| {
            let things = report.of(Kind::Thing);
            let errors: u64 = report.counts.values().map(|counts| counts.errors).sum();
            let (synced, existing) = (things.synced, things.existing);
            told.tell(&format!("things synced: {synced}, existing: {existing}; errors: {errors}"));
        };
        let folder = self.progress_dir.clone().or_else(|| said(None, "PROGRESS_DIR").map(PathBuf::from));
        let regions = both.regions();
        match folder {
            Some(path) => {
                Box::pin(sync::run(&regions, sink, &Folder::new(path), options, &on_progress)).await
            }
            None => Box::pin(sync::run(&regions, sink, &Forgetful, options, &on_progress)).await,
        }
    }
}
