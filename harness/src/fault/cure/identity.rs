//! Certificates of devices and their policies.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow, bail};
use aws_sdk_iot::types::CertificateStatus;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::aws::{Aws, Missing, RegionClients, describe};

/// Devices that are changed at once; the quotas pace them.
const PARALLEL: usize = 16;

/// Does something for each, some at a time.
pub(in crate::fault) async fn for_each<F: Future<Output = anyhow::Result<()>>>(
    all: &[String],
    each: impl Fn(String) -> F,
) -> anyhow::Result<Instant> {
    stream::iter(all.to_vec()).map(each).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    Ok(Instant::now())
}

/// Sets the status of a certificate; one that is gone has none.
pub(in crate::fault) async fn set_status(
    aws: &Aws,
    clients: &RegionClients,
    id: String,
    status: CertificateStatus,
) -> anyhow::Result<()> {
    aws.pace.take(&clients.region, "UpdateCertificate").await;
    clients.iot.update_certificate().certificate_id(id).new_status(status).send().await.missing_ok()?;
    Ok(())
}

/// Makes certificates ACTIVE, and reads each back.
pub(super) async fn activate(aws: &Aws, clients: &RegionClients, ids: &[String]) -> anyhow::Result<Instant> {
    let at = for_each(ids, |id| set_status(aws, clients, id, CertificateStatus::Active)).await?;
    for_each(ids, |id| async move {
        aws.pace.take(&clients.region, "DescribeCertificate").await;
        let got = clients.iot.describe_certificate().certificate_id(&id).send().await.missing_ok()?;
        let Some(got) = got else { return Ok(()) };
        let status = got.certificate_description.and_then(|it| it.status);
        if status.context("a certificate without its status")? != CertificateStatus::Active {
            bail!("certificate {id} reads back as something else");
        }
        Ok(())
    })
    .await?;
    Ok(at)
}

/// Attaches a policy to certificates, and reads back that it is attached to each.
pub(super) async fn attach(
    aws: &Aws,
    clients: &RegionClients,
    policy: &str,
    certificates: &[String],
) -> anyhow::Result<Instant> {
    let gone = Mutex::new(BTreeSet::new());
    let at = for_each(certificates, |arn| async {
        let arn = arn;
        aws.pace.take(&clients.region, "AttachPolicy").await;
        if clients.iot.attach_policy().policy_name(policy).target(&arn).send().await.missing_ok()?.is_none() {
            gone.lock().insert(arn);
        }
        Ok(())
    })
    .await?;
    let gone = gone.into_inner();
    if gone.len() == certificates.len() {
        return Ok(at);
    }
    let pages = clients.iot.list_targets_for_policy().policy_name(policy).page_size(250).into_paginator();
    let targets = pages.items().send().collect::<Result<Vec<String>, _>>().await;
    let targets = targets.map_err(|e| anyhow!(describe(&e)))?;
    if let Some(without) = certificates.iter().find(|arn| !targets.contains(arn) && !gone.contains(*arn)) {
        bail!("{without} reads back without the policy {policy}");
    }
    Ok(at)
}
