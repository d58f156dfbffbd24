//! Delivery to a target, with retries: what rules and schedules share.
//!
//! At least once is not promised for ever: after its retries, and at once if the target is gone or refuses, a delivery
//! is dropped with a warning, as on AWS without a dead-letter queue.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    api,
    call::{Call, Reply},
    error::AwsError,
    region::Region,
    room::Room,
    scheduler::UniversalCall,
    states,
    world::World,
};

/// Deliveries that run or wait at once, in all Regions.
const DELIVERIES_MAX: usize = 10_000;
/// Bytes of their payloads.
const DELIVERIES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The first and the longest wait before a retry; it doubles in between. AWS publishes neither.
const RETRY_WAIT_MIN: Duration = Duration::from_secs(1);
const RETRY_WAIT_MAX: Duration = Duration::from_mins(5);
const RETRIES_MAX: u32 = 185;
const AGE_S_MIN: u64 = 60;
const AGE_S_MAX: u64 = 86_400;

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A function's ARN: invoked without waiting.
    Function(String),
    /// A state machine's ARN: an execution is started.
    Machine(String),
    /// A queue's ARN: the event is sent as a message.
    Queue(String),
    /// Any API call that the twin can make, of a schedule.
    Api(UniversalCall),
}

/// As both services spell it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RetryPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_retry_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_event_age_in_seconds: Option<u64>,
}

/// One delivery to be made.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) destination: Destination,
    /// JSON.
    pub(crate) payload: String,
    pub(crate) retry: RetryPolicy,
    /// The ARN of the rule or schedule.
    pub(crate) source: String,
}

/// Why an attempt failed.
#[derive(Debug)]
struct Refusal {
    status: u16,
    why: String,
}

impl Destination {
    /// A function, state machine or queue of this Region and account.
    pub(crate) fn parse(arn: &str, region: &str, account: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts.as_slice() {
            ["arn", "aws", "lambda", r, a, "function", name, ..]
                if *r == region && *a == account && !name.is_empty() && parts.len() <= 8 =>
            {
                Some(Self::Function(arn.to_owned()))
            }
            ["arn", "aws", "states", r, a, "stateMachine", name]
                if *r == region && *a == account && !name.is_empty() =>
            {
                Some(Self::Machine(arn.to_owned()))
            }
            ["arn", "aws", "sqs", r, a, name] if *r == region && *a == account && !name.is_empty() => {
                Some(Self::Queue(arn.to_owned()))
            }
            _ => None,
        }
    }
}

impl RetryPolicy {
    /// What is wrong with it.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.maximum_retry_attempts.is_some_and(|n| n > RETRIES_MAX) {
            return Some(format!("MaximumRetryAttempts must be at most {RETRIES_MAX}"));
        }
        if self.maximum_event_age_in_seconds.is_some_and(|s| !(AGE_S_MIN..=AGE_S_MAX).contains(&s)) {
            return Some(format!("MaximumEventAgeInSeconds must be {AGE_S_MIN} to {AGE_S_MAX}"));
        }
        None
    }

    /// All of it, defaults filled in.
    pub(crate) fn full(self) -> Self {
        Self {
            maximum_retry_attempts: self.maximum_retry_attempts.or(Some(RETRIES_MAX)),
            maximum_event_age_in_seconds: self.maximum_event_age_in_seconds.or(Some(AGE_S_MAX)),
        }
    }
}

/// Room for deliveries that run or wait.
pub(super) fn room() -> Arc<Room> {
    Room::new(DELIVERIES_MAX, DELIVERIES_BYTES_MAX)
}

/// Delivers in a task of its own, then does `after`. Dropped, with a warning, when too many are under way: then `after`
/// is done at once, as after any delivery that failed. The caller holds no lock that `after` takes.
pub(crate) fn spawn(
    world: &Arc<World>,
    region: &Arc<Region>,
    delivery: Delivery,
    after: impl FnOnce(&World) + Send + 'static,
) {
    let Some(place) = world.events.deliveries.take(delivery.payload.len()) else {
        tracing::warn!(source = delivery.source, "too many deliveries are under way: one was dropped");
        after(world);
        return;
    };
    let (world, region) = (Arc::clone(world), Arc::clone(region));
    let tasks = world.tasks.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = world.shutdown.cancelled() => {}
            () = deliver(&world, &region, &delivery) => after(&world),
        }
        drop(place);
    });
}

async fn deliver(world: &Arc<World>, region: &Arc<Region>, delivery: &Delivery) {
    let began = Instant::now();
    let policy = delivery.retry.full();
    let age_max = Duration::from_secs(policy.maximum_event_age_in_seconds.unwrap_or(AGE_S_MAX));
    let mut wait = RETRY_WAIT_MIN;
    for retries_left in (0..=policy.maximum_retry_attempts.unwrap_or(RETRIES_MAX)).rev() {
        region.dark.wait(false).await;
        let Err(refusal) = attempt(world, region, delivery).await else { return };
        let (source, why) = (&delivery.source, &refusal.why);
        if !refusal.is_passing() || retries_left == 0 || began.elapsed() + wait > age_max {
            tracing::warn!(source, why, "a delivery failed for good");
            return;
        }
        tracing::debug!(source, why, "a delivery failed and is tried again");
        sleep(wait).await;
        wait = (wait * 2).min(RETRY_WAIT_MAX);
    }
}

async fn attempt(world: &Arc<World>, region: &Region, delivery: &Delivery) -> Result<(), Refusal> {
    match &delivery.destination {
        Destination::Function(arn) => {
            let payload = Bytes::from(delivery.payload.clone());
            Ok(world.lambda.invoke_event(world, &region.name, arn, payload)?)
        }
        Destination::Machine(arn) => {
            let request = json!({"stateMachineArn": arn, "input": delivery.payload});
            let call = Call::json_rpc(&region.name, "states", "AWSStepFunctions.StartExecution", &request);
            states::handle(world, &call)?;
            Ok(())
        }
        Destination::Queue(arn) => {
            let name = world.sqs.queue_of_arn(&region.name, arn).ok_or_else(|| {
                AwsError::new(400, "AWS.SimpleQueueService.NonExistentQueue", format!("No queue {arn}"))
            })?;
            Ok(world.sqs.send(world, &region.name, &name, delivery.payload.clone(), BTreeMap::new())?)
        }
        Destination::Api(universal) => {
            let call = universal.call(&region.name, &delivery.payload)?;
            // Boxed: a call may lead to a delivery, and a type may not contain itself.
            let reply: Reply = Box::pin(api::dispatch(world, &call)).await;
            if reply.status < 400 {
                return Ok(());
            }
            let why = String::from_utf8_lossy(&reply.body).into_owned();
            Err(Refusal { status: reply.status, why })
        }
    }
}

impl Refusal {
    /// Whether it may go by: throttled, or the service's own trouble.
    fn is_passing(&self) -> bool {
        self.status == 429 || self.status >= 500 || self.why.contains("Throttling")
    }
}

impl From<AwsError> for Refusal {
    fn from(error: AwsError) -> Self {
        Self { status: error.status, why: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn targets_are_of_the_same_region_and_account() {
        let parse = |arn: &str| Destination::parse(arn, "us-east-1", "1");
        for arn in [
            "arn:aws:lambda:us-east-1:1:function:f",
            "arn:aws:lambda:us-east-1:1:function:f:$LATEST",
            "arn:aws:states:us-east-1:1:stateMachine:m",
            "arn:aws:sqs:us-east-1:1:q",
        ] {
            assert!(parse(arn).is_some(), "{arn}");
        }
        for arn in [
            "",
            "f",
            "arn:aws:lambda:us-west-2:1:function:f",
            "arn:aws:lambda:us-east-1:2:function:f",
            "arn:aws:lambda:us-east-1:1:function:",
            "arn:aws:lambda:us-east-1:1:layer:f",
            "arn:aws:states:us-east-1:1:execution:m:x",
            "arn:aws:sqs:us-west-2:1:q",
            "arn:aws:sns:us-east-1:1:t",
        ] {
            assert_eq!(parse(arn), None, "{arn}");
        }
    }

    #[test]
    fn retries_are_within_what_aws_allows() {
        let policy = |n, s| RetryPolicy { maximum_retry_attempts: n, maximum_event_age_in_seconds: s };
        assert_eq!(policy(Some(185), Some(60)).fault(), None);
        assert!(policy(Some(186), None).fault().is_some());
        assert!(policy(None, Some(59)).fault().is_some());
        assert!(policy(None, Some(86_401)).fault().is_some());
        assert_eq!(policy(Some(0), None).full(), policy(Some(0), Some(86_400)));
    }

    #[test]
    fn only_what_may_go_by_is_tried_again() {
        let passing = |status, code| Refusal::from(AwsError::new(status, code, "")).is_passing();
        assert!(passing(429, "TooManyRequestsException") && passing(503, "ServiceException"));
        assert!(passing(400, "ThrottlingException"));
        assert!(!passing(404, "ResourceNotFoundException") && !passing(409, "HealthCheckVersionMismatch"));
    }

    #[tokio::test]
    async fn what_follows_a_delivery_follows_one_that_is_dropped() {
        let twin = crate::Twin::start(crate::TwinConfig::default()).await.unwrap();
        let world = twin.world();
        let name = &world.regions[0].name;
        let delivery = Delivery {
            destination: Destination::Queue(format!("arn:aws:sqs:{name}:1:q")),
            payload: "{}".to_owned(),
            retry: RetryPolicy::default(),
            source: "s".to_owned(),
        };
        let full = world.events.deliveries.take(DELIVERIES_BYTES_MAX - 1).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let after = Arc::clone(&done);
        spawn(world, &world.regions[0], delivery, move |_| after.store(true, Ordering::Relaxed));
        assert!(done.load(Ordering::Relaxed));
        drop(full);
        assert!(world.events.deliveries.take(DELIVERIES_BYTES_MAX).is_some(), "it took no place");
        twin.stop().await;
    }
}
