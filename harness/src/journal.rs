//! The undo journal: each change to the world is written down and synced *before* it is made, and undone from what is
//! written, newest first. A change names what it makes before AWS gives it an id, so that undoing needs the journal only.

mod certificates;
mod change;
mod fleet;
mod undo;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use gameday_report::record::{Folder, UndoEntry, UndoLog, UndoState};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

pub(crate) use certificates::issued_for;
pub(crate) use change::Change;
pub(crate) use fleet::{delete_certificate, delete_policy, delete_shadows, delete_thing, things};

use crate::{
    aws::{Aws, is_held},
    output::Output,
};

/// Undoing everything is given up after this long; what is left is named.
pub(crate) const UNDO_MAX: Duration = Duration::from_mins(10);
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
    /// What stands and is not understood: another gameday wrote it.
    foreign: Vec<UndoEntry>,
    last_id: u64,
}

impl Journal {
    pub(crate) fn create(folder: &Folder) -> anyhow::Result<Self> {
        Ok(Self::of(UndoLog::create(folder)?, BTreeMap::new()))
    }

    /// The journal of a run that is no more, to undo from it. None: somebody else has it.
    pub(crate) fn take(folder: &Folder) -> anyhow::Result<Option<Self>> {
        let Some(log) = UndoLog::take(folder)? else { return Ok(None) };
        let mut last: BTreeMap<u64, UndoEntry> = BTreeMap::new();
        for entry in folder.read_undo()? {
            last.insert(entry.id, entry);
        }
        Ok(Some(Self::of(log, last)))
    }

    fn of(log: UndoLog, last: BTreeMap<u64, UndoEntry>) -> Self {
        let last_id = last.keys().next_back().copied().unwrap_or(0);
        let (mut standing, mut undone, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
        for (id, entry) in last {
            let is_undone = entry.state == UndoState::Undone;
            let change = entry.before.clone().map(serde_json::from_value::<Change>);
            match change {
                Some(Ok(change)) if is_undone => undone.push(change),
                Some(Ok(change)) => standing.push((id, change)),
                _ if is_undone => {}
                _ => foreign.push(entry),
            }
        }
        Self { state: Mutex::new(State { log, standing, undone, foreign, last_id }) }
    }

    /// Every change that was ever written down and is understood, in no order.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let state = self.state.lock();
        state.standing.iter().map(|(_, change)| change).chain(&state.undone).cloned().collect()
    }

    /// What stands and cannot be undone from here, each with what to do by hand.
    pub(crate) fn foreign(&self) -> Vec<String> {
        let said = |entry: &UndoEntry| {
            let UndoEntry { kind, name, region, manual, .. } = entry;
            format!("{kind} {name} in {region}: this gameday does not understand it\n      by hand: {manual}")
        };
        self.state.lock().foreign.iter().map(said).collect()
    }

    /// How many changes stand, with those that are not understood here.
    pub(crate) fn remaining(&self) -> usize {
        let state = self.state.lock();
        state.standing.len() + state.foreign.len()
    }

    /// A policy is attached to the certificate that was issued for this key: it is found by that from here on.
    pub(crate) fn is_found(&self, key_sha256: &str) {
        for (_, change) in &mut self.state.lock().standing {
            if let Change::Certificates { keys, .. } = change {
                keys.retain(|key| key != key_sha256);
            }
        }
    }

    /// What was changed has gone with its world: all of it counts as undone.
    pub(crate) fn forget_all(&self) -> anyhow::Result<usize> {
        let mut state = self.state.lock();
        let standing = std::mem::take(&mut state.standing);
        for (id, change) in &standing {
            state.log.append(&entry(*id, UndoState::Undone, change, None))?;
        }
        Ok(standing.len())
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

    /// How many changes stand.
    pub(crate) fn standing(&self) -> usize {
        self.state.lock().standing.len()
    }

    /// What still stands, newest first: what it is, and the command that undoes it.
    pub(crate) fn left(&self) -> Vec<(String, String)> {
        let line = |change: &Change| {
            (format!("{} {} in {}", change.kind(), change.name(), change.region()), change.manual())
        };
        self.state.lock().standing.iter().rev().map(|(_, change)| line(change)).collect()
    }

    /// The changes of this fault that stand.
    pub(crate) fn standing_faults(&self, name: &str) -> Vec<Change> {
        let of = |change: &Change| matches!(change, Change::Fault { fault, .. } if fault == name);
        self.state
            .lock()
            .standing
            .iter()
            .map(|(_, change)| change)
            .filter(|change| of(change))
            .cloned()
            .collect()
    }

    /// Undoes every fault that stands. The answer is each with the moment since when all that it changed is cured, or why not.
    pub(crate) async fn cure(&self, aws: &Aws) -> BTreeMap<String, Result<Instant, String>> {
        let mut cured: BTreeMap<String, Result<Instant, String>> = BTreeMap::new();
        for (change, ended) in
            self.undo_where(aws, None, |change| matches!(change, Change::Fault { .. })).await
        {
            let all = cured.entry(change.name()).or_insert_with(|| ended.clone());
            *all = match (&*all, ended) {
                (Ok(before), Ok(since)) => Ok(since.max(*before)),
                (Err(why), _) => Err(why.clone()),
                (Ok(_), Err(why)) => Err(why),
            };
        }
        cured
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

    fn is_broken(&self) -> bool {
        self.state.lock().standing.iter().any(|(_, change)| matches!(change, Change::Fault { .. }))
    }

    /// Whether the dead-man's switch is there.
    pub(crate) fn has_switch(&self) -> bool {
        self.state.lock().standing.iter().any(|(_, change)| matches!(change, Change::Switch { .. }))
    }

    /// Undoes the dead-man's switch, when nothing is broken any more.
    pub(crate) async fn end_switch(&self, aws: &Aws) -> anyhow::Result<()> {
        if self.is_broken() {
            return Ok(());
        }
        let ended = self.undo_where(aws, None, |change| matches!(change, Change::Switch { .. })).await;
        let failed = ended.into_iter().find_map(|(_, ended)| ended.err());
        failed.map_or(Ok(()), |why| {
            Err(anyhow::anyhow!("the dead-man's switch is not proved to be gone: {why}"))
        })
    }

    /// Undoes everything that stands: first what makes more, that is the replicator, then the
    /// rest, newest first, and what is looked for by itself at last. The answer is what could not be undone, and why.
    pub(crate) async fn undo_all(&self, aws: &Aws, output: &Output) -> Vec<(Change, String)> {
        // What fails here still stands, and is tried and named with the rest.
        self.undo_where(aws, Some(output), Change::makes_more).await;
        self.undo_where(aws, Some(output), |change| !change.is_remainder()).await;
        // As long as something is broken the switch stays, to try again.
        let is_broken = self.is_broken();
        let is_to_go = |change: &Change| !(is_broken && matches!(change, Change::Switch { .. }));
        let ended = self.undo_where(aws, Some(output), is_to_go).await;
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

/// Undoes a change that no journal has.
pub(crate) async fn undo_now(aws: &Aws, change: &Change) -> anyhow::Result<()> {
    timeout_at(Instant::now() + UNDO_MAX, with_retries(aws, change))
        .await
        .context("it took too long")?
        .map(drop)
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

#[cfg(test)]
mod tests;
