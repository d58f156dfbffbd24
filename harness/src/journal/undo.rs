//! Undoing one change. Every undo may be repeated: what is not there counts as undone.

use anyhow::Context;
use tokio::time::Instant;

use super::{Change, certificates, fleet};
use crate::{
    aws::{Aws, Missing},
    deploy::{Stacks, switch_off},
    lease, switch,
};

/// Undoes a change; the answer is since when it is undone.
pub(super) async fn undo(aws: &Aws, change: &Change) -> anyhow::Result<Instant> {
    match change {
        Change::Stack { region, name, .. } => {
            Stacks::quiet(aws.region(region)).delete(name).await?;
        }
        Change::Policy { region, name } => fleet::delete_policy(aws, region, name).await?,
        Change::Certificate { region, id } => fleet::delete_by_id(aws, aws.region(region), id).await?,
        Change::Certificates { region, since, keys } => {
            certificates::delete(aws, region, *since, keys).await?;
        }
        Change::Switch { machine, folder, until } => switch::end(machine, folder, *until).await?,
        Change::Fleet { region, run, policy } => fleet::delete(aws, region, run, policy).await?,
        Change::RegistryEvents { region, deployment, kinds } => {
            if !switch_off(aws.region(region), deployment, kinds).await? {
                tracing::info!(%region, "registry events stay on: another deployment has rules that take them");
            }
        }
        Change::Lease { region, run } => lease::release(aws.region(region), run).await?,
        Change::HostedZone { name } => hosted_zone(aws, name).await?,
        Change::Fault { region, cure, .. } => return cure.apply(aws, region).await,
    }
    Ok(Instant::now())
}

async fn hosted_zone(aws: &Aws, name: &str) -> anyhow::Result<()> {
    use aws_sdk_route53::types::{Change as RecordChange, ChangeAction, ChangeBatch, RrType};
    let found = aws
        .route53
        .list_hosted_zones_by_name()
        .dns_name(name)
        .max_items(1)
        .send()
        .await
        .missing_ok()?
        .and_then(|list| list.hosted_zones().first().cloned())
        .filter(|zone| zone.name().trim_end_matches('.') == name.trim_end_matches('.'));
    let Some(zone) = found else {
        return Ok(());
    };
    let records =
        aws.route53.list_resource_record_sets().hosted_zone_id(zone.id()).send().await.missing_ok()?;
    let mut batch = ChangeBatch::builder();
    let mut any = false;
    for record in records.iter().flat_map(aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput::resource_record_sets) {
        if !matches!(record.r#type(), RrType::Ns | RrType::Soa) {
            any = true;
            batch = batch.changes(
                RecordChange::builder()
                    .action(ChangeAction::Delete)
                    .resource_record_set(record.clone())
                    .build()
                    .context("a record without its fields")?,
            );
        }
    }
    if any {
        let batch = batch.build().context("an empty change batch")?;
        aws.route53
            .change_resource_record_sets()
            .hosted_zone_id(zone.id())
            .change_batch(batch)
            .send()
            .await
            .missing_ok()?;
    }
    aws.route53.delete_hosted_zone().id(zone.id()).send().await.missing_ok()?;
    Ok(())
}
