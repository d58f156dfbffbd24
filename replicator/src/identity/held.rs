//! A key that stands for what was looked at, taken in the order of the looks.
//!
//! What was begun and failed, or whose function ended, may be half done: a revocation, a new document of a
//! policy. Nothing older undoes that, as what was begun comes again. The state table remembers what the first
//! and the last holder were about to do that ended; whoever takes the key after one that ended puts its own
//! look into the row before it changes anything, so that it is known however many end.

use serde_json::json;

use crate::order::{self, Verdict};
use crate::outcome::Outcome;
use crate::patience;
use crate::ports::{CertificateRow, PoliciesRow, PolicyRow, Row, State, Taken, World};

/// A row of what was looked at.
pub(super) trait Looked: Clone + Default {
    /// The row, if it is of that kind.
    fn of(row: &Row) -> Option<&Self>;
    /// When that was looked at which was applied last.
    fn looked_ms(&self) -> u64;
    /// The newest look with which something was begun that failed.
    fn begun_ms(&self) -> u64;
    /// Whether something was left undone.
    fn undone(&self) -> bool;
    /// Nothing is known but the order, what was begun and what was left undone.
    fn unknown(&self, begun_ms: u64) -> Row;
}

impl Looked for CertificateRow {
    fn of(row: &Row) -> Option<&Self> {
        if let Row::Certificate(row) = row { Some(row) } else { None }
    }
    fn looked_ms(&self) -> u64 {
        self.looked_ms
    }
    fn begun_ms(&self) -> u64 {
        self.begun_ms
    }
    fn undone(&self) -> bool {
        self.undone
    }
    fn unknown(&self, begun_ms: u64) -> Row {
        let Self { looked_ms, deleted, undone, .. } = *self;
        Row::Certificate(Self { looked_ms, begun_ms, deleted, undone, ..Self::default() })
    }
}

impl Looked for PolicyRow {
    fn of(row: &Row) -> Option<&Self> {
        if let Row::Policy(row) = row { Some(row) } else { None }
    }
    fn looked_ms(&self) -> u64 {
        self.looked_ms
    }
    fn begun_ms(&self) -> u64 {
        self.begun_ms
    }
    fn undone(&self) -> bool {
        self.undone
    }
    fn unknown(&self, begun_ms: u64) -> Row {
        let Self { looked_ms, undone, .. } = *self;
        Row::Policy(Self { looked_ms, begun_ms, undone, ..Self::default() })
    }
}

impl Looked for PoliciesRow {
    fn of(row: &Row) -> Option<&Self> {
        if let Row::Policies(row) = row { Some(row) } else { None }
    }
    fn looked_ms(&self) -> u64 {
        self.looked_ms
    }
    fn begun_ms(&self) -> u64 {
        self.begun_ms
    }
    fn undone(&self) -> bool {
        self.undone
    }
    fn unknown(&self, begun_ms: u64) -> Row {
        let Self { looked_ms, undone, .. } = *self;
        Row::Policies(Self { looked_ms, begun_ms, undone, ..Self::default() })
    }
}

/// A key that is held.
pub(super) struct Held<R> {
    pub(super) taken: Taken,
    /// What was remembered.
    pub(super) before: Option<R>,
    /// The newest look with which something was begun that did not come to its end; 0: none.
    pub(super) begun_ms: u64,
    /// The look's place among the others.
    pub(super) verdict: Verdict,
}

/// Takes a key for what was looked at then. `again`: it is applied though it is the one that was applied last.
pub(super) async fn take<W: World, R: Looked>(
    world: &W,
    key: &str,
    looked_ms: u64,
    again: bool,
) -> Outcome<Held<R>> {
    let intent = json!({ "looked_ms": looked_ms });
    loop {
        let taken = patience::take(world, key, &intent).await?;
        let before = taken.row.as_ref().and_then(R::of).cloned();
        let begun_ms = begun_ms(&taken, before.as_ref());
        let verdict = order::document(looked_ms, before.as_ref().map(R::looked_ms), begun_ms);
        let known = before.clone().unwrap_or_default();
        let is_first = taken.unfinished.as_ref().is_none_or(|first| *first == intent);
        let is_known = is_first || known.begun_ms() == looked_ms;
        if is_known || !verdict.applies(again || known.undone()) {
            return Ok(Held { taken, before, begun_ms, verdict });
        }
        // Then nothing is unfinished any more, unless someone else ends in between.
        world.state().put(&taken, &known.unknown(looked_ms)).await?;
    }
}

/// The newest look with which something was begun that did not come to its end; 0: none.
pub(super) fn begun_ms<R: Looked>(taken: &Taken, before: Option<&R>) -> u64 {
    let begun = taken.unfinished.iter().chain(&taken.latest);
    let begun_ms = begun.filter_map(|begun| begun["looked_ms"].as_u64()).max().unwrap_or_default();
    begun_ms.max(before.map_or(0, R::begun_ms))
}
