//! The JSON 1.1 codec of EventBridge: which operation a call is, and how errors look.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

use super::{bus::Bus, event_api, rule_api, target_api};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    region::Region,
    world::World,
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// AWS's largest page.
const PAGE_MAX: usize = 100;
const BUS: &str = "default";

/// What an operation is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) region: &'a Arc<Region>,
    pub(crate) bus: &'a Bus,
    pub(crate) now: Timestamp,
}

type Operation = fn(&Context<'_>, Json) -> Result<Json, AwsError>;

/// The operations that there are.
const OPERATIONS: &[(&str, Operation)] = &[
    ("PutRule", rule_api::put_rule),
    ("DescribeRule", rule_api::describe_rule),
    ("DeleteRule", rule_api::delete_rule),
    ("ListRules", rule_api::list_rules),
    ("EnableRule", rule_api::enable_rule),
    ("DisableRule", rule_api::disable_rule),
    ("TagResource", rule_api::tag_resource),
    ("UntagResource", rule_api::untag_resource),
    ("ListTagsForResource", rule_api::list_tags_for_resource),
    ("PutTargets", target_api::put_targets),
    ("RemoveTargets", target_api::remove_targets),
    ("ListTargetsByRule", target_api::list_targets_by_rule),
    ("ListRuleNamesByTarget", target_api::list_rule_names_by_target),
    ("PutEvents", event_api::put_events),
    ("TestEventPattern", event_api::test_event_pattern),
    ("DescribeEventBus", event_api::describe_event_bus),
    ("ListEventBuses", event_api::list_event_buses),
];

/// Answers a call.
pub(crate) fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let name = call.target().unwrap_or_default();
    let Some((_, operation)) = OPERATIONS.iter().find(|(n, _)| *n == name) else {
        let message = format!("The twin does not have the operation {name}");
        return Err(AwsError::new(400, "UnknownOperationException", message));
    };
    let (Some(region), Some(bus)) = (world.region(&call.region), world.events.bus(&call.region)) else {
        return Err(AwsError::new(500, "InternalException", "The twin does not have this Region"));
    };
    let answer = operation(&Context { world, region, bus, now: world.clock.now() }, call.json()?)?;
    Ok(Reply::raw(200, CONTENT_TYPE, answer.to_string()))
}

/// An error as EventBridge writes it.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    let body = json!({"__type": error.code, "message": error.message});
    Reply::raw(error.status, CONTENT_TYPE, body.to_string())
}

pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}

/// The request as the operation's input.
pub(crate) fn input<T: DeserializeOwned>(request: Json) -> Result<T, AwsError> {
    serde_json::from_value(request).map_err(|e| invalid(format!("1 validation error detected: {e}")))
}

/// Refuses every bus but the default one.
pub(crate) fn check_bus(bus: Option<&str>) -> Result<(), AwsError> {
    match bus {
        None => Ok(()),
        Some(name) if is_default(name) => Ok(()),
        Some(name) => {
            let message = format!("Event bus {name} does not exist.");
            Err(AwsError::new(400, "ResourceNotFoundException", message))
        }
    }
}

/// By name or ARN.
pub(crate) fn is_default(bus: &str) -> bool {
    bus == BUS || bus.starts_with("arn:aws:events:") && bus.ends_with(":event-bus/default")
}

/// Refuses what is no name of a rule or id of a target.
pub(crate) fn check_name(member: &str, name: &str) -> Result<(), AwsError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_allowed) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+"
        )));
    }
    Ok(())
}

/// Which page is asked for. The token is the last item of the page before.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Page {
    limit: Option<usize>,
    next_token: Option<String>,
}

impl Page {
    /// The page of items that are in the order of their keys, and the token of the next.
    pub(crate) fn cut<T>(
        &self,
        items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> &str,
    ) -> Result<(Vec<T>, Option<String>), AwsError> {
        let size = self.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&size) {
            return Err(invalid(format!("1 validation error detected: Limit must be 1 to {PAGE_MAX}")));
        }
        let mut items =
            items.filter(|i| self.next_token.as_deref().is_none_or(|token| key(i) > token)).peekable();
        let page: Vec<T> = items.by_ref().take(size).collect();
        let next = items.peek().and(page.last()).map(|last| key(last).to_owned());
        Ok((page, next))
    }
}

/// An answer that lists something.
pub(crate) fn listing(name: &str, items: impl Iterator<Item = Json>, next: Option<String>) -> Json {
    let mut answer = json!({name: items.collect::<Vec<_>>()});
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    answer
}
