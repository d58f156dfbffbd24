//! The operations on change sets.

use serde_json::{Value as Json, json};

use super::{
    api::{Request, tags, time},
    change_set::{Change, ChangeSet},
    error::{invalid, limit, no_change_set, no_stack},
    query::page,
    stack::{OnFailure, Plan, Stack},
    stack_api::{begin_update, check_updatable, is_changed, on_failure, parameters},
};
use crate::error::AwsError;

/// Change sets of one stack.
const CHANGE_SETS_MAX: usize = 1_000;
const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

pub(super) async fn create(request: &Request<'_>) -> Result<Json, AwsError> {
    let (name, set_name) = (request.form.required("StackName")?, request.form.required("ChangeSetName")?);
    let is_create = match request.form.get("ChangeSetType").unwrap_or("UPDATE") {
        "CREATE" => true,
        "UPDATE" => false,
        other => return Err(invalid(format!("The twin does not have change sets of type {other}"))),
    };
    let known = request.with_stack(name, Stack::clone).ok().filter(|stack| !stack.is_deleted());
    let (stack, is_new) = match known {
        Some(stack) if is_create && stack.status != "REVIEW_IN_PROGRESS" => {
            return Err(invalid(format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{set_name}].",
                stack.name
            )));
        }
        Some(stack) => (stack, false),
        None if is_create => {
            request.new_name()?;
            let id = request.arn(&format!("stack/{name}/{}", uuid::Uuid::new_v4()));
            (Stack::new(id, name, request.region, Plan::default(), request.now), true)
        }
        None => return Err(invalid(format!("Stack [{name}] does not exist"))),
    };
    if !is_create {
        check_updatable(&stack)?;
    }
    let plan = request.plan((!is_create).then_some(&stack.plan)).await?;
    request.check_order(&stack, &plan)?;
    let set = ChangeSet {
        id: request.arn(&format!("changeSet/{set_name}/{}", uuid::Uuid::new_v4())),
        name: set_name.to_owned(),
        description: request.form.get("Description").map(str::to_owned),
        is_create,
        plan,
        on_failure: request.form.get("OnStackFailure").map(|_| on_failure(request)).transpose()?,
        status: "CREATE_IN_PROGRESS",
        reason: None,
        execution: "UNAVAILABLE",
        changes: Vec::new(),
        created: request.now,
    };
    let (stack_id, id) = (stack.id.clone(), set.id.clone());
    insert(request, &stack, is_new, set.clone())?;
    let found = is_changed(request, &stack, &set.plan);
    // Worked out at once, but seen as AWS shows it: in progress first.
    request.start(&stack, |operation| async move {
        operation.stack(|stack, _| {
            let Some(set) = stack.change_sets.get_mut(&set.id) else { return };
            match found {
                Ok((changes, true)) => {
                    set.changes = changes;
                    (set.status, set.execution) = ("CREATE_COMPLETE", "AVAILABLE");
                }
                Ok((_, false)) => (set.status, set.reason) = ("FAILED", Some(NO_CHANGES.to_owned())),
                Err(error) => (set.status, set.reason) = ("FAILED", Some(error.message)),
            }
        });
    });
    Ok(json!({"Id": id, "StackId": stack_id}))
}

fn insert(request: &Request<'_>, stack: &Stack, is_new: bool, set: ChangeSet) -> Result<(), AwsError> {
    let mut store = request.world.cloudformation.store.lock();
    if is_new {
        let mut stack = stack.clone();
        stack.enter("REVIEW_IN_PROGRESS", Some("User Initiated"), request.now);
        store.create(stack)?;
    }
    let stack = store.by_id(&stack.id)?;
    if stack.change_sets.values().any(|known| known.name == set.name) {
        let message = format!(
            "ChangeSet {} cannot be created due to a mismatch with existing attribute Name",
            set.name
        );
        return Err(AwsError::new(400, "AlreadyExistsException", message));
    }
    if stack.change_sets.len() >= CHANGE_SETS_MAX {
        return Err(limit(format!("Limit of {CHANGE_SETS_MAX} change sets of a stack has been exceeded")));
    }
    stack.change_sets.insert(set.id.clone(), set);
    Ok(())
}

/// The stack and the change set that a request is about.
pub(super) fn find(request: &Request<'_>) -> Result<(Stack, ChangeSet), AwsError> {
    let name = request.form.required("ChangeSetName")?;
    let store = request.world.cloudformation.store.lock();
    let stack = match request.form.get("StackName") {
        Some(stack) => store.get(request.region, stack).map_err(|_| no_stack(stack))?,
        None if !name.starts_with("arn:") => {
            return Err(invalid("StackName must be specified if ChangeSetName is not specified as an ARN."));
        }
        None => {
            let has = |stack: &&Stack| stack.change_sets.contains_key(name);
            let found = store.of_region(request.region).into_iter().find(has);
            found.ok_or_else(|| no_change_set(name))?
        }
    };
    let set = stack.change_sets.values().find(|set| set.id == name || set.name == name);
    let set = set.ok_or_else(|| no_change_set(name))?.clone();
    Ok((stack.clone(), set))
}

fn change(change: &Change) -> Json {
    let details: Vec<Json> = change
        .properties
        .iter()
        .map(|(name, is_certain)| {
            json!({
                "Target": {"Attribute": "Properties", "Name": name},
                "Evaluation": if *is_certain { "Static" } else { "Dynamic" },
                "ChangeSource": if *is_certain { "DirectModification" } else { "ResourceReference" },
            })
        })
        .collect();
    let scope = if change.properties.is_empty() { json!([]) } else { json!(["Properties"]) };
    json!({
        "Type": "Resource",
        "ResourceChange": {
            "Action": change.action,
            "LogicalResourceId": change.logical,
            "PhysicalResourceId": change.physical,
            "ResourceType": change.kind,
            "Replacement": change.replacement,
            "Scope": scope,
            "Details": details,
        },
    })
}

pub(super) fn describe(request: &Request<'_>) -> Result<Json, AwsError> {
    let (stack, set) = find(request)?;
    let (changes, next) = page(&request.form, set.changes.iter().collect())?;
    Ok(json!({
        "ChangeSetName": set.name,
        "ChangeSetId": set.id,
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": set.description,
        "Parameters": parameters(&set.plan),
        "CreationTime": time(set.created),
        "ExecutionStatus": set.execution,
        "Status": set.status,
        "StatusReason": set.reason,
        "NotificationARNs": set.plan.notification_arns,
        "RollbackConfiguration": {},
        "Capabilities": set.plan.capabilities,
        "Tags": tags(&set.plan.tags),
        "Changes": changes.into_iter().map(change).collect::<Vec<_>>(),
        "NextToken": next,
        "IncludeNestedStacks": false,
    }))
}

pub(super) fn execute(request: &Request<'_>) -> Result<Json, AwsError> {
    let (stack, set) = find(request)?;
    if set.execution != "AVAILABLE" {
        let (id, status, execution) = (&set.id, set.status, set.execution);
        return Err(AwsError::new(
            400,
            "InvalidChangeSetStatus",
            format!(
                "ChangeSet [{id}] cannot be executed in its current status of [{status}] and execution status of \
                 [{execution}]"
            ),
        ));
    }
    let is_rollback_disabled =
        request.form.flag("DisableRollback") || set.on_failure == Some(OnFailure::DoNothing);
    if set.is_create {
        let stack = {
            let mut store = request.world.cloudformation.store.lock();
            let stack = store.by_id(&stack.id)?;
            if stack.status != "REVIEW_IN_PROGRESS" {
                return Err(check_updatable(stack).err().unwrap_or_else(|| {
                    invalid(format!("Stack [{}] already exists and cannot be created again", stack.name))
                }));
            }
            stack.plan = set.plan.clone();
            stack.token = request.form.get("ClientRequestToken").map(str::to_owned);
            let otherwise = if is_rollback_disabled { OnFailure::DoNothing } else { OnFailure::Rollback };
            stack.on_failure = set.on_failure.unwrap_or(otherwise);
            stack.enter("CREATE_IN_PROGRESS", Some("User Initiated"), request.now);
            stack.clone()
        };
        request.start(&stack, super::deploy::Operation::create);
    } else {
        begin_update(request, &stack.id, set.plan.clone(), is_rollback_disabled)?;
    }
    let mut store = request.world.cloudformation.store.lock();
    let stack = store.by_id(&stack.id)?;
    // The others were worked out from what the stack was.
    for other in stack.change_sets.values_mut() {
        other.execution = if other.id == set.id { "EXECUTE_COMPLETE" } else { "OBSOLETE" };
    }
    stack.change_set = Some(set.id);
    Ok(json!({}))
}

pub(super) fn delete(request: &Request<'_>) -> Result<Json, AwsError> {
    let (stack, set) = match find(request) {
        Ok(found) => found,
        // Deleting what is not there succeeds; a stack that is not there is an error.
        Err(error) if error.code == "ChangeSetNotFound" => return Ok(json!({})),
        Err(error) => return Err(error),
    };
    let mut store = request.world.cloudformation.store.lock();
    store.by_id(&stack.id)?.change_sets.remove(&set.id);
    Ok(json!({}))
}

pub(super) fn list(request: &Request<'_>) -> Result<Json, AwsError> {
    let name = request.form.required("StackName")?;
    let stack = request.with_stack(name, Stack::clone)?;
    let mut sets: Vec<&ChangeSet> = stack.change_sets.values().collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.created));
    let (sets, next) = page(&request.form, sets)?;
    let summaries: Vec<Json> = sets
        .into_iter()
        .map(|set| {
            json!({
                "StackId": stack.id,
                "StackName": stack.name,
                "ChangeSetId": set.id,
                "ChangeSetName": set.name,
                "ExecutionStatus": set.execution,
                "Status": set.status,
                "StatusReason": set.reason,
                "CreationTime": time(set.created),
                "Description": set.description,
                "IncludeNestedStacks": false,
            })
        })
        .collect();
    Ok(json!({"Summaries": summaries, "NextToken": next}))
}
