//! The undo journal: each change to the world is written down and synced *before* it is made, and undone from what is
//! written, newest first. A change names what it makes before AWS gives it an id, so that undoing needs the journal only.

mod change;
mod cure;
mod fleet;
mod undo;

use std::time::Duration;

use gameday_report::record::{Folder, UndoEntry, UndoLog, UndoState};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

pub(crate) use change::{Change, Cure};
pub(crate) use cure::{health_check_path, set_path, sha256};
pub(crate) use fleet::{delete_certificate, delete_policy, delete_shadows, delete_thing, things};

use crate::{
    aws::{Aws, is_held},
    output::Output,
};

/// Undoing everything is given up after this long; what is left is named.
const UNDO_MAX: Duration = Duration::from_mins(10);
/// How often an undo is tried.
const UNDO_ATTEMPTS_MAX: u32 = 4;
/// What is held is tried for so long: AWS lets go what was detached within five minutes.
pub(crate) const HELD_MAX: Duration = Duration::from_mins(6);
/// The pause after the first attempt, which grows by as much up to the other.
const PAUSE: Duration = Duration::from_millis(300);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The journal of a run.
#[derive(Debug)]
pub(crate) struct Journal {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    log: UndoLog,
    /// Changes that stand: id and what.
    standing: Vec<(u64, Change)>,
    /// Every change that was made and undone.
    undone: Vec<Change>,
    last_id: u64,
}

impl Journal {
    pub(crate) fn create(folder: &Folder) -> anyhow::Result<Self> {
        let log = UndoLog::create(folder)?;
        Ok(Self { state: Mutex::new(State { log, standing: Vec::new(), undone: Vec::new(), last_id: 0 }) })
    }

    /// Writes down what is about to be changed. Only when this returns may the change be made.
    pub(crate) fn intend(&self, change: Change) -> anyhow::Result<()> {
        let mut state = self.state.lock();
        state.last_id += 1;
        let id = state.last_id;
        let entry = entry(id, UndoState::Intended, &change, None);
        state.log.append(&entry)?;
        state.standing.push((id, change));
        Ok(())
    }

    /// What still stands, for people.
    pub(crate) fn standing(&self) -> Vec<String> {
        let line = |change: &Change| format!("{} {} in {}", change.kind(), change.name(), change.region());
        self.state.lock().standing.iter().rev().map(|(_, change)| line(change)).collect()
    }

    /// Undoes every fault that stands. The answer is each with the moment since when it is cured, or why it could not be.
    pub(crate) async fn cure(&self, aws: &Aws) -> Vec<(String, Result<Instant, String>)> {
        let ended = self.undo_where(aws, None, |change| matches!(change, Change::Fault { .. })).await;
        ended.into_iter().map(|(change, ended)| (change.name(), ended)).collect()
    }

    /// Undoes once more what was undone, in the same order: for what came into being meanwhile. What still cannot be undone is
    /// found by the sweep.
    pub(crate) async fn repeat(&self, aws: &Aws) {
        let undone = self.state.lock().undone.clone();
        for change in undone {
            if let Err(error) = undo::undo(aws, &change).await {
                tracing::warn!(kind = change.kind(), name = change.name(), error = %format!("{error:#}"), "undo, again");
            }
        }
    }

    /// Undoes everything that stands: first what makes more, that is the replicator, then the
    /// rest, newest first. The answer is what could not be undone, and why.
    pub(crate) async fn undo_all(&self, aws: &Aws, output: &Output) -> Vec<(Change, String)> {
        // What fails here still stands, and is tried and named with the rest.
        self.undo_where(aws, Some(output), Change::makes_more).await;
        let ended = self.undo_where(aws, Some(output), |_| true).await;
        ended.into_iter().filter_map(|(change, ended)| Some((change, ended.err()?))).collect()
    }

    /// Undoes what stands and fits. The answer is since when each is undone, or why it is not.
    async fn undo_where(
        &self,
        aws: &Aws,
        output: Option<&Output>,
        which: impl Fn(&Change) -> bool,
    ) -> Vec<(Change, Result<Instant, String>)> {
        let standing: Vec<(u64, Change)> =
            self.state.lock().standing.iter().rev().filter(|(_, c)| which(c)).cloned().collect();
        let mut ended = Vec::new();
        let limit = Instant::now() + UNDO_MAX;
        for (id, change) in standing {
            if let Some(output) = output {
                output.status(&format!("undo: {} {} in {}", change.kind(), change.name(), change.region()));
            }
            let undone = timeout_at(limit, with_retries(aws, &change)).await.unwrap_or_else(|_| {
                Err(anyhow::anyhow!("undoing everything took longer than {} s", UNDO_MAX.as_secs()))
            });
            let undone = undone.map_err(|error| format!("{error:#}"));
            let state = if undone.is_ok() { UndoState::Undone } else { UndoState::Failed };
            let mut inner = self.state.lock();
            if let Err(error) = inner.log.append(&entry(id, state, &change, undone.clone().err())) {
                tracing::error!(%error, "the undo journal cannot be written");
            }
            if undone.is_ok() {
                inner.standing.retain(|(standing, _)| *standing != id);
                inner.undone.push(change.clone());
            }
            ended.push((change, undone));
        }
        ended
    }
}

async fn with_retries(aws: &Aws, change: &Change) -> anyhow::Result<Instant> {
    let (mut attempt, began) = (1, Instant::now());
    loop {
        match undo::undo(aws, change).await {
            Ok(since) => return Ok(since),
            Err(error)
                if attempt >= UNDO_ATTEMPTS_MAX && !(is_held(&error) && began.elapsed() < HELD_MAX) =>
            {
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(kind = change.kind(), name = change.name(), attempt, error = %format!("{error:#}"), "undo");
                tokio::time::sleep((PAUSE * attempt).min(PAUSE_MAX)).await;
                attempt += 1;
            }
        }
    }
}

fn entry(id: u64, state: UndoState, change: &Change, error: Option<String>) -> UndoEntry {
    UndoEntry {
        id,
        wall: Timestamp::now(),
        state,
        region: change.region().to_owned(),
        kind: change.kind().to_owned(),
        name: change.name(),
        manual: change.manual(),
        before: serde_json::to_value(change).ok(),
        error,
    }
}
