//! Is it gone? From both Regions, each kind by itself; and what is not is deleted.

use std::time::Duration;

use replicator::{
    aws::Both,
    model::Status,
    outcome::{Class, Outcome, Settled},
    ports::{Identities, Shadows, Things},
};
use tokio::time::sleep;

use super::device::Names;
use crate::output::Output;

/// How often what is found after the undo is deleted, with this pause between: the replicator may have had it under way.
const PASSES_MAX: u32 = 5;
const SETTLE: Duration = Duration::from_secs(1);

/// What is left of thing and shadow; none: both are gone from both Regions.
pub(super) async fn device(both: &Both, name: &str) -> Outcome<Option<Vec<String>>> {
    let mut left = Vec::new();
    for region in [&both.primary, &both.secondary] {
        if region.thing(name).await?.is_some() {
            left.push(format!("thing {name} is in {}", region.name()));
        }
        if region.shadow(name, "").await?.is_some() {
            left.push(format!("the shadow of {name} is in {}", region.name()));
        }
    }
    Ok((!left.is_empty()).then_some(left))
}

/// The same of certificate and policy.
pub(super) async fn identity(
    both: &Both,
    certificate_id: Option<&str>,
    policy: &str,
) -> Outcome<Option<Vec<String>>> {
    let mut left = Vec::new();
    for region in [&both.primary, &both.secondary] {
        if let Some(id) = certificate_id
            && region.certificate(id).await?.is_some()
        {
            left.push(format!("certificate {id} is in {}", region.name()));
        }
        if region.policy(policy).await?.is_some() {
            left.push(format!("policy {policy} is in {}", region.name()));
        }
    }
    Ok((!left.is_empty()).then_some(left))
}

/// Deletes what is there though it was undone; the answer is what stays, each with what to do by hand.
pub(super) async fn sweep(both: &Both, names: &Names, output: &Output) -> Outcome<Vec<String>> {
    let Names { thing, policy, certificate_id } = names;
    for pass in 0..PASSES_MAX {
        let found = found(both, names).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        if pass > 0 {
            output.status(&format!("deleting once more: {}", found.join("; ")));
        }
        for region in [&both.primary, &both.secondary] {
            region.delete_shadow(thing, "").await.settled(Class::NotFound)?;
            for principal in region.thing_principals(thing).await? {
                region.detach_principal(thing, &principal).await.settled(Class::NotFound)?;
            }
            for target in region.policy_targets(policy).await? {
                region.detach_policy(policy, &target).await.settled(Class::NotFound)?;
            }
            let mut deleted =
                vec![region.delete_thing(thing, None).await, region.delete_policy(policy).await];
            if let Some(id) = certificate_id {
                region.set_status(id, Status::Inactive).await.settled(Class::NotFound)?;
                deleted.push(region.delete_certificate(id).await);
            }
            for deleted in deleted {
                // What is held a moment longer is deleted in the next pass.
                match deleted.settled(Class::NotFound) {
                    Err(failure) if !failure.is_transient() => return Err(failure),
                    _ => {}
                }
            }
        }
        sleep(SETTLE).await;
    }
    let by_hand = |left: String| {
        format!("{left}; by hand: aws iot delete-thing, delete-policy, aws iot-data delete-thing-shadow")
    };
    Ok(found(both, names).await?.into_iter().map(by_hand).collect())
}

async fn found(both: &Both, names: &Names) -> Outcome<Vec<String>> {
    let Names { thing, policy, certificate_id } = names;
    let mut found = device(both, thing).await?.unwrap_or_default();
    found.extend(identity(both, certificate_id.as_deref(), policy).await?.into_iter().flatten());
    Ok(found)
}
