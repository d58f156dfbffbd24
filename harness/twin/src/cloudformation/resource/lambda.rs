//! The types of `AWS::Lambda`. Code comes from S3, as for every runtime but Node.js and Python on AWS.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Map, Value as Json, json};

use super::{Failure, Job, Made, required, segment, text, typed};
use crate::cloudformation::change_set::changed;

/// A function becomes active, or takes a change, within this.
const READY_TRIES_MAX: u32 = 600;
const READY_WAIT: Duration = Duration::from_millis(100);
const FUNCTIONS: &str = "/2015-03-31/functions";
const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const TYPED: &[&str] = &[
    "BatchSize",
    "BisectBatchOnFunctionError",
    "Enabled",
    "MaximumBatchingWindowInSeconds",
    "MaximumConcurrency",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "MemorySize",
    "ParallelizationFactor",
    "ReservedConcurrentExecutions",
    "Size",
    "Timeout",
];
const CONFIGURATION: &[&str] = &[
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
];
const MAPPING: &[&str] = &[
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "Enabled",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "ScalingConfig",
];

async fn call(job: &Job<'_>, method: Method, path: &str, body: &Json) -> Result<Json, Failure> {
    job.client().rest("lambda", method, path, body).await
}

pub(super) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::Lambda::Function" => {
            let name = job.name(properties, "FunctionName", 64);
            let mut body = configuration(properties);
            body["FunctionName"] = json!(name);
            body["Code"] = code(properties)?;
            body["Tags"] = json!(job.tags(&properties["Tags"]));
            for member in ["Architectures", "PackageType"] {
                if let Some(value) = properties.get(member) {
                    body[member] = value.clone();
                }
            }
            call(job, Method::POST, FUNCTIONS, &body).await?;
            finish(job, &name, properties).await.map_err(|failure| failure.leaving(&name))
        }
        "AWS::Lambda::Permission" => {
            let function = required(properties, "FunctionName")?;
            let id = format!("{}-{}-{}", job.stack_name, job.logical, super::suffix());
            let mut body = properties.clone();
            body["StatementId"] = json!(id);
            call(job, Method::POST, &format!("{FUNCTIONS}/{}/policy", segment(&function)), &body).await?;
            Ok(Made::new(id.clone(), [("Id", json!(id))]))
        }
        "AWS::Lambda::EventSourceMapping" => {
            let mut body = typed(super::picked(properties, MAPPING), TYPED);
            for member in ["EventSourceArn", "StartingPosition"] {
                if let Some(value) = properties.get(member) {
                    body[member] = value.clone();
                }
            }
            let made = call(job, Method::POST, &format!("{MAPPINGS}/"), &body).await?;
            Ok(mapping(job, &text(&made["UUID"]).unwrap_or_default()))
        }
        "AWS::Lambda::Url" => {
            let path = url_path(properties)?;
            let body = super::picked(properties, &["AuthType", "Cors", "InvokeMode"]);
            call(job, Method::POST, &path, &body).await.map(|made| url(&made))
        }
        other => Err(Failure::new(format!("The twin does not make resources of type {other}"))),
    }
}

/// Members of the configuration that the properties give.
fn configuration(properties: &Json) -> Json {
    let mut body = typed(super::picked(properties, CONFIGURATION), TYPED);
    if let Some(variables) = properties["Environment"]["Variables"].as_object() {
        let variables: Map<String, Json> =
            variables.iter().filter_map(|(name, value)| Some((name.clone(), json!(text(value)?)))).collect();
        body["Environment"]["Variables"] = Json::Object(variables);
    }
    body
}

fn code(properties: &Json) -> Result<Json, Failure> {
    let code = &properties["Code"];
    if code.get("ZipFile").is_some() {
        return Err(Failure::new(
            "Resource handler returned message: \"ZipFile can only be used when Runtime is set to any of nodejs, \
             python.\" (HandlerErrorCode: InvalidRequest)",
        ));
    }
    if code.get("ImageUri").is_some() {
        return Err(Failure::new("The twin does not run images"));
    }
    Ok(super::picked(code, &["S3Bucket", "S3Key", "S3ObjectVersion"]))
}

async fn finish(job: &Job<'_>, name: &str, properties: &Json) -> Result<Made, Failure> {
    let made = ready(job, name).await?;
    reserve(job, name, &json!({}), properties).await?;
    Ok(made)
}

async fn reserve(job: &Job<'_>, name: &str, old: &Json, new: &Json) -> Result<(), Failure> {
    let (before, after) = (&old["ReservedConcurrentExecutions"], &new["ReservedConcurrentExecutions"]);
    if before == after {
        return Ok(());
    }
    let path = format!("/2017-10-31/functions/{}/concurrency", segment(name));
    if after.is_null() {
        return call(job, Method::DELETE, &path, &Json::Null).await.map(drop);
    }
    let body = typed(super::picked(new, &["ReservedConcurrentExecutions"]), TYPED);
    call(job, Method::PUT, &path, &body).await.map(drop)
}

/// Waits until the function is active and no change of it is under way.
async fn ready(job: &Job<'_>, name: &str) -> Result<Made, Failure> {
    let path = format!("{FUNCTIONS}/{}/configuration", segment(name));
    for _ in 0..READY_TRIES_MAX {
        let found = call(job, Method::GET, &path, &Json::Null).await?;
        match (found["State"].as_str(), found["LastUpdateStatus"].as_str()) {
            (Some("Failed"), _) | (_, Some("Failed")) => {
                let reason = text(&found["StateReason"]).or_else(|| text(&found["LastUpdateStatusReason"]));
                return Err(Failure::new(reason.unwrap_or_else(|| format!("Function {name} failed"))));
            }
            (Some("Pending"), _) | (_, Some("InProgress")) => tokio::time::sleep(READY_WAIT).await,
            _ => return Ok(Made::new(name, [("Arn", found["FunctionArn"].clone())])),
        }
    }
    Err(Failure::new(format!("Function {name} did not stabilize")))
}

fn mapping(job: &Job<'_>, id: &str) -> Made {
    let arn = job.arn("lambda", &format!("event-source-mapping:{id}"));
    Made::new(id, [("Id", json!(id)), ("EventSourceMappingArn", json!(arn))])
}

fn url_path(properties: &Json) -> Result<String, Failure> {
    if properties.get("Qualifier").is_some() {
        return Err(Failure::new("The twin does not have versions and aliases of functions"));
    }
    let function = required(properties, "TargetFunctionArn")?;
    Ok(format!("/2021-10-31/functions/{}/url", segment(&function)))
}

fn url(made: &Json) -> Made {
    let arn = text(&made["FunctionArn"]).unwrap_or_default();
    Made::new(
        arn,
        [("FunctionArn", made["FunctionArn"].clone()), ("FunctionUrl", made["FunctionUrl"].clone())],
    )
}

pub(super) async fn update(job: &Job<'_>, id: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::Lambda::Function" => {
            let changed = changed(old, new);
            let path = format!("{FUNCTIONS}/{}", segment(id));
            if changed.contains("Code") {
                call(job, Method::PUT, &format!("{path}/code"), &code(new)?).await?;
                ready(job, id).await?;
            }
            if changed.iter().any(|name| CONFIGURATION.contains(&name.as_str())) {
                call(job, Method::PUT, &format!("{path}/configuration"), &configuration(new)).await?;
            }
            reserve(job, id, old, new).await?;
            ready(job, id).await
        }
        "AWS::Lambda::EventSourceMapping" => {
            let body = typed(super::picked(new, MAPPING), TYPED);
            call(job, Method::PUT, &format!("{MAPPINGS}/{id}"), &body).await?;
            Ok(mapping(job, id))
        }
        _ => {
            let body = super::picked(new, &["AuthType", "Cors", "InvokeMode"]);
            call(job, Method::PUT, &url_path(new)?, &body).await.map(|made| url(&made))
        }
    }
}

pub(super) async fn delete(job: &Job<'_>, id: &str, properties: &Json) -> Result<(), Failure> {
    let path = match job.kind {
        "AWS::Lambda::Function" => format!("{FUNCTIONS}/{}", segment(id)),
        "AWS::Lambda::Permission" => {
            let function = required(properties, "FunctionName")?;
            format!("{FUNCTIONS}/{}/policy/{}", segment(&function), segment(id))
        }
        "AWS::Lambda::EventSourceMapping" => format!("{MAPPINGS}/{id}"),
        _ => url_path(properties)?,
    };
    call(job, Method::DELETE, &path, &Json::Null).await.map(drop)
}
