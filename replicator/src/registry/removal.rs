//! Removes a thing of the secondary with what belongs to it alone.
//!
//! Once a certificate is detached nothing leads from the thing to it any more, so the principals
//! that are to go are written into the thing's row first: a repeat after a crash finds them there.
//! Policies stay, they are shared.

use crate::outcome::{Class, Outcome, Settled};
use crate::policy;
use crate::ports::{Primary, Row, Secondary, State, Status, ThingRow, World};
use crate::tables;

/// Detaches the principals, deletes the certificates that no other thing uses, deletes the thing.
pub(super) async fn principals_and_thing<W: World>(
    world: &W,
    thing: &str,
    row: &mut ThingRow,
    revision: &mut Option<u64>,
) -> Outcome<()> {
    let attached = world.secondary().thing_principals(thing).await?;
    let before = row.removing.len();
    for principal in attached {
        if !row.removing.contains(&principal) {
            row.removing.push(principal);
        }
    }
    if row.removing.len() > before {
        let (key, begun) = (tables::thing_key(thing), Row::Thing(row.clone()));
        *revision = Some(world.state().put(&key, &begun, *revision).await?);
    }
    for principal in &row.removing {
        world.secondary().detach_principal(thing, principal).await.settled(Class::NotFound)?;
        certificate(world, thing, principal).await?;
    }
    world.secondary().delete_thing(thing).await.settled(Class::NotFound)?;
    row.removing.clear();
    Ok(())
}

/// Deletes a certificate that was detached, if no thing of either Region uses it. The primary is
/// asked too, as AWS announces attachments with no event: the secondary may know of fewer things.
async fn certificate<W: World>(world: &W, thing: &str, principal: &str) -> Outcome<()> {
    let Some(id) = policy::certificate_id(principal) else { return Ok(()) };
    let others = |things: Vec<String>| things.iter().any(|other| other != thing);
    if others(world.secondary().principal_things(principal).await?) {
        return Ok(());
    }
    let there = policy::arn_in_region(principal, world.secondary_region(), world.primary_region());
    if let Some(there) = there
        && others(world.primary().principal_things(&there).await?)
    {
        return Ok(());
    }
    if world.secondary().set_status(id, Status::Inactive).await.settled(Class::NotFound)? {
        world.secondary().delete_certificate(id).await.settled(Class::NotFound)?;
    }
    Ok(())
}
