//! The AWS API endpoint: plain HTTP on loopback, one port for both Regions and all services. The Region and the service
//! come from the SigV4 credential scope, which official clients always send; signatures themselves are not checked.

mod iot;
mod iot_operation;
mod iotdata;
mod servicequotas;
mod sts;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header::HeaderName},
    routing::any,
};
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

pub(crate) use iotdata::device_call;

use crate::{
    call::{Call, Reply},
    control, dynamodb,
    error::AwsError,
    events, lambda, route53, s3, scheduler, states,
    world::World,
};

/// No call of these services is larger: Lambda's direct zip upload is the largest.
const BODY_BYTES_MAX: usize = 70 * 1024 * 1024;

/// Serves the AWS API and the control API until the twin stops.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener) {
    let shutdown = world.shutdown.clone();
    let app = Router::new().nest("/_twin", control::routes()).fallback(any(aws)).with_state(world);
    let served = axum::serve(listener, app).with_graceful_shutdown(async move { shutdown.cancelled().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "the AWS API endpoint stopped");
    }
}

async fn aws(State(world): State<Arc<World>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some((region, service)) = scope(&parts.headers).or_else(|| s3::scope(&world, &parts.uri)) else {
        return response(Reply::json(
            403,
            &serde_json::json!({"message": "Missing Authentication Token", "__type": "MissingAuthenticationToken"}),
        ));
    };
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return response(Reply::json(413, &serde_json::json!({"message": "request too large"})));
    };
    let call = Call {
        method: parts.method,
        raw_path: parts.uri.path().to_owned(),
        query: query(parts.uri.query().unwrap_or_default()),
        headers: parts.headers,
        body,
        region,
        service,
    };
    // A dark Region answers nothing: the call hangs until the caller gives up or the Region is back. Route 53 and STS
    // are global and go on.
    if !matches!(call.service.as_str(), "route53" | "sts")
        && let Some(region) = world.region(&call.region)
        && region.dark.is_on()
    {
        region.dark.wait(false).await;
        return response(error_json(&AwsError::new(
            503,
            "ServiceUnavailableException",
            "Region was unreachable",
        )));
    }
    response(dispatch(&world, &call).await)
}

/// Answers a call, whoever makes it: a client over HTTP or the twin itself.
pub(crate) async fn dispatch(world: &Arc<World>, call: &Call) -> Reply {
    if world.region(&call.region).is_none() && !matches!(call.service.as_str(), "route53" | "sts") {
        let names: Vec<&str> = world.regions.iter().map(|r| r.name.as_str()).collect();
        let error = AwsError::new(
            400,
            "InvalidRequestException",
            format!("The twin has the Regions {} and not {}", names.join(" and "), call.region),
        );
        return error_json(&error);
    }
    match call.service.as_str() {
        "iot" | "execute-api" => iot::handle(world, call).await.unwrap_or_else(|e| error_json(&e)),
        "iotdata" => iotdata::handle(world, call).unwrap_or_else(|e| error_json(&e)),
        "dynamodb" => dynamodb::handle(world, call).await.unwrap_or_else(|e| dynamodb::error_reply(&e)),
        "events" => events::handle(world, call).unwrap_or_else(|e| events::error_reply(&e)),
        "lambda" => lambda::handle(world, call).await.unwrap_or_else(|e| lambda::error_reply(&e)),
        "route53" => route53::handle(world, call).await.unwrap_or_else(|e| route53::error_reply(&e)),
        "scheduler" => scheduler::handle(world, call).unwrap_or_else(|e| scheduler::error_reply(&e)),
        "s3" => s3::handle(world, call).await.unwrap_or_else(|e| s3::error_reply(&e)),
        "servicequotas" => servicequotas::handle(world, call),
        "states" => states::handle(world, call).unwrap_or_else(|e| states::error_reply(&e)),
        "sts" => sts::handle(world, call),
        other => error_json(&AwsError::unknown_operation(&format!("of service {other}"))),
    }
}

/// rest-json's error: the code in a header, the message in the body.
fn error_json(error: &AwsError) -> Reply {
    let mut body = serde_json::Map::new();
    body.insert("message".to_owned(), error.message.clone().into());
    for (member, value) in &error.members {
        body.insert((*member).to_owned(), value.clone().into());
    }
    let mut reply = Reply::json(error.status, &body.into());
    reply.headers.push(("x-amzn-ErrorType", error.code.to_owned()));
    reply
}

pub(crate) fn response(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = uuid::Uuid::new_v4().to_string();
    let metadata = reply.metadata.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    let headers = reply.headers.iter().map(|(n, v)| (*n, v.as_str())).chain(metadata);
    for (name, value) in headers.chain([("x-amzn-RequestId", id.as_str())]) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// Region and service of `Credential=<key>/<date>/<region>/<service>/aws4_request`.
fn scope(headers: &HeaderMap) -> Option<(String, String)> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let credential = authorization.split("Credential=").nth(1)?.split(',').next()?;
    let mut parts = credential.split('/').skip(2);
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}

pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    let decode = |s: &str| percent_decode_str(&s.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_names_region_and_service() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "authorization",
            HeaderValue::from_static(
                "AWS4-HMAC-SHA256 Credential=AKID/20261122/us-west-2/iotdata/aws4_request, SignedHeaders=host, Signature=0",
            ),
        );
        assert_eq!(scope(&headers), Some(("us-west-2".into(), "iotdata".into())));
        assert_eq!(scope(&HeaderMap::new()), None);
    }

    #[test]
    fn queries_are_decoded() {
        assert_eq!(query("a=b%2Fc&flag"), [("a".into(), "b/c".into()), ("flag".into(), String::new())]);
    }
}
