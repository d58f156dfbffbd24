//! The JSON 1.0 codec of Step Functions: which operation a call is, and how errors look.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

use super::{execution_api, machine_api};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    region::Region,
    world::World,
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// AWS's longest names of machines and executions.
const NAME_CHARS_MAX: usize = 80;
/// AWS's page, and its largest.
const PAGE_SIZE_DEFAULT: usize = 100;
const PAGE_SIZE_MAX: usize = 1_000;
/// What names may not have in them, besides white space and control characters.
const NOT_IN_NAMES: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";

/// What an operation is given.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) region: &'a Arc<Region>,
    pub(crate) now: Timestamp,
}

type Operation = fn(&Context<'_>, Json) -> Result<Json, AwsError>;

/// The operations that there are.
const OPERATIONS: &[(&str, Operation)] = &[
    ("CreateStateMachine", machine_api::create_state_machine),
    ("DescribeStateMachine", machine_api::describe_state_machine),
    ("ListStateMachines", machine_api::list_state_machines),
    ("UpdateStateMachine", machine_api::update_state_machine),
    ("DeleteStateMachine", machine_api::delete_state_machine),
    ("ValidateStateMachineDefinition", machine_api::validate_state_machine_definition),
    ("TagResource", machine_api::tag_resource),
    ("UntagResource", machine_api::untag_resource),
    ("ListTagsForResource", machine_api::list_tags_for_resource),
    ("StartExecution", execution_api::start_execution),
    ("StopExecution", execution_api::stop_execution),
    ("DescribeExecution", execution_api::describe_execution),
    ("DescribeStateMachineForExecution", execution_api::describe_state_machine_for_execution),
    ("ListExecutions", execution_api::list_executions),
    ("GetExecutionHistory", execution_api::get_execution_history),
];

/// Answers a call.
pub(crate) fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let name = call.target().unwrap_or_default();
    let Some((_, operation)) = OPERATIONS.iter().find(|(n, _)| *n == name) else {
        let message = format!("The twin does not have the operation {name}");
        return Err(AwsError::new(400, "UnknownOperationException", message));
    };
    let region = world
        .region(&call.region)
        .ok_or_else(|| AwsError::new(500, "InternalFailure", "The twin does not have this Region"))?;
    let answer = operation(&Context { world, region, now: world.clock.now() }, call.json()?)?;
    Ok(Reply::raw(200, CONTENT_TYPE, answer.to_string()))
}

/// An error as Step Functions writes it.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    let namespace = match error.code {
        "UnknownOperationException" | "SerializationException" => "com.amazon.coral.service",
        "ValidationException" => "com.amazon.coral.validate",
        _ => "com.amazonaws.swf.service.v2.model",
    };
    let mut body = json!({"__type": format!("{namespace}#{}", error.code), "message": error.message});
    for (member, value) in &error.members {
        body[*member] = json!(value);
    }
    Reply::raw(error.status, CONTENT_TYPE, body.to_string())
}

pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}

/// The request as the operation's input.
pub(crate) fn input<T: DeserializeOwned>(request: Json) -> Result<T, AwsError> {
    serde_json::from_value(request).map_err(|e| invalid(format!("1 validation error detected: {e}")))
}

/// A time as the JSON protocols write it.
pub(crate) fn seconds(at: Timestamp) -> Json {
    // Milliseconds of any date are far below 2^52.
    json!(at.as_millisecond() as f64 / 1000.0)
}

/// Refuses what is no name of a machine or an execution.
pub(crate) fn check_name(name: &str) -> Result<(), AwsError> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || NOT_IN_NAMES.contains(c);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(is_bad) {
        return Err(AwsError::new(400, "InvalidName", format!("Invalid Name: '{name}'")));
    }
    Ok(())
}

/// Refuses what is no ARN of this kind of resource: `stateMachine` or `execution`.
pub(crate) fn check_arn(arn: &str, kind: &str) -> Result<(), AwsError> {
    let parts: Vec<_> = arn.split(':').collect();
    let wanted = if kind == "execution" { 8 } else { 7 };
    let is_good = matches!(parts.as_slice(), ["arn", _, "states", _, _, k, ..] if *k == kind);
    if is_good && parts.len() == wanted {
        return Ok(());
    }
    let why = if parts.first() == Some(&"arn") {
        "Resource type not valid in this context"
    } else {
        "Invalid ARN prefix"
    };
    Err(AwsError::new(400, "InvalidArn", format!("Invalid Arn: '{why}: {arn}'")))
}

/// One tag.
#[derive(Debug, Deserialize)]
pub(crate) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

impl Tag {
    pub(crate) fn map(tags: Vec<Self>) -> BTreeMap<String, String> {
        tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
    }
}

/// Which page is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Page {
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Page {
    pub(crate) fn size(&self) -> Result<usize, AwsError> {
        match self.max_results {
            None | Some(0) => Ok(PAGE_SIZE_DEFAULT),
            Some(size @ 1..=PAGE_SIZE_MAX) => Ok(size),
            Some(size) => Err(invalid(format!(
                "1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy constraint: Member must \
                 have value less than or equal to {PAGE_SIZE_MAX}"
            ))),
        }
    }

    /// What the token of the page before says.
    pub(crate) fn after<T: DeserializeOwned>(&self) -> Result<Option<T>, AwsError> {
        let Some(token) = &self.next_token else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let said = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        said.map(Some).ok_or_else(|| AwsError::new(400, "InvalidToken", format!("Invalid Token: '{token}'")))
    }

    /// The page of an answer: the items, and a token if there are more. `key` says after which item the next begins.
    pub(crate) fn cut<T>(
        &self,
        items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> Json,
    ) -> Result<(Vec<T>, Option<String>), AwsError> {
        let size = self.size()?;
        let mut items = items.peekable();
        let page: Vec<T> = items.by_ref().take(size).collect();
        let next = items.peek().and(page.last()).map(|last| URL_SAFE_NO_PAD.encode(key(last).to_string()));
        Ok((page, next))
    }
}

/// An answer that lists something.
pub(crate) fn listing(name: &str, items: impl Iterator<Item = Json>, next: Option<String>) -> Json {
    let mut answer = json!({name: items.collect::<Vec<_>>()});
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    answer
}

#[cfg(test)]
mod tests;
