//! The operations on messages.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    Receive,
    api::{Context, input, queue_name, seconds},
    message::{Attribute, Message, Received, Value, attributes_md5, body_md5},
};
use crate::error::AwsError;

const DELAY_S_MAX: i64 = 900;
const VISIBILITY_S_MAX: i64 = 43_200;
const WAIT_S_MAX: i64 = 20;
const BATCH_MAX: usize = 10;
const BATCH_BYTES_MAX: usize = 1_048_576;
const ID_CHARS_MAX: usize = 80;
const ATTRIBUTES_MAX: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToSend {
    message_body: String,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, AttributeInput>,
    message_deduplication_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeInput {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<String>,
}

/// Whether SQS takes this character: those of XML 1.0.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidParameterValue", message)
}

impl AttributeInput {
    fn read(self, name: &str) -> Result<Attribute, AwsError> {
        let kind = self.data_type.split('.').next().unwrap_or_default();
        let value = match (kind, self.string_value, self.binary_value) {
            ("String" | "Number", Some(text), None) if !text.is_empty() => Value::Text(text),
            ("Binary", None, Some(text)) => Value::Binary(
                STANDARD
                    .decode(text)
                    .map_err(|e| invalid(format!("The attribute '{name}' is not base64: {e}")))?,
            ),
            ("String" | "Number" | "Binary", ..) => {
                let message = format!(
                    "The message attribute '{name}' must contain non-empty message attribute value for message \
                     attribute type '{kind}'."
                );
                return Err(invalid(message));
            }
            _ => {
                let message = format!(
                    "The message attribute '{name}' has an invalid message attribute type, the set of supported \
                     type prefixes is Binary, Number, and String."
                );
                return Err(invalid(message));
            }
        };
        Ok(Attribute { data_type: self.data_type, value })
    }
}

impl ToSend {
    fn read(self, now_ms: i64) -> Result<(Message, Option<std::time::Duration>), AwsError> {
        if self.message_body.is_empty() {
            let message = "The request must contain the parameter MessageBody.";
            return Err(AwsError::new(400, "MissingParameter", message));
        }
        if !self.message_body.chars().all(is_allowed) {
            let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                           #xE000 to #xFFFD | #x10000 to #x10FFFF";
            return Err(AwsError::new(400, "InvalidMessageContents", message));
        }
        if self.message_deduplication_id.is_some() {
            return Err(invalid("MessageDeduplicationId is of FIFO queues, which the twin does not have"));
        }
        if self.message_attributes.len() > ATTRIBUTES_MAX {
            return Err(invalid(format!(
                "Number of message attributes exceeds the allowed {ATTRIBUTES_MAX}"
            )));
        }
        let delay = self.delay_seconds.map(|s| seconds("DelaySeconds", s, DELAY_S_MAX)).transpose()?;
        let attributes = self.message_attributes.into_iter().map(|(name, attribute)| {
            let attribute = attribute.read(&name)?;
            Ok::<_, AwsError>((name, attribute))
        });
        Ok((Message::new(self.message_body, attributes.collect::<Result<_, _>>()?, now_ms), delay))
    }
}

/// What the sender of a message is told.
fn receipt(message: &Message) -> Json {
    let mut receipt = json!({"MessageId": message.id, "MD5OfMessageBody": body_md5(&message.body)});
    if let Some(md5) = attributes_md5(message.attributes.iter()) {
        receipt["MD5OfMessageAttributes"] = json!(md5);
    }
    receipt
}

pub(super) fn send_message(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let url = url_of(&request)?;
    let (message, delay) = input::<ToSend>(request)?.read(context.now_ms)?;
    let receipt = receipt(&message);
    context.with(&url, |queue| queue.send(message, delay))?;
    Ok(receipt)
}

pub(super) fn send_message_batch(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let bytes = |entry: &Json| entry["MessageBody"].as_str().map_or(0, str::len);
    let entries = request["Entries"].as_array().map_or(0, |entries| entries.iter().map(bytes).sum::<usize>());
    if entries > BATCH_BYTES_MAX {
        let message = format!(
            "Batch requests cannot be longer than {BATCH_BYTES_MAX} bytes. You have sent {entries} bytes."
        );
        return Err(AwsError::new(400, "BatchRequestTooLong", message));
    }
    batch(context, request, |url, entry| {
        let (message, delay) = input::<ToSend>(entry)?.read(context.now_ms)?;
        let receipt = receipt(&message);
        context.with(url, |queue| queue.send(message, delay))?;
        Ok(receipt)
    })
}

pub(super) fn delete_message(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let url = url_of(&request)?;
    delete(context, &url, request)
}

pub(super) fn delete_message_batch(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    batch(context, request, |url, entry| delete(context, url, entry))
}

fn delete(context: &Context<'_>, url: &str, request: Json) -> Result<Json, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Delete {
        receipt_handle: String,
    }
    let Delete { receipt_handle } = input(request)?;
    context.with(url, |queue| queue.delete(&receipt_handle))?;
    Ok(json!({}))
}

pub(super) fn change_message_visibility(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let url = url_of(&request)?;
    hide(context, &url, request)
}

pub(super) fn change_message_visibility_batch(
    context: &Context<'_>,
    request: Json,
) -> Result<Json, AwsError> {
    batch(context, request, |url, entry| hide(context, url, entry))
}

fn hide(context: &Context<'_>, url: &str, request: Json) -> Result<Json, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Change {
        receipt_handle: String,
        visibility_timeout: i64,
    }
    let Change { receipt_handle, visibility_timeout } = input(request)?;
    let time = seconds("VisibilityTimeout", visibility_timeout, VISIBILITY_S_MAX)?;
    context.with(url, |queue| queue.hide(&receipt_handle, time, context.now_ms))?;
    Ok(json!({}))
}

fn url_of(request: &Json) -> Result<String, AwsError> {
    let url = request["QueueUrl"].as_str().filter(|url| !url.is_empty()).map(str::to_owned);
    url.ok_or_else(|| {
        AwsError::new(400, "MissingParameter", "The request must contain the parameter QueueUrl.")
    })
}

/// Does a batch entry by entry, and tells which went wrong.
fn batch(
    context: &Context<'_>,
    mut request: Json,
    one: impl Fn(&str, Json) -> Result<Json, AwsError>,
) -> Result<Json, AwsError> {
    let url = url_of(&request)?;
    context.with(&url, |_| Ok(()))?;
    let entries: Vec<Json> = input(request["Entries"].take())?;
    let ids: Vec<String> =
        entries.iter().map(|entry| entry["Id"].as_str().unwrap_or_default().to_owned()).collect();
    let refuse = |code, message: &str| Err(AwsError::new(400, code, message));
    if entries.is_empty() {
        return refuse("EmptyBatchRequest", "There should be at least one entry in the request.");
    }
    if entries.len() > BATCH_MAX {
        return refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.");
    }
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if ids.iter().any(|id| id.is_empty() || id.len() > ID_CHARS_MAX || !id.chars().all(is_id)) {
        let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be \
                       at most 80 letters long.";
        return refuse("InvalidBatchEntryId", message);
    }
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return refuse(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id.",
        );
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, entry) in ids.into_iter().zip(entries) {
        match one(&url, entry) {
            Ok(mut answer) => {
                answer["Id"] = json!(id);
                successful.push(answer);
            }
            Err(error) => failed.push(json!({
                "Id": id, "SenderFault": error.status < 500, "Code": error.code, "Message": error.message,
            })),
        }
    }
    let mut answer = json!({});
    for (name, entries) in [("Successful", successful), ("Failed", failed)] {
        if !entries.is_empty() {
            answer[name] = json!(entries);
        }
    }
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

pub(super) async fn receive_message(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: ReceiveMessage = input(request)?;
    let count_max = request.max_number_of_messages.unwrap_or(1);
    if !(1..=BATCH_MAX).contains(&count_max) {
        let message = format!(
            "Value {count_max} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if \
             provided."
        );
        return Err(invalid(message));
    }
    let wait = request.wait_time_seconds.map(|s| seconds("WaitTimeSeconds", s, WAIT_S_MAX)).transpose()?;
    let visibility =
        request.visibility_timeout.map(|s| seconds("VisibilityTimeout", s, VISIBILITY_S_MAX)).transpose()?;
    let how = Receive { count_max, wait, visibility };
    let name = queue_name(&request.queue_url);
    let received = context.world.sqs.receive(context.world, context.region, name, how).await?;
    if received.is_empty() {
        return Ok(json!({}));
    }
    let messages: Vec<Json> = received.iter().map(|r| message_json(r, &request, context)).collect();
    Ok(json!({"Messages": messages}))
}

fn message_json(received: &Received, request: &ReceiveMessage, context: &Context<'_>) -> Json {
    let Received { message, handle } = received;
    let mut answer = json!({
        "MessageId": message.id,
        "ReceiptHandle": handle,
        "Body": message.body,
        "MD5OfBody": body_md5(&message.body),
    });
    let asked = |name: &str| {
        let names = request.attribute_names.iter().chain(&request.message_system_attribute_names);
        names.into_iter().any(|n| n == "All" || n == name)
    };
    let system: BTreeMap<&str, String> = system_attributes(message, &context.world.account)
        .into_iter()
        .filter(|(name, _)| asked(name))
        .collect();
    if !system.is_empty() {
        answer["Attributes"] = json!(system);
    }
    let wanted = |name: &str| {
        request.message_attribute_names.iter().any(|pattern| match pattern.as_str() {
            "All" | ".*" => true,
            pattern => pattern.strip_suffix(".*").map_or(name == pattern, |prefix| name.starts_with(prefix)),
        })
    };
    let chosen = || message.attributes.iter().filter(|(name, _)| wanted(name));
    if let Some(md5) = attributes_md5(chosen()) {
        answer["MD5OfMessageAttributes"] = json!(md5);
        answer["MessageAttributes"] = chosen()
            .map(|(name, attribute)| {
                let (member, value) = match &attribute.value {
                    Value::Text(text) => ("StringValue", text.clone()),
                    Value::Binary(bytes) => ("BinaryValue", STANDARD.encode(bytes)),
                };
                (name.clone(), json!({"DataType": attribute.data_type, member: value}))
            })
            .collect();
    }
    answer
}

/// What the queue says of a message.
fn system_attributes(message: &Message, account: &str) -> BTreeMap<&'static str, String> {
    let mut attributes = BTreeMap::from([
        ("SenderId", account.to_owned()),
        ("SentTimestamp", message.sent_ms.to_string()),
        ("ApproximateReceiveCount", message.receives.to_string()),
    ]);
    if let Some(first) = message.first_received_ms {
        attributes.insert("ApproximateFirstReceiveTimestamp", first.to_string());
    }
    if let Some(source) = &message.buried_from {
        attributes.insert("DeadLetterQueueSourceArn", source.clone());
    }
    attributes
}

impl Received {
    /// The message as a function is given it.
    pub(crate) fn to_event(&self, arn: &str, region: &str, account: &str) -> Json {
        let attributes: BTreeMap<&String, Json> = self
            .message
            .attributes
            .iter()
            .map(|(name, attribute)| {
                let (member, value) = match &attribute.value {
                    Value::Text(text) => ("stringValue", text.clone()),
                    Value::Binary(bytes) => ("binaryValue", STANDARD.encode(bytes)),
                };
                let event = json!({
                    "dataType": attribute.data_type, member: value, "stringListValues": [], "binaryListValues": [],
                });
                (name, event)
            })
            .collect();
        let mut event = json!({
            "messageId": self.message.id,
            "receiptHandle": self.handle,
            "body": self.message.body,
            "attributes": system_attributes(&self.message, account),
            "messageAttributes": attributes,
            "md5OfBody": body_md5(&self.message.body),
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": region,
        });
        if let Some(md5) = attributes_md5(self.message.attributes.iter()) {
            event["md5OfMessageAttributes"] = json!(md5);
        }
        event
    }
}
