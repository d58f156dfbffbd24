//! What this function saw lately. It may be forgotten at any time: then there is a look too many.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::Mutex;

use super::{CLOCK_MARGIN_MS, Shows, Want};
use crate::document::Key;
use crate::model::Policy;
use crate::outcome::Outcome;
use crate::ports::{Clock, Identities, Source};

/// How many keys are remembered; beyond this all are forgotten.
const SEEN_MAX: usize = 20_000;

/// How long a policy's document is believed. Another instance of the function may have been told of
/// its change. It costs nothing but a call: the secondary never takes it over the policy's own document.
pub(crate) const POLICY_KNOWN_MS_MAX: u64 = 60_000;

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
    /// Held while one is read, so that many devices with one policy read it once.
    policies: Mutex<BTreeMap<String, (u64, Option<String>)>>,
}

/// Whether a look saw what was so at that time.
pub(super) fn is_after(looked_ms: u64, since_ms: u64) -> bool {
    looked_ms > since_ms.saturating_add(CLOCK_MARGIN_MS)
}

impl Memory {
    /// Whether no look is needed. `known_ms` is when the newest document was looked at.
    pub(super) async fn covers(&self, key: &Key, known_ms: Option<u64>, wants: &[Want]) -> bool {
        let seen = self.seen.lock().await;
        let sight = seen.get(key).filter(|sight| Some(sight.looked_ms) >= known_ms);
        let newest_ms = sight.map(|sight| sight.looked_ms).max(known_ms);
        wants.iter().all(|want| {
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

    /// Forgets what a policy said.
    pub(super) async fn forget(&self, policy: &str) {
        self.policies.lock().await.remove(policy);
    }

    /// A policy of the primary, as it was a short while ago at the most.
    pub(super) async fn policy<S: Source>(&self, source: &S, name: &str) -> Outcome<Option<Policy>> {
        let mut policies = self.policies.lock().await;
        let now_ms = source.clock().now_ms();
        let known = policies.get(name).filter(|(read_ms, _)| *read_ms + POLICY_KNOWN_MS_MAX > now_ms);
        let document = if let Some((_, document)) = known {
            document.clone()
        } else {
            let document = source.region().policy(name).await?.map(|policy| policy.document);
            if policies.len() >= SEEN_MAX {
                policies.clear();
            }
            // One that is not there may be made at any moment.
            if document.is_some() {
                policies.insert(name.to_owned(), (now_ms, document.clone()));
            }
            document
        };
        Ok(document.map(|document| Policy { name: name.to_owned(), document }))
    }
}
