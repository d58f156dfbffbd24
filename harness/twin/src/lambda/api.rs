//! The REST JSON codec of Lambda, and the operations on functions.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

use super::{
    code,
    function::{Function, FunctionUrl, Settings, keep},
    instance::Spec,
    mapping_api,
    url::new_host,
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

const TIMEOUT_DEFAULT_S: u32 = 3;
const TIMEOUT_MAX_S: u32 = 900;
const MEMORY_DEFAULT_MB: u32 = 128;
const MEMORY_MAX_MB: u32 = 10_240;
const NAME_CHARS_MAX: usize = 64;
/// The version that every function has.
const LATEST: &str = "$LATEST";

/// Answers a call.
pub(crate) async fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let region = call.region.as_str();
    let function = |name: &str| world.lambda.function(region, name);
    match (&call.method, path.as_slice()) {
        (&Method::POST, ["2015-03-31", "functions"]) => create_function(world, call).await,
        (&Method::GET, ["2015-03-31", "functions"]) => Ok(list_functions(world, region)),
        (&Method::GET, ["2015-03-31", "functions", name]) => function(name).map(|f| get_function(&f)),
        (&Method::GET, ["2015-03-31", "functions", name, "configuration"]) => {
            function(name).map(|f| Reply::json(200, &f.configuration()))
        }
        (&Method::DELETE, ["2015-03-31", "functions", name]) => delete_function(world, region, name),
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => invoke(world, call, name).await,
        (&Method::POST, ["2015-03-31", "functions", name, "policy"]) => {
            add_permission(&*function(name)?, call)
        }
        (&Method::PUT, ["2017-10-31", "functions", name, "concurrency"]) => {
            put_concurrency(&*function(name)?, call)
        }
        (&Method::DELETE, ["2017-10-31", "functions", name, "concurrency"]) => {
            function(name)?.pool.reserve(None);
            Ok(empty(204))
        }
        (&Method::POST, ["2021-10-31", "functions", name, "url"]) => {
            create_url(world, &*function(name)?, call)
        }
        (&Method::GET, ["2021-10-31", "functions", name, "url"]) => get_url(&*function(name)?),
        (&Method::DELETE, ["2021-10-31", "functions", name, "url"]) => delete_url(world, &*function(name)?),
        (method, ["2015-03-31", "event-source-mappings", rest @ ..]) => {
            mapping_api::handle(world, call, method, rest)
        }
        (method, _) => Err(AwsError::unknown_operation(&format!("{method} {}", call.raw_path))),
    }
}

/// An error as Lambda writes it.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    let kind = if error.status >= 500 { "Service" } else { "User" };
    let mut body = json!({"Type": kind, "Message": error.message});
    for (member, value) in &error.members {
        body[*member] = json!(value);
    }
    let mut reply = Reply::json(error.status, &body);
    reply.headers.push(("x-amzn-errortype", error.code.to_owned()));
    reply
}

pub(crate) fn input<T: DeserializeOwned>(call: &Call) -> Result<T, AwsError> {
    serde_json::from_value(call.json()?)
        .map_err(|e| AwsError::new(400, "InvalidRequestContentException", e.to_string()))
}

pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidParameterValueException", message)
}

fn empty(status: u16) -> Reply {
    Reply::raw(status, "application/json", "")
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateFunction {
    function_name: String,
    code: Code,
    runtime: String,
    handler: String,
    role: String,
    #[serde(default)]
    description: String,
    timeout: Option<u32>,
    memory_size: Option<u32>,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

async fn create_function(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let request: CreateFunction = input(call)?;
    check(&request)?;
    let key = (call.region.clone(), request.function_name.clone());
    let exists = || {
        let message = format!("Function already exist: {}", key.1);
        AwsError::new(409, "ResourceConflictException", message)
    };
    if world.lambda.functions.lock().contains_key(&key) {
        return Err(exists());
    }
    let zip = package(world, &call.region, &request.code)?;
    let (size, hash) = (zip.len(), STANDARD.encode(digest(&SHA256, &zip)));
    let root = world.folder.join("functions").join(uuid::Uuid::new_v4().to_string());
    let folder = root.clone();
    tokio::task::spawn_blocking(move || code::unpack(&zip, &folder).inspect_err(|_| remove(&folder)))
        .await
        .map_err(|e| AwsError::new(500, "ServiceException", e.to_string()))??;
    let function = Arc::new(function(world, &call.region, request, root.clone(), (size, hash)));
    let taken = {
        let mut functions = world.lambda.functions.lock();
        let taken = functions.contains_key(&key);
        if !taken {
            functions.insert(key.clone(), Arc::clone(&function));
        }
        taken
    };
    if taken {
        remove(&root);
        return Err(exists());
    }
    world.tasks.spawn(keep(Arc::clone(world), Arc::clone(&function)));
    Ok(Reply::json(201, &function.configuration()))
}

/// The deployment package, out of the call or out of S3.
fn package(world: &Arc<World>, region: &str, from: &Code) -> Result<Bytes, AwsError> {
    match (&from.zip_file, &from.s3_bucket, &from.s3_key) {
        (Some(zip), None, None) => {
            STANDARD.decode(zip).map(Bytes::from).map_err(|e| invalid(format!("ZipFile is not base64: {e}")))
        }
        (None, Some(bucket), Some(key)) if from.s3_object_version.is_none() => {
            code::from_s3(world, region, bucket, key)
        }
        _ => Err(invalid("The twin takes code as ZipFile, or as S3Bucket and S3Key")),
    }
}

fn check(request: &CreateFunction) -> Result<(), AwsError> {
    let name = &request.function_name;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_allowed) {
        return Err(invalid(format!("Invalid function name: {name}")));
    }
    if !["provided.al2023", "provided.al2"].contains(&request.runtime.as_str()) {
        return Err(invalid(format!("The twin has the runtime provided.al2023 and not {}", request.runtime)));
    }
    if request.timeout.is_some_and(|t| !(1..=TIMEOUT_MAX_S).contains(&t)) {
        return Err(invalid(format!("Timeout must be 1 to {TIMEOUT_MAX_S} seconds")));
    }
    if request.memory_size.is_some_and(|m| !(MEMORY_DEFAULT_MB..=MEMORY_MAX_MB).contains(&m)) {
        return Err(invalid(format!("MemorySize must be {MEMORY_DEFAULT_MB} to {MEMORY_MAX_MB} MB")));
    }
    Ok(())
}

fn function(
    world: &World,
    region: &str,
    request: CreateFunction,
    root: PathBuf,
    (code_size, code_sha256): (usize, String),
) -> Function {
    let spec = Spec {
        arn: format!("arn:aws:lambda:{region}:{}:function:{}", world.account, request.function_name),
        name: request.function_name,
        region: region.to_owned(),
        handler: request.handler,
        memory_mb: request.memory_size.unwrap_or(MEMORY_DEFAULT_MB),
        timeout: Duration::from_secs(request.timeout.unwrap_or(TIMEOUT_DEFAULT_S).into()),
        root,
        api_url: world.api_url.clone(),
        environment: request.environment.variables,
    };
    let settings = Settings {
        runtime: request.runtime,
        role: request.role,
        description: request.description,
        code_size,
        code_sha256,
        tags: request.tags,
        created: world.clock.now(),
        revision: uuid::Uuid::new_v4().to_string(),
    };
    Function::new(spec, settings)
}

/// Removes an unpacked package. What is left goes with the world's folder.
fn remove(folder: &std::path::Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        tracing::debug!(%error, "a function's folder stays until the twin ends");
    }
}

fn list_functions(world: &World, region: &str) -> Reply {
    let functions = world.lambda.functions.lock();
    let here = functions.values().filter(|f| f.spec.region == region);
    Reply::json(200, &json!({"Functions": here.map(|f| f.configuration()).collect::<Vec<_>>()}))
}

fn get_function(function: &Function) -> Reply {
    let mut answer = json!({
        "Configuration": function.configuration(),
        "Code": {"RepositoryType": "S3", "Location": ""},
    });
    if !function.settings.tags.is_empty() {
        answer["Tags"] = json!(function.settings.tags);
    }
    if let Some(reserved) = function.pool.reserved() {
        answer["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
    }
    Reply::json(200, &answer)
}

fn delete_function(world: &World, region: &str, name: &str) -> Result<Reply, AwsError> {
    let function = world.lambda.function(region, name)?;
    world.lambda.functions.lock().remove(&(region.to_owned(), function.spec.name.clone()));
    function.gone.cancel();
    function.pool.close();
    if let Some(url) = function.set_url(None) {
        world.names.remove(&url.host);
    }
    remove(&function.spec.root);
    Ok(empty(204))
}

async fn invoke(world: &Arc<World>, call: &Call, name: &str) -> Result<Reply, AwsError> {
    let payload = call.body.clone();
    match call.header("x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => {
            let output = world.lambda.invoke(world, &call.region, name, payload).await?;
            let mut reply = Reply::raw(200, "application/json", output.payload);
            reply.headers.push(("x-amz-executed-version", LATEST.to_owned()));
            if let Some(error) = output.function_error {
                reply.headers.push(("x-amz-function-error", error));
            }
            Ok(reply)
        }
        "Event" => {
            world.lambda.invoke_event(world, &call.region, name, payload)?;
            Ok(empty(202))
        }
        "DryRun" => world.lambda.function(&call.region, name).map(|_| empty(204)),
        other => Err(invalid(format!("Unknown invocation type {other}"))),
    }
}

fn add_permission(function: &Function, call: &Call) -> Result<Reply, AwsError> {
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
        "Resource": function.spec.arn,
    });
    if let Some(source) = text("SourceArn") {
        statement["Condition"] = json!({"ArnLike": {"AWS:SourceArn": source}});
    }
    if let Some(kind) = text("FunctionUrlAuthType") {
        statement["Condition"] = json!({"StringEquals": {"lambda:FunctionUrlAuthType": kind}});
    }
    let mut permissions = function.permissions.lock();
    if permissions.contains_key(id) {
        let message = format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or \
                               remove the existing statement."
        );
        return Err(AwsError::new(409, "ResourceConflictException", message));
    }
    permissions.insert(id.to_owned(), statement.clone());
    Ok(Reply::json(201, &json!({"Statement": statement.to_string()})))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    reserved_concurrent_executions: usize,
}

fn put_concurrency(function: &Function, call: &Call) -> Result<Reply, AwsError> {
    let Concurrency { reserved_concurrent_executions: limit } = input(call)?;
    function.pool.reserve(Some(limit));
    Ok(Reply::json(200, &json!({"ReservedConcurrentExecutions": limit})))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateUrl {
    auth_type: String,
}

fn create_url(world: &World, function: &Function, call: &Call) -> Result<Reply, AwsError> {
    let request: CreateUrl = input(call)?;
    let region = world
        .region(&function.spec.region)
        .ok_or_else(|| AwsError::new(500, "ServiceException", "The twin does not have this Region"))?;
    if function.url().is_some() {
        let message = "Failed to create function url config. Error message: FunctionUrlConfig exists for this Lambda \
                       function";
        return Err(AwsError::new(409, "ResourceConflictException", message));
    }
    let url = FunctionUrl {
        host: new_host(&region.name),
        auth_type: request.auth_type,
        created: world.clock.now(),
    };
    world.names.set(&url.host, region.address);
    let reply = Reply::json(201, &url_json(function, &url));
    function.set_url(Some(url));
    Ok(reply)
}

fn get_url(function: &Function) -> Result<Reply, AwsError> {
    let url = function.url().ok_or_else(no_url)?;
    let mut answer = url_json(function, &url);
    answer["LastModifiedTime"] = answer["CreationTime"].clone();
    Ok(Reply::json(200, &answer))
}

fn delete_url(world: &World, function: &Function) -> Result<Reply, AwsError> {
    let url = function.set_url(None).ok_or_else(no_url)?;
    world.names.remove(&url.host);
    Ok(empty(204))
}

fn no_url() -> AwsError {
    AwsError::new(404, "ResourceNotFoundException", "The resource you requested does not exist.")
}

fn url_json(function: &Function, url: &FunctionUrl) -> Json {
    let created: Timestamp = url.created;
    json!({
        "FunctionUrl": format!("https://{}/", url.host),
        "FunctionArn": function.spec.arn,
        "AuthType": url.auth_type,
        "CreationTime": created.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        "InvokeMode": "BUFFERED",
    })
}
