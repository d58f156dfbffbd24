//! Puts a thing into a group, or takes it out.
//!
//! A membership is of one incarnation of a thing and one of a group: one that arrives late puts nothing
//! into what came after them under their names. Neither has to be there yet. A thing that comes later
//! finds its groups in the row that is put here; for a group a remark brings the event again.

use serde_json::json;

use crate::event::MembershipEvent;
use crate::order::{self, LifeMark, MembershipMark};
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::{self, WAITS_MS, wrong_row};
use crate::ports::{Clock, Groups, Memberships, Row, State, Taken, World};
use crate::replicate::{Applied, Change};
use crate::tables;

/// Applies a membership event.
pub async fn apply<W: World>(world: &W, event: &MembershipEvent, again: bool) -> Outcome<Applied> {
    let (key, intent) = (tables::memberships_key(&event.thing), json!({ "group": event.group }));
    let taken = world.state().take(&key, &intent, world.clock().now_ms()).await?;
    let Some(mut row) = row_if_newer(&taken, event, again)? else {
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    };
    let mut taken = taken;
    let mut applied = Applied::from(Change::Changed);
    if event.mark.life.deleted {
        remove(world, event).await?;
    } else {
        let mut placed = place(world, event, taken.unfinished.is_some()).await?;
        if matches!(placed, Placed::NoThing) {
            // Written before the second look, so that a thing that is made in between finds it.
            row.pending.insert(event.group.clone(), event.mark.clone());
            let noted = Row::Memberships(row.clone());
            taken = world.state().note(&taken, &noted, &intent, world.clock().now_ms()).await?;
            let Some(newest) = row_if_newer(&taken, event, again)? else {
                world.state().release(&taken).await?;
                return Ok(Change::Superseded.into());
            };
            row = newest;
            placed = place(world, event, true).await?;
        }
        applied = placed.into_applied(&event.group);
    }
    if applied.remarks.is_empty() {
        row.pending.remove(&event.group);
    } else {
        // Whoever brings it again is told again, should the remark be lost on its way.
        row.pending.insert(event.group.clone(), event.mark.clone());
    }
    row.groups.insert(event.group.clone(), event.mark.clone());
    world.state().put(&taken, &Row::Memberships(row)).await?;
    Ok(applied)
}

fn row_if_newer(taken: &Taken, event: &MembershipEvent, again: bool) -> Outcome<Option<Memberships>> {
    let row = match &taken.row {
        None => Memberships::default(),
        Some(Row::Memberships(row)) => row.clone(),
        Some(_) => return Err(wrong_row(&taken.key)),
    };
    let applied = row.groups.get(&event.group).map(|mark| &mark.life);
    let again = again || row.pending.get(&event.group) == Some(&event.mark);
    Ok(order::membership(&event.mark.life, applied).applies(again).then_some(row))
}

/// What became of an addition.
enum Placed {
    /// The thing is in the group.
    In,
    /// The thing or the group is another one by now.
    Over,
    /// The group is there, the thing is not.
    NoThing,
    /// It was refused, or the group is not there.
    Not(Failure),
}

impl Placed {
    fn into_applied(self, group: &str) -> Applied {
        match self {
            Self::In => Change::Changed.into(),
            Self::Over | Self::NoThing => Change::Unchanged.into(),
            Self::Not(failure) => {
                let why = format!("{group}: {}", failure.why);
                let remarks = vec![Failure::permanent(failure.step, why)];
                Applied { change: Change::Unchanged, remarks }
            }
        }
    }
}

/// Adds the thing to the group, waiting a little for the group. `is_unsure`: it may have been added
/// before by someone who did not say so.
async fn place<W: World>(world: &W, event: &MembershipEvent, is_unsure: bool) -> Outcome<Placed> {
    let is_young = patience::is_young(world.clock(), event.mark.life.timestamp_ms);
    let mut waits = WAITS_MS.iter().filter(|_| is_young);
    loop {
        let seen = look(world, event).await?;
        let failure = match seen {
            Seen::Over if is_unsure => return remove(world, event).await.map(|()| Placed::Over),
            Seen::Over => return Ok(Placed::Over),
            Seen::NoGroup => Failure::permanent("add to group", "waits for the group"),
            Seen::Fit | Seen::Before => match world.region().add_to_group(&event.group, &event.thing).await {
                Ok(()) => match confirm(world, event, &seen).await? {
                    Some(placed) => return Ok(placed),
                    None => continue,
                },
                Err(failure) if failure.class == Class::NotFound => {
                    if world.region().group(&event.group).await?.is_some() {
                        return Ok(Placed::NoThing);
                    }
                    Failure::permanent("add to group", "waits for the group")
                }
                Err(failure) if failure.is_transient() => return Err(failure),
                // Such as: the thing is in another group of that hierarchy, which it leaves later.
                Err(failure) => return Ok(Placed::Not(failure)),
            },
        };
        let Some(wait_ms) = waits.next() else { return Ok(Placed::Not(failure)) };
        world.clock().sleep_ms(*wait_ms).await;
    }
}

/// Looks again after the addition: the thing or the group may have been made again meanwhile. `None`: the
/// thing came in between, so that the one before it was put into the group, and it has to be itself.
async fn confirm<W: World>(world: &W, event: &MembershipEvent, before: &Seen) -> Outcome<Option<Placed>> {
    Ok(match (look(world, event).await?, before) {
        (Seen::Fit, Seen::Before) => None,
        (Seen::Fit, _) => Some(Placed::In),
        // It was put into the one before, which goes: whoever brings the thing finds the row.
        (Seen::Before, _) => Some(Placed::NoThing),
        (Seen::Over | Seen::NoGroup, _) => remove(world, event).await.map(|()| Some(Placed::Over))?,
    })
}

/// Takes the thing out. One that is in no such group is out.
async fn remove<W: World>(world: &W, event: &MembershipEvent) -> Outcome<()> {
    world.region().remove_from_group(&event.group, &event.thing).await.settled(Class::NotFound).map(|_| ())
}

/// How thing and group, as they are known, fit the membership.
enum Seen {
    Fit,
    /// The thing that is known is an earlier one.
    Before,
    /// One of them was deleted, or is a later one.
    Over,
    /// The group was not brought yet. Whatever has its name goes before it comes.
    NoGroup,
}

async fn look<W: World>(world: &W, event: &MembershipEvent) -> Outcome<Seen> {
    let (thing_key, group_key) = (tables::thing_key(&event.thing), tables::group_key(&event.group));
    let state = world.state();
    let (thing, group) = futures::join!(state.read(&thing_key), state.read(&group_key));
    let thing = match thing? {
        None => None,
        Some(Row::Thing(row)) => row.mark,
        Some(_) => return Err(wrong_row(&thing_key)),
    };
    let group = match group? {
        None => None,
        Some(Row::Group(row)) => row.mark,
        Some(_) => return Err(wrong_row(&group_key)),
    };
    let MembershipMark { life, group_id, thing_id } = &event.mark;
    let is_over = |known: &Option<LifeMark>, id: &str| match known {
        Some(known) if known.id == id => known.deleted,
        Some(known) => !id.is_empty() && known.timestamp_ms > life.timestamp_ms,
        None => false,
    };
    if is_over(&thing, thing_id) || is_over(&group, group_id) {
        return Ok(Seen::Over);
    }
    let is_before = |known: &LifeMark| !thing_id.is_empty() && known.id != *thing_id;
    let is_there = group.is_some_and(|known| known.id == *group_id);
    Ok(match is_there {
        true if thing.as_ref().is_some_and(is_before) => Seen::Before,
        true => Seen::Fit,
        false => Seen::NoGroup,
    })
}

#[cfg(test)]
mod tests;
