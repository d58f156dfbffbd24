//! The health check of a Region: its stack, and the identity that its function connects with. The key is in the function's
//! environment and nowhere else.

use anyhow::anyhow;
use aws_sdk_cloudformation::types::Stack;
use rand::{Rng, distr::Alphanumeric};
use replicator::{rules::EXCLUDED_PREFIX, templates::HEALTH};
use serde_json::{Value, json};

use super::{
    identity::{create_policy, issue},
    install::Installation,
    place::RegionSite,
    stack::{Given, is_whole},
};
use crate::{
    aws::{RegionClients, describe},
    journal::{self, Change},
};

/// Length of what a request of the check must know.
const SECRET_CHARS: usize = 48;

impl Installation<'_> {
    /// Puts the health check of a Region.
    pub(super) async fn health(
        &self,
        clients: &RegionClients,
        site: &RegionSite,
        account: &str,
    ) -> anyhow::Result<Stack> {
        let name = self.stack_name(HEALTH);
        let stacks = self.stacks(clients);
        let before = stacks.find(&name).await?.filter(is_whole);
        let mut stale = Vec::new();
        let (identity, secret) = match before {
            Some(_) if !self.settings.rotate => ([Given::AsBefore, Given::AsBefore], Given::AsBefore),
            before => {
                let policy = health_policy(self.postfix);
                if before.is_some() {
                    stale = targets(clients, &policy).await?;
                } else {
                    // Whatever an attempt before has left has a key that nobody knows.
                    journal::delete_policy(self.aws, &clients.region, &policy).await?;
                    self.intend(Change::Policy { region: clients.region.clone(), name: policy.clone() })?;
                    create_policy(clients, &policy, &document(&clients.region, account)).await?;
                }
                let (identity, _) = issue(clients, &policy, self.journal).await?;
                let key = Given::Is(identity.key_pem()?);
                ([Given::Is(identity.certificate_pem), key], Given::Is(secret()))
            }
        };
        let [certificate, key] = identity;
        let mut wanted = self.wanted(HEALTH, clients);
        wanted.parameters.extend([
            ("Endpoint", Given::Is(site.host.clone())),
            ("EndpointAddress", Given::Is(site.address.clone())),
            ("Ca", Given::Is(self.place.ca_pem.clone())),
            ("Certificate", certificate),
            ("Key", key),
            ("QueryString", secret),
            ("RequestInterval", Given::Is(self.settings.interval_s.to_string())),
            ("FailureThreshold", Given::Is(self.settings.failures.to_string())),
            ("Port", Given::Is(site.https_port.to_string())),
        ]);
        let stack = self.put(clients, &wanted, false).await?;
        for arn in stale {
            journal::delete_certificate(self.aws, clients, &arn, &health_policy(self.postfix)).await?;
        }
        Ok(stack)
    }
}

/// The policy of a health check's certificate, the same name in both Regions. What is called so stays in its Region.
pub(crate) fn health_policy(postfix: &str) -> String {
    format!("{EXCLUDED_PREFIX}{postfix}")
}

async fn targets(clients: &RegionClients, policy: &str) -> anyhow::Result<Vec<String>> {
    let targets = clients.iot.list_targets_for_policy().policy_name(policy).send().await;
    Ok(targets.map_err(|e| anyhow!(describe(&e)))?.targets.unwrap_or_default())
}

/// What the function publishes, it subscribes to, under names of its own.
fn document(region: &str, account: &str) -> Value {
    let arn = format!("arn:{}:iot:{region}:{account}", replicator::policy::partition(region));
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": format!("{arn}:client/r53-checker-*")},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": format!("{arn}:topic/dr/r53/check/*")},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": format!("{arn}:topicfilter/dr/r53/check/*")},
    ]})
}

fn secret() -> String {
    rand::rng().sample_iter(Alphanumeric).take(SECRET_CHARS).map(char::from).collect()
}
