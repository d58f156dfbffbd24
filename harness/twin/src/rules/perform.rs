//! Performing actions, and what is told about those that fail.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use rmqtt_codec::types::QoS;
use serde_json::{Value, json};

use super::{
    Publisher, Rule,
    action::{Action, DynamoDb, Headers, KeyAttribute, Republish},
    publisher::REPUBLISHES_MAX,
};
use crate::{
    dynamodb::{AttributeValue, Item, RuleOperation},
    error::AwsError,
    mqtt::{self, Properties},
    region::Region,
    registry::invalid,
    sql::{Message, Output, Template},
    states,
    world::World,
};

/// A rule that runs on a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) region: &'a Region,
    pub(super) rule: &'a Rule,
    pub(super) message: &'a Message<'a>,
    pub(super) publisher: Publisher<'a>,
}

/// An action that failed.
#[derive(Debug)]
struct Failure {
    action: &'static str,
    resource: String,
    error: AwsError,
}

impl Run<'_> {
    /// Performs the rule's actions, and its error action if one of them fails. One message tells of all failures.
    pub(super) fn perform(self, output: &Output) {
        let failures: Vec<Failure> =
            self.rule.actions.iter().filter_map(|action| self.act(action, output).err()).collect();
        for Failure { action, resource, error } in &failures {
            tracing::warn!(rule = self.rule.name, action, resource, %error, "a rule's action failed");
        }
        if failures.is_empty() {
            return;
        }
        if let Some(action) = &self.rule.error_action
            && let Err(Failure { action, resource, error }) =
                self.act(action, &Output::Json(self.report(&failures)))
        {
            tracing::warn!(rule = self.rule.name, action, resource, %error, "a rule's error action failed");
        }
    }

    /// What an error action is given.
    fn report(self, failures: &[Failure]) -> Value {
        let topic = self.message.topic;
        let failures: Value = failures
            .iter()
            .map(|Failure { action, resource, error }| {
                json!({
                    "failedAction": action,
                    "failedResource": resource,
                    "errorMessage": format!(
                        "The error received was {}. Status Code: {}; Error Code: {}. Message arrived on: {topic}, \
                         Action: {action}, Resource: {resource}",
                        error.message, error.status, error.code
                    ),
                })
            })
            .collect();
        json!({
            "ruleName": self.rule.name,
            "topic": topic,
            "cloudwatchTraceId": self.message.trace_id(),
            "clientId": self.message.client_id.unwrap_or("N/A"),
            "base64OriginalPayload": STANDARD.encode(self.message.payload.bytes),
            "failures": failures,
        })
    }

    fn act(self, action: &Action, output: &Output) -> Result<(), Failure> {
        let (name, template) = match action {
            Action::DynamoDbV2 { table } => ("DynamoDBv2Action", table),
            Action::DynamoDb(dynamo) => ("DynamoDBAction", &dynamo.table),
            Action::Lambda { function } => ("LambdaAction", function),
            Action::Republish(republish) => ("RepublishAction", &republish.topic),
            Action::StepFunctions { machine, .. } => ("StepFunctionsAction", machine),
        };
        let resource = self.fill(template);
        let done = match action {
            Action::DynamoDbV2 { .. } => self.put(&resource, output),
            Action::DynamoDb(dynamo) => self.write(dynamo, &resource, output),
            Action::Lambda { .. } => self.invoke(&resource, output),
            Action::Republish(republish) => self.republish(republish, &resource, output),
            Action::StepFunctions { prefix, .. } => self.start(&resource, prefix.as_ref(), output),
        };
        done.map_err(|error| Failure { action: name, resource, error })
    }

    fn fill(self, template: &Template) -> String {
        template.fill(self.message)
    }

    fn put(self, table: &str, output: &Output) -> Result<(), AwsError> {
        let Output::Json(Value::Object(item)) = output else {
            return Err(invalid("The DynamoDBv2 action takes a JSON object"));
        };
        self.world.dynamodb.put_from_rule(self.world, &self.region.name, table, item.clone())
    }

    fn write(self, dynamo: &DynamoDb, table: &str, output: &Output) -> Result<(), AwsError> {
        let key = |key: &KeyAttribute| {
            let kind = if key.is_number { "N" } else { "S" };
            let value: AttributeValue = serde_json::from_value(json!({kind: self.fill(&key.value)}))
                .map_err(|e| invalid(format!("The key is no {kind}: {e}")))?;
            Ok((self.fill(&key.name), value))
        };
        let keys: Item =
            std::iter::once(&dynamo.hash).chain(&dynamo.range).map(key).collect::<Result<_, AwsError>>()?;
        let operation = match dynamo.operation.as_ref().map(|template| self.fill(template)).as_deref() {
            None | Some("INSERT") => RuleOperation::Insert,
            Some("UPDATE") => RuleOperation::Update,
            Some("DELETE") => RuleOperation::Delete,
            Some(other) => return Err(invalid(format!("There is no operation {other}"))),
        };
        let payload = match output {
            Output::Json(value) => AttributeValue::from_plain(value.clone())?,
            Output::Raw(bytes) => AttributeValue::binary(bytes),
        };
        let payload = (self.fill(&dynamo.payload), payload);
        self.world.dynamodb.write_from_rule(
            (&self.region.name, table),
            operation,
            keys,
            payload,
            self.world.clock.now(),
        )
    }

    fn invoke(self, function: &str, output: &Output) -> Result<(), AwsError> {
        let elsewhere =
            function.starts_with("arn:") && function.split(':').nth(3) != Some(&*self.region.name);
        if elsewhere {
            return Err(invalid(format!("A rule invokes functions of its own Region, not {function}")));
        }
        let event = json_of(output)?;
        self.world.lambda.invoke_event(self.world, &self.region.name, function, event)
    }

    fn start(self, machine: &str, prefix: Option<&Template>, output: &Output) -> Result<(), AwsError> {
        let input = String::from_utf8(json_of(output)?.into())
            .map_err(|_| invalid("The StepFunctions action takes JSON"))?;
        let id = uuid::Uuid::new_v4();
        let name = prefix.map_or_else(|| id.to_string(), |prefix| format!("{}{id}", self.fill(prefix)));
        states::start_from_rule(self.world, &self.region.name, machine, &name, &input)
    }

    fn republish(self, republish: &Republish, topic: &str, output: &Output) -> Result<(), AwsError> {
        let topic = match topic.strip_prefix("$$") {
            Some(reserved) => format!("${reserved}"),
            None if topic.starts_with('$') => {
                return Err(invalid("Reserved topics are written with $$"));
            }
            None => topic.to_owned(),
        };
        if !self.publisher.chain.grow() {
            return Err(AwsError::new(
                429,
                "LimitExceededException",
                format!("Rules have republished {REPUBLISHES_MAX} messages because of one: a loop?"),
            ));
        }
        let qos = if republish.at_least_once { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let (properties, expiry) = match &republish.headers {
            Some(headers) => self.headers(headers).map(|(properties, expiry)| (Some(properties), expiry))?,
            None => (None, None),
        };
        let outgoing = mqtt::Republish { topic, payload: output.bytes(), qos, properties, expiry };
        let publisher = Publisher::service(self.publisher.chain);
        mqtt::republish(self.world, self.region, outgoing, publisher)
            .map_err(|why| AwsError::new(400, "InvalidRequestException", why))
    }

    fn headers(self, headers: &Headers) -> Result<(Properties, Option<Duration>), AwsError> {
        let filled =
            |template: &Option<Template>| template.as_ref().map(|t| self.fill(t)).filter(|t| !t.is_empty());
        let is_utf8 = match filled(&headers.payload_format).as_deref() {
            None | Some("UNSPECIFIED_BYTES") => false,
            Some("UTF8_DATA") => true,
            Some(other) => return Err(invalid(format!("There is no payload format {other}"))),
        };
        let correlation = filled(&headers.correlation_data).map(|text| STANDARD.decode(text)).transpose();
        let correlation = correlation.map_err(|e| invalid(format!("correlationData is not base64: {e}")))?;
        let expiry = filled(&headers.expiry).map(|text| text.parse::<u32>()).transpose();
        let expiry = expiry.map_err(|e| invalid(format!("messageExpiry is no number of seconds: {e}")))?;
        let properties = Properties {
            is_utf8,
            content_type: filled(&headers.content_type).map(Into::into),
            response_topic: filled(&headers.response_topic).map(Into::into),
            correlation_data: correlation.map(Into::into),
            user: headers
                .user
                .iter()
                .map(|(key, value)| (self.fill(key).into(), self.fill(value).into()))
                .collect(),
        };
        Ok((properties, expiry.map(|s| Duration::from_secs(s.into()))))
    }
}

/// The result as JSON, which services that take nothing else are given.
fn json_of(output: &Output) -> Result<Bytes, AwsError> {
    let bytes = output.bytes();
    let is_json = match output {
        Output::Json(_) => true,
        Output::Raw(bytes) => serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok(),
    };
    if is_json { Ok(bytes) } else { Err(invalid("The action takes JSON; encode(*, 'base64') makes some")) }
}
