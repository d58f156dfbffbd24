//! Removes a thing of the secondary.
//!
//! It leaves its groups with that. Its principals are detached and stay, with their policies, as do its
//! shadows: AWS keeps them in the primary too, and their own deletions are events of their own.

use crate::outcome::{Class, Outcome, Settled};
use crate::patience::patiently;
use crate::ports::{Things, World};

/// Detaches the thing's principals and deletes it. Whatever of it is not there is done.
pub(super) async fn remove<W: World>(world: &W, thing: &str) -> Outcome<()> {
    let region = world.region();
    for principal in region.thing_principals(thing).await? {
        region.detach_principal(thing, &principal).await.settled(Class::NotFound)?;
    }
    // Detaching is asynchronous: right after it the principal may still count.
    let deleting = patiently(world.clock(), Class::Conflict, || region.delete_thing(thing, None));
    deleting.await.settled(Class::NotFound).map(|_| ())
}
