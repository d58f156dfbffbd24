//! The operations on targets of rules.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, Page, check_bus, check_name, input, invalid, listing},
    delivery::Destination,
    input::Input,
    rule::{Target, TargetSpec},
};
use crate::error::AwsError;

/// Members of a target that only kinds have that the twin has not.
const OTHER_KINDS: [&str; 10] = [
    "KinesisParameters",
    "RunCommandParameters",
    "EcsParameters",
    "BatchParameters",
    "SqsParameters",
    "HttpParameters",
    "RedshiftDataParameters",
    "SageMakerPipelineParameters",
    "DeadLetterConfig",
    "AppSyncParameters",
];
/// Targets in one call.
const ENTRIES_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    rule: String,
    event_bus_name: Option<String>,
    targets: Vec<Json>,
}

pub(crate) fn put_targets(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Put = input(request)?;
    check_bus(request.event_bus_name.as_deref())?;
    check_name("rule", &request.rule)?;
    context.bus.read(|rules| rules.get(&request.rule).map(|_| ()))?;
    if request.targets.is_empty() || request.targets.len() > ENTRIES_MAX {
        return Err(invalid(format!("1 validation error detected: targets has 1 to {ENTRIES_MAX} members")));
    }
    let targets = request.targets.into_iter().map(|t| target(context, t)).collect::<Result<Vec<_>, _>>()?;
    context.bus.change(|rules| rules.put_targets(&request.rule, targets))?;
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

fn target(context: &Context<'_>, given: Json) -> Result<Target, AwsError> {
    if let Some(odd) = OTHER_KINDS.iter().find(|member| !given[**member].is_null()) {
        return Err(invalid(format!("The twin has no targets with {odd}")));
    }
    let spec: TargetSpec = input(given)?;
    check_name("targets.id", &spec.id)?;
    if !spec.arn.starts_with("arn:") {
        let message =
            format!("Parameter {} is not valid. Reason: Provided Arn is not in correct format.", spec.arn);
        return Err(invalid(message));
    }
    let destination = Destination::parse(&spec.arn, &context.region.name, &context.world.account);
    let destination = destination.ok_or_else(|| {
        invalid(format!(
            "Parameter {} is not valid. Reason: The twin has functions, state machines and queues of the rule's Region as \
             targets.",
            spec.arn
        ))
    })?;
    if matches!(destination, Destination::Machine(_)) && spec.role_arn.is_none() {
        return Err(invalid(format!("RoleArn is required for target {}.", spec.arn)));
    }
    if let Some(fault) = spec.retry_policy.and_then(|policy| policy.fault()) {
        return Err(invalid(format!("RetryPolicy of target {}: {fault}", spec.id)));
    }
    let made = Input::new(spec.input.as_deref(), spec.input_path.as_deref(), spec.input_transformer.as_ref());
    let input = made.map_err(|why| invalid(format!("{why} for target {}.", spec.id)))?;
    Ok(Target { spec, destination, input })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Remove {
    rule: String,
    event_bus_name: Option<String>,
    ids: Vec<String>,
}

/// An id that is not there is no failure.
pub(crate) fn remove_targets(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Remove = input(request)?;
    check_bus(request.event_bus_name.as_deref())?;
    context.bus.change(|rules| {
        rules.get_mut(&request.rule)?.targets.retain(|id, _| !request.ids.contains(id));
        Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListTargets {
    rule: String,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    page: Page,
}

pub(crate) fn list_targets_by_rule(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: ListTargets = input(request)?;
    check_bus(request.event_bus_name.as_deref())?;
    context.bus.read(|rules| {
        let targets = rules.get(&request.rule)?.targets.values();
        let (targets, next) = request.page.cut(targets, |t| t.spec.id.as_str())?;
        Ok(listing("Targets", targets.iter().map(|t| json!(t.spec)), next))
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListRules {
    target_arn: String,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    page: Page,
}

pub(crate) fn list_rule_names_by_target(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: ListRules = input(request)?;
    check_bus(request.event_bus_name.as_deref())?;
    context.bus.read(|rules| {
        let found =
            rules.iter().filter(|rule| rule.targets.values().any(|t| t.spec.arn == request.target_arn));
        let (found, next) = request.page.cut(found, |rule| rule.name.as_str())?;
        Ok(listing("RuleNames", found.iter().map(|rule| json!(rule.name)), next))
    })
}
