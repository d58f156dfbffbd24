//! Brings a static group, with its parent, description and attributes.
//!
//! A group's parent is fixed when it is made, and a group with groups under it cannot be deleted. So a
//! group waits a little for its parent, and a deletion for its children; what does not come in time is
//! remarked and tried again from the error table. Until it is done the row stays as it was: a group that
//! could not be deleted is known to be there, and goes before one of its name is made again.
//!
//! Dynamic groups are not replicated: no event says which things they find. Each is remarked by name.

use serde_json::{Value, json};

use crate::event::GroupEvent;
use crate::model::Group;
use crate::order::{self, GroupMark, Verdict};
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::{self, WAITS_MS, patiently, wrong_row};
use crate::ports::{Clock, GroupRow, Groups, Row, State, Taken, World};
use crate::replicate::{Applied, Change};
use crate::tables;

/// Applies a group event.
pub async fn apply<W: World>(world: &W, event: &GroupEvent, again: bool) -> Outcome<Applied> {
    let (name, intent) = (&event.group.name, json!(event.mark));
    let taken = world.state().take(&tables::group_key(name), &intent, world.clock().now_ms()).await?;
    let GroupRow { mark, undone } = row_of(taken.row.as_ref(), &taken.key)?;
    let again = again || undone;
    if !order::life(&event.mark, mark.as_ref()).applies(again) {
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    }
    if taken.begun().iter().any(|begun| order::life(&event.mark, Some(begun)) == Verdict::Stale) {
        // A newer one was begun, perhaps done, and will come again: the group never goes backwards.
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    }
    let after = order::after(&event.mark, mark.as_ref());
    let Prepared { taken, is_known } = match prepare(world, event, taken, mark, &intent).await? {
        Ok(prepared) => prepared,
        Err(refused) => return Ok(refused),
    };
    let applied = match (event.mark.deleted, event.dynamic) {
        (true, _) => Change::Changed.into(),
        (false, true) => dynamic(name),
        (false, false) => {
            let Some(applied) = bring(world, event, is_known).await? else {
                let why = format!("{name} waits for group {}", event.group.parent.as_deref().unwrap_or("-"));
                return let_go(world, &taken, "create group", why).await;
            };
            applied
        }
    };
    let undone = !applied.remarks.is_empty();
    let row = Row::Group(GroupRow { mark: Some(after), undone });
    world.state().put(&taken, &row).await?;
    Ok(applied)
}

fn row_of(row: Option<&Row>, key: &str) -> Outcome<GroupRow> {
    match row {
        None => Ok(GroupRow::default()),
        Some(Row::Group(row)) => Ok(row.clone()),
        Some(_) => Err(wrong_row(key)),
    }
}

/// The way is free for the event.
struct Prepared {
    taken: Taken,
    /// The same incarnation was brought before.
    is_known: bool,
}

/// Removes what the event deletes, or another incarnation that may be there still. If that has groups
/// under it, the event is left undone.
async fn prepare<W: World>(
    world: &W,
    event: &GroupEvent,
    mut taken: Taken,
    mark: Option<GroupMark>,
    intent: &Value,
) -> Outcome<Result<Prepared, Applied>> {
    let is_other = |mark: &GroupMark| mark.id != event.mark.id;
    let is_known = mark.as_ref().is_some_and(|mark| !is_other(mark));
    let alive = mark.clone().filter(|mark| !mark.deleted && is_other(mark));
    // Whoever began with an older event saw this very row, and did nothing.
    let acted = |begun: &GroupMark| order::life(begun, mark.as_ref()) != Verdict::Stale;
    let old = alive.or(taken.begun().into_iter().find(|begun| is_other(begun) && acted(begun)));
    if !event.mark.deleted && old.is_none() {
        return Ok(Ok(Prepared { taken, is_known }));
    }
    let name = &event.group.name;
    if let Some(refusal) = delete(world, name, event.mark.timestamp_ms).await? {
        let why = format!("{name} cannot be deleted yet: {}", refusal.why);
        return let_go(world, &taken, "delete group", why).await.map(Err);
    }
    if let Some(old) = old.filter(|_| !event.mark.deleted) {
        // For whoever puts a thing into the old one right now. Only if it surely is gone.
        let gone = GroupMark { deleted: true, ..old };
        let follows = |later, earlier| order::life(later, earlier) == Verdict::Newer;
        if follows(&gone, mark.as_ref()) && follows(&event.mark, Some(&gone)) {
            let row = Row::Group(GroupRow { mark: Some(gone), undone: false });
            taken = world.state().note(&taken, &row, intent, world.clock().now_ms()).await?;
            // Someone may have brought something newer in between.
            let newest = row_of(taken.row.as_ref(), &taken.key)?;
            if order::life(&event.mark, newest.mark.as_ref()) == Verdict::Stale {
                world.state().release(&taken).await?;
                return Ok(Err(Change::Superseded.into()));
            }
        }
    }
    Ok(Ok(Prepared { taken, is_known }))
}

/// Deletes a group that may be gone; answers with the refusal, if there are groups under it.
async fn delete<W: World>(world: &W, name: &str, timestamp_ms: u64) -> Outcome<Option<Failure>> {
    let (region, clock) = (world.region(), world.clock());
    let deleted = if patience::is_young(clock, timestamp_ms) {
        patiently(clock, Class::Conflict, || region.delete_group(name, None)).await
    } else {
        region.delete_group(name, None).await
    };
    match deleted.settled(Class::NotFound) {
        Ok(_) => Ok(None),
        Err(failure) if failure.class == Class::Conflict => Ok(Some(failure)),
        Err(failure) => Err(failure),
    }
}

/// Makes or changes the group; `None` if its parent does not come.
async fn bring<W: World>(world: &W, event: &GroupEvent, is_known: bool) -> Outcome<Option<Applied>> {
    let group = &event.group;
    if is_known && world.region().update_group(group, None).await.settled(Class::NotFound)? {
        return Ok(Some(Change::Changed.into()));
    }
    let is_young = patience::is_young(world.clock(), event.mark.timestamp_ms);
    let mut waits = WAITS_MS.iter().filter(|_| is_young);
    loop {
        if parent_is_there(world, event).await? {
            match world.region().create_group(group).await {
                Ok(()) => return Ok(Some(Change::Changed.into())),
                Err(failure) if failure.class == Class::Exists => {
                    return change(world, group).await.map(Some);
                }
                Err(failure) if failure.class == Class::NotFound => {}
                Err(failure) => return Err(failure),
            }
        }
        let Some(wait_ms) = waits.next() else { return Ok(None) };
        world.clock().sleep_ms(*wait_ms).await;
    }
}

/// Whether the parent that the group is to have was brought. Nothing less will do: a child of a parent to
/// come would keep the one before, or what a function that ended left of it, from being deleted.
async fn parent_is_there<W: World>(world: &W, event: &GroupEvent) -> Outcome<bool> {
    let (Some(parent), Some(id)) = (&event.group.parent, &event.parent_id) else { return Ok(true) };
    let key = tables::group_key(parent);
    let row = row_of(world.state().read(&key).await?.as_ref(), &key)?;
    Ok(row.mark.is_some_and(|mark| mark.id == *id && !mark.deleted))
}

/// Changes a group that is there and differs.
async fn change<W: World>(world: &W, group: &Group) -> Outcome<Applied> {
    world.region().update_group(group, None).await?;
    let mut applied = Applied::from(Change::Changed);
    let there = world.region().group(&group.name).await?;
    if there.is_some_and(|there| there.parent != group.parent) {
        let why = format!("{} has another parent, which AWS does not change", group.name);
        applied.remarks.push(Failure::permanent("update group", why));
    }
    Ok(applied)
}

fn dynamic(name: &str) -> Applied {
    let why = format!("{name} is a dynamic group, which is not replicated");
    Applied { change: Change::Unchanged, remarks: vec![Failure::permanent("dynamic group", why)] }
}

/// Lets go of the group as it is; the remark brings the event again.
async fn let_go<W: World>(world: &W, taken: &Taken, step: &'static str, why: String) -> Outcome<Applied> {
    world.state().release(taken).await?;
    Ok(Applied { change: Change::Unchanged, remarks: vec![Failure::permanent(step, why)] })
}

#[cfg(test)]
mod tests;
