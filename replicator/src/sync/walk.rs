//! The way through a list: page by page, many items at once, each tried a few times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;

use super::report::{Counts, Kind, Report, Tally};
use super::{Mode, Options, Sent, Sink};
use crate::compare::Difference;
use crate::document::{Document, Key, Seen};
use crate::event::{Event, What};
use crate::look::Regions;
use crate::model::{Incarnation, Page};
use crate::outcome::{Failure, Outcome};
use crate::pace::Pace;
use crate::ports::{Clock, Region};
use crate::rules::is_own;

/// How many groups are remembered, for their things and for the groups under them.
pub(super) const GROUPS_MAX: usize = 10_000;

/// How many policies are remembered as sent.
const POLICIES_MAX: usize = 10_000;

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// It came to its end.
    Done,
    /// Its time was up.
    Late,
}

/// Whoever works on a group holds it; it says whether the group was worked on.
pub(super) type Turn = Arc<futures::lock::Mutex<bool>>;

/// A walk.
pub(super) struct Walk<'a, P, S, C, K> {
    pub(super) regions: &'a Regions<'a, P, S, C>,
    pub(super) sink: &'a K,
    pub(super) options: &'a Options,
    pace: Pace,
    report: Mutex<Report>,
    groups: Mutex<BTreeMap<String, Option<Incarnation>>>,
    /// Groups that were begun with, and whether that has come to its end.
    begun: Mutex<BTreeMap<String, Turn>>,
    policies: Mutex<BTreeSet<String>>,
}

impl<'a, P: Region, S: Region, C: Clock, K: Sink> Walk<'a, P, S, C, K> {
    pub(super) fn new(
        regions: &'a Regions<'a, P, S, C>,
        sink: &'a K,
        options: &'a Options,
        report: Report,
    ) -> Self {
        Self {
            regions,
            sink,
            options,
            pace: Pace::default(),
            report: Mutex::new(report),
            groups: Mutex::default(),
            begun: Mutex::default(),
            policies: Mutex::default(),
        }
    }

    pub(super) fn report(&self) -> Report {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.slowed += self.pace.slowed();
        report
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.regions.clock.now_ms()
    }

    /// Whether everything is sent, without a look at the secondary.
    pub(super) fn sends_all(&self) -> bool {
        self.options.mode == Mode::All
    }

    pub(super) fn is_late(&self) -> bool {
        self.options.deadline_ms.is_some_and(|deadline_ms| self.now_ms() >= deadline_ms)
    }

    /// Goes through a list. A page is left only when all of it was worked on; what was done of it is
    /// done again by the next run otherwise, and found as it should be.
    pub(super) async fn pages<T>(
        &self,
        mut from: Option<String>,
        list: impl AsyncFn(Option<&str>) -> Outcome<Page<T>>,
        each: impl AsyncFn(T),
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        loop {
            if self.is_late() {
                return Ok(Flow::Late);
            }
            let page = self.patient(async || list(from.as_deref()).await).await?;
            if self.all(page.items, &each).await == Flow::Late {
                return Ok(Flow::Late);
            }
            let Some(next) = page.next else { return Ok(Flow::Done) };
            from = Some(next);
            save(from.clone()).await?;
        }
    }

    /// Works on many items at once.
    pub(super) async fn all<T>(&self, items: Vec<T>, each: &impl AsyncFn(T)) -> Flow {
        futures::stream::iter(items)
            .map(async |item| {
                let late = self.is_late();
                if !late {
                    each(item).await;
                }
                late
            })
            .buffer_unordered(self.options.workers)
            .fold(Flow::Done, async |flow, late| if late { Flow::Late } else { flow })
            .await
    }

    /// Works on one item: it is counted as done, or as an error after its last try.
    pub(super) async fn item(&self, kind: Kind, name: &str, work: impl AsyncFn() -> Outcome<Tally>) {
        if is_own(name) {
            return;
        }
        match self.patient(work).await {
            Ok(tally) => self.report.lock().unwrap_or_else(PoisonError::into_inner).absorb(tally),
            Err(failure) => self.failed(kind, name, &failure),
        }
    }

    /// Counts an item that could not be worked on.
    pub(super) fn failed(&self, kind: Kind, name: &str, failure: &Failure) {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).failed(kind, name, failure);
    }

    /// Tries until it works, at the walk's pace.
    pub(super) async fn patient<T>(&self, work: impl AsyncFn() -> Outcome<T>) -> Outcome<T> {
        self.pace.patient(self.regions.clock, work).await
    }

    /// Sends an event and counts what became of it.
    pub(super) async fn send(&self, tally: &mut Tally, kind: Kind, name: &str, event: &Event) -> Outcome<()> {
        match self.sink.send(event).await? {
            Sent::Changed => tally.count(kind, Counts::SYNCED),
            Sent::Unchanged => tally.count(kind, Counts::EXISTING),
            Sent::Undone(failure) => tally.failed(kind, name, failure),
        }
        Ok(())
    }

    /// Sends what was seen.
    pub(super) async fn send_seen(
        &self,
        tally: &mut Tally,
        kind: Kind,
        key: Key,
        seen: Seen,
        looked_ms: u64,
    ) -> Outcome<()> {
        let name = key.device();
        let event = Event { what: What::Document(Document { key, looked_ms, seen }), again: true };
        self.send(tally, kind, &name, &event).await
    }

    /// Sends a policy, once in a run: many devices may have it.
    pub(super) async fn send_policy(&self, tally: &mut Tally, name: &str) -> Outcome<()> {
        {
            let mut policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
            if policies.contains(name) {
                return Ok(());
            }
            if policies.len() >= POLICIES_MAX {
                policies.clear();
            }
            policies.insert(name.to_owned());
        }
        let looked_ms = self.now_ms();
        let sent = match self.regions.primary.policy(name).await {
            // Gone in the meantime: its deletion says so.
            Ok(None) => Ok(()),
            Ok(Some(policy)) => {
                let (key, seen) = (Key::Policy(name.to_owned()), Seen::Policy(Some(policy)));
                self.send_seen(tally, Kind::Policy, key, seen, looked_ms).await
            }
            Err(failure) => Err(failure),
        };
        if sent.is_err() {
            self.policies.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
        sent
    }

    /// Sends the policies whose documents differ, and says whether anything else does: a certificate
    /// or group brings a policy that is not there, and never changes one that is.
    pub(super) async fn send_policies(&self, tally: &mut Tally, found: &[Difference]) -> Outcome<bool> {
        let mut others = false;
        for difference in found {
            match difference {
                Difference::DocumentDiffers(name) => self.send_policy(tally, name).await?,
                _ => others = true,
            }
        }
        Ok(others)
    }

    /// The turn of a group: two under it may come at once, and the second waits for the first.
    pub(super) fn turn(&self, group: &str) -> Turn {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = begun.get(group) {
            return turn.clone();
        }
        let turn = Turn::default();
        if begun.len() < GROUPS_MAX {
            begun.insert(group.to_owned(), turn.clone());
        }
        turn
    }

    /// Whether this walk has worked on that group, in its own turn or for one under it.
    pub(super) fn is_done(&self, group: &str) -> bool {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is held is under way.
        begun.get(group).is_some_and(|turn| turn.try_lock().is_some_and(|done| *done))
    }

    /// The incarnation of a group of the primary, looked up once.
    pub(super) async fn group_incarnation(&self, group: &str) -> Outcome<Option<Incarnation>> {
        {
            let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = groups.get(group) {
                return Ok(known.clone());
            }
        }
        let life = self.regions.primary.group_incarnation(group).await?;
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if groups.len() < GROUPS_MAX {
            groups.insert(group.to_owned(), life.clone());
        }
        Ok(life)
    }
}
