//! Brings a thing of the secondary, with its certificates and policies, to the primary's state.
//!
//! Every step is idempotent: what exists is success when making, what is missing is success when
//! removing. The row of the thing is written last, so a crash anywhere repeats the event.
//!
//! A new device costs seven calls: its principals, its certificate and the certificate's policies
//! are read in the primary; thing, certificate and the two attachments are made in the secondary.

mod certificate;
mod removal;

use crate::event::{Operation, Thing, ThingEvent};
use crate::order::{self, ThingMark, Verdict};
use crate::outcome::{Class, Failure, Outcome};
use crate::policy::Policies;
use crate::ports::{Clock, Primary, Row, Secondary, State, ThingRow, World};
use crate::shadow::Applied;
use crate::tables;

/// The waits for a principal that is not attached yet, which AWS announces with no event. They grow,
/// and together they last three seconds: about what a provisioning service takes between two calls.
pub const PRINCIPAL_WAITS_MS: [u64; 4] = [250, 500, 750, 1_500];

/// How old an event may be before the missing principal is an error instead of a reason to retry.
pub const PRINCIPAL_WAIT_S_MAX: u64 = 60;

/// What an event had to leave undone although it is done: each is worth a row in the error table.
pub type Remarks = Vec<Failure>;

/// Applies a registry event.
pub async fn apply<W: World>(
    world: &W,
    policies: &Policies,
    event: &ThingEvent,
) -> Outcome<(Applied, Remarks)> {
    let key = tables::thing_key(&event.thing.name);
    let (mut row, mut revision) = match world.state().get(&key).await? {
        Some((Row::Thing(row), revision)) => (row, Some(revision)),
        Some((Row::Shadow(_), _)) => {
            return Err(Failure::permanent("state", "a shadow's row under a thing's key"));
        }
        None => (ThingRow::default(), None),
    };
    let mark = ThingMark::from(event);
    let newer = order::thing(&mark, row.mark.as_ref()) == Verdict::Newer;
    let mut remarks = Remarks::new();
    if event.operation == Operation::Deleted {
        let deleted_at_ms = row.deleted_at_ms.unwrap_or_default().max(event.timestamp_ms);
        if !newer && row.deleted_at_ms == Some(deleted_at_ms) {
            return Ok((Applied::Superseded, remarks));
        }
        if newer {
            removal::principals_and_thing(world, &event.thing.name, &mut row, &mut revision).await?;
        }
        // Even a deletion that came late says which shadow is from before it.
        crate::shadow::remove_with_thing(world, &event.thing.name, deleted_at_ms).await?;
        row.deleted_at_ms = Some(deleted_at_ms);
    } else {
        if !newer {
            return Ok((Applied::Superseded, remarks));
        }
        let known = row.mark.as_ref().filter(|known| known.thing_id == mark.thing_id);
        if known.is_none()
            && (row.mark.as_ref().is_some_and(|mark| !mark.deleted) || !row.removing.is_empty())
        {
            // Another incarnation is still there, its deletion will come late: it must not lend
            // its certificates to this one.
            removal::principals_and_thing(world, &event.thing.name, &mut row, &mut revision).await?;
        }
        let first = row.mark.as_ref().is_none_or(|known| known.thing_id != mark.thing_id);
        remarks = upsert(world, policies, event, first).await?;
    }
    if newer {
        row.mark = Some(mark);
    }
    world.state().put(&key, &Row::Thing(row), revision).await?;
    Ok((Applied::Changed, remarks))
}

/// Makes or changes the thing, then brings its certificates.
async fn upsert<W: World>(
    world: &W,
    policies: &Policies,
    event: &ThingEvent,
    first: bool,
) -> Outcome<Remarks> {
    let mut remarks = Remarks::new();
    if let Err(failure) = make(world, &event.thing, event.operation).await {
        if failure.class != Class::NotFound || event.thing.thing_type.is_none() {
            return Err(failure);
        }
        // The type is not in the secondary. A device without its type connects; no device does not.
        make(world, &Thing { thing_type: None, ..event.thing.clone() }, event.operation).await?;
        remarks.push(Failure::permanent("thing type", "not in the secondary: the thing is without it"));
    }
    let principals = principals(world, event, first).await?;
    if principals.is_empty() && first {
        remarks.push(Failure::permanent("principals", "no principal"));
    }
    for principal in &principals {
        match certificate::bring(world, policies, &event.thing.name, principal).await {
            Ok(()) => {}
            Err(failure) if failure.is_transient() => return Err(failure),
            // One bad certificate does not keep the others from coming.
            Err(failure) => remarks.push(failure),
        }
    }
    Ok(remarks)
}

async fn make<W: World>(world: &W, thing: &Thing, operation: Operation) -> Outcome<()> {
    let secondary = world.secondary();
    if operation == Operation::Updated {
        return match secondary.update_thing(thing).await {
            Err(failure) if failure.class == Class::NotFound => match secondary.create_thing(thing).await {
                Err(failure) if failure.class == Class::Exists => secondary.update_thing(thing).await,
                other => other,
            },
            other => other,
        };
    }
    // Making a thing that exists just so is success for AWS: `Exists` says that it differs.
    match secondary.create_thing(thing).await {
        Err(failure) if failure.class == Class::Exists => secondary.update_thing(thing).await,
        other => other,
    }
}

/// The thing's principals in the primary. The first event of an incarnation waits for one, whichever
/// event it is: the one that says "created" may come second.
async fn principals<W: World>(world: &W, event: &ThingEvent, first: bool) -> Outcome<Vec<String>> {
    let mut waits = PRINCIPAL_WAITS_MS.iter();
    loop {
        let principals = world.primary().thing_principals(&event.thing.name).await?;
        if !principals.is_empty() || !first {
            return Ok(principals);
        }
        let age_ms = world.clock().now_ms().saturating_sub(event.timestamp_ms);
        if age_ms > PRINCIPAL_WAIT_S_MAX * 1_000 {
            return Ok(principals);
        }
        let Some(wait_ms) = waits.next() else {
            return Err(Failure::transient("principals", "no principal is attached yet"));
        };
        world.clock().sleep_ms(*wait_ms).await;
    }
}

#[cfg(test)]
mod tests;
