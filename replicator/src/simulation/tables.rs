//! The tables: state with leases, errors, and the event table.
//!
//! Pure state: time comes in as an argument.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::region::{PAGE_MAX, absent, conflict};
use crate::document::{self, Document, Key};
use crate::event::DOCUMENT;
use crate::model::Page;
use crate::order::LEASE_MS;
use crate::outcome::Outcome;
use crate::ports::{ErrorRow, Row, TAKE_KEY, Taken};

/// One key of the state table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Entry {
    pub(crate) row: Option<Row>,
    /// What the holder is about to do, or the last one was when it ended.
    pub(crate) intent: Option<Value>,
    /// The same of the last holder that ended, if several did.
    pub(crate) latest: Option<Value>,
    /// Who holds it, and until when.
    pub(crate) lease: Option<(String, u64)>,
}

/// The state table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct StateTable {
    pub(crate) entries: BTreeMap<String, Entry>,
    tokens_made: u64,
}

impl StateTable {
    pub(crate) fn take(&mut self, key: &str, intent: &Value, now_ms: u64) -> Outcome<Taken> {
        self.tokens_made += 1;
        let token = format!("token-{}", self.tokens_made);
        let entry = self.entries.entry(key.to_owned()).or_default();
        if entry.lease.as_ref().is_some_and(|(_, until_ms)| now_ms < *until_ms) {
            return Err(conflict(TAKE_KEY, "someone else has it"));
        }
        entry.lease = Some((token.clone(), now_ms + LEASE_MS));
        let unfinished = entry.intent.clone();
        entry.intent.get_or_insert_with(|| intent.clone());
        let latest = entry.latest.replace(intent.clone());
        Ok(Taken { key: key.to_owned(), row: entry.row.clone(), unfinished, latest, token })
    }

    /// Takes a key away from whoever holds it.
    pub(crate) fn free(&mut self, key: &str) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.lease = None;
        }
    }

    fn held(&mut self, taken: &Taken) -> Outcome<&mut Entry> {
        let entry = self.entries.get_mut(&taken.key).ok_or_else(|| absent("state"))?;
        let holds = entry.lease.as_ref().is_some_and(|(token, _)| *token == taken.token);
        if holds { Ok(entry) } else { Err(conflict("state", "it is not held any more")) }
    }

    pub(crate) fn put(&mut self, taken: &Taken, row: &Row) -> Outcome<()> {
        *self.held(taken)? = Entry { row: Some(row.clone()), ..Entry::default() };
        Ok(())
    }

    pub(crate) fn release(&mut self, taken: &Taken) -> Outcome<()> {
        let entry = self.held(taken)?;
        entry.intent.clone_from(&taken.unfinished);
        entry.latest.clone_from(&taken.latest);
        entry.lease = None;
        Ok(())
    }

    pub(crate) fn read(&self, key: &str) -> Option<Row> {
        self.entries.get(key).and_then(|entry| entry.row.clone())
    }
}

/// The error table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ErrorTable {
    pub(crate) rows: BTreeMap<(String, String), ErrorRow>,
    /// When a row that is there was first put, in milliseconds.
    first_ms: BTreeMap<(String, String), u64>,
}

impl ErrorTable {
    pub(crate) fn record(&mut self, row: &ErrorRow) -> u64 {
        let key = (row.device.clone(), row.event.clone());
        let there = self.rows.remove(&key);
        let first_ms = there.as_ref().and_then(|_| self.first_ms.get(&key).copied()).unwrap_or(row.seen_ms);
        self.first_ms.insert(key.clone(), first_ms);
        let there = there.unwrap_or_default();
        let event = row.row.clone().or(there.row);
        self.rows.insert(key, ErrorRow { attempts: there.attempts + 1, row: event, ..row.clone() });
        first_ms
    }

    pub(crate) fn record_again(&mut self, row: &ErrorRow) {
        if self.rows.contains_key(&(row.device.clone(), row.event.clone())) {
            self.record(row);
        }
    }

    pub(crate) fn clear_unchanged(&mut self, row: &ErrorRow) {
        let key = (row.device.clone(), row.event.clone());
        if self.rows.get(&key).is_some_and(|there| there.attempts == row.attempts) {
            self.rows.remove(&key);
        }
    }

    /// A page begins after a key, so that rows may go while they are read.
    pub(crate) fn page(&self, from: Option<&str>) -> Page<ErrorRow> {
        let from = from.and_then(|from| from.split_once('\u{0}'));
        let after =
            |key: &(String, String)| from.is_none_or(|(d, e)| (key.0.as_str(), key.1.as_str()) > (d, e));
        let mut rest = self.rows.iter().filter(|(key, _)| after(key));
        let rows: Vec<_> = rest.by_ref().take(PAGE_MAX).collect();
        let last = rows.last().filter(|_| rest.next().is_some());
        let next = last.map(|((device, event), _)| format!("{device}\u{0}{event}"));
        Page { items: rows.into_iter().map(|(_, row)| row.clone()).collect(), next }
    }
}

/// A change of the event table, as its stream tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventChange {
    pub(crate) device: String,
    pub(crate) event: String,
    /// The row after the change, or the one that went.
    pub(crate) row: Map<String, Value>,
    pub(crate) written_ms: u64,
    /// The row went: it had lived its time.
    pub(crate) is_gone: bool,
}

/// The event table in the primary. What happens to it on its way to the secondary is not its business.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct EventTable {
    pub(crate) rows: BTreeMap<(String, String), Map<String, Value>>,
    /// All changes, in their order.
    pub(crate) changes: Vec<EventChange>,
}

impl EventTable {
    pub(crate) fn looked_ms(&self, key: &Key) -> Option<u64> {
        key.looked_at().iter().filter_map(|event| self.looked_at_ms(key, event)).max()
    }

    fn looked_at_ms(&self, key: &Key, event: &str) -> Option<u64> {
        let row = self.rows.get(&(key.device(), event.to_owned()))?;
        row.get("looked_ms").and_then(Value::as_u64)
    }

    /// Puts a document unless a newer one is there.
    pub(crate) fn put_document(&mut self, document: &Document, origin: &str, now_ms: u64) -> bool {
        let there_ms = self.looked_at_ms(&document.key, document::SORT_KEY);
        if there_ms.is_some_and(|there_ms| there_ms >= document.looked_ms) {
            return false;
        }
        self.put_row(document_row(document, origin), now_ms);
        true
    }

    /// Puts a row with its keys in it.
    pub(crate) fn put_row(&mut self, row: Map<String, Value>, written_ms: u64) {
        let key = |name: &str| row.get(name).and_then(Value::as_str).expect("a row has its keys").to_owned();
        let (device, event) = (key("device"), key("event"));
        let before = self.rows.insert((device.clone(), event.clone()), row.clone());
        if before.as_ref() == Some(&row) {
            // No stream tells of a change that changes nothing.
            return;
        }
        self.changes.push(EventChange { device, event, row, written_ms, is_gone: false });
    }

    /// Removes what a change wrote, unless it was replaced since.
    pub(crate) fn expire(&mut self, index: usize, now_ms: u64) {
        let change = self.changes[index].clone();
        let key = (change.device.clone(), change.event.clone());
        if !change.is_gone && self.rows.get(&key) == Some(&change.row) {
            self.rows.remove(&key);
            self.changes.push(EventChange { written_ms: now_ms, is_gone: true, ..change });
        }
    }
}

/// The row of a document.
pub(crate) fn document_row(document: &Document, origin: &str) -> Map<String, Value> {
    let text = serde_json::to_string(document).expect("a document is JSON");
    let row = json!({"device": document.key.device(), "event": document::SORT_KEY, "eventType": DOCUMENT,
        "origin": origin, "looked_ms": document.looked_ms, "document": text});
    match row {
        Value::Object(row) => row,
        _ => Map::new(),
    }
}
