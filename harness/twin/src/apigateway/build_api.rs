//! The operations that build an API: resources, methods, integrations, validators.

use std::collections::BTreeMap;

use axum::http::Method as Verb;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, created, empty, ok},
    new_id,
    rest_api::{Integration, Method, RestApi, VALIDATORS_MAX, Validator, bad_request, not_found},
    route::parameter,
};
use crate::{call::Reply, error::AwsError};

const VERBS: [&str; 8] = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// As AWS has it.
const TIMEOUT_MIN_MS: u64 = 50;
const TIMEOUT_MAX_MS: u64 = 29_000;

/// Answers a call under an API's `resources`.
pub(super) fn resources(
    context: &Context<'_>,
    verb: &Verb,
    api: &str,
    rest: &[&str],
) -> Result<Reply, AwsError> {
    let with_methods = context.call.query.iter().any(|(name, value)| name == "embed" && value == "methods");
    match (verb, rest) {
        (&Verb::GET, []) => context.api(api, |api| {
            context.page(api.resources.values().map(|r| (r.id.clone(), r.describe(with_methods))))
        }),
        (&Verb::GET, [id]) => context.api(api, |api| Ok(ok(&api.resource(id)?.describe(with_methods)))),
        (&Verb::POST, [parent]) => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct CreateResource {
                path_part: String,
            }
            let CreateResource { path_part } = context.input()?;
            context.api(api, |api| Ok(created(&api.create_resource(parent, &path_part)?.describe(false))))
        }
        (&Verb::DELETE, [id]) => context.api(api, |api| api.delete_resource(id).map(|()| empty(202))),
        (verb, [id, "methods", name, rest @ ..]) => {
            context.api(api, |api| methods(context, verb, api, (id, name), rest))
        }
        _ => Err(context.unknown()),
    }
}

fn methods(
    context: &Context<'_>,
    verb: &Verb,
    api: &mut RestApi,
    (resource, name): (&str, &str),
    rest: &[&str],
) -> Result<Reply, AwsError> {
    match (verb, rest) {
        (&Verb::PUT, []) => put_method(context, api, resource, name),
        (&Verb::GET, []) => Ok(ok(&api.method(resource, name)?.describe())),
        (&Verb::DELETE, []) => {
            let removed = api.resource(resource)?.methods.remove(name);
            removed.map(|_| empty(204)).ok_or_else(|| not_found("Method"))
        }
        (verb, ["responses", status]) => {
            responses(context, verb, status, &mut api.method(resource, name)?.responses)
        }
        (&Verb::PUT, ["integration"]) => put_integration(context, api.method(resource, name)?),
        (&Verb::GET, ["integration"]) => Ok(ok(&api.integration(resource, name)?.describe())),
        (&Verb::DELETE, ["integration"]) => {
            api.integration(resource, name)?;
            api.method(resource, name)?.integration = None;
            Ok(empty(204))
        }
        (verb, ["integration", "responses", status]) => {
            responses(context, verb, status, &mut api.integration(resource, name)?.responses)
        }
        _ => Err(context.unknown()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutMethod {
    authorization_type: String,
    #[serde(default)]
    api_key_required: bool,
    operation_name: Option<String>,
    #[serde(default)]
    request_parameters: BTreeMap<String, bool>,
    #[serde(default)]
    request_models: BTreeMap<String, String>,
    request_validator_id: Option<String>,
}

fn put_method(
    context: &Context<'_>,
    api: &mut RestApi,
    resource: &str,
    name: &str,
) -> Result<Reply, AwsError> {
    let request: PutMethod = context.input()?;
    if !VERBS.contains(&name) {
        return Err(bad_request(format!(
            "Invalid HttpMethod specified. Valid options are {}",
            VERBS.join(",")
        )));
    }
    if request.authorization_type != "NONE" {
        return Err(bad_request("The twin has no authorizers: authorizationType must be NONE"));
    }
    if !request.request_models.is_empty() {
        return Err(bad_request("The twin has no request models"));
    }
    if let Some(wrong) = request.request_parameters.keys().find(|name| parameter(name).is_none()) {
        return Err(bad_request(format!("Invalid mapping expression specified: {wrong}")));
    }
    if request.request_validator_id.as_ref().is_some_and(|id| !api.validators.contains_key(id)) {
        return Err(bad_request("Invalid Request Validator identifier specified"));
    }
    let method = Method {
        name: name.to_owned(),
        key_required: request.api_key_required,
        parameters: request.request_parameters,
        validator: request.request_validator_id,
        operation: request.operation_name,
        responses: BTreeMap::new(),
        integration: None,
    };
    let methods = &mut api.resource(resource)?.methods;
    if methods.contains_key(name) {
        return Err(AwsError::new(409, "ConflictException", "Method already exists for this resource"));
    }
    let reply = created(&method.describe());
    methods.insert(name.to_owned(), method);
    Ok(reply)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutIntegration {
    r#type: String,
    http_method: Option<String>,
    #[serde(default)]
    uri: String,
    timeout_in_millis: Option<u64>,
    credentials: Option<String>,
    #[serde(default)]
    request_parameters: BTreeMap<String, String>,
    #[serde(default)]
    request_templates: BTreeMap<String, String>,
    response_transfer_mode: Option<String>,
}

fn put_integration(context: &Context<'_>, method: &mut Method) -> Result<Reply, AwsError> {
    let request: PutIntegration = context.input()?;
    if request.r#type != "AWS_PROXY" {
        return Err(bad_request(format!(
            "The twin has integrations of the type AWS_PROXY, not {}",
            request.r#type
        )));
    }
    if !request.request_parameters.is_empty()
        || !request.request_templates.is_empty()
        || request.response_transfer_mode.is_some_and(|mode| mode != "BUFFERED")
    {
        return Err(bad_request("The twin neither maps requests nor streams responses"));
    }
    if request.http_method.as_deref() != Some("POST") {
        return Err(bad_request(
            "Enumeration value for HttpMethod must be POST: functions are invoked by it",
        ));
    }
    let arn = request
        .uri
        .split_once(":lambda:path/2015-03-31/functions/")
        .and_then(|(_, rest)| rest.strip_suffix("/invocations"))
        .filter(|arn| arn.starts_with("arn:") && arn.contains(":function:"));
    let Some(arn) = arn else {
        return Err(bad_request("AWS ARN for integration must contain path or action"));
    };
    if arn.split(':').nth(3) != Some(context.call.region.as_str()) {
        return Err(bad_request("The twin has functions of the API's own Region only"));
    }
    let timeout_ms = request.timeout_in_millis.unwrap_or(TIMEOUT_MAX_MS);
    if !(TIMEOUT_MIN_MS..=TIMEOUT_MAX_MS).contains(&timeout_ms) {
        return Err(bad_request(format!(
            "Timeout should be between {TIMEOUT_MIN_MS} ms and {TIMEOUT_MAX_MS} ms"
        )));
    }
    let mut told = json!({
        "type": "AWS_PROXY",
        "httpMethod": "POST",
        "uri": request.uri,
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": timeout_ms,
        "cacheNamespace": new_id(),
        "cacheKeyParameters": [],
    });
    if let Some(credentials) = request.credentials {
        told["credentials"] = json!(credentials);
    }
    let integration =
        Integration { function_arn: arn.to_owned(), timeout_ms, told, responses: BTreeMap::new() };
    let reply = created(&integration.describe());
    method.integration = Some(integration);
    Ok(reply)
}

/// Responses of a method or an integration: kept and told. With a proxy integration they change nothing.
fn responses(
    context: &Context<'_>,
    verb: &Verb,
    status: &str,
    responses: &mut BTreeMap<String, Json>,
) -> Result<Reply, AwsError> {
    match *verb {
        Verb::PUT => {
            if status.len() != 3
                || !status.starts_with(['1', '2', '3', '4', '5'])
                || status.parse::<u16>().is_err()
            {
                return Err(bad_request("Status code must be three digits"));
            }
            let mut told = json!({"statusCode": status});
            for (member, value) in context.input::<serde_json::Map<String, Json>>()? {
                told[member] = value;
            }
            responses.insert(status.to_owned(), told.clone());
            Ok(created(&told))
        }
        Verb::GET => responses.get(status).map(ok).ok_or_else(|| not_found("Response status code")),
        Verb::DELETE => {
            responses.remove(status).map(|_| empty(204)).ok_or_else(|| not_found("Response status code"))
        }
        _ => Err(context.unknown()),
    }
}

/// Answers a call under an API's `requestvalidators`.
pub(super) fn validators(
    context: &Context<'_>,
    verb: &Verb,
    api: &str,
    rest: &[&str],
) -> Result<Reply, AwsError> {
    let describe = |id: &str, v: &Validator| {
        json!({
            "id": id, "name": v.name, "validateRequestBody": v.body, "validateRequestParameters": v.parameters,
        })
    };
    let missing = || not_found("Request Validator");
    context.api(api, |api| match (verb, rest) {
        (&Verb::POST, []) => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct CreateValidator {
                #[serde(default)]
                name: String,
                #[serde(default)]
                validate_request_body: bool,
                #[serde(default)]
                validate_request_parameters: bool,
            }
            let request: CreateValidator = context.input()?;
            if api.validators.len() >= VALIDATORS_MAX {
                return Err(AwsError::new(429, "LimitExceededException", "Too many request validators"));
            }
            let validator = Validator {
                name: request.name,
                parameters: request.validate_request_parameters,
                body: request.validate_request_body,
            };
            let id = new_id();
            let reply = created(&describe(&id, &validator));
            api.validators.insert(id, validator);
            Ok(reply)
        }
        (&Verb::GET, []) => context.page(api.validators.iter().map(|(id, v)| (id.clone(), describe(id, v)))),
        (&Verb::GET, [id]) => api.validators.get(*id).map(|v| ok(&describe(id, v))).ok_or_else(missing),
        (&Verb::DELETE, [id]) => {
            let is_used = |m: &Method| m.validator.as_deref() == Some(*id);
            if api.resources.values().flat_map(|r| r.methods.values()).any(is_used) {
                let message = "Cannot delete validator, is referenced in a method";
                return Err(AwsError::new(409, "ConflictException", message));
            }
            api.validators.remove(*id).map(|_| empty(202)).ok_or_else(missing)
        }
        _ => Err(context.unknown()),
    })
}
