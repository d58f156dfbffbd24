//! The clients of one Region. Every client of the replicator is made here.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_iot::config::retry::{RetryPartition, TokenBucket};
use tokio::sync::OnceCell;

use super::answers::Answers;
use super::errors::{failure, unread};
use super::quota_share;
use super::{ATTEMPT_MS_MAX, ATTEMPTS_MAX, CALL_MS_MAX, CONNECT_MS_MAX, WAIT_MS_FIRST, WAIT_MS_MAX};
use crate::outcome::{Failure, Outcome};
use crate::turns::{TURN_MS_MAX, Turns};

/// What makes clients of one Region.
#[derive(Debug)]
pub struct Clients {
    name: String,
    config: SdkConfig,
    iot: aws_sdk_iot::Client,
    data: OnceCell<aws_sdk_iotdataplane::Client>,
    turns: Turns,
}

impl Clients {
    /// Of that Region. Nothing is called.
    pub async fn in_region(name: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
            .operation_attempt_timeout(Duration::from_millis(ATTEMPT_MS_MAX))
            .operation_timeout(Duration::from_millis(CALL_MS_MAX))
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(aws_config::Region::new(name.to_owned()))
            .timeout_config(timeouts)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS_MAX)
                    .with_initial_backoff(Duration::from_millis(WAIT_MS_FIRST))
                    .with_max_backoff(Duration::from_millis(WAIT_MS_MAX)),
            )
            .load()
            .await;
        let unlimited = RetryPartition::custom("iot").token_bucket(TokenBucket::unlimited()).build();
        // Whoever runs has looked whether it is one.
        let turns = Turns::new(Duration::from_millis(TURN_MS_MAX), quota_share().unwrap_or(1.0));
        let iot = aws_sdk_iot::config::Builder::from(&config);
        let iot = iot.retry_partition(unlimited).interceptor(Answers(turns.clone())).build();
        let iot = aws_sdk_iot::Client::from_conf(iot);
        Self { name: name.to_owned(), config, iot, data: OnceCell::new(), turns }
    }

    /// Over clients that somebody made already, to count their calls say. Without one of the data plane
    /// its address is asked for, as ever.
    pub fn over(
        name: &str,
        config: SdkConfig,
        iot: aws_sdk_iot::Client,
        data: Option<aws_sdk_iotdataplane::Client>,
    ) -> Self {
        Self { name: name.to_owned(), config, iot, data: OnceCell::new_with(data), turns: Turns::default() }
    }

    /// The Region's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The control plane of AWS IoT. Its quotas may be used up for an hour, in which the SDK's budget of retries would soon
    /// be, too; what bounds them here is [`ATTEMPTS_MAX`], and the [crowd](crate::crowd) that gets smaller.
    pub fn iot(&self) -> aws_sdk_iot::Client {
        self.iot.clone()
    }

    /// When each operation of the control plane may be called.
    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// `DynamoDB`.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// Step Functions.
    pub fn states(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    /// Amazon SQS.
    pub fn queues(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// The account of the credentials. Costs a call.
    pub async fn account(&self) -> Outcome<String> {
        const STEP: &str = "get caller identity";
        let answer = aws_sdk_sts::Client::new(&self.config).get_caller_identity().send().await;
        answer.map_err(failure(STEP))?.account.ok_or_else(|| unread(STEP))
    }

    /// The data plane of AWS IoT. It has an address of its own for each account, which AWS is asked for
    /// once, with the first call that needs it; unless the environment names one.
    pub async fn data(&self, iot: &aws_sdk_iot::Client) -> Outcome<&aws_sdk_iotdataplane::Client> {
        self.data.get_or_try_init(|| Box::pin(self.find_data(iot))).await
    }

    async fn find_data(&self, iot: &aws_sdk_iot::Client) -> Outcome<aws_sdk_iotdataplane::Client> {
        const STEP: &str = "describe endpoint";
        let given = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IOT_DATA_PLANE"].map(std::env::var_os);
        let mut data = aws_sdk_iotdataplane::config::Builder::from(&self.config);
        if given.iter().all(Option::is_none) {
            let describe = iot.describe_endpoint().endpoint_type("iot:Data-ATS");
            let answer = describe.send().await.map_err(failure(STEP))?;
            let address = answer.endpoint_address();
            let address = address.ok_or_else(|| Failure::transient(STEP, "the answer has no address"))?;
            data = data.endpoint_url(format!("https://{address}"));
        }
        Ok(aws_sdk_iotdataplane::Client::from_conf(data.build()))
    }
}
