//! Brings the policies of a group.
//!
//! They are of one incarnation of it. One that was not brought yet is waited for: what has its name until
//! then goes, and its policies with it. One that is gone, or was followed by another, is not.

use std::collections::BTreeSet;

use super::held::{self, Held, Looked};
use super::policy;
use crate::capture::CLOCK_MARGIN_MS;
use crate::document::{Document, Key, Seen};
use crate::model::Policy;
use crate::order::GroupMark;
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::{self, patiently};
use crate::policy::{Policies, group_arn};
use crate::ports::{Identities, PoliciesRow, Row, State, World};
use crate::replicate::{Applied, Change};
use crate::tables;

/// Applies a document.
pub async fn apply<W: World>(
    world: &W,
    policies: &Policies,
    document: &Document,
    again: bool,
) -> Outcome<Applied> {
    let (Key::GroupPolicies(group), Seen::GroupPolicies { group_id, policies: wanted }) =
        (&document.key, &document.seen)
    else {
        return Err(Failure::permanent("read document", "it is not of a group's policies"));
    };
    let looked_ms = document.looked_ms;
    let key = tables::group_policies_key(group);
    let Held { taken, before, begun_ms, verdict } = held::take(world, &key, looked_ms, again).await?;
    let before: PoliciesRow = before.unwrap_or_default();
    let again = again || before.undone;
    if !verdict.applies(again) {
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    }
    let known = if again || taken.unfinished.is_some() { PoliciesRow::default() } else { before.clone() };
    let work = Work { world, policies, group, group_id: group_id.as_deref(), looked_ms };
    match work.bring(wanted, &known).await {
        Ok((applied, row)) => world.state().put(&taken, &Row::Policies(row)).await.map(|()| applied),
        Err(failure) => {
            let unknown = before.unknown(begun_ms.max(looked_ms));
            // If this fails too, the key is free again after its lease, and known to be unfinished.
            let _ = world.state().put(&taken, &unknown).await;
            Err(failure)
        }
    }
}

struct Work<'a, W> {
    world: &'a W,
    policies: &'a Policies,
    group: &'a str,
    /// The incarnation that has the policies; none if that is not known.
    group_id: Option<&'a str>,
    looked_ms: u64,
}

/// How the group that is known fits the document.
enum Fit {
    /// It is the one, or may be.
    It,
    /// It is the one and is gone, or came after it.
    Over,
    /// It is to come.
    ToCome,
}

impl<W: World> Work<'_, W> {
    async fn bring(&self, wanted: &[Policy], known: &PoliciesRow) -> Outcome<(Applied, PoliciesRow)> {
        let target = group_arn(self.world.secondary_region(), self.world.account(), self.group);
        let group = self.mark().await?;
        if !wanted.is_empty() {
            match self.fit(group.as_ref()) {
                Fit::It => {}
                Fit::Over => return Ok((Change::Unchanged.into(), self.unknown(false))),
                Fit::ToCome => return Ok(self.waits(Applied::from(Change::Unchanged))),
            }
        }
        let group_id = group.filter(|mark| !mark.deleted).map(|mark| mark.id);
        let has = match &known.policies {
            Some(has) if known.group_id == group_id => has.clone(),
            _ => self.world.region().attached_policies(&target).await?.into_iter().collect(),
        };
        let mut applied = Applied::from(Change::Unchanged);
        let mut kept: BTreeSet<String> = has.clone();
        for name in has.iter().filter(|name| !wanted.iter().any(|policy| policy.name == **name)) {
            self.world.region().detach_policy(name, &target).await.settled(Class::NotFound)?;
            kept.remove(name);
            applied.change = Change::Changed;
        }
        for policy in wanted.iter().filter(|policy| !has.contains(&policy.name)) {
            match self.attach(policy, &target).await {
                Ok(true) => {
                    kept.insert(policy.name.clone());
                    applied.change = Change::Changed;
                }
                Ok(false) => {}
                Err(failure) if failure.is_transient() => return Err(failure),
                Err(failure) if failure.class == Class::NotFound => return Ok(self.waits(applied)),
                Err(failure) => applied.remarks.push(failure),
            }
        }
        // Someone may have made the group anew meanwhile.
        let now_id = self.mark().await?.filter(|mark| !mark.deleted).map(|mark| mark.id);
        if now_id != group_id {
            return Err(Failure::transient("attach policy", "the group was made anew meanwhile"));
        }
        let undone = !applied.remarks.is_empty();
        let row =
            PoliciesRow { looked_ms: self.looked_ms, begun_ms: 0, policies: Some(kept), group_id, undone };
        Ok((applied, row))
    }

    /// What the document leaves undone until the group comes.
    fn waits(&self, mut applied: Applied) -> (Applied, PoliciesRow) {
        let why = format!("waits for group {}", self.group);
        applied.remarks.push(Failure::new(Class::NotFound, "attach policy", why));
        (applied, self.unknown(true))
    }

    fn unknown(&self, undone: bool) -> PoliciesRow {
        PoliciesRow { looked_ms: self.looked_ms, undone, ..PoliciesRow::default() }
    }

    /// The newest event of the group that was applied.
    async fn mark(&self) -> Outcome<Option<GroupMark>> {
        Ok(match self.world.state().read(&tables::group_key(self.group)).await? {
            Some(Row::Group(row)) => row.mark,
            _ => None,
        })
    }

    fn fit(&self, known: Option<&GroupMark>) -> Fit {
        // A group of which no event told was there before the replicator.
        let (Some(id), Some(known)) = (self.group_id, known) else { return Fit::It };
        match known.id == id {
            true if known.deleted => Fit::Over,
            true => Fit::It,
            // The clocks of the look and of the event may disagree: then a newer look tells.
            false if known.timestamp_ms > self.looked_ms.saturating_add(CLOCK_MARGIN_MS) => Fit::Over,
            false => Fit::ToCome,
        }
    }

    /// Attaches a policy; waits a little for a group that is not there yet.
    async fn attach(&self, policy: &Policy, target: &str) -> Outcome<bool> {
        let clock = self.world.clock();
        let attach = || policy::attach(self.world, self.policies, policy, target, self.looked_ms);
        if patience::is_young(clock, self.looked_ms) {
            patiently(clock, Class::NotFound, attach).await
        } else {
            attach().await
        }
    }
}
