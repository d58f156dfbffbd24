//! AWS clients of the harness: one set a Region, every attempt counted, every call paced below its quota.

mod calls;
mod error;
mod pace;
mod quotas;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use gameday_twin::Endpoints;
use replicator::aws::{AwsRegion, Both, Clients};

pub(crate) use calls::Calls;
pub(crate) use error::{Missing, describe, is_held};
pub(crate) use pace::Pace;
pub(crate) use quotas::{AppliedQuota, Asked, applied_quotas, ask_for_more, pending};

/// One attempt of a call gets this long.
const ATTEMPT_S_MAX: u64 = 5;
/// Attempts of a call; throttles are retried by the SDK with back-off.
const ATTEMPTS_MAX: u32 = 6;

/// Clients of one Region.
#[derive(Debug, Clone)]
pub(crate) struct RegionClients {
    pub(crate) region: String,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) iot: aws_sdk_iot::Client,
    pub(crate) data: aws_sdk_iotdataplane::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) quotas: aws_sdk_servicequotas::Client,
    config: SdkConfig,
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
    /// Clients of a twin.
    pub(crate) async fn connect(endpoints: &Endpoints) -> Self {
        let name = |n: usize| endpoints.regions.get(n).map_or("us-east-1", |region| &region.region);
        Self::of([name(0), name(1)], endpoints.quota_scale, Some(&endpoints.api_url)).await
    }

    /// Clients of AWS, with the credentials of the environment.
    pub(crate) async fn connect_to_aws(primary: &str, secondary: &str) -> Self {
        Self::of([primary, secondary], 1.0, None).await
    }

    async fn of(regions: [&str; 2], quota_scale: f64, url: Option<&str>) -> Self {
        let pace = Pace::new(quota_scale);
        let calls = Calls::new(pace.clone());
        let [primary, secondary] = [config(regions[0], url).await, config(regions[1], url).await];
        let global = config("us-east-1", url).await;
        let route53 = aws_sdk_route53::Client::from_conf(
            aws_sdk_route53::config::Builder::from(&global).interceptor(calls.interceptor("global")).build(),
        );
        Self {
            primary: RegionClients::new(regions[0], &primary, &calls),
            secondary: RegionClients::new(regions[1], &secondary, &calls),
            route53,
            calls,
            pace,
        }
    }

    /// Both Regions as the replicator's library takes them, over these clients.
    pub(crate) fn both(&self, account: &str) -> Both {
        Both::new(self.primary.replicated(), self.secondary.replicated(), account.to_owned())
    }

    /// The account of the credentials. Costs a call.
    pub(crate) async fn account(&self) -> anyhow::Result<String> {
        Box::pin(self.primary.replicated().clients().account())
            .await
            .map_err(|failure| anyhow::anyhow!("whose account it is cannot be said: {failure}"))
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
            cloudformation: aws_sdk_cloudformation::Client::from_conf(
                aws_sdk_cloudformation::config::Builder::from(config).interceptor(count()).build(),
            ),
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
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(config)
                    // A bucket's own name leads nowhere on a twin.
                    .force_path_style(config.endpoint_url().is_some())
                    .interceptor(count())
                    .build(),
            ),
            quotas: aws_sdk_servicequotas::Client::from_conf(
                aws_sdk_servicequotas::config::Builder::from(config).interceptor(count()).build(),
            ),
            config: config.clone(),
        }
    }

    /// Clients that make every call once: whoever measures answers counts each.
    pub(crate) fn once(&self) -> (aws_sdk_iot::Client, aws_sdk_iotdataplane::Client) {
        let config = self.config.to_builder().retry_config(RetryConfig::disabled()).build();
        (aws_sdk_iot::Client::new(&config), aws_sdk_iotdataplane::Client::new(&config))
    }

    fn replicated(&self) -> AwsRegion {
        // On AWS the data plane has an address of the account's own, which the library asks for.
        let data = self.config.endpoint_url().map(|_| self.data.clone());
        AwsRegion::new(Clients::over(&self.region, self.config.clone(), self.iot.clone(), data))
    }
}

async fn config(region: &str, url: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(ATTEMPT_S_MAX))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(3));
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts)
        .retry_config(retries);
    let config = match url {
        // The twin does not check signatures; the SDK will not send without a key.
        Some(url) => config.endpoint_url(url).credentials_provider(aws_sdk_iot::config::Credentials::new(
            "gameday", "gameday", None, None, "twin",
        )),
        None => config,
    };
    config.load().await
}
