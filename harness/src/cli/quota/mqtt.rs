//! The ladder over MQTT: a certificate and a policy are made for it in the Region, written down before, and deleted again.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use serde_json::json;

use super::super::{at::Reached, kept::Kept};
use crate::{
    aws::RegionClients,
    clock::RunClock,
    deploy::{RegionSite, create_policy, issue},
    fleet::{Dialer, Resolver, Tls},
    journal::Change,
    ladder::Endpoint,
    output::Output,
};

/// The one who is measured with, in one Region.
pub(super) struct Ground {
    pub(super) endpoint: Endpoint,
    kept: Kept,
}

impl Ground {
    /// Makes it. What was made of it when that fails is undone.
    pub(super) async fn make(
        reached: &Reached,
        clients: &RegionClients,
        id: &str,
        out: &Path,
        output: &Output,
    ) -> anyhow::Result<Self> {
        let name = format!("gameday-ladder-{id}");
        // One journal a Region: each is undone by itself.
        let kept = Kept::create(out, "quota", &format!("{id}-{}", clients.region))?;
        match Box::pin(Self::endpoint(reached, clients, &name, &kept)).await {
            Ok(endpoint) => Ok(Self { endpoint, kept }),
            Err(error) => {
                undo(kept, reached, output).await;
                Err(error)
            }
        }
    }

    async fn endpoint(
        reached: &Reached,
        clients: &RegionClients,
        name: &str,
        kept: &Kept,
    ) -> anyhow::Result<Endpoint> {
        let (place, account) = (reached.place().await?, reached.account().await?);
        let is_secondary = clients.region == reached.aws.secondary.region;
        let site: &RegionSite = if is_secondary { &place.secondary } else { &place.primary };
        let resolver = match reached.twin() {
            Some(endpoints) => Resolver::new(endpoints)?,
            None => Resolver::of_machine()?,
        };
        kept.journal.intend(Change::Policy { region: clients.region.clone(), name: name.to_owned() })?;
        let arn = format!(
            "arn:{}:iot:{}:{account}",
            replicator::policy::partition(&clients.region),
            clients.region
        );
        create_policy(clients, name, &document(&arn, name)).await?;
        let (identity, _) = issue(clients, name, Some(&kept.journal)).await?;
        let config = Tls::new(&place.ca_pem)?.config(&identity).context("the certificate that was made")?;
        let dialer = Dialer::new(config, Arc::new(resolver), site.mqtt_port, RunClock::start());
        Ok(Endpoint::new(dialer, &site.host, name))
    }

    /// Deletes it; whether nothing is left.
    pub(super) async fn undo(self, reached: &Reached, output: &Output) -> bool {
        let Self { endpoint, kept } = self;
        drop(endpoint);
        undo(kept, reached, output).await
    }
}

async fn undo(kept: Kept, reached: &Reached, output: &Output) -> bool {
    let failed = kept.journal.undo_all(&reached.aws, output).await;
    let left: Vec<String> = failed
        .into_iter()
        .map(|(change, why)| format!("{} {} in {}: {why}", change.kind(), change.name(), change.region()))
        .collect();
    kept.close(&left);
    left.is_empty()
}

/// It may connect under its names, and speak and hear below them.
fn document(arn: &str, name: &str) -> serde_json::Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": format!("{arn}:client/{name}-*")},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": format!("{arn}:topic/{name}/*")},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": format!("{arn}:topicfilter/{name}/*")},
    ]})
}
