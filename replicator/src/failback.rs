//! The way home: what changed in the secondary during an outage goes back to the primary.
//!
//! Three things are compared: what the replicator last brought to the secondary (its state table: how
//! both were when replication broke), the primary now, and the secondary now. [`plan`] says what would
//! be done and what not, and changes nothing; [`apply`] carries a plan out.
//!
//! It guarantees: a shadow is merged leaf by leaf, the newest wins ([`merge`]); nothing that was
//! deleted in one Region and lives in the other is brought back, and nothing that is only gone from the
//! secondary is deleted at home, unless that is asked for, and then only with what it was tied to when
//! replication broke; what the replicator had not finished is no
//! change of the secondary; what is not as the plan saw it is refused and not touched; a plan that is
//! carried out again does nothing but finish what the run before ended in, or give back what that cut
//! ([`Journal`]).
//!
//! It takes for granted that replication and reconcile stand still since before the primary came back.
//! It cannot see that, and each plan says so.
//!
//! When replication runs again, what came home comes back to the secondary as events that find it as
//! it should be.

mod apply;
mod identities;
mod journal;
pub mod merge;
mod plan;
mod registry;
mod things;
mod ties;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use futures::StreamExt;

use crate::look::Regions;
use crate::model::Page;
use crate::outcome::{Failure, Outcome};
use crate::pace::Pace;
use crate::ports::{Clock, Region, Row, State};
use crate::rules::is_own;
use crate::sync::WORKERS_MAX;

pub use apply::{Applied, Ending, apply};
pub use journal::Journal;
pub use plan::{Action, Found, Gap, Item, Plan, Subject, Verdict};
pub use ties::Tie;

/// What is brought home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Brings back what was deleted in the primary and is in the secondary still.
    pub resurrect: bool,
    /// Deletes in the primary what was deleted in the secondary.
    pub deletions: bool,
    /// Compares certificates and policies, too; not in just-in-time mode.
    pub identities: bool,
    /// How much is compared at once, 1 to [`WORKERS_MAX`].
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { resurrect: false, deletions: false, identities: true, workers: crate::sync::WORKERS }
    }
}

/// Compares, and says what would be done.
pub async fn plan<P, S, C, M>(
    regions: &Regions<'_, P, S, C>,
    state: &M,
    options: &Options,
    on_progress: &(dyn Fn(usize) + Sync),
) -> Outcome<Plan>
where
    P: Region,
    S: Region,
    C: Clock,
    M: State,
{
    if !(1..=WORKERS_MAX).contains(&options.workers) {
        return Err(Failure::permanent("failback plan", format!("workers have to be 1 to {WORKERS_MAX}")));
    }
    let (pace, found, removed) = (Pace::default(), Mutex::default(), OnceLock::new());
    let planner = Planner { regions, state, options, pace, found, removed, on_progress };
    let made_ms = regions.clock.now_ms();
    planner.types().await?;
    if options.identities {
        planner.policies().await?;
    }
    planner.groups().await?;
    planner.things().await?;
    if options.identities {
        // Last: what becomes of a certificate depends on what becomes of the things that have it.
        planner.certificates().await?;
    }
    let (items, gaps) = planner.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (primary, secondary) = (regions.names.primary.clone(), regions.names.secondary.clone());
    let notes = plan::notes(options.identities);
    let mut plan = Plan { primary, secondary, made_ms, items, gaps, notes };
    plan.arrange();
    Ok(plan)
}

struct Planner<'a, P, S, C, M> {
    regions: &'a Regions<'a, P, S, C>,
    state: &'a M,
    options: &'a Options,
    pace: Pace,
    found: Mutex<(Vec<Item>, Vec<Gap>)>,
    /// Things that only the secondary has deleted, once all things are judged.
    removed: OnceLock<BTreeSet<String>>,
    on_progress: &'a (dyn Fn(usize) + Sync),
}

impl<P: Region, S: Region, C: Clock, M: State> Planner<'_, P, S, C, M> {
    async fn patient<T>(&self, work: impl AsyncFn() -> Outcome<T>) -> Outcome<T> {
        self.pace.patient(self.regions.clock, work).await
    }

    /// Judges many at once. One that cannot be is a gap in the plan.
    async fn all(&self, names: Vec<String>, judge: impl AsyncFn(&str) -> Outcome<Vec<Item>>) {
        let count = names.len();
        let judged = futures::stream::iter(names)
            .filter(|name| std::future::ready(!is_own(name)))
            .map(async |name| {
                let judged = self.patient(async || judge(&name).await).await;
                (name, judged)
            })
            .buffered(self.options.workers);
        let mut judged = std::pin::pin!(judged);
        while let Some((name, judged)) = judged.next().await {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            match judged {
                Ok(items) => found.0.extend(items),
                Err(Failure { step, why, .. }) => found.1.push(Gap { name, why: format!("{step}: {why}") }),
            }
        }
        (self.on_progress)(count);
    }

    async fn remembered(&self, key: &str) -> Outcome<Option<Row>> {
        self.state.read(key).await
    }

    /// The verdict and action of what the primary has deleted and the secondary has.
    fn resurrected(&self, why: &str, action: Action) -> Judged {
        let action = self.options.resurrect.then_some(action);
        Judged { verdict: Verdict::Resurrects, why: why.to_owned(), action }
    }

    /// The verdict and action of what only the secondary has deleted.
    fn removed(&self, action: Action) -> Judged {
        let deletions = self.options.deletions;
        let why = if deletions { REMOVED } else { REMOVED_BACK };
        Judged { verdict: Verdict::Removed, why: why.to_owned(), action: deletions.then_some(action) }
    }

    /// Whether only the secondary has deleted that thing, with all that it had when replication broke.
    fn is_removed(&self, thing: &str) -> bool {
        let removed = self.removed.get_or_init(|| {
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            let removed = found.0.iter().filter(|item| item.verdict == Verdict::Removed);
            let name = |item: &Item| match &item.subject {
                Subject::Thing(name) => Some(name.clone()),
                _ => None,
            };
            removed.filter_map(name).collect()
        });
        removed.contains(thing)
    }

    /// What the replicator remembers of all that is of a kind, by its name.
    async fn rows(&self, prefix: &str) -> Outcome<Vec<(String, Row)>> {
        let list = async |from: Option<&str>| {
            let page = self.state.rows(prefix, from).await?;
            let name = |key: &str| key.strip_prefix(prefix).map(str::to_owned);
            let items = page.items.into_iter().filter_map(|(key, row)| Some((name(&key)?, row))).collect();
            Ok(Page { items, next: page.next })
        };
        self.names(list).await
    }
}

/// Deleted in the secondary alone.
const REMOVED: &str = "deleted in the secondary, unchanged in the primary";
const REMOVED_BACK: &str =
    "deleted in the secondary, unchanged in the primary: without --deletions replication brings it back";

/// Deleted in the secondary and changed in the primary.
const REMOVED_CHANGED: &str =
    "deleted in the secondary, changed in the primary: replication brings it back there";

/// The replicator's own work, half done: no change of the secondary.
const UNFINISHED: &str = "the replicator has not finished it in the secondary";

/// Changed in one Region alone.
const HERE: &str = "changed only in the primary";
const THERE: &str = "changed only in the secondary";

/// Not to be told apart.
const BOTH: &str = "changed in both, or nothing tells in which: the primary's stays";

/// Deleted in the primary alone, or made in the secondary.
const DELETED: &str = "deleted in the primary, there in the secondary";
const MADE: &str = "made in the secondary";

/// A verdict with its reason.
struct Judged {
    verdict: Verdict,
    why: String,
    action: Option<Action>,
}

impl Judged {
    fn new(verdict: Verdict, why: &str, action: Option<Action>) -> Self {
        Self { verdict, why: why.to_owned(), action }
    }

    fn item(self, subject: Subject, found: Found) -> Item {
        let Self { verdict, why, action } = self;
        Item { subject, verdict, why, action, leaves: Vec::new(), found }
    }
}
