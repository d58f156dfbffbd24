//! Where records of invocations are sent: a queue or a function. What cannot be delivered is dropped and logged, as on
//! AWS, which counts it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{api::invalid, function::bare_name};
use crate::{error::AwsError, sqs::Attribute, world::World};

/// Characters of an error's message in a dead letter, as AWS has it.
const ERROR_BYTES_MAX: usize = 1_024;

/// A queue or a function of the same Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    Queue { arn: String, name: String },
    Function { arn: String },
}

impl Destination {
    /// The destination of an ARN, if it is there.
    pub(crate) fn find(world: &World, region: &str, arn: &str) -> Result<Self, AwsError> {
        match arn.split(':').nth(2) {
            Some("sqs") => Self::queue(world, region, arn),
            Some("lambda") => {
                world.lambda.function(region, arn)?;
                Ok(Self::Function { arn: arn.to_owned() })
            }
            _ => Err(invalid(format!("The twin has SQS queues and functions as destinations, not {arn}"))),
        }
    }

    /// The queue of an ARN, if it is there.
    pub(crate) fn queue(world: &World, region: &str, arn: &str) -> Result<Self, AwsError> {
        let name = world.sqs.queue_of_arn(region, arn);
        let name =
            name.ok_or_else(|| invalid(format!("The destination ARN {arn} is invalid: no such queue")))?;
        Ok(Self::Queue { arn: arn.to_owned(), name })
    }

    /// What `OnSuccess` or `OnFailure` of a `DestinationConfig` says.
    pub(crate) fn read(
        world: &World,
        region: &str,
        config: &Json,
        when: &str,
        find: impl Fn(&World, &str, &str) -> Result<Self, AwsError>,
    ) -> Result<Option<Self>, AwsError> {
        match config.get(when).and_then(|d| d.get("Destination")).and_then(Json::as_str) {
            None | Some("") => Ok(None),
            Some(arn) => find(world, region, arn).map(Some),
        }
    }

    pub(crate) fn arn(&self) -> &str {
        match self {
            Self::Queue { arn, .. } | Self::Function { arn } => arn,
        }
    }

    /// `{}` or `{"Destination": …}`, as AWS tells it.
    pub(crate) fn describe(destination: Option<&Self>) -> Json {
        destination.map_or_else(|| json!({}), |d| json!({"Destination": d.arn()}))
    }

    /// Sends a record.
    pub(crate) fn send(&self, world: &Arc<World>, region: &str, record: &Json) {
        let sent = match self {
            Self::Queue { name, .. } => world.sqs.send(world, region, name, record.to_string(), [].into()),
            Self::Function { arn } => {
                world.lambda.invoke_event(world, region, bare_name(arn), Bytes::from(record.to_string()))
            }
        };
        if let Err(error) = sent {
            tracing::warn!(destination = self.arn(), %error, "a record of an invocation was not delivered");
        }
    }
}

/// Sends an event that was given up to the function's dead-letter queue: the event itself, and why in attributes.
pub(crate) fn bury(
    world: &Arc<World>,
    region: &str,
    queue: &str,
    event: &Bytes,
    request_id: &str,
    error: &str,
) {
    let mut error = error.to_owned();
    while error.len() > ERROR_BYTES_MAX {
        error.pop();
    }
    let mut attributes = std::collections::BTreeMap::from([
        ("RequestID".to_owned(), Attribute::text("String", request_id)),
        ("ErrorCode".to_owned(), Attribute::text("Number", "200")),
    ]);
    if !error.is_empty() {
        attributes.insert("ErrorMessage".to_owned(), Attribute::text("String", error));
    }
    let name = queue.rsplit(':').next().unwrap_or(queue);
    let body = String::from_utf8_lossy(event).into_owned();
    if let Err(error) = world.sqs.send(world, region, name, body, attributes) {
        tracing::warn!(queue, %error, "a dead letter was not delivered");
    }
}
