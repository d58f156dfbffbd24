//! What was changed, and whether all of it is undone.

use std::collections::BTreeMap;

use crate::record::{EndReason, Event, Record, UndoEntry, UndoState};
use crate::summary::{Left, Sweep, Undo};

use super::timeline::Timeline;

const ITEMS_LISTED: usize = 20;
/// Both Regions, and what is global.
const SWEEPS_EXPECTED: usize = 3;

/// The undo journal, the faults and the last look at each Region, in one.
pub(crate) fn undo(record: &Record, timeline: &Timeline) -> Undo {
    let mut last: BTreeMap<u64, &UndoEntry> = BTreeMap::new();
    for entry in &record.undo {
        last.insert(entry.id, entry);
    }
    let count = |state| last.values().filter(|entry| entry.state == state).count() as u64;
    let left = count(UndoState::Intended) + count(UndoState::Failed);
    let left_items = last
        .values()
        .filter(|entry| entry.state != UndoState::Undone)
        .take(ITEMS_LISTED)
        .map(|entry| item(entry));
    let faults_left = faults_left(&last, timeline);
    let sweeps = sweeps(record);
    let swept_clean = sweeps.iter().all(|sweep| sweep.leftovers == 0);
    Undo {
        created: last.len() as u64,
        undone: count(UndoState::Undone),
        failed: count(UndoState::Failed),
        left,
        left_items: left_items.collect(),
        complete: left == 0 && faults_left.is_empty() && swept_clean,
        proved: proved(record, &sweeps),
        faults_left,
        sweeps,
    }
}

/// Whether the record shows that everything is undone: a journal, and a last look at both Regions and at what is global. A
/// run that was refused changed nothing.
fn proved(record: &Record, sweeps: &[Sweep]) -> bool {
    let refused = record
        .events
        .iter()
        .any(|entry| matches!(&entry.event, Event::RunEnded { reason: EndReason::Refused, .. }));
    refused || (!record.undo.is_empty() && sweeps.len() >= SWEEPS_EXPECTED)
}

fn item(entry: &UndoEntry) -> Left {
    Left {
        region: entry.region.clone(),
        kind: entry.kind.clone(),
        name: entry.name.clone(),
        manual: entry.manual.clone(),
        error: entry.error.clone(),
    }
}

/// Faults that are still in place. The journal outranks the events: a run that was killed is healed later from its
/// journal, and its events do not know.
fn faults_left(last: &BTreeMap<u64, &UndoEntry>, timeline: &Timeline) -> Vec<String> {
    let mut journaled = last.values().filter(|entry| entry.kind == "fault").peekable();
    if journaled.peek().is_some() && journaled.all(|entry| entry.state == UndoState::Undone) {
        return Vec::new();
    }
    let in_place =
        timeline.windows.iter().filter_map(|window| match (&window.cure_failed, window.cured_us) {
            (Some(why), _) => Some(format!("{}: the cure failed: {why}", window.label)),
            (None, None) => Some(format!("{}: never cured", window.label)),
            (None, Some(_)) => None,
        });
    in_place.collect()
}

/// The last look at each Region and kinds; an earlier one does not count any more.
fn sweeps(record: &Record) -> Vec<Sweep> {
    let mut sweeps: BTreeMap<(&str, &[String]), Sweep> = BTreeMap::new();
    for entry in &record.events {
        if let Event::Swept { region, kinds, leftovers } = &entry.event {
            let sweep = Sweep {
                region: region.clone(),
                kinds: kinds.clone(),
                leftovers: leftovers.len() as u64,
                leftover_items: leftovers.iter().take(ITEMS_LISTED).cloned().collect(),
            };
            sweeps.insert((region, kinds), sweep);
        }
    }
    sweeps.into_values().collect()
}
