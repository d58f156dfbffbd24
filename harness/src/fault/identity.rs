//! Devices that are no longer let in: their certificates are not active, or nothing allows them anything.

use aws_sdk_iot::types::CertificateStatus;

use super::{
    Breakage, Cure, FaultEntry,
    catalogue::{Colour, Targets, Touches},
    cure::{for_each, set_status},
    devices::{REGION, SHARE, all_refused, drawn, is_served, numbers},
    ground::{Ground, Struck},
};
use crate::aws::Missing;

pub(super) static CERTIFICATE: FaultEntry = FaultEntry {
    name: "certificate-inactive",
    label: "certificates inactive",
    colour: Colour::Identity,
    targets: Targets::TwinAndAws,
    touches: Touches::Devices,
    what: "The certificates of devices are made INACTIVE, as by an operator who takes them for stolen. The replicator carries \
           that to the other Region.",
    parameters: &[REGION, SHARE],
    proof: "each of the devices tried to connect and could not",
    cure_proof: "each certificate was read back as ACTIVE",
    strike: |ground, breakage| Box::pin(certificate(ground, breakage)),
};

pub(super) static POLICY: FaultEntry = FaultEntry {
    name: "policy-detached",
    label: "policy detached",
    colour: Colour::Identity,
    targets: Targets::TwinAndAws,
    touches: Touches::Devices,
    what: "The policy is detached from the certificates of devices, as by a script that ran too far. The replicator carries \
           that to the other Region.",
    parameters: &[REGION, SHARE],
    proof: "each of the devices tried to connect and could not",
    cure_proof: "the policy was read back as attached to each",
    strike: |ground, breakage| Box::pin(policy(ground, breakage)),
};

async fn certificate<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let clients = ground.clients(breakage.text("region"));
    let devices = drawn(ground.devices, breakage.share(), ground.seed);
    let numbers = numbers(devices.iter().copied());
    let was_served = is_served(ground, &numbers).await;
    let id = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let ids: Vec<String> = devices.iter().map(|device| id(&device.certificate_arn)).collect();
    ground.intend(&CERTIFICATE, &clients.region, Cure::Certificates { ids: ids.clone() })?;
    let at = for_each(&ids, |id| set_status(ground.aws, clients, id, CertificateStatus::Inactive)).await?;
    let detail = format!("{} certificates are INACTIVE in {}", ids.len(), clients.region);
    Ok(Struck {
        at,
        detail,
        proof: Box::pin(all_refused(ground, numbers, was_served, "whose certificates are INACTIVE")),
    })
}

async fn policy<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let clients = ground.clients(breakage.text("region"));
    let devices = drawn(ground.devices, breakage.share(), ground.seed);
    let numbers = numbers(devices.iter().copied());
    let was_served = is_served(ground, &numbers).await;
    // The certificate's ARN in the other Region differs in the Region alone.
    let arn = |arn: &str| arn.replace(&ground.aws.primary.region, &clients.region);
    let arns: Vec<String> = devices.iter().map(|device| arn(&device.certificate_arn)).collect();
    let name = ground.policy;
    let cure = Cure::Policy { policy: name.to_owned(), certificates: arns.clone() };
    ground.intend(&POLICY, &clients.region, cure)?;
    let at = for_each(&arns, |arn| async move {
        ground.aws.pace.take(&clients.region, "DetachPolicy").await;
        clients.iot.detach_policy().policy_name(name).target(arn).send().await.missing_ok()?;
        Ok(())
    })
    .await?;
    let detail = format!("{name} is detached from {} certificates in {}", arns.len(), clients.region);
    Ok(Struck {
        at,
        detail,
        proof: Box::pin(all_refused(ground, numbers, was_served, "that nothing allows anything")),
    })
}
