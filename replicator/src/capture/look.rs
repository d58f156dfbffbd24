//! One look at the primary, and the document that says what was seen.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::memory::{Sight, is_after};
use super::{CLOCK_MARGIN_MS, Capture};
use crate::document::{Document, Identity, Key, Seen};
use crate::look::{Certificate, Reader};
use crate::outcome::{Failure, Outcome};
use crate::ports::{Clock, Documents, Groups, Source};

/// Of how many certificates of a thing it is noted that they were looked at. Most things have one.
const NOTED_MAX: usize = 8;

impl Capture {
    /// Looks at a key and puts the document. `known_ms` is when the newest one was looked at;
    /// `is_made`: all that is known is that the thing was made.
    pub(super) async fn look<S: Source>(
        &self,
        source: &S,
        key: &Key,
        known_ms: Option<u64>,
        is_made: bool,
    ) -> Outcome<Sight> {
        let looked_ms = source.clock().now_ms();
        let mut sight = Sight { looked_ms, ..Sight::default() };
        let seen = self.see(source, key, &mut sight.entries).await?;
        // A thing that was just made, and what is the replicator's own, has no document, unless there is
        // one to be taken back. Any other look leaves one, though it saw nothing: an older look that saw
        // something may be about to put its own.
        let is_nothing = match &seen {
            Seen::Identity { certificates, others } => {
                is_made && certificates.is_empty() && others.is_empty()
            }
            Seen::Certificate(seen) => seen.is_none() && !sight.entries.is_empty(),
            Seen::Policy(_) | Seen::GroupPolicies { .. } => false,
        };
        if is_nothing && known_ms.is_none() {
            self.memory.saw(key.clone(), sight.clone()).await;
            return Ok(sight);
        }
        let document = Document { key: key.clone(), looked_ms, seen };
        if !source.documents().put(&document).await? {
            return Self::is_seen_by_another(source, key, sight).await;
        }
        info!(key = key.device(), looked_ms, entries = sight.entries.len(), "written down");
        self.remember(source, &document, &sight).await;
        Ok(sight)
    }

    /// Another instance put a newer document. It may have looked before this one all the same, as
    /// clocks differ: that is not to be told, so the message comes again.
    async fn is_seen_by_another<S: Source>(source: &S, key: &Key, sight: Sight) -> Outcome<Sight> {
        let newest_ms = source.documents().looked_ms(key).await?.unwrap_or_default();
        if is_after(newest_ms, sight.looked_ms) {
            return Ok(sight);
        }
        let why = format!("another look was made within {CLOCK_MARGIN_MS} ms of this one");
        Err(Failure::transient("put document", why))
    }

    /// A look at a thing is one at its certificates; other instances of the function learn that from the
    /// table. If they do not, there is a look too many.
    async fn remember<S: Source>(&self, source: &S, document: &Document, sight: &Sight) {
        if let Seen::Identity { certificates, .. } = &document.seen {
            let looked_ms = sight.looked_ms;
            for identity in certificates.iter().take(NOTED_MAX) {
                let key = Key::Certificate(identity.id.clone());
                if let Err(failure) = source.documents().put_event(&key.looked_row(looked_ms)).await {
                    warn!(key = key.device(), %failure, "not noted as looked at");
                }
                self.memory.saw(key, Sight { looked_ms, entries: entries(identity) }).await;
            }
        }
        self.memory.saw(document.key.clone(), sight.clone()).await;
    }

    async fn see<S: Source>(
        &self,
        source: &S,
        key: &Key,
        entries_seen: &mut BTreeSet<String>,
    ) -> Outcome<Seen> {
        let reader = Reader {
            region: source.region(),
            clock: source.clock(),
            name: source.region_name(),
            account: source.account(),
            policies: self.memory.policies(),
        };
        Ok(match key {
            Key::Identity(thing) => {
                let (certificates, principals) = reader.identity(thing).await?;
                entries_seen.extend(principals.certificates);
                entries_seen.extend(principals.others.iter().cloned());
                Seen::Identity { certificates, others: principals.others.into_iter().collect() }
            }
            Key::Certificate(id) => {
                let certificate = reader.certificate(id).await?;
                match &certificate {
                    Certificate::There(identity) => entries_seen.extend(entries(identity)),
                    Certificate::Own => drop(entries_seen.insert(String::new())),
                    Certificate::Gone => {}
                }
                Seen::Certificate(certificate.there())
            }
            Key::Policy(name) => {
                // Read anew: it is looked at because it changed.
                reader.policies.forget(name);
                let policy = reader.policies.get(reader.region, reader.clock, name).await?;
                entries_seen.extend(policy.iter().map(|_| String::new()));
                Seen::Policy(policy)
            }
            Key::GroupPolicies(group) => {
                let life = source.region().group_incarnation(group).await?;
                let policies = reader.group_policies(group).await?;
                entries_seen.extend(policies.iter().map(|policy| policy.name.clone()));
                Seen::GroupPolicies { group_id: life.map(|life| life.id), policies }
            }
        })
    }
}

fn entries(identity: &Identity) -> BTreeSet<String> {
    let names = identity.policies.iter().map(|policy| policy.name.clone());
    names.chain([String::new()]).collect()
}
