//! What this function saw lately. It may be forgotten at any time: then there is a look too many.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::Mutex;

use super::{CLOCK_MARGIN_MS, Shows, Want};
use crate::document::Key;
use crate::look::Policies;

/// How many keys are remembered; beyond this all are forgotten.
const SEEN_MAX: usize = 20_000;

/// What a look showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sight {
    /// When it began.
    pub(super) looked_ms: u64,
    /// Identities of certificates, names of policies; the empty one: it exists.
    pub(super) entries: BTreeSet<String>,
}

impl Sight {
    /// Whether what is wanted was to be seen; true if there is no telling.
    pub(super) fn shows(&self, want: &Want) -> bool {
        match &want.shows {
            Shows::Anything => !self.entries.is_empty(),
            Shows::Entry(entry) => self.entries.contains(entry),
            Shows::Whatever | Shows::Known => true,
        }
    }

    /// Whether this is what the event made, seen about when it did: what is there now was made by that
    /// event or by a later one, and if it was taken away in between, that has an event of its own.
    fn is_of(&self, want: &Want) -> bool {
        match want.shows {
            Shows::Anything => want.since_ms <= self.looked_ms && self.shows(want),
            Shows::Entry(_) => {
                want.since_ms <= self.looked_ms.saturating_add(CLOCK_MARGIN_MS) && self.shows(want)
            }
            Shows::Known => true,
            Shows::Whatever => false,
        }
    }
}

/// What this function saw.
#[derive(Debug, Default)]
pub(super) struct Memory {
    seen: Mutex<BTreeMap<Key, Sight>>,
    policies: Policies,
}

/// Whether a look saw what was so at that time.
pub(super) fn is_after(looked_ms: u64, since_ms: u64) -> bool {
    looked_ms > since_ms.saturating_add(CLOCK_MARGIN_MS)
}

impl Memory {
    /// Whether no look is needed. `known_ms` is when the newest document was looked at.
    pub(super) async fn covers<'a>(
        &self,
        key: &Key,
        known_ms: Option<u64>,
        mut wants: impl Iterator<Item = &'a Want>,
    ) -> bool {
        let seen = self.seen.lock().await;
        let sight = seen.get(key).filter(|sight| Some(sight.looked_ms) >= known_ms);
        let newest_ms = sight.map(|sight| sight.looked_ms).max(known_ms);
        wants.all(|want| {
            newest_ms.is_some_and(|newest_ms| is_after(newest_ms, want.since_ms))
                || newest_ms.is_some() && want.shows == Shows::Known
                || sight.is_some_and(|sight| sight.is_of(want))
        })
    }

    /// Remembers what was seen, unless something newer was.
    pub(super) async fn saw(&self, key: Key, sight: Sight) {
        let mut seen = self.seen.lock().await;
        if seen.get(&key).is_some_and(|there| there.looked_ms >= sight.looked_ms) {
            return;
        }
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        seen.insert(key, sight);
    }

    /// The policies of the primary that were read lately.
    pub(super) fn policies(&self) -> &Policies {
        &self.policies
    }
}
