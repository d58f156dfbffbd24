//! The ports over AWS: clients built once, every call bounded in time and tries.

mod errors;
mod primary;
mod secondary;
mod tables;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

pub use errors::class_of;
pub use primary::PrimaryRegion;
pub use secondary::SecondaryRegion;
pub use tables::{ErrorTable, StateTable};

use crate::outcome::{Failure, Outcome};
use crate::ports::{Clock, World};

/// How long a connection may take to open.
pub const CONNECT_MS_MAX: u64 = 1_000;

/// How long one try of a call may take.
pub const ATTEMPT_MS_MAX: u64 = 3_000;

/// How often a call is tried; beyond this the mapping delivers the record again.
pub const ATTEMPTS_MAX: u32 = 3;

/// How long a call may take with all its tries and the waits between them.
pub const CALL_MS_MAX: u64 = 9_000;

/// How many entries of a list are read. A thing has at most a handful of principals, a certificate
/// ten policies, a certificate in practice some things.
pub const LISTED_MAX: usize = 250;

/// What the function has to be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Region that is mirrored.
    pub primary_region: String,
    /// The Region that is kept ready.
    pub secondary_region: String,
    /// The name of the state table, in the secondary.
    pub state_table: String,
    /// The name of the error table, in the secondary.
    pub error_table: String,
}

/// The world as AWS.
#[derive(Debug)]
pub struct Aws {
    settings: Settings,
    primary: PrimaryRegion,
    secondary: SecondaryRegion,
    state: StateTable,
    errors: ErrorTable,
    clock: SystemClock,
}

impl Aws {
    /// Builds the clients. Credentials and `AWS_ENDPOINT_URL` come from the environment as they do
    /// for every AWS SDK.
    pub async fn connect(settings: Settings) -> Outcome<Self> {
        let primary = in_region(&settings.primary_region).await;
        let secondary = in_region(&settings.secondary_region).await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&secondary);
        Ok(Self {
            primary: PrimaryRegion::new(aws_sdk_iot::Client::new(&primary)),
            state: StateTable::new(dynamodb.clone(), settings.state_table.clone()),
            errors: ErrorTable::new(dynamodb, settings.error_table.clone()),
            secondary: Box::pin(secondary_region(&secondary)).await?,
            clock: SystemClock,
            settings,
        })
    }
}

async fn in_region(region: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
        .operation_attempt_timeout(Duration::from_millis(ATTEMPT_MS_MAX))
        .operation_timeout(Duration::from_millis(CALL_MS_MAX))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .load()
        .await
}

/// The data plane has an address of its own for each account, which AWS must be asked for; unless
/// the environment names one.
async fn secondary_region(config: &SdkConfig) -> Outcome<SecondaryRegion> {
    let iot = aws_sdk_iot::Client::new(config);
    let given = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IOT_DATA_PLANE"].map(std::env::var_os);
    let mut data = aws_sdk_iotdataplane::config::Builder::from(config);
    if given.iter().all(Option::is_none) {
        let answer = iot
            .describe_endpoint()
            .endpoint_type("iot:Data-ATS")
            .send()
            .await
            .map_err(errors::failure("describe endpoint"))?;
        let address = answer
            .endpoint_address()
            .ok_or_else(|| Failure::transient("describe endpoint", "the answer has no address"))?;
        data = data.endpoint_url(format!("https://{address}"));
    }
    Ok(SecondaryRegion::new(iot, aws_sdk_iotdataplane::Client::from_conf(data.build())))
}

impl World for Aws {
    type Primary = PrimaryRegion;
    type Secondary = SecondaryRegion;
    type State = StateTable;
    type Errors = ErrorTable;
    type Clock = SystemClock;

    fn primary_region(&self) -> &str {
        &self.settings.primary_region
    }
    fn secondary_region(&self) -> &str {
        &self.settings.secondary_region
    }
    fn primary(&self) -> &PrimaryRegion {
        &self.primary
    }
    fn secondary(&self) -> &SecondaryRegion {
        &self.secondary
    }
    fn state(&self) -> &StateTable {
        &self.state
    }
    fn errors(&self) -> &ErrorTable {
        &self.errors
    }
    fn clock(&self) -> &SystemClock {
        &self.clock
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
