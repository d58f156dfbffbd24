//! Brings one certificate of a thing: registered, with its policies, attached; in this order, so
//! that a device that can connect can also do its work.

use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::policy::{self, Policies};
use crate::ports::{Primary, Secondary, Status, World};

/// Brings the certificate that a principal of the primary names, with the primary's status. It is
/// never active in the secondary if it is not in the primary.
pub(super) async fn bring<W: World>(
    world: &W,
    policies: &Policies,
    thing: &str,
    principal: &str,
) -> Outcome<()> {
    let (Some(id), Some(target)) = (
        policy::certificate_id(principal),
        policy::arn_in_region(principal, world.primary_region(), world.secondary_region()),
    ) else {
        return Err(Failure::permanent("principal", "not a certificate of the primary Region"));
    };
    let certificate = world.primary().certificate(id).await?;
    let (secondary, status) = (world.secondary(), certificate.status);
    let registered = secondary
        .register_certificate(&certificate.pem, status == Status::Active)
        .await
        .settled(Class::Exists)?;
    // One that exists may have any status. One that is new has the right one, unless it is revoked:
    // a certificate cannot be registered as that.
    if !registered || status == Status::Revoked {
        secondary.set_status(id, status).await?;
    }
    for name in world.primary().attached_policies(principal).await? {
        policies.attach(world, &name, &target).await?;
    }
    secondary.attach_principal(thing, &target).await
}
