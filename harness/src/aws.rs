//! AWS clients of the harness: one set a Region, every attempt counted, every call paced below its quota.

mod calls;
mod error;
mod pace;

use std::{collections::BTreeMap, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use gameday_twin::Endpoints;

pub(crate) use calls::Calls;
pub(crate) use error::{Missing, describe};
pub(crate) use pace::Pace;

/// One attempt of a call gets this long.
const ATTEMPT_S_MAX: u64 = 5;
/// Attempts of a call; throttles are retried by the SDK with back-off.
const ATTEMPTS_MAX: u32 = 6;

/// Clients of one Region.
#[derive(Debug, Clone)]
pub(crate) struct RegionClients {
    pub(crate) region: String,
    pub(crate) iot: aws_sdk_iot::Client,
    pub(crate) data: aws_sdk_iotdataplane::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
}

/// Clients of both Regions and of what is global.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    pub(crate) primary: RegionClients,
    pub(crate) secondary: RegionClients,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) calls: Calls,
    pub(crate) pace: Pace,
}

impl Aws {
    /// Clients for a target.
    pub(crate) async fn connect(endpoints: &Endpoints) -> Self {
        let calls = Calls::default();
        let mut clients: BTreeMap<usize, RegionClients> = BTreeMap::new();
        for (n, region) in endpoints.regions.iter().enumerate() {
            let config = config(endpoints, &region.region).await;
            clients.insert(n, RegionClients::new(&region.region, &config, &calls));
        }
        let global = config(endpoints, "us-east-1").await;
        let route53 = aws_sdk_route53::Client::from_conf(
            aws_sdk_route53::config::Builder::from(&global).interceptor(calls.interceptor("global")).build(),
        );
        let fallback = || RegionClients::new("us-east-1", &global, &calls);
        Self {
            primary: clients.remove(&0).unwrap_or_else(fallback),
            secondary: clients.remove(&1).unwrap_or_else(fallback),
            route53,
            calls,
            pace: Pace::new(endpoints.quota_scale),
        }
    }

    pub(crate) fn region(&self, region: &str) -> &RegionClients {
        if self.secondary.region == region { &self.secondary } else { &self.primary }
    }
}

impl RegionClients {
    fn new(region: &str, config: &SdkConfig, calls: &Calls) -> Self {
        let count = || calls.interceptor(region);
        Self {
            region: region.to_owned(),
            iot: aws_sdk_iot::Client::from_conf(
                aws_sdk_iot::config::Builder::from(config).interceptor(count()).build(),
            ),
            data: aws_sdk_iotdataplane::Client::from_conf(
                aws_sdk_iotdataplane::config::Builder::from(config).interceptor(count()).build(),
            ),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(
                aws_sdk_dynamodb::config::Builder::from(config).interceptor(count()).build(),
            ),
            lambda: aws_sdk_lambda::Client::from_conf(
                aws_sdk_lambda::config::Builder::from(config).interceptor(count()).build(),
            ),
        }
    }
}

async fn config(endpoints: &Endpoints, region: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(ATTEMPT_S_MAX))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(3));
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(&endpoints.api_url)
        // The twin does not check signatures; the SDK will not send without a key.
        .credentials_provider(aws_sdk_iot::config::Credentials::new("gameday", "gameday", None, None, "twin"))
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
}
