//! Brings a thing type: description and searchable attributes when it is made, then its deprecation.
//!
//! Each event carries the whole type. One that comes first, whichever it is, makes it; nothing is lost
//! when a deprecation overtakes the creation. What AWS fixes at the creation cannot be changed later: a
//! type of another making that is in use stays, and is remarked.

use serde_json::json;

use crate::event::TypeEvent;
use crate::model::ThingType;
use crate::order::{self, Verdict};
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::wrong_row;
use crate::ports::{Clock, Row, State, TypeRow, Types, World};
use crate::replicate::{Applied, Change};
use crate::tables;

/// Applies a type event.
pub async fn apply<W: World>(world: &W, event: &TypeEvent, again: bool) -> Outcome<Applied> {
    let key = tables::type_key(&event.thing_type.name);
    let taken = world.state().take(&key, &json!(event.mark), world.clock().now_ms()).await?;
    let row = match &taken.row {
        None => TypeRow::default(),
        Some(Row::Type(row)) => row.clone(),
        Some(_) => return Err(wrong_row(&key)),
    };
    let again = again || row.undone;
    if !order::life(&event.mark, row.mark.as_ref()).applies(again) {
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    }
    if taken.begun().iter().any(|begun| order::life(&event.mark, Some(begun)) == Verdict::Stale) {
        // A newer one was begun, perhaps done, and will come again: the type never goes backwards.
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    }
    let is_sure = !again && taken.unfinished.is_none();
    let is_known = row.mark.as_ref().is_some_and(|mark| mark.id == event.mark.id);
    let wanted = &event.thing_type;
    let applied = if event.mark.deleted {
        remove(world, &wanted.name).await?
    } else if !is_sure || row.mark.is_some() && !is_known {
        mend(world, wanted).await?
    } else if is_known {
        change(world, wanted, row.deprecated).await?
    } else {
        make(world, wanted).await?
    };
    let deprecated = wanted.deprecated || event.mark.deleted;
    let undone = !applied.remarks.is_empty();
    let mark = Some(order::after(&event.mark, row.mark.as_ref()));
    let row = Row::Type(TypeRow { mark, deprecated, undone });
    world.state().put(&taken, &row).await?;
    Ok(applied)
}

/// Makes a type of which nothing is known.
async fn make<W: World>(world: &W, wanted: &ThingType) -> Outcome<Applied> {
    if !world.region().create_thing_type(wanted).await.settled(Class::Exists)? {
        return mend(world, wanted).await;
    }
    deprecate(world, wanted, false).await?;
    Ok(Change::Changed.into())
}

/// Deprecates a type that was brought before, or takes that back.
async fn change<W: World>(world: &W, wanted: &ThingType, deprecated: bool) -> Outcome<Applied> {
    match deprecate(world, wanted, deprecated).await {
        Ok(true) => Ok(Change::Changed.into()),
        Ok(false) => Ok(Change::Unchanged.into()),
        Err(failure) if failure.class == Class::NotFound => make(world, wanted).await,
        Err(failure) => Err(failure),
    }
}

/// Looks, and makes the type what it should be.
async fn mend<W: World>(world: &W, wanted: &ThingType) -> Outcome<Applied> {
    let region = world.region();
    let Some(there) = region.thing_type(&wanted.name).await? else {
        region.create_thing_type(wanted).await?;
        deprecate(world, wanted, false).await?;
        return Ok(Change::Changed.into());
    };
    let is_same = there.description == wanted.description
        && there.searchable_attributes == wanted.searchable_attributes;
    if !is_same && there.deprecated && delete(world, &wanted.name).await?.is_none() {
        // It was left over from a type of the same name.
        region.create_thing_type(wanted).await?;
        deprecate(world, wanted, false).await?;
        return Ok(Change::Changed.into());
    }
    if !is_same {
        let why = "the description or the searchable attributes differ, and AWS does not change them";
        let remarks = vec![Failure::permanent("thing type", format!("{}: {why}", wanted.name))];
        // Deprecated it takes no more things, and can be deleted after a while.
        if !there.deprecated {
            region.deprecate_thing_type(&wanted.name, true).await?;
        }
        let change = if there.deprecated { Change::Unchanged } else { Change::Changed };
        return Ok(Applied { change, remarks });
    }
    let changed = deprecate(world, wanted, there.deprecated).await?;
    Ok(if changed { Change::Changed } else { Change::Unchanged }.into())
}

/// Deprecates the type or brings it back, unless it is so. Whether something was done.
async fn deprecate<W: World>(world: &W, wanted: &ThingType, is_deprecated: bool) -> Outcome<bool> {
    if wanted.deprecated == is_deprecated {
        return Ok(false);
    }
    world.region().deprecate_thing_type(&wanted.name, wanted.deprecated).await?;
    Ok(true)
}

/// Deletes a type. While a thing has it, or it was not deprecated five minutes ago, AWS refuses: then it
/// is left deprecated, with a remark from which the deletion is tried again.
async fn remove<W: World>(world: &W, name: &str) -> Outcome<Applied> {
    let Some(refusal) = delete(world, name).await? else { return Ok(Change::Changed.into()) };
    // Only if it is not: whoever deprecates it again might start the five minutes again.
    if world.region().thing_type(name).await?.is_some_and(|there| !there.deprecated) {
        world.region().deprecate_thing_type(name, true).await.settled(Class::NotFound)?;
    }
    let why = format!("{name} cannot be deleted yet: {}", refusal.why);
    Ok(Applied { change: Change::Unchanged, remarks: vec![Failure::permanent("delete thing type", why)] })
}

/// Deletes a type that may be gone; answers with the refusal, if it is in use.
async fn delete<W: World>(world: &W, name: &str) -> Outcome<Option<Failure>> {
    match world.region().delete_thing_type(name).await {
        Ok(()) => Ok(None),
        Err(failure) if failure.class == Class::NotFound => Ok(None),
        Err(failure) if failure.class == Class::Conflict => Ok(Some(failure)),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests;
