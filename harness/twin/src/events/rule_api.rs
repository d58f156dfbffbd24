//! The operations on rules and their tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{
    api::{Context, Page, check_bus, check_name, input, invalid, listing},
    event_api::pattern,
    rule::{Rule, RuleChange},
    schedule::Expression,
};
use crate::error::AwsError;

const DESCRIPTION_CHARS_MAX: usize = 512;
const EXPRESSION_CHARS_MAX: usize = 256;
const TAGS_MAX: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    name: String,
    event_bus_name: Option<String>,
    schedule_expression: Option<String>,
    event_pattern: Option<String>,
    state: Option<String>,
    description: Option<String>,
    role_arn: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

pub(crate) fn put_rule(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Put = input(request)?;
    check_bus(request.event_bus_name.as_deref())?;
    check_name("name", &request.name)?;
    // An empty string is none, as on AWS.
    let given = |text: Option<String>| text.filter(|t| !t.is_empty());
    let (pattern_text, schedule_text) = (given(request.event_pattern), given(request.schedule_expression));
    if pattern_text.is_none() && schedule_text.is_none() {
        return Err(invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    let pattern = pattern_text.map(|text| pattern(&text).map(|p| (text, p))).transpose()?;
    let schedule = schedule_text.map(|text| expression(&text).map(|e| (text, e))).transpose()?;
    if request.description.as_ref().is_some_and(|d| d.chars().count() > DESCRIPTION_CHARS_MAX) {
        return Err(invalid(format!("Description has at most {DESCRIPTION_CHARS_MAX} characters")));
    }
    let is_enabled = match request.state.as_deref() {
        None | Some("ENABLED") => true,
        Some("DISABLED") => false,
        Some(other) => return Err(invalid(format!("The twin has no rules in state {other}"))),
    };
    let arn = arn(context, &request.name);
    let change = RuleChange {
        name: request.name,
        arn: arn.clone(),
        description: request.description,
        role: request.role_arn,
        is_enabled,
        pattern,
        schedule,
        tags: tags(request.tags)?,
    };
    context.bus.change(|rules| rules.put(change, context.now))?;
    Ok(json!({"RuleArn": arn}))
}

fn arn(context: &Context<'_>, name: &str) -> String {
    format!("arn:aws:events:{}:{}:rule/{name}", context.region.name, context.world.account)
}

fn expression(text: &str) -> Result<Expression, AwsError> {
    if text.chars().count() > EXPRESSION_CHARS_MAX {
        return Err(invalid(format!("ScheduleExpression has at most {EXPRESSION_CHARS_MAX} characters")));
    }
    let parsed = Expression::parse(text).filter(|e| !matches!(e, Expression::At(_)));
    parsed.ok_or_else(|| invalid("Parameter ScheduleExpression is not valid."))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
    event_bus_name: Option<String>,
}

fn named(request: Json) -> Result<String, AwsError> {
    let request: Named = input(request)?;
    check_bus(request.event_bus_name.as_deref())?;
    check_name("name", &request.name)?;
    Ok(request.name)
}

pub(crate) fn describe_rule(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let name = named(request)?;
    context.bus.read(|rules| {
        let rule = rules.get(&name)?;
        let mut answer = summary(rule);
        answer["CreatedBy"] = json!(context.world.account);
        Ok(answer)
    })
}

pub(crate) fn delete_rule(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let name = named(request)?;
    context.bus.change(|rules| rules.delete(&name))?;
    Ok(json!({}))
}

pub(crate) fn enable_rule(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    set_enabled(context, request, true)
}

pub(crate) fn disable_rule(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    set_enabled(context, request, false)
}

fn set_enabled(context: &Context<'_>, request: Json, is_enabled: bool) -> Result<Json, AwsError> {
    let name = named(request)?;
    context.bus.change(|rules| rules.get_mut(&name).map(|rule| rule.enable(is_enabled, context.now)))?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    name_prefix: Option<String>,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    page: Page,
}

pub(crate) fn list_rules(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: List = input(request)?;
    check_bus(request.event_bus_name.as_deref())?;
    let prefix = request.name_prefix.unwrap_or_default();
    context.bus.read(|rules| {
        let found = rules.iter().filter(|rule| rule.name.starts_with(&prefix));
        let (found, next) = request.page.cut(found, |rule| rule.name.as_str())?;
        Ok(listing("Rules", found.into_iter().map(summary), next))
    })
}

fn summary(rule: &Rule) -> Json {
    let mut answer = json!({
        "Name": rule.name,
        "Arn": rule.arn,
        "State": if rule.is_enabled { "ENABLED" } else { "DISABLED" },
        "EventBusName": "default",
    });
    for (member, value) in [
        ("EventPattern", rule.pattern.as_ref().map(|(text, _)| text)),
        ("ScheduleExpression", rule.schedule.as_ref().map(|(text, _)| text)),
        ("Description", rule.description.as_ref()),
        ("RoleArn", rule.role.as_ref()),
    ] {
        if let Some(value) = value {
            answer[member] = json!(value);
        }
    }
    answer
}

#[derive(Debug, Deserialize)]
struct Tagging {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    #[serde(rename = "Tags", default)]
    tags: Vec<Tag>,
    #[serde(rename = "TagKeys", default)]
    tag_keys: Vec<String>,
}

fn tags(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, AwsError> {
    if tags.len() > TAGS_MAX {
        return Err(invalid(format!("A resource has at most {TAGS_MAX} tags")));
    }
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

/// The rule that an ARN names.
fn tagged<'a>(context: &Context<'_>, arn: &'a str) -> Result<&'a str, AwsError> {
    let prefix = self::arn(context, "");
    arn.strip_prefix(&prefix).map(|name| name.strip_prefix("default/").unwrap_or(name)).ok_or_else(|| {
        AwsError::new(400, "ResourceNotFoundException", format!("Resource {arn} does not exist."))
    })
}

pub(crate) fn tag_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Tagging = input(request)?;
    let name = tagged(context, &request.resource_arn)?;
    let new = tags(request.tags)?;
    context.bus.change(|rules| {
        let rule = rules.get_mut(name)?;
        let mut all = rule.tags.clone();
        all.extend(new);
        if all.len() > TAGS_MAX {
            return Err(invalid(format!("A resource has at most {TAGS_MAX} tags")));
        }
        rule.tags = all;
        Ok(json!({}))
    })
}

pub(crate) fn untag_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Tagging = input(request)?;
    let name = tagged(context, &request.resource_arn)?;
    context.bus.change(|rules| {
        rules.get_mut(name)?.tags.retain(|key, _| !request.tag_keys.contains(key));
        Ok(json!({}))
    })
}

pub(crate) fn list_tags_for_resource(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Tagging = input(request)?;
    let name = tagged(context, &request.resource_arn)?;
    context.bus.read(|rules| {
        let tags = &rules.get(name)?.tags;
        let tags: Vec<Json> = tags.iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
        Ok(json!({"Tags": tags}))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_has_a_length() {
        let with_blanks = |chars: usize| format!("cron(0{}* * * ? *)", " ".repeat(chars - 16));
        assert!(expression(&with_blanks(EXPRESSION_CHARS_MAX)).is_ok());
        let refused = expression(&with_blanks(EXPRESSION_CHARS_MAX + 1)).unwrap_err();
        assert_eq!(refused.code, "ValidationException");
    }
}
