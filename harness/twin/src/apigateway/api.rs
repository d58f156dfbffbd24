//! The REST JSON codec of API Gateway: which operation a call is, and the operations on APIs as a whole.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::Method;
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

use super::{
    build_api, key_api,
    rest_api::{RestApi, bad_request, check_tags, limit_exceeded, not_found},
    stage_api,
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

/// AWS's default of regional APIs.
const APIS_MAX: usize = 600;
/// The largest request: what is stored is bounded by that and by counts.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// AWS's page, and its largest.
const PAGE_SIZE_DEFAULT: usize = 25;
const PAGE_SIZE_MAX: usize = 500;

/// What an operation is given.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) call: &'a Call,
    pub(super) now: Timestamp,
}

/// Answers a call.
pub(crate) fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let context = Context { world, call, now: world.clock.now() };
    match (&call.method, path.as_slice()) {
        (&Method::POST, ["restapis"]) => create(&context),
        (&Method::GET, ["restapis"]) => list(&context),
        (&Method::GET, ["restapis", id]) => context.api(id, |api| Ok(ok(&api.describe()))),
        (&Method::PATCH, ["restapis", id]) => update(&context, id),
        (&Method::DELETE, ["restapis", id]) => delete(&context, id),
        (method, ["restapis", id, "resources", rest @ ..]) => {
            build_api::resources(&context, method, id, rest)
        }
        (method, ["restapis", id, "requestvalidators", rest @ ..]) => {
            build_api::validators(&context, method, id, rest)
        }
        (method, ["restapis", id, "deployments", rest @ ..]) => {
            stage_api::deployments(&context, method, id, rest)
        }
        (method, ["restapis", id, "stages", rest @ ..]) => stage_api::stages(&context, method, id, rest),
        (method, ["apikeys", rest @ ..]) => key_api::keys(&context, method, rest),
        (method, ["usageplans", rest @ ..]) => key_api::plans(&context, method, rest),
        _ => Err(context.unknown()),
    }
}

pub(super) fn ok(body: &Json) -> Reply {
    Reply::json(200, body)
}

pub(super) fn created(body: &Json) -> Reply {
    Reply::json(201, body)
}

pub(super) fn empty(status: u16) -> Reply {
    Reply::raw(status, "application/json", "")
}

impl Context<'_> {
    /// Does something with an API.
    pub(super) fn api<T>(
        &self,
        id: &str,
        work: impl FnOnce(&mut RestApi) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut apis = self.world.apigateway.apis.lock();
        let api = apis.get_mut(&(self.call.region.clone(), id.to_owned()));
        work(api.ok_or_else(|| not_found("API"))?)
    }

    pub(super) fn input<T: DeserializeOwned>(&self) -> Result<T, AwsError> {
        if self.call.body.len() > BODY_BYTES_MAX {
            let message = "Request size exceeded limit";
            return Err(AwsError::new(413, "RequestEntityTooLargeException", message));
        }
        serde_json::from_value(self.call.json()?)
            .map_err(|e| bad_request(format!("Invalid request body: {e}")))
    }

    pub(super) fn unknown(&self) -> AwsError {
        AwsError::unknown_operation(&format!("{} {}", self.call.method, self.call.raw_path))
    }

    /// A page of what is listed: after the position, which is the key of the page's last one before.
    pub(super) fn page(&self, items: impl Iterator<Item = (String, Json)>) -> Result<Reply, AwsError> {
        let size = match self.call.query("limit").map(str::parse::<usize>) {
            None => PAGE_SIZE_DEFAULT,
            Some(Ok(size @ 1..=PAGE_SIZE_MAX)) => size,
            Some(_) => return Err(bad_request(format!("Invalid limit: must be 1 to {PAGE_SIZE_MAX}"))),
        };
        let after = self.call.query("position");
        let mut items = items.filter(|(key, _)| after.is_none_or(|a| key.as_str() > a)).peekable();
        let page: Vec<(String, Json)> = items.by_ref().take(size).collect();
        let position = items.peek().and(page.last()).map(|(key, _)| key.clone());
        let mut answer = json!({"item": page.into_iter().map(|(_, item)| item).collect::<Vec<_>>()});
        if let Some(position) = position {
            answer["position"] = json!(position);
        }
        Ok(ok(&answer))
    }

    /// The changes of a `PATCH`.
    pub(super) fn patches(&self) -> Result<Vec<Patch>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Patches {
            #[serde(default)]
            patch_operations: Vec<Patch>,
        }
        Ok(self.input::<Patches>()?.patch_operations)
    }
}

/// One change.
#[derive(Debug, Deserialize)]
pub(super) struct Patch {
    pub(super) op: String,
    pub(super) path: String,
    #[serde(default)]
    pub(super) value: String,
}

impl Patch {
    pub(super) fn refuse(&self) -> AwsError {
        bad_request(format!("Invalid patch path '{}' specified for op '{}'", self.path, self.op))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateRestApi {
    name: String,
    description: Option<String>,
    clone_from: Option<String>,
    #[serde(default)]
    binary_media_types: Vec<String>,
    api_key_source: Option<String>,
    disable_execute_api_endpoint: Option<bool>,
    endpoint_configuration: Option<Json>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

fn create(context: &Context<'_>) -> Result<Reply, AwsError> {
    let request: CreateRestApi = context.input()?;
    if request.name.is_empty() {
        return Err(bad_request("API name cannot be blank"));
    }
    if request.clone_from.is_some()
        || request.api_key_source.is_some_and(|source| source != "HEADER")
        || request.disable_execute_api_endpoint == Some(true)
    {
        return Err(bad_request(
            "The twin does not clone APIs, takes keys from headers, and has the one endpoint",
        ));
    }
    let kinds = request.endpoint_configuration.as_ref().map(|c| &c["types"]);
    if kinds.and_then(Json::as_array).into_iter().flatten().any(|kind| kind == "PRIVATE") {
        return Err(bad_request("The twin has no private APIs"));
    }
    check_tags(&request.tags)?;
    let mut api = RestApi::new(request.name, context.now);
    api.description = request.description;
    api.binary_types = request.binary_media_types;
    api.tags = request.tags;
    let region = &context.call.region;
    let mut apis = context.world.apigateway.apis.lock();
    if apis.keys().filter(|(r, _)| r == region).count() >= APIS_MAX {
        return Err(limit_exceeded("Maximum number of APIs for this account reached"));
    }
    if let Some(region) = context.world.region(region) {
        context.world.names.set(&host(&api.id, &region.name), region.address);
    }
    let reply = created(&api.describe());
    apis.insert((region.clone(), api.id.clone()), api);
    Ok(reply)
}

/// Where an API answers.
pub(super) fn host(id: &str, region: &str) -> String {
    format!("{id}.execute-api.{region}.amazonaws.com")
}

fn list(context: &Context<'_>) -> Result<Reply, AwsError> {
    let apis = context.world.apigateway.apis.lock();
    let here = apis.iter().filter(|((region, _), _)| *region == context.call.region);
    context.page(here.map(|((_, id), api)| (id.clone(), api.describe())))
}

fn update(context: &Context<'_>, id: &str) -> Result<Reply, AwsError> {
    let patches = context.patches()?;
    context.api(id, |api| {
        for patch in patches {
            match (patch.op.as_str(), patch.path.as_str()) {
                ("replace", "/name") => api.name = patch.value,
                ("replace", "/description") => api.description = Some(patch.value),
                _ => return Err(patch.refuse()),
            }
        }
        Ok(ok(&api.describe()))
    })
}

fn delete(context: &Context<'_>, id: &str) -> Result<Reply, AwsError> {
    let key = (context.call.region.clone(), id.to_owned());
    let removed = context.world.apigateway.apis.lock().remove(&key);
    removed.ok_or_else(|| not_found("API"))?;
    context.world.names.remove(&host(id, &context.call.region));
    Ok(empty(202))
}
