//! Provisioning: keys and CSRs here, certificates and things in the primary, and the wait until each device could connect
//! in the secondary.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail};
use aws_sdk_iot::types::{AttributePayload, CertificateStatus};
use futures::{StreamExt, TryStreamExt, stream};
use gameday_report::record::Event;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Made;
use crate::{
    aws::{Aws, describe},
    identity::{Identity, key_and_csr},
    measure::{Metric, Recorder},
    names::{RUN_ATTRIBUTE, device_name},
};

/// Devices that are made at once.
const PARALLEL: usize = 64;
/// A device is looked for in the secondary this often.
const POLL: Duration = Duration::from_millis(50);

/// What provisioning works with.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) run: String,
    pub(crate) aws: Aws,
    pub(crate) recorder: Recorder,
    /// The policy of the devices.
    pub(crate) policy: String,
    /// ARNs of every certificate that was issued, whatever became of its device.
    pub(crate) issued: Mutex<Vec<String>>,
    /// No device is begun any more; those that are under way are finished.
    pub(crate) stop: CancellationToken,
    /// Devices under way. They are tasks of their own, so that an interrupt never comes between a certificate and the
    /// policy by which it is found again.
    pub(crate) tasks: TaskTracker,
}

/// Makes `count` devices in the primary. From the moment that a device is made it is looked for in the secondary; the
/// second part of the answer ends when all are connectable there, and it has no bound of its own.
pub(crate) async fn provision(
    workshop: &Arc<Workshop>,
    count: u32,
) -> anyhow::Result<(Vec<Made>, impl Future<Output = ()> + use<>)> {
    let mut looking = JoinSet::new();
    let mut devices: Vec<Made> = stream::iter(0..count)
        .map(|number| {
            let maker = workshop.clone();
            let made = workshop.tasks.spawn(async move { maker.make(number).await });
            async move { made.await? }
        })
        .buffer_unordered(PARALLEL)
        .inspect_ok(|device| {
            let (workshop, device) = (workshop.clone(), device.clone());
            looking.spawn(async move { workshop.connectable(&device).await });
        })
        .try_collect()
        .await?;
    devices.sort_by_key(|device| device.number);
    Ok((devices, async move { while looking.join_next().await.is_some() {} }))
}

impl Workshop {
    async fn make(&self, number: u32) -> anyhow::Result<Made> {
        let name = device_name(&self.run, number);
        let (common_name, region) = (name.clone(), self.aws.primary.region.clone());
        // Keys are made beside the runtime, so that they do not delay what it times.
        let (key, csr) = tokio::task::spawn_blocking(move || key_and_csr(&common_name)).await??;
        // Devices are made no faster than they can be confirmed: a turn that is waited for would count as lag.
        self.aws.pace.take("confirm", "DescribeCertificate").await;
        if self.stop.is_cancelled() {
            bail!("stopped");
        }
        let iot = &self.aws.primary.iot;
        let failed = |what: &str| format!("{name}: {what} in {region} failed");

        self.aws.pace.take(&region, "CreateCertificateFromCsr").await;
        let certificate =
            iot.create_certificate_from_csr().certificate_signing_request(csr).set_as_active(true);
        let certificate = certificate
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| failed("CreateCertificateFromCsr"))?;
        let arn = certificate.certificate_arn().context("a certificate without its ARN")?.to_owned();
        let pem = certificate.certificate_pem().context("a certificate without its PEM")?.to_owned();
        self.issued.lock().push(arn.clone());

        // The policy first: from here on the certificate is found again by what it is attached to.
        self.aws.pace.take(&region, "AttachPolicy").await;
        let attach = iot.attach_policy().policy_name(&self.policy).target(&arn).send().await;
        attach.map_err(|e| anyhow!(describe(&e))).with_context(|| failed("AttachPolicy"))?;

        self.aws.pace.take(&region, "CreateThing").await;
        let attributes = AttributePayload::builder().attributes(RUN_ATTRIBUTE, &self.run).build();
        let create = iot.create_thing().thing_name(&name).attribute_payload(attributes).send().await;
        create.map_err(|e| anyhow!(describe(&e))).with_context(|| failed("CreateThing"))?;

        self.aws.pace.take(&region, "AttachThingPrincipal").await;
        let attach = iot.attach_thing_principal().thing_name(&name).principal(&arn).send().await;
        attach.map_err(|e| anyhow!(describe(&e))).with_context(|| failed("AttachThingPrincipal"))?;

        let identity = Identity { certificate_pem: pem, key_der: key.serialize_der() };
        let provisioned_us = self.recorder.now_us();
        Ok(Made { number, name, certificate_arn: arn, identity, provisioned_us })
    }

    /// Polls the secondary until thing, principal, ACTIVE certificate and policy are there.
    async fn connectable(&self, device: &Made) {
        let secondary = &self.aws.secondary;
        let id = device.certificate_arn.rsplit('/').next().unwrap_or_default();
        let mut absent_us = device.provisioned_us;
        // DescribeThing has the largest quota: it carries the waiting, the others confirm.
        loop {
            self.aws.pace.take(&secondary.region, "DescribeThing").await;
            let asked_us = self.recorder.now_us();
            if secondary.iot.describe_thing().thing_name(&device.name).send().await.is_ok() {
                break;
            }
            // Since this question, and no longer, it may have been there.
            absent_us = asked_us;
            tokio::time::sleep(POLL).await;
        }
        loop {
            self.aws.pace.take(&secondary.region, "ListThingPrincipals").await;
            let asked_us = self.recorder.now_us();
            let principals = secondary.iot.list_thing_principals().thing_name(&device.name).send().await;
            let seen_us = self.recorder.now_us();
            let attached = principals.is_ok_and(|p| p.principals().iter().any(|arn| arn.ends_with(id)));
            if attached && self.certificate_ready(id).await {
                self.seen(device, seen_us, seen_us.saturating_sub(absent_us));
                return;
            }
            absent_us = asked_us;
            tokio::time::sleep(POLL).await;
        }
    }

    async fn certificate_ready(&self, id: &str) -> bool {
        let secondary = &self.aws.secondary;
        self.aws.pace.take(&secondary.region, "DescribeCertificate").await;
        let described = secondary.iot.describe_certificate().certificate_id(id).send().await;
        let Some(description) = described.ok().and_then(|d| d.certificate_description().cloned()) else {
            return false;
        };
        self.aws.pace.take(&secondary.region, "ListAttachedPolicies").await;
        let arn = description.certificate_arn().unwrap_or_default();
        let policies = secondary.iot.list_attached_policies().target(arn).send().await;
        description.status() == Some(&CertificateStatus::Active)
            && policies.is_ok_and(|p| p.policies().iter().any(|p| p.policy_name() == Some(&self.policy)))
    }

    fn seen(&self, device: &Made, seen_us: u64, resolution_us: u64) {
        let lag_us = seen_us.saturating_sub(device.provisioned_us);
        self.recorder.meter().latency(Metric::RegistryReplication, lag_us);
        self.recorder.event_at(
            seen_us,
            Event::Connectable {
                device: device.name.clone(),
                provisioned_us: device.provisioned_us,
                resolution_us,
            },
        );
        self.recorder.board().change(|board| board.connectable += 1);
    }
}
