//! The operations on executions.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, Page, check_arn, check_name, input, invalid, listing, seconds},
    execution::{DATA_BYTES_MAX, End, Execution, Identity, Status},
    history::{Event, Failure},
    machine_api::described,
    runner,
    store::Running,
};
use crate::error::AwsError;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
}

pub(crate) fn start_execution(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Start = input(request)?;
    check_arn(&request.state_machine_arn, "stateMachine")?;
    let name = request.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    check_name(&name)?;
    let given = request.input.unwrap_or_else(|| "{}".to_owned());
    if given.len() > DATA_BYTES_MAX {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less \
             than or equal to {DATA_BYTES_MAX}"
        )));
    }
    // Read as it will be read: skipping over it would take half a surrogate pair for text.
    if let Err(error) = serde_json::from_str::<Json>(&given) {
        let why = if given.is_empty() { "Invalid execution input.".to_owned() } else { error.to_string() };
        let message = format!("Invalid State Machine Execution Input: '{why}'");
        return Err(AwsError::new(400, "InvalidExecutionInput", message));
    }
    let source = context.machine(&request.state_machine_arn)?;
    let identity = Identity {
        arn: format!(
            "arn:aws:states:{}:{}:execution:{}:{name}",
            source.region, context.world.account, source.name
        ),
        name,
        region: source.region.clone(),
        machine_arn: source.arn.clone(),
        machine_name: source.name.clone(),
        role: source.role.clone(),
    };
    let execution = Execution::new(&source.machine, identity, &given, context.now, rand::random());
    let (running, is_new) = context.world.states.store.lock().start(&source, execution)?;
    let started = running.execution.lock().started;
    let answer = json!({"executionArn": running.arn, "startDate": seconds(started)});
    if is_new {
        runner::spawn(context.world, context.region, running);
    }
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    execution_arn: String,
    error: Option<String>,
    cause: Option<String>,
    included_data: Option<String>,
}

impl Context<'_> {
    /// An execution of the Region of the call.
    fn execution(&self, arn: &str) -> Result<Arc<Running>, AwsError> {
        check_arn(arn, "execution")?;
        let found = self.world.states.store.lock().execution(arn)?;
        if found.source.region == self.region.name {
            return Ok(found);
        }
        Err(AwsError::new(400, "ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'")))
    }
}

pub(crate) fn stop_execution(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Named = input(request)?;
    let running = context.execution(&request.execution_arn)?;
    running.stop(context.now, Failure { error: request.error, cause: request.cause });
    let stopped = running.execution.lock().end.as_ref().map_or(context.now, |(at, _)| *at);
    Ok(json!({"stopDate": seconds(stopped)}))
}

/// What lists and descriptions have.
fn summary(execution: &Execution) -> Json {
    let identity = &execution.identity;
    let mut answer = json!({
        "executionArn": identity.arn,
        "stateMachineArn": identity.machine_arn,
        "name": identity.name,
        "status": execution.status().name(),
        "startDate": seconds(execution.started),
        "redriveCount": 0,
    });
    if let Some((at, _)) = &execution.end {
        answer["stopDate"] = seconds(*at);
    }
    answer
}

pub(crate) fn describe_execution(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Named = input(request)?;
    let running = context.execution(&request.execution_arn)?;
    let execution = running.execution.lock();
    let mut answer = summary(&execution);
    if request.included_data.as_deref() == Some("METADATA_ONLY") {
        return Ok(answer);
    }
    answer["input"] = json!(*execution.input);
    answer["inputDetails"] = json!({"included": true});
    match &execution.end {
        Some((_, End::Succeeded(output))) => {
            answer["output"] = json!(**output);
            answer["outputDetails"] = json!({"included": true});
        }
        Some((_, End::Failed(failure) | End::Aborted(failure))) => {
            if let (Some(answer), Json::Object(members)) = (answer.as_object_mut(), failure.members()) {
                answer.extend(members);
            }
        }
        Some((_, End::TimedOut)) | None => {}
    }
    Ok(answer)
}

/// The machine as it was when the execution started.
pub(crate) fn describe_state_machine_for_execution(
    context: &Context<'_>,
    request: Json,
) -> Result<Json, AwsError> {
    let request: Named = input(request)?;
    let running = context.execution(&request.execution_arn)?;
    let mut answer = described(&running.source);
    answer["updateDate"] = seconds(running.source.updated);
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    state_machine_arn: Option<String>,
    status_filter: Option<String>,
    map_run_arn: Option<String>,
}

pub(crate) fn list_executions(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let page: Page = input(request.clone())?;
    let List { state_machine_arn, status_filter, map_run_arn } = input(request)?;
    if map_run_arn.is_some() {
        return Err(invalid("The twin does not have Map states"));
    }
    let arn =
        state_machine_arn.ok_or_else(|| invalid("Must provide either a StateMachine ARN or a MapRun ARN"))?;
    check_arn(&arn, "stateMachine")?;
    context.machine(&arn)?;
    let status = status_filter.map(|name| {
        Status::ALL.into_iter().find(|status| status.name() == name).ok_or_else(|| {
            invalid(format!(
                "1 validation error detected: Value '{name}' at 'statusFilter' failed to satisfy constraint: Member \
                 must satisfy enum value set: [RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, PENDING_REDRIVE]"
            ))
        })
    });
    let status = status.transpose()?;
    let before: Option<u64> = page.after()?;
    let store = context.world.states.store.lock();
    let listed = store
        .executions_of(&arn, before)
        .filter(|running| status.is_none_or(|status| running.execution.lock().status() == status));
    let (listed, next) = page.cut(listed, |running| json!(running.sequence()))?;
    let items = listed.into_iter().map(|running| summary(&running.execution.lock()));
    Ok(listing("executions", items, next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetHistory {
    execution_arn: String,
    #[serde(default)]
    reverse_order: bool,
    include_execution_data: Option<bool>,
}

pub(crate) fn get_execution_history(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let page: Page = input(request.clone())?;
    let request: GetHistory = input(request)?;
    let running = context.execution(&request.execution_arn)?;
    let after: Option<usize> = page.after()?;
    let execution = running.execution.lock();
    let events = execution.history.events();
    let key = |event: &&Event| json!(event.id);
    // Events are numbered from 1 without gaps.
    let (events, next) = if request.reverse_order {
        let end = after.map_or(events.len(), |id| id.saturating_sub(1).min(events.len()));
        page.cut(events[..end].iter().rev(), key)?
    } else {
        page.cut(events[after.unwrap_or(0).min(events.len())..].iter(), key)?
    };
    let with_data = request.include_execution_data.unwrap_or(true);
    let events = events.into_iter().map(|event| event.to_json(with_data));
    Ok(listing("events", events, next))
}
