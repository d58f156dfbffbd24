//! Queues, schedules, event rules and buckets: `AWS::SQS`, `AWS::Events`, `AWS::Scheduler`, `AWS::S3`.

use axum::http::Method;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::{Failure, Job, Made, document, own_tags, picked, required, segment, text, typed};
use crate::cloudformation::client::Rest;

/// Properties of a queue that are its attributes.
const QUEUE_ATTRIBUTES: &[&str] = &[
    "ContentBasedDeduplication",
    "DelaySeconds",
    "FifoQueue",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];
const RULE: &[&str] = &["Description", "EventBusName", "RoleArn", "ScheduleExpression", "State", "Tags"];
const SCHEDULE: &[&str] = &[
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
];
const TYPED: &[&str] = &["MaximumEventAgeInSeconds", "MaximumRetryAttempts", "MaximumWindowInMinutes"];

async fn sqs(job: &Job<'_>, operation: &str, body: &Json) -> Result<Json, Failure> {
    job.client().rpc("sqs", &format!("AmazonSQS.{operation}"), body).await
}

async fn events(job: &Job<'_>, operation: &str, body: &Json) -> Result<Json, Failure> {
    job.client().rpc("events", &format!("AWSEvents.{operation}"), body).await
}

pub(super) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::SQS::Queue" => {
            let mut name = job.name(properties, "QueueName", 80 - ".fifo".len());
            let is_fifo = text(&properties["FifoQueue"]).is_some_and(|flag| flag == "true");
            if is_fifo && properties["QueueName"].is_null() {
                name.push_str(".fifo");
            }
            let tags = own_tags(&properties["Tags"]);
            let request = json!({"QueueName": name, "Attributes": attributes(properties), "tags": tags});
            let answer = sqs(job, "CreateQueue", &request).await?;
            Ok(queue(job, &text(&answer["QueueUrl"]).unwrap_or_default()))
        }
        "AWS::SQS::QueuePolicy" => {
            let id = format!("{}-{}-{}", job.stack_name, job.logical, super::suffix());
            set_policies(job, properties, &document(&properties["PolicyDocument"])).await?;
            Ok(Made::new(id.clone(), [("Id", json!(id))]))
        }
        "AWS::Events::Rule" => put_rule(job, &job.name(properties, "Name", 64), &json!({}), properties).await,
        "AWS::Scheduler::Schedule" => {
            let name = job.name(properties, "Name", 64);
            put_schedule(job, Method::POST, &name, properties).await
        }
        "AWS::S3::Bucket" => bucket(job, properties).await,
        other => Err(Failure::new(format!("The twin does not make resources of type {other}"))),
    }
}

/// Attributes of a queue are text, policies are JSON in text.
fn attributes(properties: &Json) -> Json {
    let attributes: Map<String, Json> = QUEUE_ATTRIBUTES
        .iter()
        .filter_map(|name| {
            let value = properties.get(name)?;
            Some(((*name).to_owned(), json!(text(value).unwrap_or_else(|| value.to_string()))))
        })
        .collect();
    Json::Object(attributes)
}

fn queue(job: &Job<'_>, url: &str) -> Made {
    let name = url.rsplit('/').next().unwrap_or_default();
    let arn = json!(job.arn("sqs", name));
    Made::new(url, [("Arn", arn), ("QueueName", json!(name)), ("QueueUrl", json!(url))])
}

async fn set_policies(job: &Job<'_>, properties: &Json, policy: &str) -> Result<(), Failure> {
    for url in properties["Queues"].as_array().into_iter().flatten().filter_map(text) {
        let request = json!({"QueueUrl": url, "Attributes": {"Policy": policy}});
        sqs(job, "SetQueueAttributes", &request).await?;
    }
    Ok(())
}

/// Makes the rule, or makes it what it shall be, with its targets.
async fn put_rule(job: &Job<'_>, name: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    let mut request = picked(new, RULE);
    request["Name"] = json!(name);
    if let Some(pattern) = new.get("EventPattern") {
        request["EventPattern"] = json!(document(pattern));
    }
    let answer = events(job, "PutRule", &request).await?;
    let made = Made::new(name, [("Arn", answer["RuleArn"].clone())]);
    put_targets(job, name, old, new).await.map_err(|failure| failure.leaving(name))?;
    Ok(made)
}

fn target_ids(properties: &Json) -> Vec<String> {
    properties["Targets"].as_array().into_iter().flatten().filter_map(|target| text(&target["Id"])).collect()
}

/// A request about a rule, on the bus that its properties name.
fn of_rule(name: &str, properties: &Json, member: &str, value: &Json) -> Json {
    let mut request = json!({"Rule": name, member: value});
    if let Some(bus) = properties.get("EventBusName") {
        request["EventBusName"] = bus.clone();
    }
    request
}

async fn put_targets(job: &Job<'_>, name: &str, old: &Json, new: &Json) -> Result<(), Failure> {
    let kept = target_ids(new);
    let dropped: Vec<String> = target_ids(old).into_iter().filter(|id| !kept.contains(id)).collect();
    if !dropped.is_empty() {
        events(job, "RemoveTargets", &of_rule(name, old, "Ids", &json!(dropped))).await?;
    }
    if !kept.is_empty() {
        let targets = typed(new["Targets"].clone(), TYPED);
        let answer = events(job, "PutTargets", &of_rule(name, new, "Targets", &targets)).await?;
        if answer["FailedEntryCount"].as_i64().unwrap_or(0) > 0 {
            return Err(Failure::new(format!("Targets were refused: {}", answer["FailedEntries"])));
        }
    }
    Ok(())
}

async fn put_schedule(job: &Job<'_>, method: Method, name: &str, properties: &Json) -> Result<Made, Failure> {
    let request = typed(picked(properties, SCHEDULE), TYPED);
    let path = format!("/schedules/{}", segment(name));
    let answer = job.client().rest("scheduler", method, &path, &request).await?;
    Ok(Made::new(name, [("Arn", answer["ScheduleArn"].clone())]))
}

async fn bucket(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    let name = job.name(properties, "BucketName", 63);
    // Names of buckets have no capitals.
    let name = if properties["BucketName"].is_null() { name.to_ascii_lowercase() } else { name };
    let location = match job.region {
        "us-east-1" => String::new(),
        region => format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        ),
    };
    put_s3(job, &name, &[], location).await?;
    version(job, &name, properties).await.map_err(|failure| failure.leaving(&name))?;
    Ok(bucket_made(job, &name))
}

fn bucket_made(job: &Job<'_>, name: &str) -> Made {
    let regional = format!("{name}.s3.{}.amazonaws.com", job.region);
    Made::new(
        name,
        [
            ("Arn", json!(format!("arn:aws:s3:::{name}"))),
            ("DomainName", json!(format!("{name}.s3.amazonaws.com"))),
            ("RegionalDomainName", json!(regional)),
        ],
    )
}

async fn put_s3(job: &Job<'_>, name: &str, query: &[(&str, &str)], body: String) -> Result<(), Failure> {
    let rest = Rest { query, body: Bytes::from(body), ..Rest::default() };
    job.client().send("s3", Method::PUT, &format!("/{name}"), rest).await.map(drop)
}

async fn version(job: &Job<'_>, name: &str, properties: &Json) -> Result<(), Failure> {
    let Some(status) = text(&properties["VersioningConfiguration"]["Status"]) else { return Ok(()) };
    let status = quick_xml::escape::escape(status);
    let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    put_s3(job, name, &[("versioning", "")], body).await
}

pub(super) async fn update(job: &Job<'_>, id: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::SQS::Queue" => {
            let mut request = json!({"QueueUrl": id, "Attributes": attributes(new)});
            if let Some(attributes) = request["Attributes"].as_object_mut() {
                attributes.remove("FifoQueue");
            }
            sqs(job, "SetQueueAttributes", &request).await?;
            Ok(queue(job, id))
        }
        "AWS::SQS::QueuePolicy" => {
            set_policies(job, old, "").await?;
            set_policies(job, new, &document(&new["PolicyDocument"])).await?;
            Ok(Made::new(id, [("Id", json!(id))]))
        }
        "AWS::Events::Rule" => put_rule(job, id, old, new).await,
        "AWS::Scheduler::Schedule" => put_schedule(job, Method::PUT, id, new).await,
        _ => {
            version(job, id, new).await?;
            Ok(bucket_made(job, id))
        }
    }
}

pub(super) async fn delete(job: &Job<'_>, id: &str, properties: &Json) -> Result<(), Failure> {
    match job.kind {
        "AWS::SQS::Queue" => sqs(job, "DeleteQueue", &json!({"QueueUrl": id})).await.map(drop),
        "AWS::SQS::QueuePolicy" => set_policies(job, properties, "").await,
        "AWS::Events::Rule" => {
            let ids = target_ids(properties);
            if !ids.is_empty() {
                events(job, "RemoveTargets", &of_rule(id, properties, "Ids", &json!(ids))).await?;
            }
            let mut request = json!({"Name": id});
            if let Some(bus) = properties.get("EventBusName") {
                request["EventBusName"] = bus.clone();
            }
            events(job, "DeleteRule", &request).await.map(drop)
        }
        "AWS::Scheduler::Schedule" => {
            let group = required(properties, "GroupName").unwrap_or_else(|_| "default".to_owned());
            let rest = Rest { query: &[("groupName", &group)], ..Rest::default() };
            let path = format!("/schedules/{}", segment(id));
            job.client().send("scheduler", Method::DELETE, &path, rest).await.map(drop)
        }
        _ => job.client().send("s3", Method::DELETE, &format!("/{id}"), Rest::default()).await.map(drop),
    }
}
