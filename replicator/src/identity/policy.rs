//! Brings a policy: its document with the ARNs of the secondary, as the default version.
//!
//! Certificates and groups bring the policies that they have, too: what is not there is made from the
//! document within theirs. That never changes one which is there, as it may have been read before the
//! policy's own.

use serde_json::{Value, json};

use super::held::{self, Held, Looked};
use crate::document::{Document, Key, Seen};
use crate::model::Policy;
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::{self, WAITS_MS};
use crate::policy::{self, Policies};
use crate::ports::{Clock, Identities, PolicyRow, Row, State, Taken, World};
use crate::replicate::{Applied, Change};
use crate::tables;

/// Attaches a policy to a target. `Ok(false)`: it is gone in the primary since it was seen at
/// `looked_ms`. `NotFound`: the target is not there.
pub(super) async fn attach<W: World>(
    world: &W,
    policies: &Policies,
    wanted: &Policy,
    target: &str,
    looked_ms: u64,
) -> Outcome<bool> {
    let missed_ms = world.clock().now_ms();
    match world.region().attach_policy(&wanted.name, target).await {
        Err(failure) if failure.class == Class::NotFound => {}
        other => return other.map(|()| true),
    }
    if !policies.once(&wanted.name, missed_ms, make(world, wanted, looked_ms)).await? {
        return Ok(false);
    }
    world.region().attach_policy(&wanted.name, target).await.map(|()| true)
}

/// Makes a policy unless it is there, and says when; none if a newer look saw that it is gone.
async fn make<W: World>(world: &W, wanted: &Policy, looked_ms: u64) -> Outcome<Option<u64>> {
    let document = in_secondary(world, wanted)?;
    // Not the intent of a policy's own document: what is only made gives way to each of those.
    let (key, intent) = (tables::policy_key(&wanted.name), json!({ "makes": looked_ms }));
    let taken = patience::take(world, &key, &intent).await?;
    let before = taken.row.as_ref().and_then(PolicyRow::of).cloned();
    if before.as_ref().is_some_and(|row| row.deleted && row.looked_ms > looked_ms) {
        world.state().release(&taken).await?;
        return Ok(None);
    }
    let policy = Policy { name: wanted.name.clone(), document };
    let done = world.region().create_policy(&policy).await.settled(Class::Exists);
    // The order of its own documents does not change: this one may have been read before any of them.
    let begun_ms = held::begun_ms(&taken, before.as_ref());
    let before = before.unwrap_or_default();
    // One that was begun may have changed what was known.
    let known = before.document.clone().filter(|_| taken.unfinished.is_none());
    let row = |is_new: &bool| PolicyRow {
        begun_ms,
        deleted: false,
        document: if *is_new { Some(policy.document.clone()) } else { known },
        ..before.clone()
    };
    settle(world, &taken, &before, begun_ms, done, row).await?;
    Ok(Some(world.clock().now_ms()))
}

/// Applies a document.
pub async fn apply<W: World>(
    world: &W,
    _policies: &Policies,
    document: &Document,
    again: bool,
) -> Outcome<Applied> {
    let (Key::Policy(name), Seen::Policy(seen)) = (&document.key, &document.seen) else {
        return Err(Failure::permanent("read document", "it is not of a policy"));
    };
    let looked_ms = document.looked_ms;
    let wanted = match seen {
        Some(policy) => Some(Policy { name: name.clone(), document: in_secondary(world, policy)? }),
        None => None,
    };
    let key = tables::policy_key(name);
    let Held { taken, before, begun_ms, verdict } = held::take(world, &key, looked_ms, again).await?;
    let before: PolicyRow = before.unwrap_or_default();
    let begun_ms = begun_ms.max(looked_ms);
    let again = again || before.undone;
    if !verdict.applies(again) {
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    }
    let known = Some(&before).filter(|_| !again && taken.unfinished.is_none());
    let Some(wanted) = wanted else {
        let done = if known.is_some_and(|row| row.deleted) {
            Ok(Removal::Gone(false))
        } else {
            remove(world, name, looked_ms).await
        };
        let row = |removal: &Removal| PolicyRow {
            looked_ms: if *removal == Removal::Superseded { before.looked_ms } else { looked_ms },
            begun_ms: 0,
            deleted: matches!(removal, Removal::Gone(_)),
            document: None,
            undone: matches!(removal, Removal::Held(_)),
        };
        return Ok(match settle(world, &taken, &before, begun_ms, done, row).await? {
            Removal::Gone(false) => Change::Unchanged.into(),
            Removal::Gone(true) => Change::Changed.into(),
            Removal::Superseded => Change::Superseded.into(),
            Removal::Held(remark) => Applied { change: Change::Unchanged, remarks: vec![remark] },
        });
    };
    let done = bring(world, &wanted, known).await;
    let row = PolicyRow { looked_ms, document: Some(wanted.document), ..PolicyRow::default() };
    Ok(settle(world, &taken, &before, begun_ms, done, |_| row).await?.into())
}

fn in_secondary<W: World>(world: &W, seen: &Policy) -> Outcome<String> {
    policy::in_region(&seen.document, world.primary_region(), world.secondary_region())
}

/// Puts what is known now. After a failure that is nothing, but for the order, what was begun and what was left
/// undone.
async fn settle<W: World, T>(
    world: &W,
    taken: &Taken,
    before: &PolicyRow,
    begun_ms: u64,
    done: Outcome<T>,
    row: impl FnOnce(&T) -> PolicyRow,
) -> Outcome<T> {
    match done {
        Ok(done) => world.state().put(taken, &Row::Policy(row(&done))).await.map(|()| done),
        Err(failure) => {
            // If this fails too, the key is free again after its lease, and known to be unfinished.
            let _ = world.state().put(taken, &before.unknown(begun_ms)).await;
            Err(failure)
        }
    }
}

async fn bring<W: World>(world: &W, wanted: &Policy, known: Option<&PolicyRow>) -> Outcome<Change> {
    let region = world.region();
    let here = known.filter(|row| !row.deleted).and_then(|row| row.document.as_ref());
    match here {
        Some(here) if *here == wanted.document => return Ok(Change::Unchanged),
        Some(_) if region.put_policy(wanted).await.settled(Class::NotFound)? => return Ok(Change::Changed),
        _ => {}
    }
    if region.create_policy(wanted).await.settled(Class::Exists)? {
        return Ok(Change::Changed);
    }
    let there = region.policy(&wanted.name).await?;
    if there.is_some_and(|there| is_same(&there.document, &wanted.document)) {
        return Ok(Change::Unchanged);
    }
    region.put_policy(wanted).await?;
    Ok(Change::Changed)
}

/// Whether two documents say the same, however they are written.
fn is_same(one: &str, other: &str) -> bool {
    let parse = |text| serde_json::from_str::<Value>(text).ok();
    one == other || parse(one).is_some_and(|one| Some(one) == parse(other))
}

#[derive(Debug, PartialEq)]
enum Removal {
    /// It is gone, and whether it was there.
    Gone(bool),
    /// Something got it after the look: it was made again.
    Superseded,
    /// Something has it still, whose own change has not come yet.
    Held(Failure),
}

async fn remove<W: World>(world: &W, name: &str, looked_ms: u64) -> Outcome<Removal> {
    let region = world.region();
    let is_young = patience::is_young(world.clock(), looked_ms);
    let mut waits_ms = WAITS_MS.iter().filter(|_| is_young);
    loop {
        match region.delete_policy(name).await {
            Err(failure) if failure.class == Class::Conflict => {}
            other => return Ok(Removal::Gone(other.settled(Class::NotFound)?)),
        }
        let mut holders = 0;
        for target in region.policy_targets(name).await? {
            match owner(world, &target, name).await? {
                Some(its_look_ms) if its_look_ms > looked_ms => return Ok(Removal::Superseded),
                Some(_) => holders += 1,
                None => {
                    region.detach_policy(name, &target).await.settled(Class::NotFound)?;
                }
            }
        }
        if holders == 0 {
            return match region.delete_policy(name).await {
                Err(failure) if failure.class == Class::Conflict => Ok(Removal::Held(failure)),
                other => Ok(Removal::Gone(other.settled(Class::NotFound)?)),
            };
        }
        let Some(wait_ms) = waits_ms.next() else {
            let why = format!("{name} waits for {holders} certificates or groups to lose it");
            return Ok(Removal::Held(Failure::new(Class::Conflict, "delete policy", why)));
        };
        world.clock().sleep_ms(*wait_ms).await;
    }
}

/// When that target was looked at, if it was seen to have the policy: then its own next look takes
/// the policy from it, and its row stays true.
async fn owner<W: World>(world: &W, target: &str, name: &str) -> Outcome<Option<u64>> {
    let key = match policy::resource(target) {
        Some(("cert", id)) => tables::certificate_key(id),
        Some(("thinggroup", group)) => tables::group_policies_key(group),
        _ => return Ok(None),
    };
    Ok(match world.state().read(&key).await? {
        Some(Row::Certificate(row)) if row.policies.contains(name) => Some(row.looked_ms),
        Some(Row::Policies(row)) if row.policies.iter().flatten().any(|has| has == name) => {
            Some(row.looked_ms)
        }
        _ => None,
    })
}
