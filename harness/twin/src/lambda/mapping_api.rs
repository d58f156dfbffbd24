//! The operations on event source mappings.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    api::{input, invalid},
    batch::RetryRules,
    mapping::{Mapping, MappingSettings, poll},
};
use crate::{
    call::{Call, Reply},
    dynamodb::SHARDS,
    error::AwsError,
    world::World,
};

const BATCH_SIZE_DEFAULT: i64 = 100;
const BATCH_SIZE_MAX: i64 = 10_000;
const WINDOW_MAX_S: i64 = 300;
const PARALLELIZATION_MAX: i64 = 10;
const RETRIES_MAX: i64 = 10_000;
const RECORD_AGE_MAX_S: i64 = 604_800;
const RECORD_AGE_MIN_S: i64 = 60;
const REPORT_FAILURES: &str = "ReportBatchItemFailures";

/// The members of creating and updating a mapping.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MappingRequest {
    event_source_arn: Option<String>,
    function_name: Option<String>,
    enabled: Option<bool>,
    starting_position: Option<String>,
    batch_size: Option<i64>,
    maximum_batching_window_in_seconds: Option<i64>,
    parallelization_factor: Option<i64>,
    maximum_retry_attempts: Option<i64>,
    maximum_record_age_in_seconds: Option<i64>,
    bisect_batch_on_function_error: Option<bool>,
    function_response_types: Option<Vec<String>>,
    filter_criteria: Option<Json>,
    destination_config: Option<Json>,
}

impl MappingRequest {
    /// The settings with what the request changes of them.
    fn settings(&self, mut settings: MappingSettings) -> Result<MappingSettings, AwsError> {
        if self.filter_criteria.is_some() || self.destination_config.is_some() {
            return Err(invalid("The twin has neither FilterCriteria nor DestinationConfig"));
        }
        let checked = |value: Option<i64>, name: &str, min: i64, max: i64| match value {
            Some(v) if !(min..=max).contains(&v) => Err(invalid(format!("{name} must be {min} to {max}"))),
            v => Ok(v),
        };
        if let Some(size) = checked(self.batch_size, "BatchSize", 1, BATCH_SIZE_MAX)? {
            settings.batch_size = usize::try_from(size).unwrap_or(1);
        }
        let window = self.maximum_batching_window_in_seconds;
        if let Some(seconds) = checked(window, "MaximumBatchingWindowInSeconds", 0, WINDOW_MAX_S)? {
            settings.window = Duration::from_secs(seconds.unsigned_abs());
        }
        if let Some(factor) =
            checked(self.parallelization_factor, "ParallelizationFactor", 1, PARALLELIZATION_MAX)?
        {
            settings.parallelization = u32::try_from(factor).unwrap_or(1);
        }
        if let Some(retries) = checked(self.maximum_retry_attempts, "MaximumRetryAttempts", -1, RETRIES_MAX)?
        {
            settings.rules.retries_max = u32::try_from(retries).ok();
        }
        match self.maximum_record_age_in_seconds {
            Some(-1) => settings.record_age_max = None,
            age => {
                let name = "MaximumRecordAgeInSeconds";
                if let Some(age) = checked(age, name, RECORD_AGE_MIN_S, RECORD_AGE_MAX_S)? {
                    settings.record_age_max = Some(Duration::from_secs(age.unsigned_abs()));
                }
            }
        }
        if let Some(bisect) = self.bisect_batch_on_function_error {
            settings.rules.bisect = bisect;
        }
        if let Some(types) = &self.function_response_types {
            if types.iter().any(|t| t != REPORT_FAILURES) {
                return Err(invalid(format!("FunctionResponseTypes has {REPORT_FAILURES} only")));
            }
            settings.rules.partial = !types.is_empty();
        }
        Ok(settings)
    }
}

/// Answers a call under `event-source-mappings`.
pub(crate) fn handle(
    world: &Arc<World>,
    call: &Call,
    method: &Method,
    rest: &[&str],
) -> Result<Reply, AwsError> {
    match (method, rest) {
        (&Method::POST, []) => create(world, call),
        (&Method::GET, []) => Ok(list(world, call)),
        (&Method::GET, [uuid]) => {
            find(world, &call.region, uuid).map(|m| Reply::json(200, &description(world, &m, None)))
        }
        (&Method::PUT, [uuid]) => update(world, call, uuid),
        (&Method::DELETE, [uuid]) => {
            let mapping = find(world, &call.region, uuid)?;
            world.lambda.mappings.lock().remove(*uuid);
            mapping.gone.cancel();
            Ok(Reply::json(202, &description(world, &mapping, Some("Deleting"))))
        }
        _ => Err(AwsError::unknown_operation(&format!("{method} {}", call.raw_path))),
    }
}

fn create(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let request: MappingRequest = input(call)?;
    let arn = request.event_source_arn.clone().ok_or_else(|| invalid("EventSourceArn is required"))?;
    let name = request.function_name.as_ref().ok_or_else(|| invalid("FunctionName is required"))?;
    let function = world.lambda.function(&call.region, name)?;
    let settings = request.settings(MappingSettings {
        batch_size: usize::try_from(BATCH_SIZE_DEFAULT).unwrap_or(1),
        window: Duration::ZERO,
        parallelization: 1,
        record_age_max: None,
        rules: RetryRules { retries_max: None, bisect: false, partial: false },
    })?;
    let stream = world.dynamodb.stream_name(&arn).filter(|s| s.region == call.region);
    if stream.is_none() {
        return Err(invalid(format!("Stream not found: {arn}")));
    }
    let position = request
        .starting_position
        .ok_or_else(|| invalid("1 validation error detected: startingPosition is required"))?;
    let after = match position.as_str() {
        "TRIM_HORIZON" => 0,
        "LATEST" => world.dynamodb.stream_sequence(&arn).unwrap_or(0),
        other => return Err(invalid(format!("Unsupported starting position for DynamoDB: {other}"))),
    };
    let mapping = Arc::new(Mapping {
        uuid: uuid::Uuid::new_v4().to_string(),
        region: call.region.clone(),
        stream_arn: arn.clone(),
        function_name: function.spec.name.clone(),
        function_arn: function.spec.arn.clone(),
        starting_position: position,
        settings: Mutex::new(settings),
        modified: Mutex::new(world.clock.now()),
        last_result: Mutex::new("No records processed".to_owned()),
        enabled: watch::Sender::new(request.enabled.unwrap_or(true)),
        gone: CancellationToken::new(),
    });
    {
        let mut mappings = world.lambda.mappings.lock();
        let same = mappings.values().find(|m| m.stream_arn == arn && m.function_arn == mapping.function_arn);
        if let Some(same) = same {
            let message = format!(
                "The event source arn (\" {arn} \") and function (\" {} \") provided mapping already exists. Please \
                 update or delete the existing mapping with UUID {}",
                mapping.function_name, same.uuid
            );
            return Err(AwsError::new(409, "ResourceConflictException", message));
        }
        mappings.insert(mapping.uuid.clone(), Arc::clone(&mapping));
    }
    for shard in 0..SHARDS {
        world.tasks.spawn(poll(Arc::clone(world), Arc::clone(&mapping), shard, after));
    }
    Ok(Reply::json(202, &description(world, &mapping, Some("Creating"))))
}

fn update(world: &World, call: &Call, uuid: &str) -> Result<Reply, AwsError> {
    let request: MappingRequest = input(call)?;
    let mapping = find(world, &call.region, uuid)?;
    {
        let mut settings = mapping.settings.lock();
        *settings = request.settings(*settings)?;
    }
    *mapping.modified.lock() = world.clock.now();
    let was = *mapping.enabled.borrow();
    let state = match request.enabled {
        Some(true) if !was => "Enabling",
        Some(false) if was => "Disabling",
        _ => "Updating",
    };
    if let Some(enabled) = request.enabled {
        mapping.enabled.send_replace(enabled);
    }
    Ok(Reply::json(202, &description(world, &mapping, Some(state))))
}

fn list(world: &World, call: &Call) -> Reply {
    let mappings = world.lambda.mappings.lock();
    let function = call.query("FunctionName").map(super::function::bare_name);
    let source = call.query("EventSourceArn");
    let here = mappings
        .values()
        .filter(|m| m.region == call.region)
        .filter(|m| function.is_none_or(|f| m.function_name == f))
        .filter(|m| source.is_none_or(|s| m.stream_arn == s));
    Reply::json(
        200,
        &json!({"EventSourceMappings": here.map(|m| description(world, m, None)).collect::<Vec<_>>()}),
    )
}

fn find(world: &World, region: &str, uuid: &str) -> Result<Arc<Mapping>, AwsError> {
    let found = world.lambda.mappings.lock().get(uuid).filter(|m| m.region == region).cloned();
    found.ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", "The resource you requested does not exist.")
    })
}

/// A mapping as AWS describes it; a state in passing where the call has just changed it.
fn description(world: &World, mapping: &Mapping, passing: Option<&str>) -> Json {
    let settings = *mapping.settings.lock();
    let state = if *mapping.enabled.borrow() { "Enabled" } else { "Disabled" };
    let modified_s = mapping.modified.lock().as_millisecond() as f64 / 1000.0;
    let last_result = mapping.last_result.lock().clone();
    json!({
        "UUID": mapping.uuid,
        "EventSourceMappingArn": format!(
            "arn:aws:lambda:{}:{}:event-source-mapping:{}", mapping.region, world.account, mapping.uuid
        ),
        "EventSourceArn": mapping.stream_arn,
        "FunctionArn": mapping.function_arn,
        "StartingPosition": mapping.starting_position,
        "BatchSize": settings.batch_size,
        "MaximumBatchingWindowInSeconds": settings.window.as_secs(),
        "ParallelizationFactor": settings.parallelization,
        "MaximumRetryAttempts": settings.rules.retries_max.map_or(-1, i64::from),
        "MaximumRecordAgeInSeconds": settings.record_age_max.map_or(-1, |age| i64::try_from(age.as_secs()).unwrap_or(-1)),
        "BisectBatchOnFunctionError": settings.rules.bisect,
        "FunctionResponseTypes": if settings.rules.partial { vec![REPORT_FAILURES] } else { vec![] },
        "TumblingWindowInSeconds": 0,
        "LastModified": modified_s,
        "LastProcessingResult": last_result,
        "State": passing.unwrap_or(state),
        "StateTransitionReason": "User action",
    })
}
