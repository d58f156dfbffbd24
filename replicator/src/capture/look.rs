//! One look at the primary, and the document that says what was seen.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::memory::{Sight, is_after};
use super::{CLOCK_MARGIN_MS, Capture};
use crate::document::{Document, Identity, Key, Seen};
use crate::model::Policy;
use crate::outcome::{Failure, Outcome};
use crate::policy::{certificate_arn, certificate_id, group_arn};
use crate::ports::{Clock, Documents, Groups, Identities, Source, Things};
use crate::rules::EXCLUDED_PREFIX;

/// Of how many certificates of a thing it is noted that they were looked at. Most things have one.
const NOTED_MAX: usize = 8;

/// What is seen of a certificate.
enum Certificate {
    /// It is gone.
    Gone,
    /// It is the replicator's own.
    Own,
    /// It is there.
    There(Identity),
}

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
        match key {
            Key::Identity(thing) => {
                let principals = source.region().thing_principals(thing).await?;
                let (mut certificates, mut others) = (Vec::new(), Vec::new());
                for principal in principals {
                    let Some(id) = certificate_id(&principal) else {
                        entries_seen.insert(principal.clone());
                        others.push(principal);
                        continue;
                    };
                    if let Certificate::There(identity) = self.certificate(source, id).await? {
                        certificates.push(identity);
                    }
                    entries_seen.insert(id.to_owned());
                }
                Ok(Seen::Identity { certificates, others })
            }
            Key::Certificate(id) => Ok(Seen::Certificate(match self.certificate(source, id).await? {
                Certificate::There(identity) => {
                    entries_seen.extend(entries(&identity));
                    Some(identity)
                }
                Certificate::Own => {
                    entries_seen.insert(String::new());
                    None
                }
                Certificate::Gone => None,
            })),
            Key::Policy(name) => {
                // Read anew: it is looked at because it changed.
                self.memory.forget(name).await;
                let policy = self.memory.policy(source, name).await?;
                entries_seen.extend(policy.iter().map(|_| String::new()));
                Ok(Seen::Policy(policy))
            }
            Key::GroupPolicies(group) => {
                let arn = group_arn(source.region_name(), source.account(), group);
                let life = source.region().group_incarnation(group).await?;
                let (policies, _) = self.policies(source, &arn).await?;
                entries_seen.extend(policies.iter().map(|policy| policy.name.clone()));
                Ok(Seen::GroupPolicies { group_id: life.map(|life| life.id), policies })
            }
        }
    }

    async fn certificate<S: Source>(&self, source: &S, id: &str) -> Outcome<Certificate> {
        let Some(certificate) = source.region().certificate(id).await? else { return Ok(Certificate::Gone) };
        let arn = certificate_arn(source.region_name(), source.account(), id);
        let (policies, is_own) = self.policies(source, &arn).await?;
        let identity = Identity { id: id.to_owned(), certificate, policies };
        Ok(if is_own { Certificate::Own } else { Certificate::There(identity) })
    }

    /// The policies of a target, and whether it has one that is the replicator's own.
    async fn policies<S: Source>(&self, source: &S, target: &str) -> Outcome<(Vec<Policy>, bool)> {
        let mut names = source.region().attached_policies(target).await?;
        let all = names.len();
        names.retain(|name| !name.starts_with(EXCLUDED_PREFIX));
        let is_own = names.len() < all;
        names.sort();
        let mut policies = Vec::new();
        for name in names {
            // One that went away in between is not attached any more.
            policies.extend(self.memory.policy(source, &name).await?);
        }
        Ok((policies, is_own))
    }
}

fn entries(identity: &Identity) -> BTreeSet<String> {
    let names = identity.policies.iter().map(|policy| policy.name.clone());
    names.chain([String::new()]).collect()
}
