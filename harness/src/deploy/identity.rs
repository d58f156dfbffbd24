//! Policies, and certificates that are issued under them.

use anyhow::{Context, anyhow};
use serde_json::Value;

use crate::{
    aws::{RegionClients, describe},
    identity::{Identity, key_and_csr},
};

pub(super) async fn create_policy(
    clients: &RegionClients,
    name: &str,
    document: &Value,
) -> anyhow::Result<()> {
    clients
        .iot
        .create_policy()
        .policy_name(name)
        .policy_document(document.to_string())
        .send()
        .await
        .map(drop)
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("policy {name} could not be created in {}", clients.region))
}

/// An ACTIVE certificate with a policy, and its ARN. The policy's undo takes the certificate along, which is why the two
/// calls are a task of their own: an interrupt does not come between them.
pub(super) async fn issue(clients: &RegionClients, policy: &str) -> anyhow::Result<(Identity, String)> {
    let (clients, policy) = (clients.clone(), policy.to_owned());
    tokio::spawn(async move { issue_now(&clients, &policy).await }).await?
}

async fn issue_now(clients: &RegionClients, policy: &str) -> anyhow::Result<(Identity, String)> {
    let (key, csr) = key_and_csr(policy)?;
    let create =
        clients.iot.create_certificate_from_csr().certificate_signing_request(csr).set_as_active(true);
    let made = create
        .send()
        .await
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("no certificate for {policy} in {}", clients.region))?;
    let arn = made.certificate_arn().context("a certificate without its ARN")?;
    let attach = clients.iot.attach_policy().policy_name(policy).target(arn).send().await;
    attach.map_err(|e| anyhow!(describe(&e)))?;
    let identity = Identity {
        certificate_pem: made.certificate_pem().context("a certificate without its PEM")?.to_owned(),
        key_der: key.serialize_der(),
    };
    Ok((identity, arn.to_owned()))
}
