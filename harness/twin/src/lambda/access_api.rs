//! The operations on what lets callers in: permissions, concurrency, URLs; and on tags.

use std::collections::BTreeMap;

use axum::http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{empty, input, invalid},
    function::{Function, FunctionUrl},
    url::new_host,
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

const TAGS_MAX: usize = 50;
/// Statements of a policy: AWS bounds its bytes, 20 KB.
const STATEMENTS_MAX: usize = 100;

fn missing() -> AwsError {
    AwsError::new(404, "ResourceNotFoundException", "The resource you requested does not exist.")
}

pub(super) fn get_policy(function: &Function) -> Result<Reply, AwsError> {
    let permissions = function.permissions.lock();
    if permissions.is_empty() {
        return Err(missing());
    }
    let statements: Vec<&Json> = permissions.values().collect();
    let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
    let revision = function.deployed().settings.revision.clone();
    Ok(Reply::json(200, &json!({"Policy": policy.to_string(), "RevisionId": revision})))
}

pub(super) fn add_permission(function: &Function, call: &Call) -> Result<Reply, AwsError> {
    let request = call.json()?;
    let text = |name: &str| request.get(name).and_then(Json::as_str);
    let id = text("StatementId").ok_or_else(|| invalid("StatementId is required"))?;
    let principal = match text("Principal") {
        Some("*") => json!("*"),
        Some(service) if service.ends_with(".amazonaws.com") => json!({"Service": service}),
        Some(account) => json!({"AWS": account}),
        None => return Err(invalid("Principal is required")),
    };
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": text("Action").ok_or_else(|| invalid("Action is required"))?,
        "Resource": function.arn,
    });
    let mut condition = json!({});
    if let Some(source) = text("SourceArn") {
        condition["ArnLike"] = json!({"AWS:SourceArn": source});
    }
    let equals: BTreeMap<&str, &str> = [
        ("AWS:SourceAccount", text("SourceAccount")),
        ("lambda:FunctionUrlAuthType", text("FunctionUrlAuthType")),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    if !equals.is_empty() {
        condition["StringEquals"] = json!(equals);
    }
    if condition != json!({}) {
        statement["Condition"] = condition;
    }
    let mut permissions = function.permissions.lock();
    if permissions.contains_key(id) {
        let message = format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the \
             existing statement."
        );
        return Err(AwsError::new(409, "ResourceConflictException", message));
    }
    if permissions.len() >= STATEMENTS_MAX {
        let message = format!("The twin has at most {STATEMENTS_MAX} statements in a policy");
        return Err(AwsError::new(400, "PolicyLengthExceededException", message));
    }
    permissions.insert(id.to_owned(), statement.clone());
    Ok(Reply::json(201, &json!({"Statement": statement.to_string()})))
}

pub(super) fn remove_permission(function: &Function, id: &str) -> Result<Reply, AwsError> {
    let removed = function.permissions.lock().remove(id);
    removed.map(|_| empty(204)).ok_or_else(|| {
        let message = format!("Statement {id} is not found in resource policy.");
        AwsError::new(404, "ResourceNotFoundException", message)
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    reserved_concurrent_executions: usize,
}

pub(super) fn put_concurrency(world: &World, function: &Function, call: &Call) -> Result<Reply, AwsError> {
    let Concurrency { reserved_concurrent_executions: limit } = input(call)?;
    let before = function.pool.reserved();
    function.pool.reserve(Some(limit));
    note_reserved(world, &function.region).inspect_err(|_| function.pool.reserve(before))?;
    Ok(Reply::json(200, &json!({"ReservedConcurrentExecutions": limit})))
}

pub(super) fn delete_concurrency(world: &World, function: &Function) -> Result<Reply, AwsError> {
    function.pool.reserve(None);
    note_reserved(world, &function.region)?;
    Ok(empty(204))
}

pub(super) fn get_concurrency(function: &Function) -> Reply {
    let reserved = function.pool.reserved();
    Reply::json(200, &reserved.map_or_else(|| json!({}), |r| json!({"ReservedConcurrentExecutions": r})))
}

/// Counts what a Region's functions have reserved, and refuses it if that is too much.
pub(super) fn note_reserved(world: &World, region: &str) -> Result<(), AwsError> {
    let functions = world.lambda.functions.lock();
    let here = functions.values().filter(|f| f.region == region);
    let reserved = here.filter_map(|f| f.pool.reserved()).fold(0, usize::saturating_add);
    drop(functions);
    world.lambda.account(region)?.reserve(reserved)
}

/// The operations on a function's tags.
pub(super) fn tags(world: &World, call: &Call, resource: &str) -> Result<Reply, AwsError> {
    if !resource.contains(":function:") {
        return Err(invalid(format!("The twin has tags of functions only, not of {resource}")));
    }
    let function = world.lambda.function(&call.region, resource)?;
    let mut tags = function.tags.lock();
    match call.method {
        Method::GET => Ok(Reply::json(200, &json!({"Tags": *tags}))),
        Method::POST => {
            #[derive(Debug, Deserialize)]
            #[serde(rename_all = "PascalCase")]
            struct Tag {
                tags: BTreeMap<String, String>,
            }
            let Tag { tags: more } = input(call)?;
            let mut all = tags.clone();
            all.extend(more);
            check_tags(all.len())?;
            *tags = all;
            Ok(empty(204))
        }
        Method::DELETE => {
            let keys: Vec<&String> =
                call.query.iter().filter(|(n, _)| n == "tagKeys").map(|(_, k)| k).collect();
            tags.retain(|key, _| !keys.contains(&key));
            Ok(empty(204))
        }
        _ => Err(AwsError::unknown_operation(&format!("{} {}", call.method, call.raw_path))),
    }
}

pub(super) fn check_tags(count: usize) -> Result<(), AwsError> {
    if count > TAGS_MAX {
        return Err(invalid(format!("The number of tags exceeds the limit of {TAGS_MAX}")));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UrlRequest {
    auth_type: Option<String>,
    invoke_mode: Option<String>,
    cors: Option<Json>,
}

impl UrlRequest {
    fn check(&self) -> Result<(), AwsError> {
        let kinds = ["NONE", "AWS_IAM"];
        if self.auth_type.as_ref().is_some_and(|kind| !kinds.contains(&kind.as_str())) {
            return Err(invalid("AuthType must be NONE or AWS_IAM"));
        }
        if self.invoke_mode.as_ref().is_some_and(|mode| mode != "BUFFERED") || self.cors.is_some() {
            return Err(invalid("The twin has neither response streaming nor CORS"));
        }
        Ok(())
    }
}

pub(super) fn create_url(world: &World, function: &Function, call: &Call) -> Result<Reply, AwsError> {
    let request: UrlRequest = input(call)?;
    request.check()?;
    let auth_type = request.auth_type.ok_or_else(|| invalid("AuthType is required"))?;
    let region = world
        .region(&function.region)
        .ok_or_else(|| AwsError::new(500, "ServiceException", "The twin does not have this Region"))?;
    if function.url().is_some() {
        let message = "Failed to create function url config. Error message: FunctionUrlConfig exists for this Lambda \
                       function";
        return Err(AwsError::new(409, "ResourceConflictException", message));
    }
    let now = world.clock.now();
    let url = FunctionUrl { host: new_host(&region.name), auth_type, created: now };
    world.names.set(&url.host, region.address);
    let reply = Reply::json(201, &url_json(function, &url));
    function.set_url(Some(url));
    Ok(reply)
}

pub(super) fn get_url(function: &Function) -> Result<Reply, AwsError> {
    let url = function.url().ok_or_else(missing)?;
    Ok(Reply::json(200, &with_modified(function, &url)))
}

pub(super) fn list_urls(function: &Function) -> Reply {
    let urls: Vec<Json> = function.url().iter().map(|url| with_modified(function, url)).collect();
    Reply::json(200, &json!({"FunctionUrlConfigs": urls}))
}

pub(super) fn update_url(function: &Function, call: &Call) -> Result<Reply, AwsError> {
    let request: UrlRequest = input(call)?;
    request.check()?;
    let mut url = function.url().ok_or_else(missing)?;
    if let Some(auth_type) = request.auth_type {
        url.auth_type = auth_type;
    }
    function.set_url(Some(url.clone()));
    Ok(Reply::json(200, &with_modified(function, &url)))
}

pub(super) fn delete_url(world: &World, function: &Function) -> Result<Reply, AwsError> {
    let url = function.set_url(None).ok_or_else(missing)?;
    world.names.remove(&url.host);
    Ok(empty(204))
}

fn with_modified(function: &Function, url: &FunctionUrl) -> Json {
    let mut answer = url_json(function, url);
    answer["LastModifiedTime"] = answer["CreationTime"].clone();
    answer
}

fn url_json(function: &Function, url: &FunctionUrl) -> Json {
    let created: Timestamp = url.created;
    json!({
        "FunctionUrl": format!("https://{}/", url.host),
        "FunctionArn": function.arn,
        "AuthType": url.auth_type,
        "CreationTime": created.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        "InvokeMode": "BUFFERED",
    })
}
