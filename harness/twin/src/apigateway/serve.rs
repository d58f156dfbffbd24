//! Answering requests: the stage's route, the API key, the validator, and then the function.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use serde_json::json;
use tokio::time::timeout;

use super::event::{Place, Request, response};
use crate::{api::query, call::Reply, error::AwsError, world::World};

/// Answers an HTTPS request to an API of a Region; none if no API has this host.
#[expect(clippy::too_many_arguments, reason = "the parts of an HTTP request")]
pub(crate) async fn serve(
    world: &Arc<World>,
    region: &str,
    host: &str,
    method: &Method,
    raw_path: &str,
    raw_query: &str,
    headers: &HeaderMap,
    body: &Bytes,
    source_ip: IpAddr,
) -> Option<Reply> {
    let host = host.to_ascii_lowercase();
    let api = host.strip_suffix(&format!(".execute-api.{region}.amazonaws.com"))?.to_owned();
    let (stage, path) = raw_path.trim_start_matches('/').split_once('/').map_or_else(
        || (raw_path.trim_start_matches('/'), "/".to_owned()),
        |(stage, path)| (stage, format!("/{path}")),
    );
    let decoded = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
    let found = {
        let apis = world.apigateway.apis.lock();
        let rest_api = apis.get(&(region.to_owned(), api.clone()))?;
        rest_api.stages.get(stage).and_then(|stage| {
            let deployment = rest_api.deployments.get(&stage.deployment)?;
            Some((stage.clone(), Arc::clone(&deployment.routes)))
        })
    };
    let Some((settings, routes)) = found else {
        return Some(refusal(403, "ForbiddenException", "Forbidden"));
    };
    let query = query(raw_query);
    let request = Request {
        host: &host,
        method: method.as_str(),
        path: &decoded,
        query: &query,
        headers,
        body,
        source_ip,
    };
    let Some(target) = routes.find(method.as_str(), &decoded) else {
        return Some(refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token"));
    };
    let mut key = None;
    if target.target.key_required {
        let value = request.header("x-api-key").unwrap_or_default().to_owned();
        let keys = world.apigateway.keys.lock();
        let admitted = keys.get(region).and_then(|k| k.admits(&value, &api, stage)).map(str::to_owned);
        let Some(id) = admitted else {
            return Some(refusal(403, "ForbiddenException", "Forbidden"));
        };
        key = Some((id, value));
    }
    if let Some(problem) = missing(&request, &target.target.required, &target.variables) {
        return Some(refusal(400, "BadRequestException", &problem));
    }
    let place = Place {
        account: &world.account,
        api: &api,
        stage,
        deployment: &settings.deployment,
        variables: &settings.variables,
        key: key.as_ref().map(|(id, value)| (id.as_str(), value.as_str())),
        binary_types: &routes.binary_types,
    };
    let event = request.event(&target, &place, world.clock.now());
    let invoked = world.lambda.invoke(world, region, &target.target.function_arn, event);
    Some(match timeout(target.target.timeout, invoked).await {
        Err(_) => refusal(504, "InternalServerErrorException", "Endpoint request timed out"),
        Ok(Err(AwsError { .. })) => refusal(500, "InternalServerErrorException", "Internal server error"),
        Ok(Ok(output)) => Some(output)
            .filter(|output| output.function_error.is_none())
            .and_then(|output| response(&output.payload))
            .unwrap_or_else(|| refusal(502, "InternalServerErrorException", "Internal server error")),
    })
}

/// What the validator says is not there.
fn missing(
    request: &Request<'_>,
    required: &[(String, String)],
    variables: &BTreeMap<String, String>,
) -> Option<String> {
    let absent: Vec<&str> = required
        .iter()
        .filter(|(place, name)| match place.as_str() {
            "querystring" => request.query.iter().all(|(n, v)| n != name || v.is_empty()),
            "header" => request.header(name).is_none_or(str::is_empty),
            _ => variables.get(name).is_none_or(String::is_empty),
        })
        .map(|(_, name)| name.as_str())
        .collect();
    (!absent.is_empty()).then(|| format!("Missing required request parameters: [{}]", absent.join(", ")))
}

/// An answer of the gateway itself.
fn refusal(status: u16, kind: &str, message: &str) -> Reply {
    let mut reply = Reply::json(status, &json!({"message": message}));
    reply.headers.push(("x-amzn-ErrorType", kind.to_owned()));
    reply
}
