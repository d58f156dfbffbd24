//! The IoT control plane: REST and JSON in and out of the registry and the topic rules. Each noun has its own module; here
//! is what they share.

mod attachment;
mod ca;
mod certificate;
mod group;
mod index;
mod parameter;
mod policy;
mod registration;
mod rule;
mod setting;
mod tag;
mod thing;
mod thing_type;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::iot_operation::{self, Noun};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    events,
    region::Region,
    registry::{AttributeChange, Paging, RegistryEvent, invalid},
    world::World,
};

type Outcome = Result<Reply, AwsError>;

pub(super) async fn handle(world: &Arc<World>, call: &Call) -> Outcome {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (noun, operation) = iot_operation::of(&call.method, &path)
        .ok_or_else(|| AwsError::unknown_operation(&format!("{} {}", call.method, call.raw_path)))?;
    let region = world.region(&call.region).ok_or_else(|| AwsError::unknown_operation(operation))?;
    let name = path.get(1).copied().unwrap_or_default();
    let api = Api { world, region, call, name, last: path.last().copied().unwrap_or_default() };
    let outcome = answer(&api, noun, operation).await;
    let members = || parameter::parameters(call, operation, &path);
    events::api_call(world, region, call, operation, members, &outcome);
    outcome
}

async fn answer(api: &Api<'_>, noun: Noun, operation: &'static str) -> Outcome {
    if !api.world.quotas.take(&api.call.region, "iot", operation) {
        return Err(AwsError::throttled());
    }
    match noun {
        Noun::Thing => api.thing(operation),
        Noun::ThingType => api.thing_type(operation),
        Noun::Group => api.group(operation),
        Noun::Certificate if operation == "CreateKeysAndCertificate" => {
            api.create_keys_and_certificate().await
        }
        Noun::Certificate => api.certificate(operation),
        Noun::Ca => api.ca(operation),
        Noun::Policy => api.policy(operation),
        Noun::Attachment => api.attachment(operation),
        Noun::Rule => api.rule(operation),
        Noun::Index => api.index(operation),
        Noun::Tag => api.tag(operation),
        Noun::Setting => api.setting(operation),
        Noun::Registration => api.registration(operation),
    }
}

/// One call to one Region.
struct Api<'a> {
    world: &'a Arc<World>,
    region: &'a Arc<Region>,
    call: &'a Call,
    /// The second segment of the path: the name of what the call is about.
    name: &'a str,
    /// The last segment of the path, for example a policy's version.
    last: &'a str,
}

#[expect(clippy::unnecessary_wraps, reason = "every operation ends in an outcome")]
fn ok(body: &Value) -> Outcome {
    Ok(Reply::json(200, body))
}

fn done() -> Outcome {
    ok(&json!({}))
}

impl Api<'_> {
    /// A header that AWS requires.
    fn header(&self, name: &'static str) -> Result<&str, AwsError> {
        self.call.header(name).ok_or_else(|| invalid(format!("{name} is missing")))
    }

    /// A flag of the query; `None` if it is not given.
    fn flag(&self, name: &str) -> Option<bool> {
        self.call.query(name).map(|value| value == "true")
    }

    /// Paging by `nextToken` and `maxResults`.
    fn next_token_paging(&self) -> Result<Paging, AwsError> {
        Paging::parse(self.call.query("nextToken"), self.call.query("maxResults"))
    }

    /// Paging by `marker` and `pageSize`.
    fn marker_paging(&self) -> Result<Paging, AwsError> {
        Paging::parse(self.call.query("marker"), self.call.query("pageSize"))
    }

    /// Publishes what happened in the registry. Its lock must be free: a topic rule may call back.
    fn publish(&self, events: impl IntoIterator<Item = RegistryEvent>) {
        self.region.announce(self.world, events);
    }
}

/// A string that AWS requires in the body.
fn required<'a>(body: &'a Value, key: &str) -> Result<&'a str, AwsError> {
    body[key].as_str().ok_or_else(|| invalid(format!("{key} is missing")))
}

/// A string that may be in the body.
fn optional(body: &Value, key: &str) -> Option<String> {
    body[key].as_str().map(str::to_owned)
}

/// `attributePayload`, if it is given.
fn attributes(body: &Value) -> Result<Option<AttributeChange>, AwsError> {
    let payload = &body["attributePayload"];
    let Some(attributes) = payload.get("attributes") else {
        return Ok(None);
    };
    let attributes: BTreeMap<String, String> = serde_json::from_value(attributes.clone())
        .map_err(|_| invalid("attributePayload.attributes must be a map of strings"))?;
    Ok(Some(AttributeChange { attributes, merge: payload["merge"].as_bool().unwrap_or(false) }))
}

/// Seconds since the epoch with a fraction, as rest-json writes times.
fn time(ms: i64) -> Value {
    json!(ms as f64 / 1_000.0)
}
