//! Where a walk sends what it finds.

use std::future::Future;

use crate::event::Event;
use crate::model::Page;
use crate::outcome::{Failure, Outcome};
use crate::policy::Policies;
use crate::ports::{Clock, Documents, ErrorRow, Errors, Row, State, World};
use crate::replicate::Change;
use crate::settle;
use crate::tables;

use super::row;

/// What became of what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way, or changed the secondary.
    Changed,
    /// The secondary needed nothing.
    Unchanged,
    /// It could not be done in full. The remark has its row in the error table.
    Undone(Failure),
}

/// The secondary, as a walk reaches it.
pub trait Sink {
    /// Sends an event.
    fn send(&self, event: &Event) -> impl Future<Output = Outcome<Sent>>;
    /// Whether it is known here what the replicator remembers.
    fn remembers(&self) -> bool;
    /// What the replicator remembers of a key; none if that is not known here.
    fn remembered(&self, key: &str) -> impl Future<Output = Outcome<Option<Row>>>;
    /// The shadows that the replicator remembers, a page at a time: thing and name.
    fn shadows(&self, from: Option<&str>) -> impl Future<Output = Outcome<Page<(String, String)>>>;
}

/// The shadows that a state table knows, a page at a time. It reads the whole table for that.
pub(crate) async fn shadows<M: State>(state: &M, from: Option<&str>) -> Outcome<Page<(String, String)>> {
    let prefix = tables::shadow_prefix();
    let page = state.rows(prefix, from).await?;
    let names = page.items.iter().filter_map(|(key, _)| key.strip_prefix(prefix)?.split_once('#'));
    let items = names.map(|(thing, name)| (thing.to_owned(), name.to_owned())).collect();
    Ok(Page { items, next: page.next })
}

/// Into the event table: the replicator applies it.
#[derive(Debug)]
pub struct Table<'a, D, M, C> {
    /// The event table, in the primary Region.
    pub documents: &'a D,
    /// The state table of the secondary, if it can be read from here.
    pub state: Option<&'a M>,
    /// The clock.
    pub clock: &'a C,
    /// The name of the primary Region.
    pub origin: &'a str,
}

impl<D: Documents, M: State, C: Clock> Sink for Table<'_, D, M, C> {
    async fn send(&self, event: &Event) -> Outcome<Sent> {
        let row = row::of(event, self.origin, self.clock.now_ms());
        let row = row.ok_or_else(|| Failure::permanent("put event", "an event that is no row"))?;
        self.documents.put_event(&row).await?;
        Ok(Sent::Changed)
    }

    fn remembers(&self) -> bool {
        self.state.is_some()
    }

    async fn remembered(&self, key: &str) -> Outcome<Option<Row>> {
        match self.state {
            Some(state) => state.read(key).await,
            None => Ok(None),
        }
    }

    async fn shadows(&self, from: Option<&str>) -> Outcome<Page<(String, String)>> {
        match self.state {
            Some(state) => shadows(state, from).await,
            None => Ok(Page { items: Vec::new(), next: None }),
        }
    }
}

/// Straight to the secondary, by the replicator's own handlers.
#[derive(Debug)]
pub struct Direct<'a, W> {
    /// The secondary.
    pub world: &'a W,
    /// Its policies that are known.
    pub policies: &'a Policies,
}

impl<W: World> Sink for Direct<'_, W> {
    async fn send(&self, event: &Event) -> Outcome<Sent> {
        let applied = settle::apply(self.world, self.policies, event).await?;
        if let Some(first) = applied.remarks.first() {
            self.record(event, &applied.remarks).await?;
            return Ok(Sent::Undone(first.clone()));
        }
        Ok(if applied.change == Change::Changed { Sent::Changed } else { Sent::Unchanged })
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn remembered(&self, key: &str) -> Outcome<Option<Row>> {
        self.world.state().read(key).await
    }

    async fn shadows(&self, from: Option<&str>) -> Outcome<Page<(String, String)>> {
        shadows(self.world.state(), from).await
    }
}

impl<W: World> Direct<'_, W> {
    /// What was left undone gets its row, so that the repair finishes it.
    async fn record(&self, event: &Event, remarks: &[Failure]) -> Outcome<()> {
        let now_ms = self.world.clock().now_ms();
        let Some(row) = row::of(event, self.world.primary_region(), now_ms) else { return Ok(()) };
        let key = |name: &str| row.get(name).and_then(|text| text.as_str()).unwrap_or("-").to_owned();
        let join = |part: fn(&Failure) -> &str| remarks.iter().map(part).collect::<Vec<_>>().join("; ");
        let (device, name) = (key("device"), key("event"));
        let (what, why) = (join(|failure| failure.step), join(|failure| &failure.why));
        let row = ErrorRow { device, event: name, what, why, seen_ms: now_ms, attempts: 1, row: Some(row) };
        self.world.errors().record(&row).await.map(drop)
    }
}
