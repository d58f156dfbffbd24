//! The operations on stacks and on what they have.

use serde_json::{Value as Json, json};

use super::{
    api::{Request, tags, time},
    error::{exists, invalid},
    parameter::HIDDEN,
    query::page,
    stack::{OnFailure, Plan, Resource, Stack},
};
use crate::{cloudformation::change_set, error::AwsError};

const TIMEOUT_MINUTES_MAX: u32 = 43_200;

pub(super) async fn create(request: &Request<'_>) -> Result<Json, AwsError> {
    let name = request.new_name()?;
    if request.with_stack(name, |_| ()).is_ok() {
        return Err(exists(name));
    }
    let plan = request.plan(None).await?;
    let id = request.arn(&format!("stack/{name}/{}", uuid::Uuid::new_v4()));
    let mut stack = Stack::new(id.clone(), name, request.region, plan, request.now);
    request.check_order(&stack, &stack.plan)?;
    stack.on_failure = on_failure(request)?;
    stack.is_protected = request.form.flag("EnableTerminationProtection");
    stack.token = request.form.get("ClientRequestToken").map(str::to_owned);
    stack.timeout_minutes = match request.form.get("TimeoutInMinutes").map(str::parse::<u32>) {
        None => None,
        Some(Ok(minutes @ 1..=TIMEOUT_MINUTES_MAX)) => Some(minutes),
        Some(_) => return Err(invalid(format!("TimeoutInMinutes must be 1 to {TIMEOUT_MINUTES_MAX}"))),
    };
    stack.enter("CREATE_IN_PROGRESS", Some("User Initiated"), request.now);
    request.world.cloudformation.store.lock().create(stack.clone())?;
    request.start(&stack, super::deploy::Operation::create);
    Ok(json!({"StackId": id}))
}

pub(super) fn on_failure(request: &Request<'_>) -> Result<OnFailure, AwsError> {
    let said = request.form.get("OnFailure").or_else(|| request.form.get("OnStackFailure"));
    match (said, request.form.get("DisableRollback")) {
        (Some(_), Some(_)) if request.form.get("OnFailure").is_some() => {
            Err(invalid("You can specify either DisableRollback or OnFailure, but not both."))
        }
        (Some("DO_NOTHING"), _) | (None, Some("true")) => Ok(OnFailure::DoNothing),
        (Some("DELETE"), _) => Ok(OnFailure::Delete),
        (Some("ROLLBACK") | None, _) => Ok(OnFailure::Rollback),
        (Some(other), _) => Err(invalid(format!("Unknown value of OnFailure: {other}"))),
    }
}

/// Refuses a stack in a state that cannot be updated.
pub(super) fn check_updatable(stack: &Stack) -> Result<(), AwsError> {
    if stack.is_updatable() {
        return Ok(());
    }
    let (id, status) = (&stack.id, stack.status);
    Err(invalid(format!("Stack:{id} is in {status} state and can not be updated.")))
}

/// Whether a plan would change anything of a stack.
pub(super) fn is_changed(
    request: &Request<'_>,
    stack: &Stack,
    plan: &Plan,
) -> Result<(Vec<change_set::Change>, bool), AwsError> {
    let exports = request.world.cloudformation.store.lock().exports(request.region, &stack.id);
    let changes = change_set::changes(stack, plan, &request.world.account, &exports)?;
    let old = &stack.plan;
    let is_other = old.tags != plan.tags
        || old.template.outputs != plan.template.outputs
        || outputs_differ(request, stack, plan, &exports)
        || stack.status.ends_with("_FAILED");
    let is_changed = !changes.is_empty() || is_other;
    Ok((changes, is_changed))
}

fn outputs_differ(
    request: &Request<'_>,
    stack: &Stack,
    plan: &Plan,
    exports: &std::collections::BTreeMap<String, String>,
) -> bool {
    let pseudo = change_set::pseudo(stack, plan, &request.world.account);
    let scope = super::function::Scope {
        template: &plan.template,
        parameters: &plan.parameters,
        pseudo: &pseudo,
        exports,
        resources: stack.known(),
        conditions: std::cell::RefCell::default(),
    };
    // What cannot be worked out yet hangs on a change of a resource.
    super::deploy::outputs(plan, &scope).is_ok_and(|outputs| outputs != stack.outputs)
}

pub(super) async fn update(request: &Request<'_>) -> Result<Json, AwsError> {
    let name = request.form.required("StackName")?;
    let missing = || invalid(format!("Stack [{name}] does not exist"));
    let stack = request.with_stack(name, Stack::clone).map_err(|_| missing())?;
    check_updatable(&stack)?;
    let plan = request.plan(Some(&stack.plan)).await?;
    request.check_order(&stack, &plan)?;
    if !is_changed(request, &stack, &plan)?.1 {
        return Err(invalid("No updates are to be performed."));
    }
    begin_update(request, &stack.id, plan, request.form.flag("DisableRollback"))?;
    Ok(json!({"StackId": stack.id}))
}

/// Sets the stack's status, if it still allows an update, and starts it.
pub(super) fn begin_update(
    request: &Request<'_>,
    id: &str,
    plan: Plan,
    is_rollback_disabled: bool,
) -> Result<(), AwsError> {
    let stack = {
        let mut store = request.world.cloudformation.store.lock();
        let stack = store.by_id(id)?;
        check_updatable(stack)?;
        stack.token = request.form.get("ClientRequestToken").map(str::to_owned);
        stack.on_failure = if is_rollback_disabled { OnFailure::DoNothing } else { OnFailure::Rollback };
        stack.enter("UPDATE_IN_PROGRESS", Some("User Initiated"), request.now);
        stack.clone()
    };
    request.start(&stack, |operation| operation.update(plan));
    Ok(())
}

pub(super) fn delete(request: &Request<'_>) -> Result<Json, AwsError> {
    let name = request.form.required("StackName")?;
    let retained = request.form.list("RetainResources");
    let stack = {
        let mut store = request.world.cloudformation.store.lock();
        let Ok(stack) = store.get_mut(request.region, name) else { return Ok(Json::Null) };
        if stack.is_deleted() || stack.status == "DELETE_IN_PROGRESS" {
            return Ok(Json::Null);
        }
        if stack.is_protected {
            let name = &stack.name;
            return Err(invalid(format!(
                "Stack [{name}] cannot be deleted while TerminationProtection is enabled"
            )));
        }
        if !retained.is_empty() && stack.status != "DELETE_FAILED" {
            return Err(invalid("Resources to retain can be given only of a stack in DELETE_FAILED state"));
        }
        // AWS takes the call while another operation runs and waits for it; here the caller does.
        if stack.is_busy() {
            let (id, status) = (&stack.id, stack.status);
            return Err(invalid(format!(
                "Stack:{id} is in {status} state and can not be deleted until it is over."
            )));
        }
        stack.token = request.form.get("ClientRequestToken").map(str::to_owned);
        stack.enter("DELETE_IN_PROGRESS", Some("User Initiated"), request.now);
        stack.clone()
    };
    request.start(&stack, |operation| operation.delete(retained));
    Ok(Json::Null)
}

pub(super) fn protect(request: &Request<'_>) -> Result<Json, AwsError> {
    let name = request.form.required("StackName")?;
    request.form.required("EnableTerminationProtection")?;
    let mut store = request.world.cloudformation.store.lock();
    let stack = store.get_mut(request.region, name)?;
    stack.is_protected = request.form.flag("EnableTerminationProtection");
    Ok(json!({"StackId": stack.id}))
}

/// The parameters of a plan as answers have them.
pub(super) fn parameters(plan: &Plan) -> Json {
    plan.parameters
        .iter()
        .map(|(name, value)| {
            let is_hidden = plan.template.parameters.get(name).is_some_and(|p| p.no_echo);
            json!({"ParameterKey": name, "ParameterValue": if is_hidden { HIDDEN } else { value }})
        })
        .collect()
}

fn description(stack: &Stack) -> Json {
    let outputs: Json = stack
        .outputs
        .iter()
        .map(|o| {
            json!({
                "OutputKey": o.key, "OutputValue": o.value, "Description": o.description, "ExportName": o.export,
            })
        })
        .collect();
    json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set,
        "Description": stack.plan.template.description,
        "Parameters": parameters(&stack.plan),
        "CreationTime": time(stack.created),
        "DeletionTime": stack.deleted.map(time),
        "LastUpdatedTime": stack.updated.map(time),
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.on_failure == OnFailure::DoNothing,
        "NotificationARNs": stack.plan.notification_arns,
        "TimeoutInMinutes": stack.timeout_minutes,
        "Capabilities": stack.plan.capabilities,
        "Outputs": outputs,
        "RoleARN": stack.plan.role,
        "Tags": tags(&stack.plan.tags),
        "EnableTerminationProtection": stack.is_protected,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    })
}

pub(super) fn describe(request: &Request<'_>) -> Result<Json, AwsError> {
    if let Some(name) = request.form.get("StackName").filter(|name| !name.is_empty()) {
        return Ok(json!({"Stacks": [request.with_stack(name, description)?]}));
    }
    let store = request.world.cloudformation.store.lock();
    let live = store.of_region(request.region).into_iter().filter(|s| !s.is_deleted()).collect();
    let (stacks, next) = page(&request.form, live)?;
    Ok(json!({"Stacks": stacks.into_iter().map(description).collect::<Vec<_>>(), "NextToken": next}))
}

pub(super) fn list(request: &Request<'_>) -> Result<Json, AwsError> {
    let filter = request.form.list("StackStatusFilter");
    let store = request.world.cloudformation.store.lock();
    let fits = |stack: &&Stack| filter.is_empty() || filter.iter().any(|status| status == stack.status);
    let (stacks, next) =
        page(&request.form, store.of_region(request.region).into_iter().filter(fits).collect())?;
    let summary = |stack: &Stack| {
        json!({
            "StackId": stack.id,
            "StackName": stack.name,
            "TemplateDescription": stack.plan.template.description,
            "CreationTime": time(stack.created),
            "LastUpdatedTime": stack.updated.map(time),
            "DeletionTime": stack.deleted.map(time),
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        })
    };
    let summaries: Vec<Json> = stacks.into_iter().map(summary).collect();
    Ok(json!({"StackSummaries": summaries, "NextToken": next}))
}

pub(super) fn events(request: &Request<'_>) -> Result<Json, AwsError> {
    let name = request.form.required("StackName")?;
    let stack = request
        .with_stack(name, Stack::clone)
        .map_err(|_| invalid(format!("Stack [{name}] does not exist")))?;
    let (events, next) = page(&request.form, stack.events.iter().rev().collect())?;
    let events: Vec<Json> = events
        .into_iter()
        .map(|event| {
            json!({
                "StackId": stack.id,
                "EventId": event.id,
                "StackName": stack.name,
                "LogicalResourceId": event.logical,
                "PhysicalResourceId": event.physical,
                "ResourceType": event.kind,
                "Timestamp": time(event.at),
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
                "ResourceProperties": event.properties,
                "ClientRequestToken": event.token,
            })
        })
        .collect();
    Ok(json!({"StackEvents": events, "NextToken": next}))
}

/// A resource; its time has another name in each of two answers.
fn described(resource: &Resource, time_member: &str) -> Json {
    let mut answer = json!({
        "LogicalResourceId": resource.logical,
        "PhysicalResourceId": resource.physical,
        "ResourceType": resource.kind,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    });
    answer[time_member] = time(resource.changed);
    answer
}

pub(super) fn resource(request: &Request<'_>) -> Result<Json, AwsError> {
    let (name, logical) = (request.form.required("StackName")?, request.form.required("LogicalResourceId")?);
    let stack = request
        .with_stack(name, Stack::clone)
        .map_err(|_| invalid(format!("Stack '{name}' does not exist")))?;
    let resource = stack
        .resources
        .get(logical)
        .ok_or_else(|| invalid(format!("Resource {logical} does not exist for stack {}", stack.name)))?;
    let mut detail = described(resource, "LastUpdatedTimestamp");
    detail["StackName"] = json!(stack.name);
    detail["StackId"] = json!(stack.id);
    let metadata = if resource.metadata.is_null() { "{}".to_owned() } else { resource.metadata.to_string() };
    detail["Metadata"] = json!(metadata);
    Ok(json!({"StackResourceDetail": detail}))
}

pub(super) fn resources(request: &Request<'_>) -> Result<Json, AwsError> {
    let (name, physical) = (request.form.get("StackName"), request.form.get("PhysicalResourceId"));
    let logical = request.form.get("LogicalResourceId");
    let store = request.world.cloudformation.store.lock();
    let stack = match (name, physical) {
        (Some(_), Some(_)) | (None, None) => {
            return Err(invalid("Either StackName or PhysicalResourceId must be specified, and not both"));
        }
        (Some(name), None) => store
            .get(request.region, name)
            .map_err(|_| invalid(format!("Stack with id {name} does not exist")))?,
        (None, Some(physical)) => {
            let has = |stack: &&Stack| {
                !stack.is_deleted()
                    && stack.resources.values().any(|r| r.physical.as_deref() == Some(physical))
            };
            let found = store.of_region(request.region).into_iter().find(has);
            found.ok_or_else(|| invalid(format!("Stack for {physical} does not exist")))?
        }
    };
    let list: Vec<Json> = stack
        .resources
        .values()
        .filter(|r| logical.is_none_or(|logical| r.logical == logical))
        .map(|resource| {
            let mut answer = described(resource, "Timestamp");
            answer["StackName"] = json!(stack.name);
            answer["StackId"] = json!(stack.id);
            answer
        })
        .collect();
    Ok(json!({"StackResources": list}))
}

pub(super) fn list_resources(request: &Request<'_>) -> Result<Json, AwsError> {
    let name = request.form.required("StackName")?;
    let stack = request.with_stack(name, Stack::clone)?;
    let (resources, next) = page(&request.form, stack.resources.values().collect())?;
    let list: Vec<Json> = resources.into_iter().map(|r| described(r, "LastUpdatedTimestamp")).collect();
    Ok(json!({"StackResourceSummaries": list, "NextToken": next}))
}

pub(super) fn exports(request: &Request<'_>) -> Result<Json, AwsError> {
    let store = request.world.cloudformation.store.lock();
    let mut exports: Vec<(&str, &str, &str)> = store
        .of_region(request.region)
        .into_iter()
        .filter(|stack| !stack.is_deleted())
        .flat_map(|stack| {
            stack
                .outputs
                .iter()
                .filter_map(|o| Some((o.export.as_deref()?, o.value.as_str(), stack.id.as_str())))
        })
        .collect();
    exports.sort_unstable();
    let (exports, next) = page(&request.form, exports)?;
    let list: Vec<Json> = exports
        .into_iter()
        .map(|(name, value, id)| json!({"ExportingStackId": id, "Name": name, "Value": value}))
        .collect();
    Ok(json!({"Exports": list, "NextToken": next}))
}

pub(super) fn imports(request: &Request<'_>) -> Result<Json, AwsError> {
    let name = request.form.required("ExportName")?;
    let store = request.world.cloudformation.store.lock();
    let stacks: Vec<&str> = store.importers(request.region, name).map(|stack| stack.name.as_str()).collect();
    if stacks.is_empty() {
        return Err(invalid(format!("Export '{name}' is not imported by any stack.")));
    }
    let (stacks, next) = page(&request.form, stacks)?;
    Ok(json!({"Imports": stacks, "NextToken": next}))
}
