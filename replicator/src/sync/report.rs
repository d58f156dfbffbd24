//! What a walk did.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::outcome::Failure;

/// How many problems are told one by one. All are counted.
pub const PROBLEMS_MAX: usize = 100;

/// A kind of thing that is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A thing with everything of it.
    Thing,
    /// The principals of a thing.
    Identity,
    /// A thing in a group.
    Membership,
    /// A shadow.
    Shadow,
    /// A thing type.
    Type,
    /// A group.
    Group,
    /// The policies of a group.
    GroupPolicies,
    /// A certificate.
    Certificate,
    /// A policy.
    Policy,
}

/// What became of all of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Sent to the secondary.
    pub synced: u64,
    /// As it should be already.
    pub existing: u64,
    /// Not done.
    pub errors: u64,
    /// Only in the secondary.
    pub orphans: u64,
    /// Only in the secondary, and sent to be removed.
    pub removed: u64,
}

impl Counts {
    /// One that was sent.
    pub(super) const SYNCED: Self = Self { synced: 1, existing: 0, errors: 0, orphans: 0, removed: 0 };
    /// One that was as it should be.
    pub(super) const EXISTING: Self = Self { synced: 0, existing: 1, errors: 0, orphans: 0, removed: 0 };

    fn add(&mut self, other: Self) {
        self.synced += other.synced;
        self.existing += other.existing;
        self.errors += other.errors;
        self.orphans += other.orphans;
        self.removed += other.removed;
    }
}

/// Something that was not done, or is only in the secondary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The step that failed.
    pub step: String,
    /// Why.
    pub why: String,
}

/// What a walk did so far, over all its runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// By kind.
    pub counts: BTreeMap<Kind, Counts>,
    /// The first of what was not done.
    pub problems: Vec<Problem>,
    /// The first of what is only in the secondary and stays.
    pub orphans: Vec<Problem>,
    /// How often the rate was taken down.
    pub slowed: u64,
    /// It came to its end.
    pub finished: bool,
}

impl Report {
    /// Whether nothing failed.
    pub fn is_clean(&self) -> bool {
        self.counts.values().all(|counts| counts.errors == 0)
    }

    /// The counts of one kind.
    pub fn of(&self, kind: Kind) -> Counts {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// The guide's last line, over things; errors are of all kinds.
    pub fn stats_line(&self, into_table: bool) -> String {
        let (things, errors) = (self.of(Kind::Thing), self.counts.values().map(|c| c.errors).sum::<u64>());
        let synced = if into_table { "NUM_THINGS_TO_SYNC" } else { "NUM_THINGS_SYNCED" };
        format!(
            "syncer: stats: {synced}: {} NUM_THINGS_EXIST: {} NUM_ERRORS: {errors}",
            things.synced, things.existing
        )
    }

    pub(super) fn count(&mut self, kind: Kind, counts: Counts) {
        self.counts.entry(kind).or_default().add(counts);
    }

    pub(super) fn failed(&mut self, kind: Kind, name: &str, failure: &Failure) {
        self.count(kind, Counts { errors: 1, ..Counts::default() });
        push(&mut self.problems, kind, name, failure);
    }

    pub(super) fn absorb(&mut self, tally: Tally) {
        for (kind, counts) in tally.counts {
            self.count(kind, counts);
        }
        for (kind, name, failure) in &tally.problems {
            self.failed(*kind, name, failure);
        }
        for (kind, name, why) in &tally.orphans {
            self.count(*kind, Counts { orphans: 1, ..Counts::default() });
            push(&mut self.orphans, *kind, name, &Failure::permanent("only in the secondary", why));
        }
    }
}

fn push(list: &mut Vec<Problem>, kind: Kind, name: &str, failure: &Failure) {
    if list.len() < PROBLEMS_MAX {
        let (step, why) = (failure.step.to_owned(), failure.why.clone());
        list.push(Problem { kind, name: name.to_owned(), step, why });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<15}{:>9}{:>9}{:>8}{:>9}{:>9}",
            "", "synced", "existing", "errors", "orphans", "removed"
        )?;
        for (kind, counts) in &self.counts {
            let Counts { synced, existing, errors, orphans, removed } = counts;
            let kind = format!("{kind:?}");
            writeln!(f, "{kind:<15}{synced:>9}{existing:>9}{errors:>8}{orphans:>9}{removed:>9}")?;
        }
        for Problem { kind, name, step, why } in self.problems.iter().chain(&self.orphans) {
            writeln!(f, "{kind:?} {name}: {step}: {why}")?;
        }
        Ok(())
    }
}

/// What became of one item. It is added to the report when the item is done, so that a second try
/// counts nothing twice.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sent: bool,
    counts: Vec<(Kind, Counts)>,
    problems: Vec<(Kind, String, Failure)>,
    orphans: Vec<(Kind, String, String)>,
}

impl Tally {
    pub(super) fn count(&mut self, kind: Kind, counts: Counts) {
        self.counts.push((kind, counts));
    }

    pub(super) fn failed(&mut self, kind: Kind, name: &str, failure: Failure) {
        self.problems.push((kind, name.to_owned(), failure));
    }

    /// Takes out the last failure, to be tried again.
    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.problems.pop().map(|(.., failure)| failure)
    }

    pub(super) fn orphan(&mut self, kind: Kind, name: &str, why: &str) {
        self.orphans.push((kind, name.to_owned(), why.to_owned()));
    }

    pub(super) fn removed(&mut self, kind: Kind) {
        self.count(kind, Counts { removed: 1, ..Counts::default() });
    }

    /// The thing itself was sent; it is counted with everything of it.
    pub(super) fn sent(&mut self) {
        self.sent = true;
    }

    /// Whether nothing was sent and nothing went wrong.
    pub(super) fn is_existing(&self) -> bool {
        !self.sent && self.problems.is_empty() && self.counts.iter().all(|(_, counts)| counts.synced == 0)
    }
}
