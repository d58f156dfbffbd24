//! Is it gone? Each kind by itself, in each Region by itself; and what is not is deleted.

use std::time::Duration;

use replicator::{
    aws::{AwsRegion, Both},
    model::Status,
    outcome::{Class, Outcome, Settled},
    ports::{Identities, Shadows, Things},
};
use tokio::time::{Instant, sleep};

use super::device::Names;
use crate::{journal::HELD_MAX, output::Output};

/// How often what is found after the undo is deleted, with this pause between: the replicator may have had it under way. What AWS
/// holds is tried for longer, see [`HELD_MAX`].
const PASSES_MAX: u32 = 5;
const SETTLE: Duration = Duration::from_secs(1);
/// What may be on its way to the secondary is looked for so long.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// Something that is there.
#[derive(Debug)]
struct Found {
    what: String,
    by_hand: String,
}

/// What is left of thing and shadow; none: both are gone from both Regions.
pub(super) async fn device_of(both: &Both, thing: &str) -> Outcome<Option<Vec<String>>> {
    let mut found = device(&both.primary, thing).await?;
    found.extend(device(&both.secondary, thing).await?);
    Ok(said(found))
}

/// The same of certificate and policy.
pub(super) async fn identity_of(
    both: &Both,
    certificate_id: &str,
    policy: &str,
) -> Outcome<Option<Vec<String>>> {
    let mut found = identity(&both.primary, Some(certificate_id), policy).await?;
    found.extend(identity(&both.secondary, Some(certificate_id), policy).await?);
    Ok(said(found))
}

fn said(found: Vec<Found>) -> Option<Vec<String>> {
    (!found.is_empty()).then(|| found.into_iter().map(|found| found.what).collect())
}

async fn device(region: &AwsRegion, thing: &str) -> Outcome<Vec<Found>> {
    let (mut found, name) = (Vec::new(), region.name());
    if region.thing(thing).await?.is_some() {
        found.push(Found {
            what: format!("thing {thing} is in {name}"),
            by_hand: format!(
                "aws iot list-thing-principals --region {name} --thing-name {thing}; detach each; aws iot delete-thing --region \
                 {name} --thing-name {thing}"
            ),
        });
    }
    if region.shadow(thing, "").await?.is_some() {
        found.push(Found {
            what: format!("the shadow of {thing} is in {name}"),
            by_hand: format!("aws iot-data delete-thing-shadow --region {name} --thing-name {thing}"),
        });
    }
    Ok(found)
}

async fn identity(region: &AwsRegion, certificate_id: Option<&str>, policy: &str) -> Outcome<Vec<Found>> {
    let (mut found, name) = (Vec::new(), region.name());
    if let Some(id) = certificate_id
        && region.certificate(id).await?.is_some()
    {
        found.push(Found {
            what: format!("certificate {id} is in {name}"),
            by_hand: format!(
                "aws iot update-certificate --region {name} --certificate-id {id} --new-status INACTIVE; aws iot \
                 delete-certificate --region {name} --certificate-id {id} --force-delete"
            ),
        });
    }
    if region.policy(policy).await?.is_some() {
        found.push(Found {
            what: format!("policy {policy} is in {name}"),
            by_hand: format!(
                "aws iot list-targets-for-policy --region {name} --policy-name {policy}; detach each; aws iot delete-policy \
                 --region {name} --policy-name {policy}"
            ),
        });
    }
    Ok(found)
}

async fn all(region: &AwsRegion, names: &Names) -> Outcome<Vec<Found>> {
    let mut found = device(region, &names.thing).await?;
    found.extend(identity(region, names.certificate_id.as_deref(), &names.policy).await?);
    Ok(found)
}

/// Deletes what is in a Region though it was undone; the answer is what stays, each with what to do by hand. What may be
/// `on_its_way` there is looked for a while.
pub(super) async fn sweep(
    region: &AwsRegion,
    names: &Names,
    on_its_way: bool,
    output: &Output,
) -> Outcome<Vec<String>> {
    let (began, mut quiet_since, mut is_held, mut pass) = (Instant::now(), None, false, 0);
    loop {
        let found = all(region, names).await?;
        if found.is_empty() {
            let since = *quiet_since.get_or_insert_with(Instant::now);
            if !on_its_way || since.elapsed() >= ON_ITS_WAY {
                return Ok(Vec::new());
            }
        } else {
            quiet_since = None;
            let goes_on = if is_held { began.elapsed() < HELD_MAX } else { pass < PASSES_MAX };
            if !goes_on {
                let left = |found: Found| format!("{}\n      by hand: {}", found.what, found.by_hand);
                return Ok(found.into_iter().map(left).collect());
            }
            if pass > 0 {
                let what: Vec<String> = found.into_iter().map(|found| found.what).collect();
                output.status(&format!("deleting once more: {}", what.join("; ")));
            }
            is_held = delete(region, names).await?;
            pass += 1;
        }
        sleep(SETTLE).await;
    }
}

/// Deletes what is there; the answer is whether some of it is held for a while. Whether it is gone is for the next look to say.
async fn delete(region: &AwsRegion, names: &Names) -> Outcome<bool> {
    let Names { thing, policy, certificate_id } = names;
    let mut deleted = vec![region.delete_shadow(thing, "").await];
    for principal in region.thing_principals(thing).await? {
        deleted.push(region.detach_principal(thing, &principal).await);
    }
    for target in region.policy_targets(policy).await? {
        deleted.push(region.detach_policy(policy, &target).await);
    }
    deleted.push(region.delete_thing(thing, None).await);
    if let Some(id) = certificate_id {
        deleted.push(region.set_status(id, Status::Inactive).await);
        deleted.push(region.delete_certificate(id).await);
    }
    deleted.push(region.delete_policy(policy).await);
    let mut is_held = false;
    for failure in deleted.into_iter().filter_map(|deleted| deleted.settled(Class::NotFound).err()) {
        tracing::warn!(region = region.name(), %failure, "what is left");
        is_held |= failure.class == Class::Conflict;
    }
    Ok(is_held)
}
