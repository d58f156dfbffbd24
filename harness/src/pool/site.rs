//! What tests of fleets work with: a twin in this process, whose calls can be refused, and a folder of fleets.

use std::{sync::Arc, time::Duration};

use aws_sdk_iot::types::CertificateStatus;
use gameday_twin::{ApiFailure, Endpoints, Fault, FaultGuard, Moment, Share, Twin, TwinConfig};
use tokio_util::sync::CancellationToken;

use super::{Creation, Deletion, Delivery, Home, Pool, Progress, fill};
use crate::{
    aws::{Aws, RegionClients},
    identity::{KeyKind, certificate_id},
    output::Output,
};

/// Nothing is throttled here, and the harness does not wait for its turn.
const QUOTA_SCALE: f64 = 10_000.0;

/// What is left of a fleet that was deleted.
pub(crate) const NOTHING: [String; 0] = [];

/// A twin without a replicator, and a folder.
pub(crate) struct Site {
    twin: Twin,
    pub(crate) aws: Aws,
    folder: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let config = TwinConfig { quota_scale: QUOTA_SCALE, quotas_enforced: false, ..TwinConfig::default() };
        let twin = Twin::start(config).await.unwrap();
        let aws = Aws::connect(&twin.endpoints()).await;
        Self { twin, aws, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        self.twin.endpoints()
    }

    /// A new fleet with its keys.
    pub(crate) fn pool(&self, name: &str, devices: u32) -> Pool {
        self.pool_in("fleets", name, devices)
    }

    /// The same in another folder of fleets.
    pub(crate) fn pool_in(&self, fleets: &str, name: &str, devices: u32) -> Pool {
        let mut pool = Pool::begin(&self.folder.path().join(fleets), name, KeyKind::P256).unwrap();
        pool.manifest.devices = devices;
        pool.save().unwrap();
        fill(&pool, &Progress::silent(), &CancellationToken::new()).unwrap();
        pool
    }

    /// Work on a fleet.
    pub(crate) fn creation<'a>(&'a self, pool: &'a mut Pool) -> Creation<'a> {
        Creation {
            pool,
            aws: &self.aws,
            home: Home::of_twin(&self.endpoints()),
            delivery: Delivery { bucket: None, role: "arn:aws:iam::123456789012:role/any".into() },
            output: Arc::new(Output::new()),
            progress: Progress::silent(),
            settle: Duration::from_millis(10),
            stop: CancellationToken::new(),
        }
    }

    /// Deletes a fleet in both Regions, and leaves its folder; the answer is what is left.
    pub(crate) async fn delete(&self, pool: &mut Pool) -> Vec<String> {
        let mut creation = self.creation(pool);
        Box::pin(Deletion::new(&mut creation).run()).await.unwrap()
    }

    /// Calls of an operation fail while the guard is held.
    pub(crate) fn refuse(&self, operation: &str) -> FaultGuard {
        self.fail(operation, None, Moment::Before)
    }

    /// The same in one Region; or carried out, and not answered.
    pub(crate) fn fail(&self, operation: &str, region: Option<&str>, when: Moment) -> FaultGuard {
        let (code, message) = ("InvalidRequestException".into(), "not today".into());
        self.set(operation, region, when, ApiFailure::Error { status: 400, code, message })
    }

    /// Calls of an operation are throttled while the guard is held.
    pub(crate) fn throttle(&self, operation: &str) -> FaultGuard {
        self.set(operation, None, Moment::Before, ApiFailure::Throttle)
    }

    fn set(&self, operation: &str, region: Option<&str>, when: Moment, how: ApiFailure) -> FaultGuard {
        let fault = Fault::Api {
            region: region.map(str::to_owned),
            service: None,
            operation: Some(operation.to_owned()),
            when,
            how,
            share: Share::ALL,
        };
        self.twin.inject(fault).unwrap()
    }

    pub(crate) async fn has_thing(&self, clients: &RegionClients, name: &str) -> bool {
        clients.iot.describe_thing().thing_name(name).send().await.is_ok()
    }

    /// Ids of a Region's certificates.
    pub(crate) async fn certificates(&self, clients: &RegionClients) -> Vec<String> {
        let list = clients.iot.list_certificates().page_size(250).send().await.unwrap();
        list.certificates().iter().map(|found| found.certificate_id().unwrap().to_owned()).collect()
    }

    /// Brings a certificate to the secondary, as the replicator does.
    pub(crate) async fn copy_certificate(&self, pem: &str) {
        let register = self.aws.secondary.iot.register_certificate_without_ca().certificate_pem(pem);
        register.status(CertificateStatus::Active).send().await.unwrap();
    }

    /// Brings a device to the secondary: its certificate and a thing with this mark.
    pub(crate) async fn copy(&self, name: &str, mark: Option<&str>, pem: &str) {
        self.bring(&self.aws.secondary, name, mark, pem).await;
    }

    /// Brings a device to a Region.
    pub(crate) async fn bring(&self, clients: &RegionClients, name: &str, mark: Option<&str>, pem: &str) {
        let iot = &clients.iot;
        let register = iot.register_certificate_without_ca().certificate_pem(pem);
        register.status(CertificateStatus::Active).send().await.unwrap();
        let mut create = iot.create_thing().thing_name(name);
        if let Some(mark) = mark {
            let attributes = aws_sdk_iot::types::AttributePayload::builder();
            create =
                create.attribute_payload(attributes.attributes(crate::names::FLEET_ATTRIBUTE, mark).build());
        }
        create.send().await.unwrap();
        let arn = replicator::policy::certificate_arn(
            &clients.region,
            &self.endpoints().account,
            &certificate_id(pem).unwrap(),
        );
        iot.attach_thing_principal().thing_name(name).principal(arn).send().await.unwrap();
    }
}
