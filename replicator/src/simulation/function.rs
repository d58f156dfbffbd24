//! What a function holds in its hands: the tables, the clock, and the Regions that it may call.

use serde_json::{Map, Value};

use super::call::Link;
use super::planted::Planted;
use super::remote::{Remote, Side, page};
use super::{ACCOUNT, PRIMARY, SECONDARY, truth};
use crate::capture::Later;
use crate::document::{Document, Key};
use crate::model::Page;
use crate::outcome::Outcome;
use crate::ports::{Clock, Documents, ErrorRow, Errors, Looks, Row, Source, State, Taken, World};
use crate::progress::Progress;

/// A function of one of the two Regions.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) link: Link,
    region: Remote,
    /// By how much its clock is ahead.
    ahead_ms: i64,
}

impl Function {
    pub(crate) fn new(link: &Link, side: Side) -> Self {
        Self { link: link.clone(), region: Remote { link: link.clone(), side }, ahead_ms: 0 }
    }

    /// The same function with a clock that is ahead by so much, or behind.
    pub(crate) fn with_clock(&self, ahead_ms: i64) -> Self {
        Self { ahead_ms, ..self.clone() }
    }
}

impl State for Function {
    async fn take(&self, key: &str, intent: &Value, now_ms: u64) -> Outcome<Taken> {
        let (key, intent) = (key.to_owned(), intent.clone());
        self.link
            .call("state", "take", move |inner| {
                if inner.planted == Some(Planted::NoLease) {
                    inner.state.free(&key);
                }
                let mut taken = inner.state.take(&key, &intent, now_ms)?;
                if inner.planted == Some(Planted::NoOrder) {
                    taken.row = None;
                }
                if inner.planted == Some(Planted::NoUnfinished) {
                    (taken.unfinished, taken.latest) = (None, None);
                }
                Ok(taken)
            })
            .await
    }
    async fn put(&self, taken: &Taken, row: &Row) -> Outcome<()> {
        let (taken, row) = (taken.clone(), row.clone());
        self.link
            .call("state", "put", move |inner| {
                let objection = truth::backwards(inner.state.read(&taken.key).as_ref(), &row);
                inner.state.put(&taken, &row)?;
                if let (Some(why), Some(_)) = (objection, &inner.truth) {
                    inner.object(format!("{}: {why}", taken.key));
                }
                Ok(())
            })
            .await
    }
    async fn release(&self, taken: &Taken) -> Outcome<()> {
        let taken = taken.clone();
        self.link.call("state", "release", move |inner| inner.state.release(&taken)).await
    }
    async fn read(&self, key: &str) -> Outcome<Option<Row>> {
        let key = key.to_owned();
        self.link.call("state", "read", move |inner| Ok(inner.state.read(&key))).await
    }
    async fn rows(&self, prefix: &str, from: Option<&str>) -> Outcome<Page<(String, Row)>> {
        let (prefix, from) = (prefix.to_owned(), from.map(str::to_owned));
        self.link
            .call("state", "rows", move |inner| {
                let keyed = inner.state.entries.iter().filter(|(key, _)| key.starts_with(&prefix));
                let rows = keyed.filter_map(|(key, entry)| Some((key.clone(), entry.row.clone()?)));
                Ok(page(rows, from.as_deref()))
            })
            .await
    }
}

impl Errors for Function {
    async fn record(&self, row: &ErrorRow) -> Outcome<u64> {
        let row = row.clone();
        self.link
            .call("errors", "record", move |inner| {
                if inner.planted == Some(Planted::NoErrorRow) {
                    return Ok(row.seen_ms);
                }
                Ok(inner.errors.record(&row))
            })
            .await
    }
    async fn record_again(&self, row: &ErrorRow) -> Outcome<()> {
        let row = row.clone();
        self.link
            .call("errors", "record_again", move |inner| {
                inner.errors.record_again(&row);
                Ok(())
            })
            .await
    }
    async fn clear(&self, device: &str, event: &str) -> Outcome<()> {
        let key = (device.to_owned(), event.to_owned());
        self.link
            .call("errors", "clear", move |inner| {
                inner.errors.rows.remove(&key);
                Ok(())
            })
            .await
    }
    async fn clear_unchanged(&self, row: &ErrorRow) -> Outcome<()> {
        let row = row.clone();
        self.link
            .call("errors", "clear_unchanged", move |inner| {
                inner.errors.clear_unchanged(&row);
                Ok(())
            })
            .await
    }
    async fn rows(&self, from: Option<&str>) -> Outcome<Page<ErrorRow>> {
        let from = from.map(str::to_owned);
        self.link.call("errors", "rows", move |inner| Ok(inner.errors.page(from.as_deref()))).await
    }
}

impl Documents for Function {
    async fn looked_ms(&self, key: &Key) -> Outcome<Option<u64>> {
        let key = key.clone();
        self.link.call("documents", "looked_ms", move |inner| Ok(inner.events.looked_ms(&key))).await
    }
    async fn put(&self, document: &Document) -> Outcome<bool> {
        let (document, origin) = (document.clone(), self.region.side.region_name());
        self.link
            .call("documents", "put", move |inner| {
                Ok(inner.events.put_document(&document, origin, inner.now_ms))
            })
            .await
    }
    async fn put_event(&self, row: &Map<String, Value>) -> Outcome<()> {
        let row = row.clone();
        self.link
            .call("documents", "put_event", move |inner| {
                inner.events.put_row(row, inner.now_ms);
                Ok(())
            })
            .await
    }
}

impl Looks for Function {
    async fn later(&self, look: &Later, delay_s: u64) -> Outcome<()> {
        let look = look.clone();
        self.link
            .call("looks", "later", move |inner| {
                inner.later.push((inner.now_ms + delay_s * 1_000, look));
                Ok(())
            })
            .await
    }
}

impl Progress for Function {
    async fn get(&self, name: &str) -> Outcome<Option<Value>> {
        let name = name.to_owned();
        self.link.call("progress", "get", move |inner| Ok(inner.progress.get(&name).cloned())).await
    }
    async fn put(&self, name: &str, value: &Value) -> Outcome<()> {
        let (name, value) = (name.to_owned(), value.clone());
        self.link
            .call("progress", "put", move |inner| {
                inner.progress.insert(name, value);
                Ok(())
            })
            .await
    }
    async fn clear(&self, name: &str) -> Outcome<()> {
        let name = name.to_owned();
        self.link
            .call("progress", "clear", move |inner| {
                inner.progress.remove(&name);
                Ok(())
            })
            .await
    }
}

impl Clock for Function {
    fn now_ms(&self) -> u64 {
        self.link.inner().now_ms.saturating_add_signed(self.ahead_ms)
    }
    async fn sleep_ms(&self, ms: u64) {
        self.link.sleep_ms(ms).await;
    }
}

impl World for Function {
    type Region = Remote;
    type State = Self;
    type Errors = Self;
    type Clock = Self;

    fn account(&self) -> &'static str {
        ACCOUNT
    }
    fn primary_region(&self) -> &'static str {
        PRIMARY
    }
    fn secondary_region(&self) -> &'static str {
        SECONDARY
    }
    fn region(&self) -> &Remote {
        &self.region
    }
    fn state(&self) -> &Self {
        self
    }
    fn errors(&self) -> &Self {
        self
    }
    fn clock(&self) -> &Self {
        self
    }
}

/// A function as the one that looks.
#[derive(Debug, Clone)]
pub(crate) struct Looker(pub(crate) Function);

impl Source for Looker {
    type Region = Remote;
    type Documents = Function;
    type Clock = Function;

    fn account(&self) -> &'static str {
        ACCOUNT
    }
    fn region_name(&self) -> &str {
        self.0.region.side.region_name()
    }
    fn region(&self) -> &Remote {
        &self.0.region
    }
    fn documents(&self) -> &Function {
        &self.0
    }
    fn clock(&self) -> &Function {
        &self.0
    }
}
