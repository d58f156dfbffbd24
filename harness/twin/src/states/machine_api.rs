//! The operations on state machines.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, Page, Tag, check_arn, check_name, input, invalid, listing, seconds},
    diagnostic::Diagnostic,
    history::Failure,
    machine::Machine,
    parse::{DEFINITION_BYTES_MAX, parse},
    store::StateMachine,
};
use crate::error::AwsError;

/// AWS's most tags of one resource.
const TAGS_MAX: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    name: String,
    definition: String,
    role_arn: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    logging_configuration: Option<Json>,
    tracing_configuration: Option<Json>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    publish: bool,
}

pub(crate) fn create_state_machine(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Create = input(request)?;
    check_name(&request.name)?;
    check_role(&request.role_arn)?;
    refuse_versions(request.publish)?;
    check_kind(request.kind.as_deref())?;
    let machine = checked(&request.definition)?;
    if request.tags.len() > TAGS_MAX {
        return Err(too_many_tags(&request.name));
    }
    let (region, account) = (&context.region.name, &context.world.account);
    let machine = StateMachine {
        arn: format!("arn:aws:states:{region}:{account}:stateMachine:{}", request.name),
        name: request.name,
        region: region.clone(),
        role: request.role_arn,
        definition: request.definition,
        machine: Arc::new(machine),
        logging: request
            .logging_configuration
            .unwrap_or_else(|| json!({"level": "OFF", "includeExecutionData": false})),
        tracing: request.tracing_configuration.unwrap_or_else(|| json!({"enabled": false})),
        tags: Tag::map(request.tags),
        created: context.now,
        updated: context.now,
        revision: None,
    };
    let machine = context.world.states.store.lock().create(machine)?;
    Ok(json!({"stateMachineArn": machine.arn, "creationDate": seconds(machine.created)}))
}

fn check_kind(kind: Option<&str>) -> Result<(), AwsError> {
    match kind.unwrap_or("STANDARD") {
        "STANDARD" => Ok(()),
        "EXPRESS" => {
            let message = "The twin has state machines of type STANDARD only";
            Err(AwsError::new(400, "StateMachineTypeNotSupported", message))
        }
        other => Err(invalid(format!(
            "1 validation error detected: Value '{other}' at 'type' failed to satisfy constraint: Member must satisfy \
             enum value set: [STANDARD, EXPRESS]"
        ))),
    }
}

fn check_role(arn: &str) -> Result<(), AwsError> {
    if arn.starts_with("arn:") && arn.contains(":role/") {
        return Ok(());
    }
    Err(AwsError::new(400, "InvalidArn", format!("Invalid Role Arn: '{arn}'")))
}

fn refuse_versions(publish: bool) -> Result<(), AwsError> {
    if publish { Err(invalid("The twin does not have versions of state machines")) } else { Ok(()) }
}

fn checked(definition: &str) -> Result<Machine, AwsError> {
    check_size(definition)?;
    parse(definition).map_err(|found| AwsError::new(400, "InvalidDefinition", found.message()))
}

fn check_size(definition: &str) -> Result<(), AwsError> {
    if (1..=DEFINITION_BYTES_MAX).contains(&definition.len()) {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value at 'definition' failed to satisfy constraint: Member must have length \
         between 1 and {DEFINITION_BYTES_MAX}"
    )))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    state_machine_arn: String,
}

pub(crate) fn describe_state_machine(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let Named { state_machine_arn: arn } = input(request)?;
    check_arn(&arn, "stateMachine")?;
    let machine = context.machine(&arn)?;
    let mut answer = described(&machine);
    answer["status"] = json!("ACTIVE");
    answer["type"] = json!("STANDARD");
    answer["creationDate"] = seconds(machine.created);
    Ok(answer)
}

/// What both descriptions of a machine have.
pub(crate) fn described(machine: &StateMachine) -> Json {
    let mut answer = json!({
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "definition": machine.definition,
        "roleArn": machine.role,
        "loggingConfiguration": machine.logging,
        "tracingConfiguration": machine.tracing,
    });
    if let Some(revision) = &machine.revision {
        answer["revisionId"] = json!(revision);
    }
    answer
}

impl Context<'_> {
    /// A machine of the Region of the call.
    pub(crate) fn machine(&self, arn: &str) -> Result<Arc<StateMachine>, AwsError> {
        let machine = self.world.states.store.lock().machine(arn)?;
        if machine.region == self.region.name { Ok(machine) } else { Err(super::store::no_machine(arn)) }
    }
}

pub(crate) fn list_state_machines(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let page: Page = input(request)?;
    let after: Option<String> = page.after()?;
    let store = context.world.states.store.lock();
    let machines = store
        .machines(&context.region.name)
        .filter(|machine| after.as_deref().is_none_or(|after| machine.arn.as_str() > after));
    let (machines, next) = page.cut(machines, |machine| json!(machine.arn))?;
    let items = machines.into_iter().map(|machine| {
        json!({
            "stateMachineArn": machine.arn,
            "name": machine.name,
            "type": "STANDARD",
            "creationDate": seconds(machine.created),
        })
    });
    Ok(listing("stateMachines", items, next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    state_machine_arn: String,
    definition: Option<String>,
    role_arn: Option<String>,
    logging_configuration: Option<Json>,
    tracing_configuration: Option<Json>,
    #[serde(default)]
    publish: bool,
}

pub(crate) fn update_state_machine(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Update = input(request)?;
    check_arn(&request.state_machine_arn, "stateMachine")?;
    context.machine(&request.state_machine_arn)?;
    refuse_versions(request.publish)?;
    let is_empty = request.definition.is_none()
        && request.role_arn.is_none()
        && request.logging_configuration.is_none()
        && request.tracing_configuration.is_none();
    if is_empty {
        let message = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be \
                       specified";
        return Err(AwsError::new(400, "MissingRequiredParameter", message));
    }
    request.role_arn.as_deref().map(check_role).transpose()?;
    let machine = request.definition.as_deref().map(checked).transpose()?.map(Arc::new);
    let revision = uuid::Uuid::new_v4().to_string();
    let change = |known: &mut StateMachine| {
        if let Some((definition, machine)) = request.definition.zip(machine) {
            known.definition = definition;
            known.machine = machine;
        }
        known.role = request.role_arn.unwrap_or(std::mem::take(&mut known.role));
        known.logging = request.logging_configuration.unwrap_or(known.logging.take());
        known.tracing = request.tracing_configuration.unwrap_or(known.tracing.take());
        known.updated = context.now;
        known.revision = Some(revision.clone());
    };
    context.world.states.store.lock().update(&request.state_machine_arn, change)?;
    Ok(json!({"updateDate": seconds(context.now), "revisionId": revision}))
}

/// Deletes at once what AWS deletes in a while: executions end at their next transition there, here now.
pub(crate) fn delete_state_machine(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let Named { state_machine_arn: arn } = input(request)?;
    check_arn(&arn, "stateMachine")?;
    if context.machine(&arn).is_err() {
        return Ok(json!({}));
    }
    let executions = context.world.states.store.lock().delete(&arn);
    for running in executions {
        running.stop(context.now, Failure::default());
    }
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validate {
    definition: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    max_results: Option<usize>,
}

pub(crate) fn validate_state_machine_definition(
    _context: &Context<'_>,
    request: Json,
) -> Result<Json, AwsError> {
    let request: Validate = input(request)?;
    check_size(&request.definition)?;
    check_kind(request.kind.as_deref())?;
    let found = parse(&request.definition).err().unwrap_or_default();
    let result = if found.is_empty() { "OK" } else { "FAIL" };
    let most = request.max_results.filter(|most| *most > 0).unwrap_or(usize::MAX);
    let diagnostics: Vec<_> = found.all().iter().take(most).map(Diagnostic::to_json).collect();
    let truncated = diagnostics.len() < found.all().len();
    Ok(json!({"result": result, "diagnostics": diagnostics, "truncated": truncated}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tagging {
    resource_arn: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

impl Tagging {
    fn change(
        self,
        context: &Context<'_>,
        change: impl FnOnce(&mut BTreeMap<String, String>, Self),
    ) -> Result<Json, AwsError> {
        let arn = self.resource_arn.clone();
        let mut tags = context.tags(&arn)?;
        change(&mut tags, self);
        if tags.len() > TAGS_MAX {
            return Err(too_many_tags(&arn));
        }
        context.world.states.store.lock().update(&arn, |machine| machine.tags = tags)?;
        Ok(json!({}))
    }
}

impl Context<'_> {
    fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        check_arn(arn, "stateMachine")?;
        self.machine(arn).map(|machine| machine.tags.clone()).map_err(|_| {
            AwsError::new(400, "ResourceNotFound", format!("Resource not found: '{arn}'"))
                .with("resourceName", arn)
        })
    }
}

fn too_many_tags(name: &str) -> AwsError {
    let message = format!("Too many tags: a resource has at most {TAGS_MAX}");
    AwsError::new(400, "TooManyTags", message).with("resourceName", name)
}

pub(crate) fn tag_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Tagging = input(request)?;
    request.change(context, |tags, request| tags.extend(Tag::map(request.tags)))
}

pub(crate) fn untag_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Tagging = input(request)?;
    request.change(context, |tags, request| tags.retain(|key, _| !request.tag_keys.contains(key)))
}

pub(crate) fn list_tags_for_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Tagging = input(request)?;
    let tags = context.tags(&request.resource_arn)?;
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    Ok(json!({"tags": tags}))
}
