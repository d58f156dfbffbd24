//! Brings a certificate: registered with the primary's status, and with the primary's policies.
//!
//! A certificate comes in two documents, that of a thing which has it and its own; both are applied
//! here, in the order of their looks. The row says what the certificate is known to be in the
//! secondary, so that a look which saw nothing new costs no call. If a call fails, the row says that
//! nothing is known, and the next try looks for itself.

use std::collections::BTreeSet;

use super::held::{self, Held, Looked};
use super::policy;
use crate::document::{Document, Identity, Key, Seen};
use crate::model::Status;
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::policy::{Policies, certificate_arn};
use crate::ports::{CertificateRow, Identities, Row, State, Taken, Things, World};
use crate::replicate::{Applied, Change};
use crate::tables;

/// What became of a certificate.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) change: Change,
    /// What it had to leave undone.
    pub(super) remarks: Vec<Failure>,
    /// The look that registered it here; none: it is gone, as a newer look saw.
    pub(super) since_ms: Option<u64>,
}

/// Applies a document.
pub async fn apply<W: World>(
    world: &W,
    policies: &Policies,
    document: &Document,
    again: bool,
) -> Outcome<Applied> {
    let (Key::Certificate(id), Seen::Certificate(seen)) = (&document.key, &document.seen) else {
        return Err(Failure::permanent("read document", "it is not of a certificate"));
    };
    match seen {
        Some(identity) => {
            let brought = bring(world, policies, document.looked_ms, identity, again).await?;
            Ok(Applied { change: brought.change, remarks: brought.remarks })
        }
        None => remove(world, id, document.looked_ms, again).await.map(Applied::from),
    }
}

/// Brings a certificate that was seen at `looked_ms`, in whichever document.
pub(super) async fn bring<W: World>(
    world: &W,
    policies: &Policies,
    looked_ms: u64,
    identity: &Identity,
    again: bool,
) -> Outcome<Brought> {
    let Held { taken, before, begun_ms, verdict } = take(world, &identity.id, looked_ms, again).await?;
    let before = before.unwrap_or_default();
    let again = again || before.undone;
    if !verdict.applies(again) {
        world.state().release(&taken).await?;
        // If nothing is known of it, whatever should be attached to it is attached once more.
        let since_ms = if before.status.is_some() { before.since_ms } else { looked_ms };
        // Gone, unless that was seen before this look: then a newer one that was begun brings it.
        let is_gone = before.deleted && before.looked_ms >= looked_ms;
        let since_ms = (!is_gone).then_some(since_ms);
        return Ok(Brought { change: Change::Superseded, remarks: Vec::new(), since_ms });
    }
    let is_sure = !again && taken.unfinished.is_none() && before.status.is_some();
    let mut work = Work {
        world,
        policies,
        looked_ms,
        identity,
        target: certificate_arn(world.secondary_region(), world.account(), &identity.id),
        row: CertificateRow { looked_ms, begun_ms: 0, ..before.clone() },
        remarks: Vec::new(),
        change: Change::Unchanged,
    };
    if before.deleted {
        work.row = CertificateRow { looked_ms, ..CertificateRow::default() };
    }
    // Not known, or not as it was known to be: found out.
    let mut done = if is_sure { work.change_known().await } else { Ok(false) };
    if matches!(done, Ok(false)) {
        done = work.change_unknown().await.map(|()| true);
    }
    work.row.undone = !work.remarks.is_empty();
    settle(world, &taken, &before, begun_ms, &work.row, done.map(|_| ())).await?;
    Ok(Brought { change: work.change, remarks: work.remarks, since_ms: Some(work.row.since_ms) })
}

async fn take<W: World>(world: &W, id: &str, looked_ms: u64, again: bool) -> Outcome<Held<CertificateRow>> {
    held::take(world, &tables::certificate_key(id), looked_ms, again).await
}

/// Puts what is known now. After a failure that is nothing, but for the order and what was left undone.
async fn settle<W: World>(
    world: &W,
    taken: &Taken,
    before: &CertificateRow,
    begun_ms: u64,
    row: &CertificateRow,
    done: Outcome<()>,
) -> Outcome<()> {
    match done {
        Ok(()) => world.state().put(taken, &Row::Certificate(row.clone())).await,
        Err(failure) => {
            let unknown = before.unknown(begun_ms.max(row.looked_ms));
            // If this fails too, the key is free again after its lease, and known to be unfinished.
            let _ = world.state().put(taken, &unknown).await;
            Err(failure)
        }
    }
}

struct Work<'a, W> {
    world: &'a W,
    policies: &'a Policies,
    looked_ms: u64,
    identity: &'a Identity,
    target: String,
    row: CertificateRow,
    remarks: Vec<Failure>,
    change: Change,
}

impl<W: World> Work<'_, W> {
    fn forget(&mut self) {
        (self.row.status, self.row.policies) = (None, BTreeSet::new());
    }

    /// Changes what differs from the row. `false`: the secondary is not as the row says.
    async fn change_known(&mut self) -> Outcome<bool> {
        let status = self.identity.certificate.status;
        if self.row.status != Some(status) && !self.set_status(status).await? {
            self.forget();
            return Ok(false);
        }
        let has = self.row.policies.clone();
        if self.change_policies(&has).await? {
            return Ok(true);
        }
        self.forget();
        Ok(false)
    }

    /// Registers it, or makes one that is there what it should be.
    async fn change_unknown(&mut self) -> Outcome<()> {
        let certificate = &self.identity.certificate;
        let is_active = certificate.status == Status::Active;
        let registering = self.world.region().register_certificate(&certificate.pem, is_active).await;
        let is_new = registering.settled(Class::Exists)?;
        if is_new || self.row.since_ms == 0 {
            self.row.since_ms = self.looked_ms;
        }
        if is_new {
            self.change = Change::Changed;
        }
        let gone = || Failure::transient("set status", "the certificate went away");
        // It cannot be registered as revoked.
        if (!is_new || certificate.status == Status::Revoked) && !self.set_status(certificate.status).await? {
            return Err(gone());
        }
        self.row.status = Some(certificate.status);
        let has = if is_new {
            BTreeSet::new()
        } else {
            self.world.region().attached_policies(&self.target).await?.into_iter().collect()
        };
        if self.change_policies(&has).await? { Ok(()) } else { Err(gone()) }
    }

    /// `false` if it is not there.
    async fn set_status(&mut self, status: Status) -> Outcome<bool> {
        let is_there =
            self.world.region().set_status(&self.identity.id, status).await.settled(Class::NotFound)?;
        if is_there {
            (self.row.status, self.change) = (Some(status), Change::Changed);
        }
        Ok(is_there)
    }

    /// Detaches what it has and should not have, attaches what it should have and has not. `false` if
    /// the certificate is not there. A policy that cannot be attached is remarked, the others come.
    async fn change_policies(&mut self, has: &BTreeSet<String>) -> Outcome<bool> {
        self.row.policies.clone_from(has);
        let wanted = &self.identity.policies;
        for name in has.iter().filter(|name| !wanted.iter().any(|policy| policy.name == **name)) {
            let detaching = self.world.region().detach_policy(name, &self.target).await;
            detaching.settled(Class::NotFound)?;
            self.row.policies.remove(name);
            self.change = Change::Changed;
        }
        for wanted in wanted.iter().filter(|policy| !has.contains(&policy.name)) {
            match policy::attach(self.world, self.policies, wanted, &self.target, self.looked_ms).await {
                Ok(true) => {
                    self.row.policies.insert(wanted.name.clone());
                    self.change = Change::Changed;
                }
                // Gone in the primary after this look: a newer one of this certificate is on its way.
                Ok(false) => {}
                Err(failure) if failure.class == Class::NotFound => return Ok(false),
                Err(failure) if failure.is_transient() => return Err(failure),
                Err(failure) => self.remarks.push(failure),
            }
        }
        Ok(true)
    }
}

/// Removes a certificate that is gone in the primary, from wherever it is attached.
async fn remove<W: World>(world: &W, id: &str, looked_ms: u64, again: bool) -> Outcome<Change> {
    let Held { taken, before, begun_ms, verdict } = take(world, id, looked_ms, again).await?;
    let before = before.unwrap_or_default();
    if !verdict.applies(again) {
        world.state().release(&taken).await?;
        return Ok(Change::Superseded);
    }
    // What was begun since may have registered it.
    let is_gone = before.deleted && begun_ms == 0 && !again && taken.unfinished.is_none();
    let done = if is_gone { Ok(false) } else { delete(world, id).await };
    let row = CertificateRow { looked_ms, deleted: true, ..CertificateRow::default() };
    let change = done.as_ref().map_or(Change::Unchanged, |any| match any {
        true => Change::Changed,
        false => Change::Unchanged,
    });
    settle(world, &taken, &before, begun_ms, &row, done.map(|_| ())).await?;
    Ok(change)
}

async fn delete<W: World>(world: &W, id: &str) -> Outcome<bool> {
    let (region, target) = (world.region(), certificate_arn(world.secondary_region(), world.account(), id));
    // Inactive first: nobody connects with it from here on. One that is not there has no things.
    if !region.set_status(id, Status::Inactive).await.settled(Class::NotFound)? {
        return Ok(false);
    }
    for thing in region.principal_things(&target).await? {
        region.detach_principal(&thing, &target).await.settled(Class::NotFound)?;
    }
    region.delete_certificate(id).await.settled(Class::NotFound)
}
