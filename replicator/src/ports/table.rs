//! The tables that the replicator keeps.

use std::future::Future;

use serde_json::{Map, Value};

use super::Row;
use crate::document::Document;
use crate::model::Page;
use crate::order::{self, LifeMark};
use crate::outcome::Outcome;

/// The step that fails with `Conflict` while someone else has a key.
pub const TAKE_KEY: &str = "take key";

/// A key that is held: whoever has it may change what the key stands for, and nobody else may.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// The key.
    pub key: String,
    /// What was remembered.
    pub row: Option<Row>,
    /// What a holder was about to do that ended without saying how that went: the first such.
    pub unfinished: Option<Value>,
    /// What the last such was about to do, which may be another one.
    pub latest: Option<Value>,
    /// Who holds it: one holding, not one function.
    pub token: String,
}

impl Taken {
    /// The marks of what was begun: of the first and of the last holder that ended.
    pub fn begun(&self) -> Vec<LifeMark> {
        let mut begun: Vec<_> = self.unfinished.iter().chain(&self.latest).map(order::begun).collect();
        begun.dedup();
        begun
    }
}

/// The state table: one row a key.
///
/// A key is taken before anything that it stands for is changed, and put or let go afterwards. If
/// the holder ends in between, the key is free again after [`crate::order::LEASE_MS`], and the next
/// holder learns what was about to be done. An intent that is unfinished stays until a row is put or noted,
/// however many later holders end: the first one, and beside it the last.
pub trait State: Sync {
    /// Takes a key, saying what is about to be done. `Conflict` while someone else has it.
    fn take(&self, key: &str, intent: &Value, now_ms: u64) -> impl Future<Output = Outcome<Taken>> + Send;
    /// Replaces the row and lets go of the key. `Conflict` if it is not held any more.
    fn put(&self, taken: &Taken, row: &Row) -> impl Future<Output = Outcome<()>> + Send;
    /// Replaces the row and holds the key on, with the intent: for a row that others are to read before
    /// the rest is done. What it answers is held from then on, by someone else in between perhaps: its
    /// row counts.
    fn note(
        &self,
        taken: &Taken,
        row: &Row,
        intent: &Value,
        now_ms: u64,
    ) -> impl Future<Output = Outcome<Taken>> + Send {
        async move {
            self.put(taken, row).await?;
            self.take(&taken.key, intent, now_ms).await
        }
    }
    /// Lets go of a key for which nothing was done: what was unfinished stays so.
    fn release(&self, taken: &Taken) -> impl Future<Output = Outcome<()>> + Send;
    /// Reads a row without taking its key. It is the newest one.
    fn read(&self, key: &str) -> impl Future<Output = Outcome<Option<Row>>> + Send;
    /// Rows whose key begins so, a page at a time.
    fn rows(
        &self,
        prefix: &str,
        from: Option<&str>,
    ) -> impl Future<Output = Outcome<Page<(String, Row)>>> + Send;
}

/// What was not applied, and why.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorRow {
    /// The partition key of the event table.
    pub device: String,
    /// The event's sort key in the event table.
    pub event: String,
    /// The step that failed.
    pub what: String,
    /// Why.
    pub why: String,
    /// When it was seen last, in milliseconds. The table keeps the first time, too.
    pub seen_ms: u64,
    /// How often. The table counts.
    pub attempts: u64,
    /// The event itself, to be applied again; none if it could not be decoded.
    pub row: Option<Map<String, Value>>,
}

/// The error table.
pub trait Errors: Sync {
    /// Records a failure, and says when the first one of that row was seen, in milliseconds. The row's count of
    /// attempts rises; the event that the row has stays, if none comes with the failure.
    fn record(&self, row: &ErrorRow) -> impl Future<Output = Outcome<u64>> + Send;
    /// Counts one more failure of a row that was read before. One that is gone stays gone: its event was
    /// applied meanwhile.
    fn record_again(&self, row: &ErrorRow) -> impl Future<Output = Outcome<()>> + Send;
    /// Removes the row of an event, if there is one.
    fn clear(&self, device: &str, event: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Removes a row that was read before, unless its event failed again since: by `attempts`.
    fn clear_unchanged(&self, row: &ErrorRow) -> impl Future<Output = Outcome<()>> + Send;
    /// All rows, a page at a time.
    fn rows(&self, from: Option<&str>) -> impl Future<Output = Outcome<Page<ErrorRow>>> + Send;
}

/// The event table and the table of documents, for whoever writes into them.
pub trait Documents: Sync {
    /// When that key was looked at last, by itself or with its thing: the newest of [`Key::looked_at`](crate::document::Key::looked_at).
    fn looked_ms(&self, key: &crate::document::Key) -> impl Future<Output = Outcome<Option<u64>>> + Send;
    /// Puts a document unless a newer one is there, and says whether it was put.
    fn put(&self, document: &Document) -> impl Future<Output = Outcome<bool>> + Send;
    /// Puts a whole row, as a topic rule does: `device`, `event`, `eventType` and the rest. Into the table of
    /// documents if it [is of it](crate::document::is_of_documents).
    fn put_event(&self, row: &Map<String, Value>) -> impl Future<Output = Outcome<()>> + Send;
}
