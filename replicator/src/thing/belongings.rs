//! Gives a thing that was made what was waiting for it: its principals and its groups.
//!
//! Both sides write before they look. The handler of a thing makes it, then reads what the rows of its
//! principals and groups want. The handlers of those put their rows, then look whether the thing is
//! there. So whoever comes second finishes, in any order. What is added is added with the row's key
//! held: nobody else changes it meanwhile.

use std::collections::BTreeSet;

use serde_json::json;

use crate::event::ThingEvent;
use crate::order::MembershipMark;
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::{self, wrong_row};
use crate::policy::certificate_id;
use crate::ports::{Groups, IdentityRow, Memberships, Row, State, Things, World};
use crate::tables;

/// How much earlier than the thing's first event a look may seem to be and still count as one at that
/// thing: the looker's clock is another. A look at the thing before costs nothing that lasts, as the look
/// that follows the event tells exactly.
pub(super) const SKEW_MS_MAX: u64 = 5_000;

/// Attaches the principals and adds to the groups that wait for this incarnation of the thing. Answers
/// with what it had to leave undone. `is_unsure`: the thing may have been there, unsaid, since someone else
/// began to make it.
pub(super) async fn give<W: World>(
    world: &W,
    event: &ThingEvent,
    begun_ms_min: u64,
    is_unsure: bool,
) -> Outcome<Vec<Failure>> {
    let mut remarks = principals(world, &event.thing.name, begun_ms_min).await?;
    remarks.extend(groups(world, event, is_unsure).await?);
    Ok(remarks)
}

async fn principals<W: World>(world: &W, thing: &str, begun_ms_min: u64) -> Outcome<Vec<Failure>> {
    let key = tables::identity_key(thing);
    let wanted = |row: &Option<Row>| match row {
        None => Ok(None),
        Some(Row::Identity(row)) => {
            let is_of_it = row.looked_ms.saturating_add(SKEW_MS_MAX) >= begun_ms_min;
            Ok(Some(row).filter(|row| is_of_it && !row.principals.is_empty()).cloned())
        }
        Some(_) => Err(wrong_row(&key)),
    };
    if wanted(&world.state().read(&key).await?)?.is_none() {
        return Ok(Vec::new());
    }
    let taken = patience::take(world, &key, &json!({ "thing": thing })).await?;
    let mut remarks = Vec::new();
    if let Some(IdentityRow { principals, looked_ms, .. }) = wanted(&taken.row)? {
        for principal in &principals {
            let attached = world.region().attach_principal(thing, principal).await;
            let is_absent = attached.as_ref().is_err_and(|failure| failure.class == Class::NotFound);
            if is_absent && is_gone_since(world, principal, looked_ms).await? {
                continue;
            }
            remark(&mut remarks, attached, "waits for principal", principal)?;
        }
    }
    world.state().release(&taken).await?;
    Ok(remarks)
}

/// Whether a certificate was seen to be gone after that look: then it is not waited for.
async fn is_gone_since<W: World>(world: &W, principal: &str, looked_ms: u64) -> Outcome<bool> {
    let Some(id) = certificate_id(principal) else { return Ok(false) };
    let row = world.state().read(&tables::certificate_key(id)).await?;
    Ok(matches!(row, Some(Row::Certificate(row)) if row.deleted && row.looked_ms > looked_ms))
}

async fn groups<W: World>(world: &W, event: &ThingEvent, is_unsure: bool) -> Outcome<Vec<Failure>> {
    let thing = &event.thing.name;
    let key = tables::memberships_key(thing);
    let wanted = |row: &Option<Row>| match row {
        None => Ok(Vec::new()),
        Some(Row::Memberships(row)) => Ok(of_thing(row, &event.mark.id)),
        Some(_) => Err(wrong_row(&key)),
    };
    let before = world.state().read(&key).await?;
    let mut others = of_others(before.as_ref(), &event.mark.id, is_unsure);
    if others.is_empty() && wanted(&before)?.is_empty() {
        return Ok(Vec::new());
    }
    let taken = patience::take(world, &key, &json!({ "thing": thing })).await?;
    let mut remarks = Vec::new();
    let groups = wanted(&taken.row)?;
    others.retain(|other| !groups.iter().any(|(group, _)| group == other));
    for group in &others {
        world.region().remove_from_group(group, thing).await.settled(Class::NotFound)?;
    }
    for (group, mark) in groups {
        let Some(is_it) = lives(world, &group, &mark.group_id).await? else {
            remarks.push(Failure::permanent("add to group", format!("waits for group {group}")));
            continue;
        };
        if is_it {
            let added = world.region().add_to_group(&group, thing).await;
            remark(&mut remarks, added, "waits for group", &group)?;
        }
    }
    world.state().release(&taken).await?;
    Ok(remarks)
}

/// The groups in which that incarnation of the thing is, those last that wait to be looked at.
fn of_thing(row: &Memberships, thing_id: &str) -> Vec<(String, MembershipMark)> {
    let is_of_it =
        |mark: &MembershipMark| !mark.life.deleted && (mark.thing_id.is_empty() || mark.thing_id == thing_id);
    let all = row.groups.iter().filter(|(group, _)| !row.pending.contains_key(*group)).chain(&row.pending);
    let of_it = all.filter(|(_, mark)| is_of_it(mark));
    of_it.map(|(group, mark)| (group.clone(), mark.clone())).collect()
}

/// The groups into which someone is putting another incarnation of the thing, and may put this one. If this one was
/// there before anybody said so, also those into which someone has.
fn of_others(row: Option<&Row>, thing_id: &str, is_unsure: bool) -> Vec<String> {
    let Some(Row::Memberships(row)) = row else { return Vec::new() };
    let is_other = |mark: &MembershipMark| !mark.thing_id.is_empty() && mark.thing_id != thing_id;
    let done = row.groups.iter().filter(|(_, mark)| is_unsure && !mark.life.deleted);
    let all = row.pending.iter().chain(done).filter(|(_, mark)| is_other(mark));
    all.map(|(group, _)| group.clone()).collect::<BTreeSet<String>>().into_iter().collect()
}

/// Whether that incarnation of a group is there; `None` if none was brought yet.
async fn lives<W: World>(world: &W, group: &str, group_id: &str) -> Outcome<Option<bool>> {
    let key = tables::group_key(group);
    match world.state().read(&key).await? {
        None => Ok(None),
        Some(Row::Group(row)) => Ok(row.mark.map(|mark| mark.id == group_id && !mark.deleted)),
        Some(_) => Err(wrong_row(&key)),
    }
}

/// One that cannot be added does not keep the others from coming.
fn remark(remarks: &mut Vec<Failure>, done: Outcome<()>, waits: &str, what: &str) -> Outcome<()> {
    match done {
        Ok(()) => {}
        Err(failure) if failure.is_transient() => return Err(failure),
        Err(failure) => {
            let why = match failure.class {
                Class::NotFound => format!("{waits} {what}"),
                _ => format!("{what}: {}", failure.why),
            };
            remarks.push(Failure::permanent(failure.step, why));
        }
    }
    Ok(())
}
