//! The REST JSON codec of EventBridge Scheduler.

use std::sync::Arc;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    Shelf,
    store::{Schedule, Settings},
    universal::UniversalCall,
};
use crate::{
    call::{Call, Reply},
    clock::at_seconds,
    error::AwsError,
    events::{Destination, Expression, RetryPolicy},
    states::seconds,
    world::World,
};

const GROUP: &str = "default";
/// AWS's largest page.
const PAGE_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 64;
const DESCRIPTION_CHARS_MAX: usize = 512;
const EXPRESSION_CHARS_MAX: usize = 256;
const WINDOW_MINUTES_MAX: u64 = 1_440;
const INPUT_BYTES_MAX: usize = 256 * 1024;
/// What AWS does not call, since it only reads.
const READ_ONLY: [&str; 7] = ["get", "describe", "list", "search", "scan", "query", "batchGet"];

/// Answers a call.
pub(crate) fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let shelf = world
        .scheduler
        .shelf(&call.region)
        .ok_or_else(|| AwsError::new(500, "InternalServerException", "The twin does not have this Region"))?;
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let answer = match (&call.method, path.as_slice()) {
        (&Method::GET, ["schedules"]) => list(shelf, call)?,
        (&Method::POST | &Method::PUT, ["schedules", name]) => put(world, shelf, call, name)?,
        (&Method::GET, ["schedules", name]) => {
            check_group(call.query("groupName"))?;
            described(shelf.schedules.lock().get(name)?)
        }
        (&Method::DELETE, ["schedules", name]) => {
            check_group(call.query("groupName"))?;
            shelf.schedules.lock().delete(name)?;
            json!({})
        }
        (method, _) => return Err(AwsError::unknown_operation(&format!("{method} {}", call.raw_path))),
    };
    Ok(Reply::json(200, &answer))
}

/// An error as Scheduler writes it.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    let mut reply = Reply::json(error.status, &json!({"Message": error.message}));
    reply.headers.push(("x-amzn-errortype", error.code.to_owned()));
    reply
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}

fn check_group(group: Option<&str>) -> Result<(), AwsError> {
    match group {
        None | Some(GROUP) => Ok(()),
        Some(other) => {
            let message = format!("Schedule group {other} does not exist.");
            Err(AwsError::new(404, "ResourceNotFoundException", message))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    group_name: Option<String>,
    schedule_expression: String,
    /// Seconds since the epoch.
    start_date: Option<f64>,
    end_date: Option<f64>,
    description: Option<String>,
    schedule_expression_timezone: Option<String>,
    state: Option<String>,
    kms_key_arn: Option<String>,
    target: Json,
    flexible_time_window: Json,
    action_after_completion: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    arn: String,
    role_arn: String,
    input: Option<String>,
    #[serde(default)]
    retry_policy: RetryPolicy,
}

fn input<T: serde::de::DeserializeOwned>(request: Json) -> Result<T, AwsError> {
    serde_json::from_value(request).map_err(|e| invalid(format!("1 validation error detected: {e}")))
}

fn put(world: &World, shelf: &Shelf, call: &Call, name: &str) -> Result<Json, AwsError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_allowed) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [0-9a-zA-Z-_.]+"
        )));
    }
    let request: Put = input(call.json()?)?;
    check_group(request.group_name.as_deref())?;
    let settings = settings(world, &call.region, request)?;
    let arn = format!("arn:aws:scheduler:{}:{}:schedule/{GROUP}/{name}", call.region, world.account);
    let now = world.clock.now();
    {
        let mut schedules = shelf.schedules.lock();
        if call.method == Method::POST {
            schedules.create(name, arn.clone(), settings, now)?;
        } else {
            schedules.update(name, settings, now)?;
        }
    }
    shelf.wake.notify_one();
    Ok(json!({"ScheduleArn": arn}))
}

fn settings(world: &World, region: &str, request: Put) -> Result<Settings, AwsError> {
    let text = request.schedule_expression;
    if text.chars().count() > EXPRESSION_CHARS_MAX {
        return Err(invalid(format!("ScheduleExpression has at most {EXPRESSION_CHARS_MAX} characters")));
    }
    let expression =
        Expression::parse(&text).ok_or_else(|| invalid(format!("Invalid Schedule Expression {text}.")))?;
    if let Some(zone) = request.schedule_expression_timezone.filter(|z| z != "UTC") {
        return Err(invalid(format!("The twin has schedules in UTC and not in {zone}")));
    }
    if request.kms_key_arn.is_some() {
        return Err(invalid("The twin has no KMS keys"));
    }
    if request.description.as_ref().is_some_and(|d| d.chars().count() > DESCRIPTION_CHARS_MAX) {
        return Err(invalid(format!("Description has at most {DESCRIPTION_CHARS_MAX} characters")));
    }
    let choice = |member: &str, given: Option<&str>, default: bool, (yes, no): (&str, &str)| match given {
        None => Ok(default),
        Some(word) if word == yes => Ok(true),
        Some(word) if word == no => Ok(false),
        Some(word) => Err(invalid(format!("Value '{word}' at '{member}' must be one of [{yes}, {no}]"))),
    };
    check_window(&request.flexible_time_window)?;
    let (target, destination) = target(world, region, &request.target)?;
    Ok(Settings {
        expression: (text, expression),
        start: request.start_date.and_then(at_seconds),
        end: request.end_date.and_then(at_seconds),
        description: request.description,
        is_enabled: choice("state", request.state.as_deref(), true, ("ENABLED", "DISABLED"))?,
        is_deleted_afterwards: choice(
            "actionAfterCompletion",
            request.action_after_completion.as_deref(),
            false,
            ("DELETE", "NONE"),
        )?,
        target: request.target,
        flexible_window: request.flexible_time_window,
        destination,
        input: target.input,
        retry: target.retry_policy,
    })
}

fn check_window(window: &Json) -> Result<(), AwsError> {
    match (window["Mode"].as_str(), window["MaximumWindowInMinutes"].as_u64()) {
        (Some("OFF"), None) | (Some("FLEXIBLE"), Some(1..=WINDOW_MINUTES_MAX)) => Ok(()),
        _ => Err(invalid(
            "Invalid FlexibleTimeWindow: OFF, or FLEXIBLE with MaximumWindowInMinutes of 1 to 1440",
        )),
    }
}

fn target(world: &World, region: &str, given: &Json) -> Result<(Target, Destination), AwsError> {
    let known = ["Arn", "RoleArn", "Input", "RetryPolicy"];
    if let Some(odd) = given.as_object().and_then(|o| o.keys().find(|k| !known.contains(&k.as_str()))) {
        return Err(invalid(format!("The twin has no targets with {odd}")));
    }
    let target: Target = input(given.clone())?;
    if !target.role_arn.starts_with("arn:aws:iam::") {
        return Err(invalid(format!("Value '{}' at 'target.roleArn' is no role", target.role_arn)));
    }
    if let Some(fault) = target.retry_policy.fault() {
        return Err(invalid(fault));
    }
    if target.input.as_ref().is_some_and(|i| i.is_empty() || i.len() > INPUT_BYTES_MAX) {
        return Err(invalid(format!("Input has 1 to {INPUT_BYTES_MAX} bytes")));
    }
    let destination = if UniversalCall::is_one(&target.arn) {
        universal(&target.arn, target.input.is_some())?
    } else {
        let found = Destination::parse(&target.arn, region, &world.account);
        found.ok_or_else(|| invalid("Provided Arn is not in correct format."))?
    };
    Ok((target, destination))
}

fn universal(arn: &str, has_input: bool) -> Result<Destination, AwsError> {
    let action = arn.rsplit(':').next().unwrap_or_default();
    if READ_ONLY.iter().any(|verb| action.starts_with(verb)) {
        return Err(invalid(format!("{action} is a read-only API action, which is not supported")));
    }
    if !has_input {
        return Err(invalid("Input is required for a universal target"));
    }
    let call = UniversalCall::parse(arn);
    call.map(Destination::Api).ok_or_else(|| invalid(format!("The twin does not have the target {arn}")))
}

fn list(shelf: &Shelf, call: &Call) -> Result<Json, AwsError> {
    check_group(call.query("ScheduleGroup"))?;
    let size = call.query("MaxResults").map_or(Ok(PAGE_MAX), str::parse);
    let size = size.ok().filter(|n| (1..=PAGE_MAX).contains(n));
    let size = size.ok_or_else(|| invalid(format!("MaxResults must be 1 to {PAGE_MAX}")))?;
    let (prefix, after) = (call.query("NamePrefix").unwrap_or_default(), call.query("NextToken"));
    let state = call.query("State");
    let schedules = shelf.schedules.lock();
    let mut found = schedules
        .iter()
        .filter(|s| s.name.starts_with(prefix) && after.is_none_or(|after| s.name.as_str() > after))
        .filter(|s| state.is_none_or(|state| state == self::state(s)))
        .peekable();
    let page: Vec<&Schedule> = found.by_ref().take(size).collect();
    let next = found.peek().and(page.last()).map(|last| last.name.clone());
    let mut answer = json!({"Schedules": page.into_iter().map(summary).collect::<Vec<_>>()});
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

fn state(schedule: &Schedule) -> &'static str {
    if schedule.settings.is_enabled { "ENABLED" } else { "DISABLED" }
}

fn summary(schedule: &Schedule) -> Json {
    json!({
        "Arn": schedule.arn,
        "Name": schedule.name,
        "GroupName": GROUP,
        "State": state(schedule),
        "CreationDate": seconds(schedule.created),
        "LastModificationDate": seconds(schedule.modified),
        "Target": {"Arn": schedule.settings.target["Arn"]},
    })
}

fn described(schedule: &Schedule) -> Json {
    let settings = &schedule.settings;
    let mut answer = summary(schedule);
    answer["Target"] = settings.target.clone();
    answer["Target"]["RetryPolicy"] = json!(settings.retry.full());
    answer["FlexibleTimeWindow"] = settings.flexible_window.clone();
    answer["ScheduleExpression"] = json!(settings.expression.0);
    answer["ScheduleExpressionTimezone"] = json!("UTC");
    answer["ActionAfterCompletion"] = json!(if settings.is_deleted_afterwards { "DELETE" } else { "NONE" });
    if let Some(description) = &settings.description {
        answer["Description"] = json!(description);
    }
    for (member, at) in [("StartDate", settings.start), ("EndDate", settings.end)] {
        if let Some(at) = at {
            answer[member] = seconds(at);
        }
    }
    answer
}
