//! Deleting the devices of a run from one Region: things with their shadows, certificates, and the policy.

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};

use crate::aws::{Aws, Missing, RegionClients};

/// Devices that are deleted at once.
const PARALLEL: usize = 32;
/// AWS's largest page.
const PAGE: i32 = 250;
/// Pages of what a policy is attached to.
const PAGES_MAX: u32 = 400;

/// Deletes every thing with the run's attribute, with its certificates and shadow, and the policy with what else it is
/// attached to.
pub(super) async fn delete(aws: &Aws, region: &str, run: &str, policy: &str) -> anyhow::Result<()> {
    let clients = aws.region(region);
    let things = things(clients, run).await?;
    stream::iter(things)
        .map(|thing| async move { delete_device(aws, clients, &thing, policy).await })
        .buffer_unordered(PARALLEL)
        .try_collect::<()>()
        .await?;
    delete_policy(aws, region, policy).await
}

/// Names of the things that carry the run's attribute.
pub(crate) async fn things(clients: &RegionClients, run: &str) -> anyhow::Result<Vec<String>> {
    let pages = clients
        .iot
        .list_things()
        .attribute_name(crate::names::RUN_ATTRIBUTE)
        .attribute_value(run)
        .max_results(PAGE)
        .into_paginator()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .context("things could not be listed")?;
    Ok(pages
        .iter()
        .flat_map(aws_sdk_iot::operation::list_things::ListThingsOutput::things)
        .filter_map(|t| t.thing_name().map(str::to_owned))
        .collect())
}

async fn delete_device(aws: &Aws, clients: &RegionClients, thing: &str, policy: &str) -> anyhow::Result<()> {
    clients.data.delete_thing_shadow().thing_name(thing).send().await.missing_ok()?;
    delete_thing(aws, clients, thing, policy, &|_| true).await.map(drop)
}

/// Deletes a thing. Its principals are detached from it; those that are ours are deleted, and the answer is whether there was one.
pub(crate) async fn delete_thing(
    aws: &Aws,
    clients: &RegionClients,
    thing: &str,
    policy: &str,
    is_ours: &(dyn Fn(&str) -> bool + Sync),
) -> anyhow::Result<bool> {
    let (region, mut found) = (&clients.region, false);
    aws.pace.take(region, "ListThingPrincipals").await;
    let principals = clients.iot.list_thing_principals().thing_name(thing).send().await.missing_ok()?;
    for principal in principals
        .iter()
        .flat_map(aws_sdk_iot::operation::list_thing_principals::ListThingPrincipalsOutput::principals)
    {
        aws.pace.take(region, "DetachThingPrincipal").await;
        clients
            .iot
            .detach_thing_principal()
            .thing_name(thing)
            .principal(principal)
            .send()
            .await
            .missing_ok()?;
        if is_ours(principal) {
            delete_certificate(aws, clients, principal, policy).await?;
            found = true;
        }
    }
    aws.pace.take(region, "DeleteThing").await;
    clients.iot.delete_thing().thing_name(thing).send().await.missing_ok()?;
    Ok(found)
}

/// Deletes the shadows of a thing, the named ones, too: they would come back with a thing of its name.
pub(crate) async fn delete_shadows(clients: &RegionClients, thing: &str) -> anyhow::Result<()> {
    clients.data.delete_thing_shadow().thing_name(thing).send().await.missing_ok()?;
    // A thing has few, and what was on a page is gone when the next is asked for.
    for _ in 0..PAGES_MAX {
        let named =
            clients.data.list_named_shadows_for_thing().thing_name(thing).send().await.missing_ok()?;
        let names = named.and_then(|named| named.results).unwrap_or_default();
        if names.is_empty() {
            break;
        }
        for name in names {
            clients
                .data
                .delete_thing_shadow()
                .thing_name(thing)
                .shadow_name(name)
                .send()
                .await
                .missing_ok()?;
        }
    }
    Ok(())
}

/// Detaches the policy from a certificate, deactivates the certificate and deletes it. With one of the primary goes its copy
/// in the secondary: the replicator may have made it and not come to attach anything to it, so that nothing else leads there.
pub(crate) async fn delete_certificate(
    aws: &Aws,
    clients: &RegionClients,
    arn: &str,
    policy: &str,
) -> anyhow::Result<()> {
    aws.pace.take(&clients.region, "DetachPolicy").await;
    clients.iot.detach_policy().policy_name(policy).target(arn).send().await.missing_ok()?;
    let id = arn.rsplit('/').next().unwrap_or_default();
    if clients.region == aws.primary.region {
        delete_by_id(aws, &aws.secondary, id).await?;
    }
    deactivate(aws, clients, id).await?;
    delete_inactive(aws, clients, id).await
}

/// Deletes a certificate with whatever it is attached to.
pub(super) async fn delete_by_id(aws: &Aws, clients: &RegionClients, id: &str) -> anyhow::Result<()> {
    if !deactivate(aws, clients, id).await? {
        return Ok(());
    }
    let described = clients.iot.describe_certificate().certificate_id(id).send().await.missing_ok()?;
    let arn = described.and_then(|found| found.certificate_description?.certificate_arn);
    if let Some(arn) = arn {
        detach_things(clients, &arn).await?;
    }
    delete_inactive(aws, clients, id).await
}

/// The answer is whether the certificate is there.
async fn deactivate(aws: &Aws, clients: &RegionClients, id: &str) -> anyhow::Result<bool> {
    aws.pace.take(&clients.region, "UpdateCertificate").await;
    let inactive = aws_sdk_iot::types::CertificateStatus::Inactive;
    let update = clients.iot.update_certificate().certificate_id(id).new_status(inactive).send().await;
    Ok(update.missing_ok()?.is_some())
}

async fn delete_inactive(aws: &Aws, clients: &RegionClients, id: &str) -> anyhow::Result<()> {
    aws.pace.take(&clients.region, "DeleteCertificate").await;
    clients.iot.delete_certificate().certificate_id(id).force_delete(true).send().await.missing_ok()?;
    Ok(())
}

async fn detach_things(clients: &RegionClients, arn: &str) -> anyhow::Result<()> {
    let things = clients.iot.list_principal_things().principal(arn).send().await.missing_ok()?;
    for thing in things.iter().flat_map(|t| t.things().iter()) {
        let detach = clients.iot.detach_thing_principal().thing_name(thing).principal(arn);
        detach.send().await.missing_ok()?;
    }
    Ok(())
}

/// Deletes a policy with every certificate that it is still attached to, whatever thing that is of.
pub(crate) async fn delete_policy(aws: &Aws, region: &str, policy: &str) -> anyhow::Result<()> {
    let clients = aws.region(region);
    // What was on a page is gone when the next is asked for, so that each is the first.
    for _ in 0..PAGES_MAX {
        let page = clients.iot.list_targets_for_policy().policy_name(policy).page_size(PAGE);
        let page = page.send().await.missing_ok()?;
        let targets: Vec<&String> = page.iter().flat_map(|page| page.targets().iter()).collect();
        if targets.is_empty() {
            break;
        }
        for target in targets {
            detach_things(clients, target).await?;
            delete_certificate(aws, clients, target, policy).await?;
        }
    }
    clients.iot.delete_policy().policy_name(policy).send().await.missing_ok()?;
    Ok(())
}
