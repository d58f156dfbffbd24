//! A REST API as it is built: resources, methods, their integrations, validators, deployments and stages. Pure.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{new_id, route::Routes};
use crate::error::AwsError;

/// As AWS has it.
const RESOURCES_MAX: usize = 300;
pub(crate) const STAGES_MAX: usize = 10;
pub(crate) const VALIDATORS_MAX: usize = 100;
/// As AWS has it: of one stage, and the characters of a name and of a value.
const VARIABLES_MAX: usize = 100;
const VARIABLE_NAME_CHARS_MAX: usize = 64;
const VARIABLE_CHARS_MAX: usize = 512;
/// As AWS has it: of one thing, and the characters of a key and of a value.
const TAGS_MAX: usize = 50;
const TAG_KEY_CHARS_MAX: usize = 128;
const TAG_CHARS_MAX: usize = 256;
/// The oldest one that no stage uses makes room.
pub(crate) const DEPLOYMENTS_MAX: usize = 200;

/// A REST API.
#[derive(Debug)]
pub(crate) struct RestApi {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    /// Kinds of bodies that functions are given in base64.
    pub(crate) binary_types: Vec<String>,
    pub(crate) root: String,
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) validators: BTreeMap<String, Validator>,
    pub(crate) deployments: BTreeMap<String, Deployment>,
    pub(crate) stages: BTreeMap<String, Stage>,
}

/// A resource: one segment of paths.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) part: String,
    pub(crate) path: String,
    pub(crate) methods: BTreeMap<String, Method>,
}

/// A method of a resource.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) key_required: bool,
    /// `method.request.querystring.<name>` and the like: whether it is required.
    pub(crate) parameters: BTreeMap<String, bool>,
    pub(crate) validator: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) responses: BTreeMap<String, Json>,
    pub(crate) integration: Option<Integration>,
}

/// What answers a method: a function.
#[derive(Debug, Clone)]
pub(crate) struct Integration {
    pub(crate) function_arn: String,
    pub(crate) timeout_ms: u64,
    /// As it is told.
    pub(crate) told: Json,
    pub(crate) responses: BTreeMap<String, Json>,
}

/// What is checked of a request before the function is asked.
#[derive(Debug, Clone)]
pub(crate) struct Validator {
    pub(crate) name: String,
    pub(crate) parameters: bool,
    pub(crate) body: bool,
}

/// An API as it was at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) created: Timestamp,
    pub(crate) description: Option<String>,
    pub(crate) routes: Arc<Routes>,
}

/// A deployment under a name.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) deployment: String,
    pub(crate) description: Option<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
}

pub(crate) fn bad_request(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "BadRequestException", message)
}

pub(crate) fn limit_exceeded(message: impl Into<String>) -> AwsError {
    AwsError::new(429, "LimitExceededException", message)
}

/// Tags of whatever has some.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > TAGS_MAX {
        return Err(bad_request(format!("A resource can have at most {TAGS_MAX} tags")));
    }
    check_chars("tag", tags, TAG_KEY_CHARS_MAX, TAG_CHARS_MAX)
}

fn check_chars(
    what: &str,
    map: &BTreeMap<String, String>,
    name_chars_max: usize,
    chars_max: usize,
) -> Result<(), AwsError> {
    let is_long = |(name, value): (&String, &String)| {
        name.chars().count() > name_chars_max || value.chars().count() > chars_max
    };
    if map.iter().any(is_long) {
        let message =
            format!("A {what} has a name of at most {name_chars_max} characters and a value of {chars_max}");
        return Err(bad_request(message));
    }
    Ok(())
}

pub(crate) fn not_found(what: &str) -> AwsError {
    AwsError::new(404, "NotFoundException", format!("Invalid {what} identifier specified"))
}

impl Stage {
    /// Refuses tags and variables that are too many or too long.
    pub(crate) fn check(&self) -> Result<(), AwsError> {
        check_tags(&self.tags)?;
        if self.variables.len() > VARIABLES_MAX {
            return Err(limit_exceeded(format!("A stage can have at most {VARIABLES_MAX} variables")));
        }
        check_chars("stage variable", &self.variables, VARIABLE_NAME_CHARS_MAX, VARIABLE_CHARS_MAX)
    }
}

impl RestApi {
    pub(crate) fn new(name: String, now: Timestamp) -> Self {
        let root = new_id();
        let resource = Resource {
            id: root.clone(),
            parent: None,
            part: String::new(),
            path: "/".to_owned(),
            methods: BTreeMap::new(),
        };
        Self {
            id: new_id(),
            name,
            description: None,
            created: now,
            tags: BTreeMap::new(),
            binary_types: Vec::new(),
            resources: BTreeMap::from([(root.clone(), resource)]),
            root,
            validators: BTreeMap::new(),
            deployments: BTreeMap::new(),
            stages: BTreeMap::new(),
        }
    }

    pub(crate) fn resource(&mut self, id: &str) -> Result<&mut Resource, AwsError> {
        self.resources.get_mut(id).ok_or_else(|| not_found("Resource"))
    }

    pub(crate) fn method(&mut self, resource: &str, name: &str) -> Result<&mut Method, AwsError> {
        self.resource(resource)?.methods.get_mut(name).ok_or_else(|| not_found("Method"))
    }

    pub(crate) fn integration(&mut self, resource: &str, name: &str) -> Result<&mut Integration, AwsError> {
        self.method(resource, name)?.integration.as_mut().ok_or_else(|| not_found("Integration"))
    }

    /// Adds a segment below a resource.
    pub(crate) fn create_resource(&mut self, parent: &str, part: &str) -> Result<&Resource, AwsError> {
        let above = self.resource(parent)?.path.clone();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        let inner = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
        let inner = inner.map_or(part, |p| p.strip_suffix('+').unwrap_or(p));
        if inner.is_empty() || !inner.chars().all(is_allowed) {
            let message = "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly \
                           braces at the beginning and the end.";
            return Err(bad_request(message));
        }
        if above.ends_with("+}") {
            return Err(bad_request(format!(
                "Cannot create a child of a resource with a greedy path variable: {above}"
            )));
        }
        let siblings = || self.resources.values().filter(|r| r.parent.as_deref() == Some(parent));
        if siblings().any(|r| r.part == part) {
            let message = format!("Another resource with the same parent already has this name: {part}");
            return Err(AwsError::new(409, "ConflictException", message));
        }
        if part.starts_with('{') && siblings().any(|r| r.part.starts_with('{')) {
            let message = format!("A sibling of this resource already has a variable path part: {part}");
            return Err(bad_request(message));
        }
        if self.resources.len() >= RESOURCES_MAX {
            let message =
                format!("Maximum number of resources for this API has been reached: {RESOURCES_MAX}");
            return Err(AwsError::new(429, "LimitExceededException", message));
        }
        let id = new_id();
        let resource = Resource {
            id: id.clone(),
            parent: Some(parent.to_owned()),
            part: part.to_owned(),
            path: format!("{}/{part}", above.trim_end_matches('/')),
            methods: BTreeMap::new(),
        };
        Ok(self.resources.entry(id).or_insert(resource))
    }

    /// Removes a resource and all below it.
    pub(crate) fn delete_resource(&mut self, id: &str) -> Result<(), AwsError> {
        self.resource(id)?;
        if id == self.root {
            return Err(bad_request("Cannot delete the root resource"));
        }
        let mut gone = vec![id.to_owned()];
        while let Some(id) = gone.pop() {
            self.resources.remove(&id);
            let below = self.resources.values().filter(|r| r.parent.as_ref() == Some(&id));
            gone.extend(below.map(|r| r.id.clone()));
        }
        Ok(())
    }

    /// Fixes the API as it is now, and says under which id.
    pub(crate) fn deploy(&mut self, description: Option<String>, now: Timestamp) -> Result<String, AwsError> {
        let routes = Arc::new(Routes::of(self)?);
        let id = new_id();
        self.deployments.insert(id.clone(), Deployment { created: now, description, routes });
        let is_used = |id: &String| self.stages.values().any(|s| s.deployment == *id);
        if self.deployments.len() > DEPLOYMENTS_MAX {
            let unused = self.deployments.iter().filter(|(other, _)| **other != id && !is_used(other));
            let oldest = unused.min_by_key(|(_, d)| d.created).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                self.deployments.remove(&oldest);
            }
        }
        Ok(id)
    }

    pub(crate) fn describe(&self) -> Json {
        let mut answer = json!({
            "id": self.id,
            "name": self.name,
            "createdDate": self.created.as_second(),
            "apiKeySource": "HEADER",
            "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"},
            "tags": self.tags,
            "disableExecuteApiEndpoint": false,
            "rootResourceId": self.root,
        });
        if let Some(description) = &self.description {
            answer["description"] = json!(description);
        }
        if !self.binary_types.is_empty() {
            answer["binaryMediaTypes"] = json!(self.binary_types);
        }
        answer
    }
}

impl Resource {
    pub(crate) fn describe(&self, with_methods: bool) -> Json {
        let mut answer = json!({"id": self.id, "path": self.path});
        if let Some(parent) = &self.parent {
            answer["parentId"] = json!(parent);
            answer["pathPart"] = json!(self.part);
        }
        if !self.methods.is_empty() {
            let told = |m: &Method| if with_methods { m.describe() } else { json!({}) };
            let methods: BTreeMap<&String, Json> = self.methods.iter().map(|(n, m)| (n, told(m))).collect();
            answer["resourceMethods"] = json!(methods);
        }
        answer
    }
}

impl Method {
    pub(crate) fn describe(&self) -> Json {
        let mut answer = json!({
            "httpMethod": self.name,
            "authorizationType": "NONE",
            "apiKeyRequired": self.key_required,
        });
        for (member, value) in [("requestValidatorId", &self.validator), ("operationName", &self.operation)] {
            if let Some(value) = value {
                answer[member] = json!(value);
            }
        }
        if !self.parameters.is_empty() {
            answer["requestParameters"] = json!(self.parameters);
        }
        if !self.responses.is_empty() {
            answer["methodResponses"] = json!(self.responses);
        }
        if let Some(integration) = &self.integration {
            answer["methodIntegration"] = integration.describe();
        }
        answer
    }
}

impl Integration {
    pub(crate) fn describe(&self) -> Json {
        let mut answer = self.told.clone();
        if !self.responses.is_empty() {
            answer["integrationResponses"] = json!(self.responses);
        }
        answer
    }
}
