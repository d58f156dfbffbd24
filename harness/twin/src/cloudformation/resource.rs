//! Making, changing and deleting resources: one file a service. All of it goes through the twin's own AWS API, but for
//! what is [`recorded`] only.

mod apigateway;
mod custom;
mod dynamodb;
mod iot;
mod lambda;
mod messaging;
mod recorded;
mod route53;
mod states;
mod tag;

use std::{collections::BTreeMap, sync::Arc};

use rand::Rng as _;
use serde_json::{Map, Value as Json, json};

pub(crate) use self::custom::{ANSWER_BYTES_MAX, Waiting};
use super::{
    client::{Client, Failure},
    function::text,
    kind::{self, Kind},
};
use crate::world::World;

const SUFFIX_CHARS: usize = 12;
const SUFFIX_ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A resource as it is now.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Made {
    /// Its physical id, which is also what `Ref` comes to.
    pub(crate) id: String,
    pub(crate) attributes: Map<String, Json>,
}

impl Made {
    fn new<const N: usize>(id: impl Into<String>, attributes: [(&str, Json); N]) -> Self {
        Self {
            id: id.into(),
            attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// One resource of one stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) region: &'a str,
    pub(crate) stack_name: &'a str,
    pub(crate) stack_id: &'a str,
    pub(crate) stack_tags: &'a BTreeMap<String, String>,
    pub(crate) logical: &'a str,
    pub(crate) kind: &'a str,
}

impl Job<'_> {
    fn client(&self) -> Client<'_> {
        Client { world: self.world, region: self.region }
    }

    fn account(&self) -> &str {
        &self.world.account
    }

    /// An ARN of this Region and account.
    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account())
    }

    /// The name that the properties give, or one as CloudFormation makes them: `<stack>-<logical>-<suffix>`.
    fn name(&self, properties: &Json, property: &str, chars_max: usize) -> String {
        if let Some(name) = text(&properties[property]) {
            return name;
        }
        let suffix = suffix();
        let base = format!("{}-{}", self.stack_name, self.logical);
        let base: String = base.chars().take(chars_max.saturating_sub(SUFFIX_CHARS + 1)).collect();
        format!("{}-{suffix}", base.trim_end_matches('-'))
    }

    /// The resource's own tags, as keys and values, and the stack's beneath them.
    fn tags(&self, own: &Json) -> BTreeMap<String, String> {
        let mut tags = self.stack_tags.clone();
        tags.insert("aws:cloudformation:stack-name".to_owned(), self.stack_name.to_owned());
        tags.insert("aws:cloudformation:stack-id".to_owned(), self.stack_id.to_owned());
        tags.insert("aws:cloudformation:logical-id".to_owned(), self.logical.to_owned());
        tags.extend(own_tags(own));
        tags
    }
}

/// Tags of properties: a list of keys and values, or a map.
fn own_tags(own: &Json) -> BTreeMap<String, String> {
    match own {
        Json::Array(list) => {
            list.iter().filter_map(|tag| Some((text(&tag["Key"])?, text(&tag["Value"])?))).collect()
        }
        Json::Object(map) => {
            map.iter().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// Twelve capitals and digits, as CloudFormation puts behind names that it makes.
pub(crate) fn suffix() -> String {
    let mut rng = rand::rng();
    (0..SUFFIX_CHARS)
        .map(|_| char::from(SUFFIX_ALPHABET[rng.random_range(0..SUFFIX_ALPHABET.len())]))
        .collect()
}

/// A property that is text.
fn required(properties: &Json, name: &str) -> Result<String, Failure> {
    text(&properties[name]).ok_or_else(|| Failure::new(format!("Property {name} must be a string.")))
}

/// A document that may stand as text or as JSON, as text.
fn document(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The properties of these names that are there.
fn picked(properties: &Json, names: &[&str]) -> Json {
    let there = names.iter().filter_map(|name| Some(((*name).to_owned(), properties.get(name)?.clone())));
    Json::Object(there.collect())
}

/// Numbers and flags that stand as text, wherever they are named so: templates may quote them, the API may not.
fn typed(value: Json, names: &[&str]) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let value = match value {
                        Json::String(text) if names.contains(&key.as_str()) => number_or_flag(text),
                        other => typed(other, names),
                    };
                    (key, value)
                })
                .collect(),
        ),
        Json::Array(list) => Json::Array(list.into_iter().map(|v| typed(v, names)).collect()),
        other => other,
    }
}

fn number_or_flag(text: String) -> Json {
    match text.to_ascii_lowercase().as_str() {
        "true" => json!(true),
        "false" => json!(false),
        other => other.parse::<i64>().map_or(Json::String(text), |number| json!(number)),
    }
}

/// The same with every key's first letter small, but for the members of `kept`, whose keys are the user's.
fn camel(value: &Json, kept: &[&str]) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.iter()
                .map(|(key, value)| {
                    let value = if kept.contains(&key.as_str()) { value.clone() } else { camel(value, kept) };
                    (lower_first(key), value)
                })
                .collect(),
        ),
        Json::Array(list) => Json::Array(list.iter().map(|v| camel(v, kept)).collect()),
        other => other.clone(),
    }
}

fn lower_first(key: &str) -> String {
    let mut chars = key.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

/// A path segment, encoded.
fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn checked(kind: &str, logical: &str, properties: &Json) -> Result<&'static Kind, Failure> {
    let kind = kind::find(kind).ok_or_else(|| Failure::new(format!("Unrecognized resource type {kind}")))?;
    kind.check(properties).map_err(|why| {
        Failure::new(format!("Properties validation failed for resource {logical} with message:\n{why}"))
    })?;
    Ok(kind)
}

fn service(kind: &str) -> &str {
    kind.split("::").nth(1).unwrap_or_default()
}

/// Makes a resource.
pub(crate) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    checked(job.kind, job.logical, properties)?;
    if custom::is_custom(job.kind) {
        return custom::create(job, properties).await;
    }
    match service(job.kind) {
        "ApiGateway" => apigateway::create(job, properties).await,
        "DynamoDB" => dynamodb::create(job, properties).await,
        "IoT" => iot::create(job, properties).await,
        "Lambda" => lambda::create(job, properties).await,
        "Route53" => route53::create(job, properties).await,
        "Events" | "Scheduler" | "SQS" | "S3" => messaging::create(job, properties).await,
        "StepFunctions" => states::create(job, properties).await,
        _ => recorded::create(job, properties),
    }
}

/// Changes a resource in place.
pub(crate) async fn update(job: &Job<'_>, id: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    checked(job.kind, job.logical, new)?;
    if custom::is_custom(job.kind) {
        return custom::update(job, id, old, new).await;
    }
    let made = match service(job.kind) {
        "ApiGateway" => apigateway::update(job, id, old, new).await,
        "DynamoDB" => dynamodb::update(job, id, old, new).await,
        "IoT" => iot::update(job, id, old, new).await,
        "Lambda" => lambda::update(job, id, old, new).await,
        "Route53" => route53::update(job, id, old, new).await,
        "Events" | "Scheduler" | "SQS" | "S3" => messaging::update(job, id, old, new).await,
        "StepFunctions" => states::update(job, id, new).await,
        _ => return Ok(recorded::made(job, id, new)),
    }?;
    tag::update(job, &made, old, new).await?;
    Ok(made)
}

/// Deletes a resource. One that is gone already is fine.
pub(crate) async fn delete(job: &Job<'_>, id: &str, properties: &Json) -> Result<(), Failure> {
    let deleted = if custom::is_custom(job.kind) {
        custom::delete(job, id, properties).await
    } else {
        match service(job.kind) {
            "ApiGateway" => apigateway::delete(job, id, properties).await,
            "DynamoDB" => dynamodb::delete(job, id, properties).await,
            "IoT" => iot::delete(job, id, properties).await,
            "Lambda" => lambda::delete(job, id, properties).await,
            "Route53" => route53::delete(job, id, properties).await,
            "Events" | "Scheduler" | "SQS" | "S3" => messaging::delete(job, id, properties).await,
            "StepFunctions" => states::delete(job, id).await,
            _ => {
                recorded::delete(job, id);
                Ok(())
            }
        }
    };
    match deleted {
        Err(failure) if failure.is_not_found() => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_those_of_the_api() {
        let rule = json!({"Actions": [{"DynamoDBv2": {"PutItem": {"TableName": "T"}, "RoleArn": "r"}}]});
        let wanted = json!({"actions": [{"dynamoDBv2": {"putItem": {"tableName": "T"}, "roleArn": "r"}}]});
        assert_eq!(camel(&rule, &[]), wanted);
        let kept = camel(&json!({"RequestParameters": {"A.B": true}}), &["RequestParameters"]);
        assert_eq!(kept, json!({"requestParameters": {"A.B": true}}));
    }

    #[test]
    fn numbers_and_flags_may_be_quoted() {
        let value = json!({"Timeout": "30", "Enabled": "True", "Name": "7", "In": [{"Timeout": 3}]});
        let wanted = json!({"Timeout": 30, "Enabled": true, "Name": "7", "In": [{"Timeout": 3}]});
        assert_eq!(typed(value, &["Timeout", "Enabled"]), wanted);
    }

    #[test]
    fn suffixes_are_as_of_aws() {
        let suffix = suffix();
        assert!(suffix.len() == 12 && suffix.bytes().all(|b| SUFFIX_ALPHABET.contains(&b)), "{suffix}");
    }
}
