//! Provisioning: keys and CSRs here, certificates and things in the primary, and the wait until each device could connect
//! in the secondary.

use std::{ops::Range, sync::Arc, time::Duration};

use anyhow::bail;
use aws_sdk_iot::types::CertificateStatus;
use futures::{StreamExt, TryStreamExt, stream};
use gameday_report::record::Event;
use jiff::Timestamp;
use parking_lot::Mutex;
use rcgen::KeyPair;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Issued, Made, Recipe};
use crate::{
    aws::Aws,
    identity::{Identity, KeyKind, key_and_csr, key_sha256},
    journal::{Change, Journal},
    measure::{Metric, Recorder},
    names::device_name,
};

/// Devices that are made at once.
const PARALLEL: usize = 64;
/// Keys that are made, and written down, at once.
const KEYS_AT_ONCE: u32 = 250;
/// A device is looked for in the secondary this often.
const POLL: Duration = Duration::from_millis(50);

/// What provisioning works with.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) run: String,
    pub(crate) aws: Aws,
    pub(crate) recorder: Recorder,
    /// Where the keys are before certificates are asked for.
    pub(crate) journal: Arc<Journal>,
    /// What the devices get.
    pub(crate) recipe: Recipe,
    /// The devices were there before the run: how long they took to come to the secondary is not known.
    pub(crate) is_pooled: bool,
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
    let mut devices: Vec<Made> = stream::iter((0..count).step_by(KEYS_AT_ONCE as usize))
        .then(|first| workshop.keys(first..count.min(first + KEYS_AT_ONCE)))
        .map_ok(|keyed| stream::iter(keyed).map(anyhow::Ok))
        .try_flatten()
        .map_ok(|keyed| {
            let maker = workshop.clone();
            let made = workshop.tasks.spawn(async move { maker.make(keyed).await });
            async move { made.await? }
        })
        .try_buffer_unordered(PARALLEL)
        .inspect_ok(|device| {
            let (workshop, device) = (workshop.clone(), device.clone());
            looking.spawn(async move { workshop.connectable(&device).await });
        })
        .try_collect()
        .await?;
    devices.sort_by_key(|device| device.number);
    Ok((devices, async move { while looking.join_next().await.is_some() {} }))
}

/// Looks for devices that were there before in the secondary; it ends when all are connectable there, and has no bound of its
/// own.
pub(crate) fn look_for(workshop: &Arc<Workshop>, devices: &[Made]) -> impl Future<Output = ()> + use<> {
    let looking: JoinSet<()> = devices
        .iter()
        .map(|device| {
            let (workshop, device) = (workshop.clone(), device.clone());
            async move { workshop.connectable(&device).await }
        })
        .collect();
    async move { looking.join_all().await.into_iter().collect() }
}

/// A device before it is made.
struct Keyed {
    number: u32,
    name: String,
    key: KeyPair,
    csr: String,
    /// By it the device's certificate is found, should nothing else lead to it.
    sha256: String,
}

impl Keyed {
    fn new(run: &str, number: u32) -> anyhow::Result<Self> {
        let name = device_name(run, number);
        let (key, csr) = key_and_csr(&name, KeyKind::P256)?;
        Ok(Self { number, name, sha256: key_sha256(&key), key, csr })
    }
}

impl Workshop {
    /// Makes keys, and writes down whose certificates are about to be asked for.
    async fn keys(&self, numbers: Range<u32>) -> anyhow::Result<Vec<Keyed>> {
        let run = self.run.clone();
        // Beside the runtime, so that they do not delay what it times.
        let make = move || numbers.map(|number| Keyed::new(&run, number)).collect::<anyhow::Result<Vec<_>>>();
        let keyed = tokio::task::spawn_blocking(make).await??;
        self.journal.intend(Change::Certificates {
            region: self.aws.primary.region.clone(),
            since: Timestamp::now(),
            keys: keyed.iter().map(|device| device.sha256.clone()).collect(),
        })?;
        Ok(keyed)
    }

    async fn make(&self, Keyed { number, name, key, csr, sha256 }: Keyed) -> anyhow::Result<Made> {
        // Devices are made no faster than they can be confirmed: a turn that is waited for would count as lag.
        self.aws.pace.take("confirm", "DescribeCertificate").await;
        if self.stop.is_cancelled() {
            bail!("stopped");
        }
        let recipe = &self.recipe;
        let Issued { arn, pem, .. } = recipe.issue(&self.aws, &name, csr).await?;
        self.issued.lock().push(arn.clone());
        recipe.equip(&self.aws, &name, &arn).await?;
        self.journal.is_found(&sha256);
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
            && policies
                .is_ok_and(|p| p.policies().iter().any(|p| p.policy_name() == Some(&self.recipe.policy)))
    }

    fn seen(&self, device: &Made, seen_us: u64, resolution_us: u64) {
        self.recorder.board().change(|board| board.connectable += 1);
        if self.is_pooled {
            return;
        }
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
    }
}
