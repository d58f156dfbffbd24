//! The operations on event source mappings.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::function::Function;
use super::{
    api::{input, invalid, page},
    batch::RetryRules,
    destination::Destination,
    filter::Filters,
    mapping::{Mapping, MappingSettings, Origin},
    queue_mapping, stream_mapping,
};
use crate::{
    call::{Call, Reply},
    dynamodb::SHARDS,
    error::AwsError,
    world::World,
};

const BATCH_SIZE_DEFAULT: i64 = 100;
const BATCH_SIZE_MAX: i64 = 10_000;
/// Of a queue; more than that needs a window.
const QUEUE_BATCH_SIZE_DEFAULT: i64 = 10;
const QUEUE_CONCURRENCY_MIN: i64 = 2;
const QUEUE_CONCURRENCY_MAX: i64 = 1_000;
/// AWS has up to a thousand batches of a queue under way; here it is one machine.
const QUEUE_POLLERS_MAX: u32 = 50;
/// Mappings of both Regions.
const MAPPINGS_MAX: usize = 1_000;
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
    scaling_config: Option<ScalingConfig>,
    tumbling_window_in_seconds: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    maximum_concurrency: Option<i64>,
}

/// Members that a queue has no use for.
const OF_STREAMS: &str = "StartingPosition, ParallelizationFactor, MaximumRetryAttempts, MaximumRecordAgeInSeconds, \
                          BisectBatchOnFunctionError and DestinationConfig are of streams";

impl MappingRequest {
    /// The settings with what the request changes of them.
    fn settings(
        &self,
        world: &World,
        region: &str,
        origin: &Origin,
        mut settings: MappingSettings,
    ) -> Result<MappingSettings, AwsError> {
        if self.tumbling_window_in_seconds.is_some_and(|seconds| seconds != 0) {
            return Err(invalid("The twin has no tumbling windows"));
        }
        let is_queue = matches!(origin, Origin::Queue { .. });
        if is_queue
            && (self.starting_position.is_some()
                || self.parallelization_factor.is_some()
                || self.maximum_retry_attempts.is_some()
                || self.maximum_record_age_in_seconds.is_some()
                || self.bisect_batch_on_function_error.is_some()
                || self.destination_config.is_some())
        {
            return Err(invalid(OF_STREAMS));
        }
        if let Some(criteria) = &self.filter_criteria {
            settings.filters = Arc::new(Filters::read(criteria)?);
        }
        if let Some(destinations) = &self.destination_config {
            settings.on_failure =
                Destination::read(world, region, destinations, "OnFailure", Destination::queue)?;
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
        if let Some(scaling) = &self.scaling_config {
            if !is_queue {
                return Err(invalid("ScalingConfig is of queues"));
            }
            let most = scaling.maximum_concurrency;
            let most = checked(most, "MaximumConcurrency", QUEUE_CONCURRENCY_MIN, QUEUE_CONCURRENCY_MAX)?;
            settings.concurrency_max = most.and_then(|n| u32::try_from(n).ok());
        }
        let needs_window = i64::try_from(settings.batch_size).is_ok_and(|n| n > QUEUE_BATCH_SIZE_DEFAULT);
        if is_queue && needs_window && settings.window.is_zero() {
            let message = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater \
                           than 10";
            return Err(invalid(message));
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
        (&Method::GET, []) => list(world, call),
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
    let (origin, after) = origin(world, call, &request, &arn)?;
    let is_queue = matches!(origin, Origin::Queue { .. });
    let batch_size = if is_queue { QUEUE_BATCH_SIZE_DEFAULT } else { BATCH_SIZE_DEFAULT };
    let defaults = MappingSettings {
        batch_size: usize::try_from(batch_size).unwrap_or(1),
        window: Duration::ZERO,
        parallelization: 1,
        record_age_max: None,
        rules: RetryRules { retries_max: None, bisect: false, partial: false },
        filters: Arc::default(),
        on_failure: None,
        concurrency_max: None,
    };
    let settings = request.settings(world, &call.region, &origin, defaults)?;
    if let Origin::Queue { name } = &origin {
        check_visibility(world, &call.region, name, &function)?;
    }
    let mapping = Arc::new(Mapping {
        uuid: uuid::Uuid::new_v4().to_string(),
        region: call.region.clone(),
        source_arn: arn.clone(),
        lanes: watch::Sender::new(lanes(&origin, &settings)),
        origin,
        function_name: function.name.clone(),
        function_arn: function.arn.clone(),
        settings: Mutex::new(settings),
        modified: Mutex::new(world.clock.now()),
        last_result: Mutex::new("No records processed".to_owned()),
        enabled: watch::Sender::new(request.enabled.unwrap_or(true)),
        gone: CancellationToken::new(),
    });
    {
        let mut mappings = world.lambda.mappings.lock();
        let same = mappings.values().find(|m| m.source_arn == arn && m.function_arn == mapping.function_arn);
        if let Some(same) = same {
            let message = format!(
                "The event source arn (\" {arn} \") and function (\" {} \") provided mapping already exists. Please \
                 update or delete the existing mapping with UUID {}",
                mapping.function_name, same.uuid
            );
            return Err(AwsError::new(409, "ResourceConflictException", message));
        }
        if mappings.len() >= MAPPINGS_MAX {
            return Err(invalid(format!("The twin has at most {MAPPINGS_MAX} event source mappings")));
        }
        mappings.insert(mapping.uuid.clone(), Arc::clone(&mapping));
    }
    match &mapping.origin {
        Origin::Stream { .. } => {
            for shard in 0..SHARDS {
                world.tasks.spawn(stream_mapping::poll(
                    Arc::clone(world),
                    Arc::clone(&mapping),
                    shard,
                    after,
                ));
            }
        }
        Origin::Queue { name } => {
            for poller in 0..QUEUE_POLLERS_MAX {
                let (world, mapping) = (Arc::clone(world), Arc::clone(&mapping));
                let tasks = world.tasks.clone();
                tasks.spawn(queue_mapping::poll(world, mapping, name.clone(), poller));
            }
        }
    }
    Ok(Reply::json(202, &description(world, &mapping, Some("Creating"))))
}

/// How many batches are under way at once: of each shard, or of the queue.
fn lanes(origin: &Origin, settings: &MappingSettings) -> u32 {
    match origin {
        Origin::Stream { .. } => settings.parallelization,
        Origin::Queue { .. } => {
            settings.concurrency_max.unwrap_or(queue_mapping::POLLERS).min(QUEUE_POLLERS_MAX)
        }
    }
}

/// What an ARN is of, and after which sequence number to read.
fn origin(
    world: &World,
    call: &Call,
    request: &MappingRequest,
    arn: &str,
) -> Result<(Origin, u64), AwsError> {
    if arn.starts_with("arn:aws:sqs:") {
        let name = world.sqs.queue_of_arn(&call.region, arn);
        let name = name.ok_or_else(|| {
            let message =
                format!("Error occurred while ReceiveMessage. SQS Error Code: QueueDoesNotExist. {arn}");
            invalid(message)
        })?;
        return Ok((Origin::Queue { name }, 0));
    }
    if world.dynamodb.stream_name(arn).is_none_or(|s| s.region != call.region) {
        return Err(invalid(format!("Stream not found: {arn}")));
    }
    let position = request
        .starting_position
        .clone()
        .ok_or_else(|| invalid("1 validation error detected: startingPosition is required"))?;
    let after = match position.as_str() {
        "TRIM_HORIZON" => 0,
        "LATEST" => world.dynamodb.stream_sequence(arn).unwrap_or(0),
        other => return Err(invalid(format!("Unsupported starting position for DynamoDB: {other}"))),
    };
    Ok((Origin::Stream { starting_position: position }, after))
}

/// Refuses a queue that shows a message again while the function may still work on it.
fn check_visibility(world: &World, region: &str, queue: &str, function: &Function) -> Result<(), AwsError> {
    let timeout = function.deployed().spec.timeout;
    match world.sqs.visibility(region, queue) {
        Some(visibility) if visibility < timeout => Err(invalid(format!(
            "Queue visibility timeout: {} seconds is less than Function timeout: {} seconds",
            visibility.as_secs(),
            timeout.as_secs()
        ))),
        _ => Ok(()),
    }
}

fn update(world: &World, call: &Call, uuid: &str) -> Result<Reply, AwsError> {
    let request: MappingRequest = input(call)?;
    let mapping = find(world, &call.region, uuid)?;
    {
        let before = mapping.settings.lock().clone();
        let settings = request.settings(world, &call.region, &mapping.origin, before)?;
        mapping.lanes.send_replace(lanes(&mapping.origin, &settings));
        *mapping.settings.lock() = settings;
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

fn list(world: &World, call: &Call) -> Result<Reply, AwsError> {
    let function = call.query("FunctionName").map(super::function::bare_name);
    let source = call.query("EventSourceArn");
    let here: Vec<(String, Arc<Mapping>)> = {
        let mappings = world.lambda.mappings.lock();
        let here = mappings
            .iter()
            .filter(|(_, m)| m.region == call.region)
            .filter(|(_, m)| function.is_none_or(|f| m.function_name == f))
            .filter(|(_, m)| source.is_none_or(|s| m.source_arn == s));
        here.map(|(uuid, m)| (uuid.clone(), Arc::clone(m))).collect()
    };
    let (page, marker) = page(call, here.into_iter(), |m| description(world, m, None))?;
    let mut answer = json!({"EventSourceMappings": page});
    if let Some(marker) = marker {
        answer["NextMarker"] = json!(marker);
    }
    Ok(Reply::json(200, &answer))
}

fn find(world: &World, region: &str, uuid: &str) -> Result<Arc<Mapping>, AwsError> {
    let found = world.lambda.mappings.lock().get(uuid).filter(|m| m.region == region).cloned();
    found.ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", "The resource you requested does not exist.")
    })
}

/// A mapping as AWS describes it; a state in passing where the call has just changed it.
fn description(world: &World, mapping: &Mapping, passing: Option<&str>) -> Json {
    let settings = mapping.settings.lock().clone();
    let state = if *mapping.enabled.borrow() { "Enabled" } else { "Disabled" };
    let modified_s = mapping.modified.lock().as_millisecond() as f64 / 1000.0;
    let last_result = mapping.last_result.lock().clone();
    let mut answer = json!({
        "UUID": mapping.uuid,
        "EventSourceMappingArn": format!(
            "arn:aws:lambda:{}:{}:event-source-mapping:{}", mapping.region, world.account, mapping.uuid
        ),
        "EventSourceArn": mapping.source_arn,
        "FunctionArn": mapping.function_arn,
        "BatchSize": settings.batch_size,
        "MaximumBatchingWindowInSeconds": settings.window.as_secs(),
        "FunctionResponseTypes": if settings.rules.partial { vec![REPORT_FAILURES] } else { vec![] },
        "LastModified": modified_s,
        "State": passing.unwrap_or(state),
        "StateTransitionReason": "USER_INITIATED",
    });
    if let Some(filters) = settings.filters.describe() {
        answer["FilterCriteria"] = filters;
    }
    match &mapping.origin {
        Origin::Stream { starting_position } => {
            let age_s = settings.record_age_max.and_then(|age| i64::try_from(age.as_secs()).ok());
            let of_stream = json!({
                "StartingPosition": starting_position,
                "ParallelizationFactor": settings.parallelization,
                "MaximumRetryAttempts": settings.rules.retries_max.map_or(-1, i64::from),
                "MaximumRecordAgeInSeconds": age_s.unwrap_or(-1),
                "BisectBatchOnFunctionError": settings.rules.bisect,
                "TumblingWindowInSeconds": 0,
                "DestinationConfig": {"OnFailure": Destination::describe(settings.on_failure.as_ref())},
                "LastProcessingResult": last_result,
                "StateTransitionReason": "User action",
            });
            for (member, value) in of_stream.as_object().into_iter().flatten() {
                answer[member] = value.clone();
            }
        }
        Origin::Queue { .. } => {
            if let Some(most) = settings.concurrency_max {
                answer["ScalingConfig"] = json!({"MaximumConcurrency": most});
            }
        }
    }
    answer
}
