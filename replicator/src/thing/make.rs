//! Makes or changes a thing, whatever became of its type.
//!
//! A type that is not in the secondary yet costs the thing its type and not its being. A type that was
//! deprecated after the thing got it takes no more things: it is lent, that is brought back for the one
//! call, with its key held.

use serde_json::json;

use crate::model::Thing;
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::{self, wrong_row};
use crate::ports::{Row, State, Taken, Things, TypeRow, Types, World};
use crate::tables;

/// What became of it.
pub(super) struct Made {
    /// It was made, or there was one just like it.
    pub(super) is_new: bool,
    /// What was left undone.
    pub(super) remarks: Vec<Failure>,
}

impl From<bool> for Made {
    fn from(is_new: bool) -> Self {
        Self { is_new, remarks: Vec::new() }
    }
}

/// Makes or changes the thing. `is_known`: it was there before, and a change of it is the better guess.
pub(super) async fn make<W: World>(world: &W, thing: &Thing, is_known: bool) -> Outcome<Made> {
    let failure = match put(world, thing, is_known).await {
        Ok(is_new) => return Ok(is_new.into()),
        Err(failure) => failure,
    };
    let Some(name) = &thing.thing_type else { return Err(failure) };
    if !matches!(failure.class, Class::Conflict | Class::Permanent) {
        return Err(failure);
    }
    match world.region().thing_type(name).await? {
        None => bare(world, thing, name, is_known).await,
        // It is left over from an earlier type of that name, and goes: a thing that had it would hold it.
        Some(there) if there.deprecated && differs(world, name).await? => {
            bare(world, thing, name, is_known).await
        }
        Some(there) if there.deprecated => lend(world, thing, name, is_known).await.map(Made::from),
        // It came in between, or the refusal is about something else.
        Some(_) => put(world, thing, is_known).await.map(Made::from),
    }
}

/// Makes or changes the thing without its type, which comes later.
async fn bare<W: World>(world: &W, thing: &Thing, name: &str, is_known: bool) -> Outcome<Made> {
    let bare = Thing { thing_type: None, ..thing.clone() };
    let is_new = put(world, &bare, is_known).await?;
    let why = format!("waits for thing type {name}: the thing is without it");
    Ok(Made { is_new, remarks: vec![Failure::permanent("thing type", why)] })
}

/// Whether the type in the secondary is known not to be the one of the primary.
async fn differs<W: World>(world: &W, name: &str) -> Outcome<bool> {
    Ok(matches!(
        world.state().read(&tables::type_key(name)).await?,
        Some(Row::Type(TypeRow { undone: true, .. }))
    ))
}

/// Whether it was made. `Conflict` if it was neither there nor to be made: its type is missing, or
/// someone else deletes it.
async fn put<W: World>(world: &W, thing: &Thing, is_known: bool) -> Outcome<bool> {
    let region = world.region();
    if is_known && region.update_thing(thing, None).await.settled(Class::NotFound)? {
        return Ok(false);
    }
    let missing = |failure: Failure| match failure.class {
        Class::NotFound => Failure { class: Class::Conflict, ..failure },
        _ => failure,
    };
    // To make one that is there just so is success for AWS: `Exists` says that it differs.
    if region.create_thing(thing).await.map_err(missing).settled(Class::Exists)? {
        return Ok(true);
    }
    region.update_thing(thing, None).await.map_err(missing)?;
    Ok(false)
}

/// Makes or changes a thing with a type that is deprecated.
async fn lend<W: World>(world: &W, thing: &Thing, name: &str, is_known: bool) -> Outcome<bool> {
    let region = world.region();
    let taken = patience::take(world, &tables::type_key(name), &json!({ "lent_to": thing.name })).await?;
    region.deprecate_thing_type(name, false).await?;
    let made = put(world, thing, is_known).await;
    let stays_deprecated = match &taken.row {
        Some(Row::Type(row)) => row.deprecated,
        Some(_) => return Err(wrong_row(&taken.key)),
        // Only the secondary says so.
        None => true,
    };
    if stays_deprecated {
        region.deprecate_thing_type(name, true).await?;
    }
    world.state().release(&taken).await?;
    made
}

/// Deprecates the thing's type again, if someone who lent it ended before.
pub(super) async fn give_back<W: World>(world: &W, thing: &Thing) -> Outcome<()> {
    give_back_if(world, thing, |_| true).await
}

/// The same, only if someone had the type's key and ended. If that was not to lend it, whoever lent it
/// afterwards and ended, too, is not known.
pub(super) async fn give_back_late<W: World>(world: &W, thing: &Thing) -> Outcome<()> {
    give_back_if(world, thing, |taken| taken.unfinished.is_some()).await
}

fn is_lent(taken: &Taken) -> bool {
    taken.unfinished.as_ref().is_some_and(|intent| intent.get("lent_to").is_some())
}

async fn give_back_if<W: World>(world: &W, thing: &Thing, is_due: impl Fn(&Taken) -> bool) -> Outcome<()> {
    let Some(name) = &thing.thing_type else { return Ok(()) };
    let key = tables::type_key(name);
    let is_deprecated = |row: &Option<Row>| matches!(row, Some(Row::Type(TypeRow { deprecated: true, .. })));
    if !is_deprecated(&world.state().read(&key).await?) {
        return Ok(());
    }
    let taken = patience::take(world, &key, &json!({ "lent_to": thing.name })).await?;
    if is_deprecated(&taken.row) && is_due(&taken) {
        world.region().deprecate_thing_type(name, true).await.settled(Class::NotFound)?;
        if let Some(row) = taken.row.as_ref().filter(|_| is_lent(&taken)) {
            return world.state().put(&taken, row).await;
        }
    }
    world.state().release(&taken).await
}
