//! The REST JSON codec of Lambda: which operation a call is, how errors look, and invoking.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{
    access_api as access,
    code::UNZIPPED_BYTES_MAX,
    event_api as events,
    function::{Function, Wish, bare_name, qualifier},
    function_api as functions, mapping_api,
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

/// The version that every function has, and the only one.
const LATEST: &str = "$LATEST";
/// AWS's limits of code, in bytes.
const TOTAL_CODE_BYTES_MAX: u64 = 80_530_636_800;
const ZIPPED_BYTES_MAX: u64 = 52_428_800;
/// AWS's page, and its largest.
const PAGE_SIZE_DEFAULT: usize = 50;
const PAGE_SIZE_MAX: usize = 10_000;

/// Answers a call.
pub(crate) async fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["2015-03-31", "functions"] => match call.method {
            Method::POST => functions::create(world, call).await,
            Method::GET => functions::list(world, call),
            _ => Err(unknown(call)),
        },
        ["2015-03-31", "event-source-mappings", rest @ ..] => {
            mapping_api::handle(world, call, &call.method, rest)
        }
        ["2016-08-19", "account-settings"] if call.method == Method::GET => account_settings(world, call),
        ["2017-03-31", "tags", resource] => access::tags(world, call, resource),
        [date, "functions", name, rest @ ..] => {
            let function = world.lambda.function(&call.region, name)?;
            check_version(name, call)?;
            of_function(world, call, &function, date, rest).await
        }
        _ => Err(unknown(call)),
    }
}

/// Answers a call about one function.
async fn of_function(
    world: &Arc<World>,
    call: &Call,
    function: &Arc<Function>,
    date: &str,
    rest: &[&str],
) -> Result<Reply, AwsError> {
    match (date, rest, &call.method) {
        ("2015-03-31", [], &Method::GET) => Ok(functions::get(function)),
        ("2015-03-31", [], &Method::DELETE) => functions::delete(world, function),
        ("2015-03-31", ["configuration"], &Method::GET) => Ok(Reply::json(200, &function.configuration())),
        ("2015-03-31", ["configuration"], &Method::PUT) => {
            functions::update_configuration(world, call, function).await
        }
        ("2015-03-31", ["code"], &Method::PUT) => functions::update_code(world, call, function).await,
        ("2015-03-31", ["versions"], &Method::GET) => Ok(functions::versions(function)),
        ("2015-03-31", ["invocations"], &Method::POST) => invoke(world, call, function).await,
        ("2015-03-31", ["policy"], &Method::GET) => access::get_policy(function),
        ("2015-03-31", ["policy"], &Method::POST) => access::add_permission(function, call),
        ("2015-03-31", ["policy", id], &Method::DELETE) => access::remove_permission(function, id),
        ("2017-10-31", ["concurrency"], &Method::PUT) => access::put_concurrency(world, function, call),
        ("2017-10-31", ["concurrency"], &Method::DELETE) => access::delete_concurrency(world, function),
        ("2019-09-30", ["concurrency"], &Method::GET) => Ok(access::get_concurrency(function)),
        ("2019-09-25", ["event-invoke-config", rest @ ..], method) => {
            events::handle(world, call, function, method, rest)
        }
        ("2021-10-31", ["url"], &Method::POST) => access::create_url(world, function, call),
        ("2021-10-31", ["url"], &Method::GET) => access::get_url(function),
        ("2021-10-31", ["url"], &Method::PUT) => access::update_url(function, call),
        ("2021-10-31", ["url"], &Method::DELETE) => access::delete_url(world, function),
        ("2021-10-31", ["urls"], &Method::GET) => Ok(access::list_urls(function)),
        _ => Err(unknown(call)),
    }
}

fn unknown(call: &Call) -> AwsError {
    AwsError::unknown_operation(&format!("{} {}", call.method, call.raw_path))
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

pub(crate) fn empty(status: u16) -> Reply {
    Reply::raw(status, "application/json", "")
}

/// One page of what is listed: after the marker, which is the key of the page's last one before.
pub(crate) fn page<T>(
    call: &Call,
    items: impl Iterator<Item = (String, T)>,
    describe: impl Fn(&T) -> Json,
) -> Result<(Vec<Json>, Option<String>), AwsError> {
    let size = match call.query("MaxItems").map(str::parse::<usize>) {
        None => PAGE_SIZE_DEFAULT,
        Some(Ok(size @ 1..=PAGE_SIZE_MAX)) => size.min(PAGE_SIZE_DEFAULT),
        Some(_) => return Err(invalid(format!("MaxItems must be 1 to {PAGE_SIZE_MAX}"))),
    };
    let after = call
        .query("Marker")
        .map(|marker| STANDARD.decode(marker).ok().and_then(|m| String::from_utf8(m).ok()));
    if after == Some(None) {
        return Err(invalid("Invalid Marker"));
    }
    let after = after.flatten();
    let mut items = items.filter(|(key, _)| after.as_ref().is_none_or(|a| key > a)).peekable();
    let page: Vec<(String, T)> = items.by_ref().take(size).collect();
    let marker = items.peek().and(page.last()).map(|(key, _)| STANDARD.encode(key));
    Ok((page.iter().map(|(_, item)| describe(item)).collect(), marker))
}

/// Refuses versions and aliases, by a qualifier or in the name.
fn check_version(name: &str, call: &Call) -> Result<(), AwsError> {
    match call.query("Qualifier").or(qualifier(name)) {
        None | Some(LATEST) => Ok(()),
        Some(other) => {
            let message =
                format!("Function not found: {}:{other}. The twin has {LATEST} only", bare_name(name));
            Err(AwsError::new(404, "ResourceNotFoundException", message))
        }
    }
}

fn account_settings(world: &World, call: &Call) -> Result<Reply, AwsError> {
    let account = world.lambda.account(&call.region)?;
    let functions = world.lambda.functions.lock();
    let here: BTreeMap<_, _> = functions.iter().filter(|((region, _), _)| *region == call.region).collect();
    let code_bytes: u64 = here.values().map(|f| f.deployed().spec.package.size_bytes).sum();
    Ok(Reply::json(
        200,
        &json!({
            "AccountLimit": {
                "TotalCodeSize": TOTAL_CODE_BYTES_MAX,
                "CodeSizeUnzipped": UNZIPPED_BYTES_MAX,
                "CodeSizeZipped": ZIPPED_BYTES_MAX,
                "ConcurrentExecutions": account.limit(),
                "UnreservedConcurrentExecutions": account.unreserved(),
            },
            "AccountUsage": {"TotalCodeSize": code_bytes, "FunctionCount": here.len()},
        }),
    ))
}

async fn invoke(world: &Arc<World>, call: &Call, function: &Arc<Function>) -> Result<Reply, AwsError> {
    let payload = call.body.clone();
    let log = match call.header("x-amz-log-type") {
        None | Some("None") => false,
        Some("Tail") => true,
        Some(other) => return Err(invalid(format!("Unknown log type {other}"))),
    };
    match call.header("x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => {
            if !payload.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err() {
                let message = "Could not parse request body into json: Unexpected content";
                return Err(AwsError::new(400, "InvalidRequestContentException", message));
            }
            let payload = if payload.is_empty() { "{}".into() } else { payload };
            let invoked = world.lambda.run(world, function, payload, Wish { log, ..Wish::default() }).await?;
            let mut reply = Reply::raw(200, "application/json", invoked.output.payload);
            reply.headers.push(("x-amz-executed-version", LATEST.to_owned()));
            if let Some(error) = invoked.output.function_error {
                reply.headers.push(("x-amz-function-error", error));
            }
            if let Some(log) = invoked.log {
                reply.headers.push(("x-amz-log-result", STANDARD.encode(log)));
            }
            Ok(reply)
        }
        "Event" => {
            world.lambda.invoke_event(world, &call.region, &function.name, payload)?;
            Ok(empty(202))
        }
        "DryRun" => Ok(empty(204)),
        other => Err(invalid(format!("Unknown invocation type {other}"))),
    }
}
