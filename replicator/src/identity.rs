//! Brings the principals of a thing: its certificates, each complete, and what ties them to the thing.
//!
//! **Whichever comes second finishes.** The row, with what the thing is to have, is put before anything
//! is attached; whoever makes the thing later finds it there. The row knows the incarnation of the
//! thing and the certificate's row the look that registered it, so what was attached to an earlier
//! thing or certificate of that name is known not to be attached to this one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::document::{Document, Identity, Key, Seen};
use crate::order;
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience;
use crate::policy::{Policies, certificate_arn, certificate_id};
use crate::ports::{Clock, IdentityRow, Row, State, Taken, Things, World};
use crate::replicate::{Applied, Change};
use crate::tables;

pub mod certificate;
pub mod group;
mod held;
pub mod policy;

/// Applies a document.
pub async fn apply<W: World>(
    world: &W,
    policies: &Policies,
    document: &Document,
    again: bool,
) -> Outcome<Applied> {
    let (Key::Identity(thing), Seen::Identity { certificates, others }) = (&document.key, &document.seen)
    else {
        return Err(Failure::permanent("read document", "it is not of a thing's principals"));
    };
    let looked_ms = document.looked_ms;
    let (key, intent) = (tables::identity_key(thing), json!({ "looked_ms": looked_ms }));
    let taken = patience::take(world, &key, &intent).await?;
    let before = row(&taken);
    let verdict = order::document(looked_ms, before.as_ref().map(|row| row.looked_ms), 0);
    let is_pending = before.as_ref().is_some_and(|row| row.pending && row.looked_ms == looked_ms);
    if !verdict.applies(again || is_pending) {
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    }
    let is_sure = !again && taken.unfinished.is_none() && !before.as_ref().is_some_and(|row| row.pending);
    let mut work =
        Work { world, policies, thing, looked_ms, again, change: Change::Unchanged, remarks: Vec::new() };
    let brought = work.bring_all(certificates).await;
    if !others.is_empty() {
        let why = format!("no certificates, so not replicated: {}", others.join(", "));
        work.remarks.push(Failure::permanent("principals", why));
    }
    work.tie(taken, &intent, before.unwrap_or_default(), is_sure, &brought).await?;
    // The others came; this one is to be tried again.
    if let Some(failure) = brought.transient {
        return Err(failure);
    }
    Ok(Applied { change: work.change, remarks: work.remarks })
}

fn row(taken: &Taken) -> Option<IdentityRow> {
    match &taken.row {
        Some(Row::Identity(row)) => Some(row.clone()),
        _ => None,
    }
}

/// What became of the certificates of a thing.
#[derive(Debug, Default)]
struct Brought<'a> {
    /// The ARNs of all that the thing is to have.
    wanted: BTreeSet<String>,
    /// Those that are there: with its look that registered it.
    there: Vec<(String, u64, &'a Identity)>,
    /// Why one of them has to be tried again.
    transient: Option<Failure>,
}

struct Work<'a, W> {
    world: &'a W,
    policies: &'a Policies,
    thing: &'a str,
    looked_ms: u64,
    again: bool,
    change: Change,
    remarks: Vec<Failure>,
}

impl<W: World> Work<'_, W> {
    /// Brings each certificate, whatever becomes of the others.
    async fn bring_all<'a>(&mut self, certificates: &'a [Identity]) -> Brought<'a> {
        let mut brought = Brought::default();
        for identity in certificates {
            let arn = certificate_arn(self.world.secondary_region(), self.world.account(), &identity.id);
            match self.bring(identity, self.again).await {
                // A newer look saw that it is gone.
                Ok(None) => continue,
                Ok(Some(since_ms)) => brought.there.push((arn.clone(), since_ms, identity)),
                Err(failure) if failure.is_transient() => brought.transient = Some(failure),
                Err(failure) => self.remarks.push(failure),
            }
            brought.wanted.insert(arn);
        }
        brought
    }

    async fn bring(&mut self, identity: &Identity, again: bool) -> Outcome<Option<u64>> {
        let brought = certificate::bring(self.world, self.policies, self.looked_ms, identity, again).await?;
        self.remarks.extend(brought.remarks);
        if brought.change == Change::Changed {
            self.change = Change::Changed;
        }
        Ok(brought.since_ms)
    }

    /// Attaches what is there and not attached, detaches what the thing is not to have any more.
    async fn tie(
        &mut self,
        taken: Taken,
        intent: &Value,
        before: IdentityRow,
        is_sure: bool,
        brought: &Brought<'_>,
    ) -> Outcome<()> {
        let thing_id = self.thing_id().await?;
        let is_same = is_sure && before.thing_id == thing_id && thing_id.is_some();
        let is_tied = |arn: &String, since_ms: u64| {
            is_same && before.principals.contains(arn) && since_ms <= before.looked_ms
        };
        let mut attaching: Vec<&(String, u64, &Identity)> = Vec::new();
        for one in &brought.there {
            if !is_tied(&one.0, one.1) {
                attaching.push(one);
            }
        }
        let mut removing: BTreeSet<String> = &before.principals | &before.removing;
        removing.retain(|arn| !brought.wanted.contains(arn));
        if self.again {
            removing.extend(self.strangers(&brought.wanted).await?);
        }
        let mut row = IdentityRow {
            looked_ms: self.looked_ms,
            principals: brought.wanted.clone(),
            removing,
            pending: true,
            thing_id,
        };
        let mut taken = taken;
        if !attaching.is_empty() || !row.removing.is_empty() {
            let now_ms = self.world.clock().now_ms();
            taken = self.world.state().note(&taken, &Row::Identity(row.clone()), intent, now_ms).await?;
            if self::row(&taken).is_none_or(|there| there.looked_ms != self.looked_ms) {
                // A newer look came in between and does the rest.
                return self.world.state().release(&taken).await;
            }
            let tied = self.change(attaching, &row).await;
            if let Err(failure) = tied {
                let _ = self.world.state().put(&taken, &Row::Identity(row)).await;
                return Err(failure);
            }
        }
        // Whoever brings it again is told again, should a remark be lost on its way.
        row.pending = brought.transient.is_some() || !self.remarks.is_empty();
        row.removing.clear();
        self.world.state().put(&taken, &Row::Identity(row)).await
    }

    async fn change<'a>(
        &mut self,
        attaching: Vec<&'a (String, u64, &'a Identity)>,
        row: &IdentityRow,
    ) -> Outcome<()> {
        for arn in &row.removing {
            let detaching = self.world.region().detach_principal(self.thing, arn).await;
            if detaching.settled(Class::NotFound)? {
                self.change = Change::Changed;
            }
        }
        for (arn, _, identity) in attaching {
            self.attach(arn, identity, row.thing_id.is_some()).await?;
        }
        Ok(())
    }

    /// Attaches a certificate. A thing that is not there yet is fine: whoever makes it finds the row.
    async fn attach(&mut self, arn: &str, identity: &Identity, has_thing: bool) -> Outcome<()> {
        let region = self.world.region();
        let mut is_there = region.attach_principal(self.thing, arn).await.settled(Class::NotFound)?;
        if !is_there && has_thing {
            // The thing should be there, so it is the certificate that is not, although it was said
            // to be. Brought again, with all that it has.
            if self.bring(identity, true).await?.is_some() {
                is_there = region.attach_principal(self.thing, arn).await.settled(Class::NotFound)?;
            }
            if !is_there {
                let why = format!("neither {} nor its certificate may be missing", self.thing);
                self.remarks.push(Failure::new(Class::NotFound, "attach principal", why));
            }
        }
        if is_there {
            self.change = Change::Changed;
        }
        Ok(())
    }

    /// The incarnation of the thing, if it lives.
    async fn thing_id(&self) -> Outcome<Option<String>> {
        Ok(match self.world.state().read(&tables::thing_key(self.thing)).await? {
            Some(Row::Thing(row)) => row.mark.filter(|mark| !mark.deleted).map(|mark| mark.id),
            _ => None,
        })
    }

    /// Certificates that the thing has and that nobody here attached. Only who mends looks for them.
    async fn strangers(&self, wanted: &BTreeSet<String>) -> Outcome<Vec<String>> {
        let mut attached = self.world.region().thing_principals(self.thing).await?;
        attached.retain(|arn| certificate_id(arn).is_some() && !wanted.contains(arn));
        Ok(attached)
    }
}

#[cfg(test)]
mod tests;
