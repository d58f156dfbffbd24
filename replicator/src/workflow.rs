//! Dispatch by Step Functions: one execution an event, with the guide's retry policy.
//!
//! [`dispatch`] starts the executions from the stream's batches; the state machine ([`DEFINITION`])
//! runs [`apply`] with the record as its input, tries again what may pass, and ends what does not pass
//! with [`give_up`], which writes the error row. Executions of one device may overtake each other:
//! what comes after what is decided by [`crate::order`], not by their order.

use std::collections::BTreeMap;
use std::future::Future;

use futures::StreamExt;
use serde_json::{Value, json};
use tracing::warn;

use crate::batch::{ItemFailure, Response};
use crate::event::{AGAIN, DOCUMENT};
use crate::outcome::{Failure, Outcome};
use crate::policy::Policies;
use crate::ports::{Clock, Errors, World};
use crate::record::{self, Reading, Record};
use crate::settle::{self, Settlement, error_key, error_row, note_nameless};

/// The state machine in Amazon's States Language. `${...}` is for whoever deploys it: see
/// [`definition`].
pub const DEFINITION: &str = include_str!("workflow/replicate.asl.json");

/// The error of a task that may be tried again, as the state machine names it.
pub const AGAIN_ERROR: &str = "ReplicationException";

/// The error of a task that only has to wait for its turn: another execution has taken its key, as
/// instances that are all busy make it wait. That passes in moments, so it is tried again within seconds, for
/// hours; it is no attempt of the guide's policy, whose first wait is half a minute.
pub const TURN_ERROR: &str = "TurnException";

/// How many executions are started at once.
pub const STARTS_AT_ONCE_MAX: usize = 16;

/// The largest input of an execution.
pub const INPUT_BYTES_MAX: usize = 262_144;

/// What the definition leaves open.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// The wait before the second attempt, in seconds.
    pub interval_s: u64,
    /// By what each wait is longer than the one before.
    pub rate: f64,
    /// How many attempts follow the first.
    pub attempts: u32,
    /// How long one attempt may take, in seconds.
    pub timeout_s: u64,
}

impl Default for Retry {
    /// The guide's: ten more attempts within ten days.
    fn default() -> Self {
        Self { interval_s: 30, rate: 3.0, attempts: 10, timeout_s: 60 }
    }
}

impl Retry {
    /// The names in [`DEFINITION`] and what stands for them; the functions' ARNs are
    /// `ApplyFunctionArn` and `GiveUpFunctionArn`.
    pub fn substitutions(&self, apply_arn: &str, give_up_arn: &str) -> BTreeMap<&'static str, String> {
        [
            ("ApplyFunctionArn", apply_arn.to_owned()),
            ("GiveUpFunctionArn", give_up_arn.to_owned()),
            ("RetryIntervalSeconds", self.interval_s.to_string()),
            ("RetryBackoffRate", format!("{:?}", self.rate)),
            ("RetryMaxAttempts", self.attempts.to_string()),
            ("AttemptTimeoutSeconds", self.timeout_s.to_string()),
        ]
        .into()
    }
}

/// The definition with nothing left open.
pub fn definition(substitutions: &BTreeMap<&'static str, String>) -> String {
    substitutions
        .iter()
        .fold(DEFINITION.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

/// The state machine, for whoever starts executions of it.
pub trait Executions: Sync {
    /// Starts an execution for an event, unless there was one of that identity: `false`.
    fn start(&self, identity: &str, input: &Value) -> impl Future<Output = Outcome<bool>> + Send;
}

/// Starts an execution for each record of a batch. What could not be started is delivered again; what
/// never can be has a row in the error table.
///
/// Fails only if a row could not be written there; then the whole batch is delivered again.
pub async fn dispatch<X: Executions, E: Errors, C: Clock>(
    executions: &X,
    errors: &E,
    clock: &C,
    own_region: &str,
    records: &[Value],
) -> Outcome<Response> {
    let mut response = Response::default();
    let mut events = Vec::new();
    for (index, raw) in records.iter().enumerate() {
        match record::read(raw, own_region) {
            Reading::Skip => response.metrics.skipped += 1,
            Reading::Heartbeat(stream) => response.metrics.beat(stream),
            Reading::Event(record) => events.push((record, raw)),
            Reading::Nameless => {
                note_nameless(errors, clock.now_ms(), raw, index).await?;
                response.metrics.error_rows += 1;
            }
        }
    }
    let mut started = futures::stream::iter(events)
        .map(|(record, raw)| async move { (start(executions, &record, raw).await, record) })
        .buffer_unordered(STARTS_AT_ONCE_MAX);
    while let Some((started, record)) = started.next().await {
        let Err(failure) = started else {
            response.metrics.settled(clock.now_ms().saturating_sub(record.created_ms));
            continue;
        };
        let (device, event) = (&record.device, &record.event);
        warn!(device, event, step = failure.step, why = failure.why, "not started");
        if failure.is_transient() {
            response.failures.push(ItemFailure { sequence: record.sequence });
            continue;
        }
        let row = record.row.as_ref().ok();
        let key = error_key(&record);
        errors.record(&error_row(clock.now_ms(), device, &key, row, &[failure])).await?;
        response.metrics.error_rows += 1;
    }
    response.failures.sort();
    response.metrics.again = response.failures.len();
    Ok(response)
}

async fn start<X: Executions>(executions: &X, record: &Record, raw: &Value) -> Outcome<bool> {
    let mut input = raw.clone();
    if let Some(change) = input["dynamodb"].as_object_mut() {
        // The task has no use for it, and an input has a size.
        change.remove("OldImage");
    }
    let bytes = input.to_string().len();
    if bytes > INPUT_BYTES_MAX {
        let why = format!("the event has {bytes} bytes, an execution takes {INPUT_BYTES_MAX}");
        return Err(Failure::permanent("start execution", why));
    }
    executions.start(&identity(record), &input).await
}

/// What makes two records one event: device, event and the event's own time, so that neither a record
/// that is delivered again nor an event that the primary tells twice starts a second execution, and a
/// shadow that was made again, whose versions begin at one again, does. Documents, and what is sent to
/// mend, come again under the same key and mean it: of them each record is its own.
fn identity(record: &Record) -> String {
    let mends = record.row.as_ref().is_ok_and(|row| {
        row.get(AGAIN) == Some(&Value::Bool(true)) || row.get("eventType") == Some(&json!(DOCUMENT))
    });
    let time = record.row.as_ref().ok().and_then(|row| row.get("timestamp"));
    let which = if mends { record.sequence.clone() } else { time.map_or_else(String::new, Value::to_string) };
    // No name in AWS IoT has this character.
    [&record.device, &record.event, &which].map(String::as_str).join("\u{0}")
}

/// The task of an execution: applies its event. A failure is one that may pass.
pub async fn apply<W: World>(world: &W, policies: &Policies, input: &Value) -> Outcome<()> {
    match record::read(input, world.secondary_region()) {
        Reading::Skip | Reading::Heartbeat(_) => Ok(()),
        Reading::Nameless => note_nameless(world.errors(), world.clock().now_ms(), input, 0).await,
        Reading::Event(record) => match settle::settle(world, policies, &record).await {
            Settlement::Done | Settlement::Noted => Ok(()),
            Settlement::Again { failure, .. } => Err(failure),
        },
    }
}

/// The end of an execution that failed for good: writes the error row. `input` is the execution's, with
/// the error and its cause in `failure`.
pub async fn give_up<W: World>(world: &W, input: &Value) -> Outcome<()> {
    let told = |name: &str| input["failure"][name].as_str().unwrap_or_default();
    let why = format!("{}: {}", told("Error"), told("Cause"));
    let why = Failure::permanent("workflow", why);
    match record::read(input, world.secondary_region()) {
        Reading::Skip | Reading::Heartbeat(_) => Ok(()),
        Reading::Nameless => note_nameless(world.errors(), world.clock().now_ms(), input, 0).await,
        Reading::Event(record) => settle::note(world, &record, &[why]).await.map(drop),
    }
}

#[cfg(test)]
mod tests;
