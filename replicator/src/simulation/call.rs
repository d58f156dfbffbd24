//! A call from a function to a Region or a table: counted, and made to fail on demand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use super::network::Network;
use super::planted::Planted;
use super::region::RegionState;
use super::tables::{ErrorTable, EventTable, StateTable};
use super::truth::Truth;
use super::{PRIMARY, SECONDARY};
use crate::capture::Later;
use crate::outcome::{Class, Failure, Outcome};

/// Where a function ends: no call after that one has any effect, until [`super::Twins::crash`] is
/// called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crash {
    /// The call, counted from one.
    pub(crate) at: usize,
    /// Whether its effect happens.
    pub(crate) after: bool,
}

/// Who is called and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) port: &'static str,
    pub(crate) call: &'static str,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.port, self.call)
    }
}

/// What a test asked to go wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) crash: Option<Crash>,
    /// By the name of the call: with what class, how often, and whether the effect happens.
    pub(crate) failing: BTreeMap<String, (Class, u32, bool)>,
}

/// Both Regions and the tables.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) now_ms: u64,
    /// By how much the clock of the secondary Region is ahead of the primary's.
    pub(crate) secondary_ahead_ms: i64,
    pub(crate) primary: RegionState,
    pub(crate) secondary: RegionState,
    pub(crate) state: StateTable,
    pub(crate) errors: ErrorTable,
    pub(crate) events: EventTable,
    /// Where long walks are.
    pub(crate) progress: BTreeMap<String, Value>,
    pub(crate) calls: Vec<Name>,
    pub(crate) slept_ms: u64,
    pub(crate) faults: Faults,
    /// Of a history; without it every call is answered at once.
    pub(crate) network: Option<Network>,
    /// What was true in the primary, and when: of a history.
    pub(crate) truth: Option<Truth>,
    /// A mistake on purpose.
    pub(crate) planted: Option<Planted>,
    /// Messages of the looking function to itself, and when they are due.
    pub(crate) later: Vec<(u64, Later)>,
}

impl Inner {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self {
            now_ms,
            secondary_ahead_ms: 0,
            primary: RegionState::new(PRIMARY),
            secondary: RegionState::new(SECONDARY),
            state: StateTable::default(),
            errors: ErrorTable::default(),
            events: EventTable::default(),
            progress: BTreeMap::new(),
            calls: Vec::new(),
            slept_ms: 0,
            faults: Faults::default(),
            network: None,
            truth: None,
            planted: None,
            later: Vec::new(),
        }
    }

    /// Makes a call whose answer comes at once.
    fn call<T>(&mut self, name: Name, effect: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let crash = self.faults.crash;
        if crash.is_some_and(|crash| self.calls.len() >= crash.at) {
            return Err(Failure::transient(name.call, "the function has ended"));
        }
        self.calls.push(name);
        let ends = crash.filter(|crash| self.calls.len() == crash.at);
        if ends.is_some_and(|crash| !crash.after) {
            return Err(Failure::transient(name.call, "ended before the call"));
        }
        let failing = self.faults.failing.get_mut(&name.to_string()).filter(|(_, times, _)| *times > 0);
        let failing = failing.map(|(class, times, effect)| {
            *times -= 1;
            (*class, *effect)
        });
        if let Some((class, happens)) = failing {
            if happens {
                drop(effect(self));
            }
            return Err(Failure::new(class, name.call, "told to fail"));
        }
        let outcome = effect(self);
        if ends.is_some() {
            return Err(Failure::transient(name.call, "ended before the answer"));
        }
        outcome
    }
}

/// The way to both Regions and the tables.
#[derive(Debug, Clone)]
pub(crate) struct Link(Arc<Mutex<Inner>>);

impl Link {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(Mutex::new(inner)))
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Makes a call.
    pub(crate) async fn call<T: fmt::Debug + Send + 'static>(
        &self,
        port: &'static str,
        call: &'static str,
        effect: impl FnOnce(&mut Inner) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let name = Name { port, call };
        let answer = {
            let mut inner = self.inner();
            if inner.network.is_none() {
                return inner.call(name, effect);
            }
            inner.send(name, effect)
        };
        answer.await
    }

    /// Waits.
    pub(crate) async fn sleep_ms(&self, ms: u64) {
        let answer = {
            let mut inner = self.inner();
            inner.slept_ms += ms;
            if inner.network.is_none() {
                inner.now_ms += ms;
                return;
            }
            inner.wait(ms)
        };
        drop(answer.await);
    }
}
