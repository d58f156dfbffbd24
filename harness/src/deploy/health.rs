//! The health check of a Region: a function that connects over MQTT as a device would, a URL for it, and the Route 53
//! check that calls it.

use anyhow::{Context, anyhow};
use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckType};
use rand::{Rng, distr::Alphanumeric};

use super::Site;
use crate::{
    aws::{RegionClients, describe},
    journal::Change,
};

const TIMEOUT_S: i32 = 10;
const MEMORY_MIB: i32 = 192;
/// Length of the secret in the check's path.
const SECRET_CHARS: usize = 48;

impl Site<'_> {
    /// Deploys a Region's health check; the answer is its id.
    pub(super) async fn health(&self, clients: &RegionClients) -> anyhow::Result<String> {
        let region = &clients.region;
        let name = self.name("health");
        let arn = self.iot_arn(region);
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": format!("{arn}:client/r53-checker-*")},
            {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"],
             "Resource": format!("{arn}:topic/dr/r53/check/*")},
            {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": format!("{arn}:topicfilter/dr/r53/check/*")},
        ]});
        self.create_policy(clients, &name, &document).await?;
        let identity = self.issue(clients, &name).await?;
        let secret: String =
            rand::rng().sample_iter(Alphanumeric).take(SECRET_CHARS).map(char::from).collect();
        let endpoint = self.target.host(region).to_owned();
        let address = self.target.endpoints.regions.iter().find(|r| &r.region == region);
        let address = address.map(|r| format!("{}:{}", r.address, r.mqtt_port)).unwrap_or_default();
        let environment = [
            ("CA", self.target.endpoints.ca_pem.clone()),
            ("CERT", identity.certificate_pem.clone()),
            ("KEY", identity.key_pem()?),
            ("ENDPOINT", endpoint),
            ("ENDPOINT_ADDRESS", address),
            ("QUERY_STRING", secret.clone()),
        ];
        self.create_function(
            clients,
            &name,
            replicator::function::HEALTH,
            TIMEOUT_S,
            MEMORY_MIB,
            &environment,
        )
        .await?;
        let host = self.function_url(clients, &name).await?;
        self.check(region, &host, &secret).await
    }

    async fn check(&self, region: &str, host: &str, secret: &str) -> anyhow::Result<String> {
        let reference = self.name(&format!("health-{region}"));
        self.journal.intend(Change::HealthCheck { reference: reference.clone() })?;
        let settings = &self.scenario.dns.health_check;
        let config = HealthCheckConfig::builder()
            .r#type(HealthCheckType::Https)
            .fully_qualified_domain_name(host)
            .port(i32::from(self.target.https_port()))
            .resource_path(format!("/v1/r53/health-check?hashme={secret}"))
            .request_interval(i32::try_from(settings.interval.as_secs())?)
            .failure_threshold(i32::try_from(settings.failures)?)
            .enable_sni(true)
            .build()?;
        let made = self
            .aws
            .route53
            .create_health_check()
            .caller_reference(reference)
            .health_check_config(config)
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| format!("the health check of {region} could not be created"))?;
        Ok(made.health_check().context("a health check without itself")?.id().to_owned())
    }
}
