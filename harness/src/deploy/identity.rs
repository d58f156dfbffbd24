//! Policies, and certificates that are issued under them.

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    aws::{RegionClients, describe},
    identity::{Identity, KeyKind, key_and_csr, key_sha256},
    journal::{Change, Journal},
};

/// The policy of devices: they may connect as themselves, publish their telemetry, and use their own shadow. `arn` is
/// `arn:aws:iot:<region>:<account>`.
pub(crate) fn device_document(arn: &str) -> Value {
    let thing = "${iot:Connection.Thing.ThingName}";
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": format!("{arn}:client/{thing}")},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": [
            format!("{arn}:topic/dt/gameday/{thing}"), format!("{arn}:topic/$aws/things/{thing}/shadow/*")]},
        {"Effect": "Allow", "Action": "iot:Subscribe",
         "Resource": format!("{arn}:topicfilter/$aws/things/{thing}/shadow/*")},
    ]})
}

pub(crate) async fn create_policy(
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
/// calls are a task of their own: an interrupt does not come between them. Should this process be killed between them, the
/// journal has the key; without a journal nothing has.
pub(crate) async fn issue(
    clients: &RegionClients,
    policy: &str,
    journal: Option<&Journal>,
) -> anyhow::Result<(Identity, String)> {
    let (key, csr) = key_and_csr(policy, KeyKind::P256)?;
    let sha256 = key_sha256(&key);
    if let Some(journal) = journal {
        let (region, keys) = (clients.region.clone(), vec![sha256.clone()]);
        journal.intend(Change::Certificates { region, since: Timestamp::now(), keys })?;
    }
    let (issuing, name) = (clients.clone(), policy.to_owned());
    let (certificate_pem, arn) = tokio::spawn(async move { issue_now(&issuing, &name, csr).await }).await??;
    if let Some(journal) = journal {
        journal.is_found(&sha256);
    }
    Ok((Identity { certificate_pem, key_der: key.serialize_der() }, arn))
}

/// The certificate as PEM, and its ARN.
async fn issue_now(clients: &RegionClients, policy: &str, csr: String) -> anyhow::Result<(String, String)> {
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
    Ok((made.certificate_pem().context("a certificate without its PEM")?.to_owned(), arn.to_owned()))
}
