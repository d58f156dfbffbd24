//! The JSON 1.0 codec of SQS, and the operations on queues.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

use super::{
    QUEUES_MAX, message_api,
    queue::Queue,
    setting::{Settings, unknown},
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const NAME_CHARS_MAX: usize = 80;
const PAGE_SIZE_MAX: usize = 1_000;
const TAGS_MAX: usize = 50;
/// Attributes that a queue need not have.
const NOT_SET: [&str; 3] = ["Policy", "RedrivePolicy", "RedriveAllowPolicy"];

/// What an operation is given.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) region: &'a str,
    pub(crate) now_ms: i64,
}

type Operation = fn(&Context<'_>, Json) -> Result<Json, AwsError>;

/// The operations that do not wait.
const OPERATIONS: &[(&str, Operation)] = &[
    ("CreateQueue", create_queue),
    ("GetQueueUrl", get_queue_url),
    ("GetQueueAttributes", get_queue_attributes),
    ("SetQueueAttributes", set_queue_attributes),
    ("ListQueues", list_queues),
    ("DeleteQueue", delete_queue),
    ("PurgeQueue", purge_queue),
    ("TagQueue", tag_queue),
    ("UntagQueue", untag_queue),
    ("ListQueueTags", list_queue_tags),
    ("SendMessage", message_api::send_message),
    ("SendMessageBatch", message_api::send_message_batch),
    ("DeleteMessage", message_api::delete_message),
    ("DeleteMessageBatch", message_api::delete_message_batch),
    ("ChangeMessageVisibility", message_api::change_message_visibility),
    ("ChangeMessageVisibilityBatch", message_api::change_message_visibility_batch),
];

/// Answers a call.
pub(crate) async fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let name = call.target().unwrap_or_default();
    let context = Context { world, region: &call.region, now_ms: world.clock.now_ms() };
    let answer = if name == "ReceiveMessage" {
        message_api::receive_message(&context, call.json()?).await?
    } else {
        let Some((_, operation)) = OPERATIONS.iter().find(|(n, _)| *n == name) else {
            let message = format!("The twin does not have the operation {name}");
            return Err(AwsError::new(400, "UnknownOperationException", message));
        };
        operation(&context, call.json()?)?
    };
    Ok(Reply::raw(200, CONTENT_TYPE, answer.to_string()))
}

/// An error as SQS writes it: the JSON protocol's name, and in a header the one of the query protocol before it.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    let namespace = if error.code == "UnknownOperationException" || error.code == "SerializationException" {
        "com.amazon.coral.service"
    } else {
        "com.amazonaws.sqs"
    };
    let before = match error.code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists" => "QueueAlreadyExists",
        "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest",
        "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "BatchRequestTooLong" => "AWS.SimpleQueueService.BatchRequestTooLong",
        "InvalidBatchEntryId" => "AWS.SimpleQueueService.InvalidBatchEntryId",
        "UnsupportedOperation" => "AWS.SimpleQueueService.UnsupportedOperation",
        other => other,
    };
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    let body = json!({"__type": format!("{namespace}#{}", error.code), "message": error.message});
    let mut reply = Reply::raw(error.status, CONTENT_TYPE, body.to_string());
    reply.headers.push(("x-amzn-query-error", format!("{before};{fault}")));
    reply
}

/// The request as the operation's input.
pub(crate) fn input<T: DeserializeOwned>(request: Json) -> Result<T, AwsError> {
    serde_json::from_value(request).map_err(|e| AwsError::new(400, "SerializationException", e.to_string()))
}

/// A call about one queue that says nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfQueue {
    queue_url: String,
}

impl Context<'_> {
    /// Does something with the queue of a URL.
    pub(crate) fn with<T>(
        &self,
        url: &str,
        work: impl FnOnce(&mut Queue) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        self.world.sqs.with(self.region, queue_name(url), work)
    }

    fn url(&self, name: &str) -> Json {
        json!(format!("{}/{}/{name}", self.world.api_url, self.world.account))
    }

    /// The attributes on top of settings.
    fn settings(
        &self,
        before: Settings,
        attributes: &BTreeMap<String, String>,
    ) -> Result<Settings, AwsError> {
        before.with(attributes, |arn| self.world.sqs.queue_of_arn(self.region, arn).is_some())
    }
}

/// The queue that a URL ends with.
pub(crate) fn queue_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateQueue {
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags")]
    tags: BTreeMap<String, String>,
}

fn create_queue(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: CreateQueue = input(request)?;
    let name = request.queue_name;
    if name.strip_suffix(".fifo").is_some() {
        let message = "The twin has standard queues only, not FIFO queues";
        return Err(AwsError::new(400, "UnsupportedOperation", message));
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_allowed) {
        let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return Err(AwsError::new(400, "InvalidParameterValue", message));
    }
    check_tags(request.tags.len())?;
    let settings = context.settings(Settings::default(), &request.attributes)?;
    let arn = format!("arn:aws:sqs:{}:{}:{name}", context.region, context.world.account);
    let mut queues = context.world.sqs.queues.lock();
    let key = (context.region.to_owned(), name.clone());
    if let Some(there) = queues.get(&key) {
        let (wanted, has) = (settings.attributes(), there.settings.attributes());
        if let Some(other) = request.attributes.keys().find(|a| wanted.get(*a) != has.get(*a)) {
            let message = format!(
                "A queue already exists with the same name and a different value for attribute {other}"
            );
            return Err(AwsError::new(400, "QueueNameExists", message));
        }
        return Ok(json!({"QueueUrl": context.url(&name)}));
    }
    if queues.keys().filter(|(region, _)| region == context.region).count() >= QUEUES_MAX {
        return Err(AwsError::new(
            403,
            "RequestThrottled",
            format!("The twin has at most {QUEUES_MAX} queues"),
        ));
    }
    let mut queue =
        Queue::new(arn, settings, context.now_ms / 1_000, Arc::clone(&context.world.sqs.held_bytes));
    queue.tags = request.tags;
    queues.insert(key, queue);
    Ok(json!({"QueueUrl": context.url(&name)}))
}

fn get_queue_url(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct GetQueueUrl {
        queue_name: String,
    }
    let GetQueueUrl { queue_name } = input(request)?;
    context.with(&queue_name, |_| Ok(()))?;
    Ok(json!({"QueueUrl": context.url(&queue_name)}))
}

fn get_queue_attributes(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct GetQueueAttributes {
        queue_url: String,
        #[serde(default)]
        attribute_names: Vec<String>,
    }
    let request: GetQueueAttributes = input(request)?;
    let mut attributes = context.with(&request.queue_url, |queue| {
        let counts = queue.counts(context.now_ms);
        let mut attributes = queue.settings.attributes();
        attributes.extend(
            [
                ("QueueArn", queue.arn.clone()),
                ("CreatedTimestamp", queue.created_s.to_string()),
                ("LastModifiedTimestamp", queue.modified_s.to_string()),
                ("ApproximateNumberOfMessages", counts.visible.to_string()),
                ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
                ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(attributes)
    })?;
    let asked = &request.attribute_names;
    if asked.is_empty() {
        return Ok(json!({}));
    }
    if let Some(name) =
        asked.iter().find(|n| *n != "All" && !attributes.contains_key(*n) && !NOT_SET.contains(&n.as_str()))
    {
        return Err(unknown(name));
    }
    if !asked.iter().any(|name| name == "All") {
        attributes.retain(|name, _| asked.contains(name));
    }
    Ok(json!({"Attributes": attributes}))
}

fn set_queue_attributes(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct SetQueueAttributes {
        queue_url: String,
        attributes: BTreeMap<String, String>,
    }
    let request: SetQueueAttributes = input(request)?;
    let before = context.with(&request.queue_url, |queue| Ok(queue.settings.clone()))?;
    let settings = context.settings(before, &request.attributes)?;
    context.with(&request.queue_url, |queue| {
        queue.settings = settings;
        queue.modified_s = context.now_ms / 1_000;
        Ok(json!({}))
    })
}

fn list_queues(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct ListQueues {
        #[serde(default)]
        queue_name_prefix: String,
        max_results: Option<usize>,
        next_token: Option<String>,
    }
    let request: ListQueues = input(request)?;
    let queues = context.world.sqs.queues.lock();
    let mut names = queues
        .keys()
        .filter(|(region, name)| region == context.region && name.starts_with(&request.queue_name_prefix))
        .map(|(_, name)| name)
        .filter(|name| request.next_token.as_ref().is_none_or(|after| *name > after))
        .peekable();
    let size = request.max_results.unwrap_or(PAGE_SIZE_MAX).clamp(1, PAGE_SIZE_MAX);
    let page: Vec<&String> = names.by_ref().take(size).collect();
    let mut answer = json!({});
    if !page.is_empty() {
        answer["QueueUrls"] = page.iter().map(|name| context.url(name)).collect();
    }
    // Without MaxResults AWS gives a thousand and no token.
    if let (Some(last), Some(_), true) = (page.last(), names.peek(), request.max_results.is_some()) {
        answer["NextToken"] = json!(last);
    }
    Ok(answer)
}

fn delete_queue(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let OfQueue { queue_url } = input(request)?;
    let key = (context.region.to_owned(), queue_name(&queue_url).to_owned());
    context.world.sqs.queues.lock().remove(&key).ok_or_else(super::no_queue)?;
    Ok(json!({}))
}

fn purge_queue(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let OfQueue { queue_url } = input(request)?;
    context.with(&queue_url, |queue| {
        queue.purge();
        Ok(json!({}))
    })
}

fn tag_queue(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct TagQueue {
        queue_url: String,
        tags: BTreeMap<String, String>,
    }
    let request: TagQueue = input(request)?;
    context.with(&request.queue_url, |queue| {
        let mut tags = queue.tags.clone();
        tags.extend(request.tags);
        check_tags(tags.len())?;
        queue.tags = tags;
        Ok(json!({}))
    })
}

fn untag_queue(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct UntagQueue {
        queue_url: String,
        tag_keys: Vec<String>,
    }
    let request: UntagQueue = input(request)?;
    context.with(&request.queue_url, |queue| {
        queue.tags.retain(|key, _| !request.tag_keys.contains(key));
        Ok(json!({}))
    })
}

fn list_queue_tags(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let OfQueue { queue_url } = input(request)?;
    context.with(&queue_url, |queue| Ok(json!({"Tags": queue.tags})))
}

fn check_tags(count: usize) -> Result<(), AwsError> {
    if count > TAGS_MAX {
        let message = format!("Too many tags added for queue: at most {TAGS_MAX}");
        return Err(AwsError::new(400, "InvalidParameterValue", message));
    }
    Ok(())
}

/// Seconds of a call, checked.
pub(crate) fn seconds(name: &str, value: i64, max: i64) -> Result<Duration, AwsError> {
    if (0..=max).contains(&value) {
        return Ok(Duration::from_secs(value.unsigned_abs()));
    }
    let message = format!(
        "Value {value} for parameter {name} is invalid. Reason: Must be between 0 and {max}, if provided."
    );
    Err(AwsError::new(400, "InvalidParameterValue", message))
}
