//! The list of rules that are on. First match wins; what is removed is gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::Fault;
use crate::route53::Route53;

/// Rules that are on at once: each costs a comparison where its kind is looked for.
pub(super) const RULES_MAX: usize = 256;

/// The kinds of faults: each has its own count, so that asking for one that is not on is cheap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    RegionDark,
    RegionHalfDark,
    Connections,
    ConnectionsDrop,
    Api,
    RulesSilent,
    ReplicationPaused,
    ReplicationSlow,
    StreamPoison,
    FunctionKill,
    BrokerRestart,
    BrokerGrey,
    BrokerMute,
    ClientsCutOff,
    Dns,
    HealthChecksStuck,
}

const KINDS: usize = Kind::HealthChecksStuck as usize + 1;

/// A fault that is on.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: u64,
    pub(crate) fault: Fault,
    hits: AtomicU64,
    since: Timestamp,
    set: Instant,
    /// When it ends by itself.
    pub(super) ends: Option<Instant>,
    /// Cancelled when it is removed: for those who wait that long.
    pub(crate) gone: CancellationToken,
    /// Cancelled when an equal fault with another end has taken its place: its own end is void.
    pub(super) renewed: CancellationToken,
    /// Route 53 as it was when the rule was set, for stale answers.
    pub(crate) before: Option<Arc<Route53>>,
    /// Writes that had been made when it was set, for those that it holds.
    pub(super) writes_before: u64,
    dice: Mutex<StdRng>,
}

/// A fault that is on, as the control API tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultState {
    /// By which it can be removed.
    pub id: u64,
    /// What it is.
    pub fault: Fault,
    /// What it has hit. Of paused replication: the writes that it holds.
    pub hits: u64,
    /// When it was set.
    pub since: Timestamp,
    /// How long it has been on.
    pub age_ms: u64,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_in_ms: Option<u64>,
}

/// All that is set beside the fault itself.
#[derive(Debug, Default)]
pub(super) struct Terms {
    pub(super) lasts: Option<Duration>,
    pub(super) before: Option<Arc<Route53>>,
    pub(super) writes_before: u64,
}

/// The dice of one rule: the same script of faults meets the same throws.
pub(super) fn dice(id: u64) -> StdRng {
    StdRng::seed_from_u64(id)
}

/// The rules that are on.
#[derive(Debug)]
pub(crate) struct Faults {
    /// In the order in which they were set.
    rules: RwLock<Vec<Arc<Rule>>>,
    /// How many of each kind.
    on: [AtomicUsize; KINDS],
    last_id: AtomicU64,
    changed: watch::Sender<u64>,
    /// Held while a fault comes or goes: the list and what a fault switches agree.
    pub(super) changing: Mutex<()>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            rules: RwLock::default(),
            on: std::array::from_fn(|_| AtomicUsize::new(0)),
            last_id: AtomicU64::new(0),
            changing: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl Faults {
    /// Whether there is any rule of a kind.
    pub(crate) fn any(&self, kind: Kind) -> bool {
        self.on[kind as usize].load(Ordering::Relaxed) > 0
    }

    /// The first rule of a kind that fits and whose share comes up: it is met, and counts it.
    pub(crate) fn meet(&self, kind: Kind, fits: impl Fn(&Rule) -> bool) -> Option<Arc<Rule>> {
        let rule = self.find(kind, |rule| fits(rule) && rule.comes_up())?;
        rule.count(1);
        Some(rule)
    }

    /// The first rule of a kind that fits, whatever its share; it counts nothing.
    pub(crate) fn find(&self, kind: Kind, fits: impl Fn(&Rule) -> bool) -> Option<Arc<Rule>> {
        if !self.any(kind) {
            return None;
        }
        self.rules.read().iter().find(|rule| rule.fault.kind() == kind && fits(rule)).cloned()
    }

    /// Changes when a rule comes or goes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds a rule. An equal one that is on is kept instead, with its hits, and lasts as the new one would. The second
    /// value says whether the rule is new; `None`: there are too many.
    pub(super) fn set(&self, fault: Fault, now: Timestamp, terms: Terms) -> Option<(Arc<Rule>, bool)> {
        let mut rules = self.rules.write();
        let ends = terms.lasts.map(|lasts| Instant::now() + lasts);
        let equal = rules.iter().position(|rule| rule.fault == fault);
        if equal.is_none() && rules.len() >= RULES_MAX {
            return None;
        }
        if let Some(at) = equal
            && rules[at].ends.is_none()
            && ends.is_none()
        {
            return Some((Arc::clone(&rules[at]), false));
        }
        let id = equal.map_or_else(|| self.next_id(), |at| rules[at].id);
        let old = equal.map(|at| Arc::clone(&rules[at]));
        let rule = Arc::new(Rule {
            id,
            hits: AtomicU64::new(old.as_ref().map_or(0, |old| old.hits())),
            since: old.as_ref().map_or(now, |old| old.since),
            set: old.as_ref().map_or_else(Instant::now, |old| old.set),
            ends,
            // Those who wait for the old one go on waiting.
            renewed: CancellationToken::new(),
            gone: old.as_ref().map_or_else(CancellationToken::new, |old| old.gone.clone()),
            before: old.as_ref().map_or(terms.before, |old| old.before.clone()),
            writes_before: old.as_ref().map_or(terms.writes_before, |old| old.writes_before),
            dice: Mutex::new(dice(id)),
            fault,
        });
        if let Some(at) = equal {
            rules[at].renewed.cancel();
            rules[at] = Arc::clone(&rule);
        } else {
            self.on[rule.fault.kind() as usize].fetch_add(1, Ordering::Relaxed);
            rules.push(Arc::clone(&rule));
        }
        drop(rules);
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
        Some((rule, old.is_none()))
    }

    /// Removes the rules that are chosen, and hands them out.
    pub(super) fn remove(&self, chosen: impl Fn(&Rule) -> bool) -> Vec<Arc<Rule>> {
        let mut gone = Vec::new();
        self.rules.write().retain(|rule| {
            let goes = chosen(rule);
            if goes {
                self.on[rule.fault.kind() as usize].fetch_sub(1, Ordering::Relaxed);
                gone.push(Arc::clone(rule));
            }
            !goes
        });
        if !gone.is_empty() {
            self.changed.send_modify(|n| *n = n.wrapping_add(1));
        }
        for rule in &gone {
            rule.gone.cancel();
        }
        gone
    }

    /// Sets a fault for a test of one part of the twin.
    #[cfg(test)]
    pub(crate) fn put(&self, fault: Fault) -> Arc<Rule> {
        self.set(fault, Timestamp::UNIX_EPOCH, Terms::default()).unwrap().0
    }

    /// Removes what [`put`](Self::put) set.
    #[cfg(test)]
    pub(crate) fn take(&self, id: u64) {
        assert_eq!(self.remove(|rule| rule.id == id).len(), 1);
    }

    /// All rules that are on, in order.
    pub(super) fn all(&self) -> Vec<Arc<Rule>> {
        self.rules.read().clone()
    }
}

impl Rule {
    pub(crate) fn count(&self, hits: u64) {
        self.hits.fetch_add(hits, Ordering::Relaxed);
    }

    /// Whether its share comes up this time. The dice are the rule's own: what others meet does not change them.
    pub(super) fn comes_up(&self) -> bool {
        let share = self.fault.share();
        share.is_all() || share.comes_up(&mut *self.dice.lock())
    }

    /// What it has hit so far.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// How long until it ends by itself, if it does.
    pub(super) fn ends_in_ms(&self) -> Option<u64> {
        self.ends.map(|ends| ms(ends.saturating_duration_since(Instant::now())))
    }

    pub(super) fn state(&self) -> FaultState {
        FaultState {
            id: self.id,
            fault: self.fault.clone(),
            hits: self.hits(),
            since: self.since,
            age_ms: ms(self.set.elapsed()),
            ends_in_ms: self.ends_in_ms(),
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
