//! Ground truth: what happened in the twin, and when, stamped as it became visible. A harness that measures the same from
//! outside can be checked against it.
//!
//! Off until it is switched on; off, a stamp costs a relaxed load. On, the newest entries are kept, as many as
//! [`ENTRIES_MAX`]; older ones are dropped and counted. Entries are numbered in the order of their stamps.

mod answers;
mod fact;
mod ring;

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use self::{answers::Answers, ring::Ring};
pub(crate) use self::{fact::Fact, ring::Read};
use crate::{clock::Clock, names::Names, route53::Route53};

/// Entries that are kept: some hundreds of megabytes when full.
pub(crate) const ENTRIES_MAX: usize = 1_000_000;

/// What happened and when.
#[derive(Debug)]
pub(crate) struct Truth {
    on: AtomicBool,
    started: Instant,
    clock: Clock,
    ring: Mutex<Ring>,
    answers: Mutex<Answers>,
}

impl Default for Truth {
    fn default() -> Self {
        Self {
            on: AtomicBool::new(false),
            started: Instant::now(),
            clock: Clock,
            ring: Mutex::new(Ring::new(ENTRIES_MAX)),
            answers: Mutex::default(),
        }
    }
}

impl Truth {
    pub(crate) fn set(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Stamps a fact now, if truth is on.
    pub(crate) fn stamp(&self, fact: impl FnOnce() -> Fact) {
        if self.is_on() {
            self.keep(fact());
        }
    }

    fn keep(&self, fact: Fact) {
        // Taken under the lock, so that numbers and stamps agree.
        let mut ring = self.ring.lock();
        let mono_ns = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        ring.push(self.clock.now(), mono_ns, fact);
    }

    /// Entries after a number, of one kind or all.
    pub(crate) fn read(&self, after: u64, kind: Option<&str>, max: usize) -> Read {
        self.ring.lock().read(after, kind, max)
    }

    /// A name was asked for, and this was said.
    pub(crate) fn answered(&self, name: &str, answer: &str) {
        if self.is_on()
            && let Some(from) = self.answers.lock().give(name, answer)
        {
            self.keep(Fact::DnsAnswer { name: name.to_owned(), from, to: answer.to_owned() });
        }
    }

    /// Looks what the names that were asked for would be answered now: something they depend on may have changed.
    pub(crate) fn review(&self, names: &Names, route53: &Route53) {
        if !self.is_on() {
            return;
        }
        let changed = self.answers.lock().review(|name| crate::dns::answer_text(names, route53, name));
        for (name, from, to) in changed {
            self.keep(Fact::DnsDue { name, from, to });
        }
    }
}
