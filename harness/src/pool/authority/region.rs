//! The fleet's CA in a Region: registered, found again, closed, deleted.

use anyhow::{Context, anyhow, bail};
use aws_sdk_iot::{
    operation::register_ca_certificate::RegisterCACertificateError,
    types::{AutoRegistrationStatus, CaCertificateStatus},
};

use super::Authority;
use crate::{
    aws::{Missing, RegionClients, describe},
    identity::certificate_id,
};

/// CAs of a Region among which the fleet's is looked for.
const AUTHORITIES_LOOKED_MAX: usize = 1_000;

/// Registers the CA so that its devices register themselves; the answer is what the Region calls it.
pub(super) async fn register(clients: &RegionClients, authority: &Authority) -> anyhow::Result<String> {
    let code = clients.iot.get_registration_code().send().await.map_err(|e| anyhow!(describe(&e)))?;
    let code = code.registration_code.context("no registration code")?;
    let register = clients.iot.register_ca_certificate().ca_certificate(&authority.pem);
    let register = register.verification_certificate(authority.proof(&code)?);
    match register.set_as_active(true).allow_auto_registration(true).send().await {
        Ok(made) => made.certificate_id.context("a CA without its id"),
        // A call before this one came as far as that, or a deletion closed it.
        Err(error)
            if error
                .as_service_error()
                .is_some_and(RegisterCACertificateError::is_resource_already_exists_exception) =>
        {
            let id = find(clients, &authority.pem).await?.context("a CA that is there and is not found")?;
            set(clients, &id, CaCertificateStatus::Active, AutoRegistrationStatus::Enable).await?;
            Ok(id)
        }
        Err(error) => Err(anyhow!(describe(&error)))
            .with_context(|| format!("the CA could not be registered in {}", clients.region)),
    }
}

/// What the Region calls the CA with this certificate, if it knows it.
pub(super) async fn find(clients: &RegionClients, pem: &str) -> anyhow::Result<Option<String>> {
    let wanted = certificate_id(pem)?;
    let mut pages = clients.iot.list_ca_certificates().into_paginator().send();
    let mut looked = 0;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| anyhow!(describe(&e))).context("CAs cannot be listed")?;
        for id in page.certificates().iter().filter_map(|found| found.certificate_id()) {
            looked += 1;
            if looked > AUTHORITIES_LOOKED_MAX {
                bail!("there are more than {AUTHORITIES_LOOKED_MAX} CAs");
            }
            let described = clients.iot.describe_ca_certificate().certificate_id(id).send().await;
            let described = described.missing_ok()?.and_then(|found| found.certificate_description);
            let pem = described.and_then(|found| found.certificate_pem);
            if pem.is_some_and(|pem| certificate_id(&pem).is_ok_and(|found| found == wanted)) {
                return Ok(Some(id.to_owned()));
            }
        }
    }
    Ok(None)
}

/// From here on no device registers itself with it. Those that did stay.
pub(super) async fn close(clients: &RegionClients, id: &str) -> anyhow::Result<()> {
    set(clients, id, CaCertificateStatus::Inactive, AutoRegistrationStatus::Disable).await
}

pub(super) async fn delete(clients: &RegionClients, id: &str) -> anyhow::Result<()> {
    clients.iot.delete_ca_certificate().certificate_id(id).send().await.missing_ok().map(drop)
}

async fn set(
    clients: &RegionClients,
    id: &str,
    status: CaCertificateStatus,
    registration: AutoRegistrationStatus,
) -> anyhow::Result<()> {
    let update = clients.iot.update_ca_certificate().certificate_id(id).new_status(status);
    update.new_auto_registration_status(registration).send().await.missing_ok().map(drop)
}
