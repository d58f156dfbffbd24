//! The AWS API endpoint: plain HTTP on loopback, one port for both Regions and all services. The Region and the service
//! come from the SigV4 credential scope, which official clients always send; signatures themselves are not checked.

mod iot;
mod iot_operation;
mod iotdata;
mod operation;
mod origin;
mod servicequotas;
mod sts;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State, connect_info::Connected},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header::HeaderName},
    middleware,
    routing::any,
    serve::{IncomingStream, Listener},
};
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

pub(crate) use iotdata::{Device, device_call};
pub(crate) use operation::{operation, throttled};

use crate::{
    apigateway,
    call::{Call, Reply},
    cloudformation, control, dynamodb,
    error::AwsError,
    events,
    fault::Kind,
    lambda, route53, s3, scheduler,
    socket::{Doom, Socket},
    sqs, states,
    world::World,
};

/// No call of these services is larger: Lambda's direct zip upload is the largest.
const BODY_BYTES_MAX: usize = 70 * 1024 * 1024;

/// Serves the AWS API and the control API until the twin stops.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener) {
    let shutdown = world.shutdown.clone();
    let app = Router::new()
        .nest("/_twin", control::routes())
        .route("/_twin/", any(control::nothing))
        .fallback(any(aws))
        .layer(middleware::from_fn(origin::local_only))
        .with_state(world);
    let app = app.into_make_service_with_connect_info::<Doom>();
    let served = axum::serve(ApiListener(listener), app)
        .with_graceful_shutdown(async move { shutdown.cancelled().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "the AWS API endpoint stopped");
    }
}

/// Accepts connections that can be reset.
struct ApiListener(TcpListener);

impl Listener for ApiListener {
    type Io = Socket;
    type Addr = Doom;

    async fn accept(&mut self) -> (Socket, Doom) {
        let (stream, _) = Listener::accept(&mut self.0).await;
        let mut socket = Socket::new(stream);
        socket.set_nodelay();
        let doom = socket.doom();
        (socket, doom)
    }

    fn local_addr(&self) -> std::io::Result<Doom> {
        Ok(Doom::default())
    }
}

impl Connected<IncomingStream<'_, ApiListener>> for Doom {
    fn connect_info(stream: IncomingStream<'_, ApiListener>) -> Self {
        stream.remote_addr().clone()
    }
}

async fn aws(
    State(world): State<Arc<World>>,
    ConnectInfo(doom): ConnectInfo<Doom>,
    request: Request,
) -> Response<Body> {
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
    let reply = tokio::select! {
        // What hangs hangs no longer than the twin.
        () = world.shutdown.cancelled() => Some(refusal(&call.service, &unreachable())),
        answered = answer(&world, &call) => answered,
    };
    if let Some(reply) = &reply {
        world.calls.count(&call, reply);
    }
    response_or_reset(reply, &doom)
}

/// What a client is told; nothing: its connection is reset.
async fn answer(world: &Arc<World>, call: &Call) -> Option<Reply> {
    // A dark Region answers nothing: the call hangs until the caller gives up or the Region is back. Route 53 and STS
    // are global and go on.
    let region = world.region(&call.region).filter(|_| !is_global(&call.service));
    if let Some(region) = region
        && region.dark.is_on()
    {
        world.faults.count(Kind::RegionDark, &region.name);
        region.dark.wait(false).await;
        return Some(refusal(&call.service, &unreachable()));
    }
    let answer = match world.faults.api(call) {
        None => Some(carry_out(world, call).await),
        Some(rule) => Box::pin(rule.answer(call, carry_out(world, call))).await,
    };
    // A Region that is half dark has carried the call out, and its answer does not get out.
    if let Some(region) = region
        && region.half_dark.is_on()
    {
        world.faults.count(Kind::RegionHalfDark, &region.name);
        region.half_dark.wait(false).await;
        return Some(refusal(&call.service, &unreachable()));
    }
    answer
}

/// What calls may be of, as their credential scopes say it.
pub(crate) const SERVICES: [&str; 15] = [
    "apigateway",
    "cloudformation",
    "dynamodb",
    "events",
    "execute-api",
    "iot",
    "iotdata",
    "lambda",
    "route53",
    "s3",
    "scheduler",
    "servicequotas",
    "sqs",
    "states",
    "sts",
];

/// Services that belong to no Region.
fn is_global(service: &str) -> bool {
    matches!(service, "route53" | "sts")
}

/// What those are told that have waited for a Region.
pub(crate) fn unreachable() -> AwsError {
    AwsError::new(503, "ServiceUnavailableException", "Region was unreachable")
}

/// A reply, or the connection is reset instead.
pub(crate) fn response_or_reset(reply: Option<Reply>, doom: &Doom) -> Response<Body> {
    reply.map_or_else(
        || {
            doom.reset();
            Response::default()
        },
        response,
    )
}

/// An error in the shape of its service.
pub(crate) fn refusal(service: &str, error: &AwsError) -> Reply {
    match service {
        "dynamodb" => dynamodb::error_reply(error),
        "lambda" => lambda::error_reply(error),
        "route53" | "sts" => route53::error_reply(error),
        "servicequotas" => servicequotas::error_reply(error),
        "states" => states::error_reply(error),
        "events" => events::error_reply(error),
        "scheduler" => scheduler::error_reply(error),
        "s3" => s3::error_reply(error),
        "sqs" => sqs::error_reply(error),
        "cloudformation" => cloudformation::error_reply(error),
        _ => error_json(error),
    }
}

/// Counts a call of the services that have one quota for many operations, or for some. IoT counts its own, by what it
/// takes a call to be.
fn is_over_quota(world: &World, call: &Call) -> bool {
    let now = tokio::time::Instant::now();
    match call.service.as_str() {
        "states" => !world.quotas.take(&call.region, "states", call.target().unwrap_or_default()),
        "lambda" => match operation(call).as_str() {
            // Its quota is the concurrency.
            "Invoke" => false,
            "GetFunction" => !world.quotas.take(&call.region, "lambda", "GetFunction"),
            _ => !world.quotas.limit(&call.region, "twin:lambda-requests").take(now),
        },
        // Global: counted in one Region.
        "route53" => world
            .regions
            .first()
            .is_some_and(|region| !world.quotas.limit(&region.name, "twin:route53-requests").take(now)),
        _ => false,
    }
}

/// Answers a call of the twin itself: faults are met by clients only.
pub(crate) async fn dispatch(world: &Arc<World>, call: &Call) -> Reply {
    let reply = carry_out(world, call).await;
    world.calls.count(call, &reply);
    reply
}

async fn carry_out(world: &Arc<World>, call: &Call) -> Reply {
    if world.region(&call.region).is_none() && !is_global(&call.service) {
        let names: Vec<&str> = world.regions.iter().map(|r| r.name.as_str()).collect();
        let error = AwsError::new(
            400,
            "InvalidRequestException",
            format!("The twin has the Regions {} and not {}", names.join(" and "), call.region),
        );
        return refusal(&call.service, &error);
    }
    if is_over_quota(world, call) {
        return refusal(&call.service, &throttled(&call.service, &operation(call)));
    }
    match call.service.as_str() {
        "iot" | "execute-api" => iot::handle(world, call).await.unwrap_or_else(|e| error_json(&e)),
        "iotdata" => iotdata::handle(world, call).unwrap_or_else(|e| error_json(&e)),
        "cloudformation" => {
            cloudformation::handle(world, call).await.unwrap_or_else(|e| cloudformation::error_reply(&e))
        }
        "apigateway" => apigateway::handle(world, call).unwrap_or_else(|e| error_json(&e)),
        "dynamodb" => dynamodb::handle(world, call).await.unwrap_or_else(|e| dynamodb::error_reply(&e)),
        "events" => events::handle(world, call).unwrap_or_else(|e| events::error_reply(&e)),
        "lambda" => lambda::handle(world, call).await.unwrap_or_else(|e| lambda::error_reply(&e)),
        "route53" => {
            let reply = route53::handle(world, call).await.unwrap_or_else(|e| route53::error_reply(&e));
            world.truth.review(&world.names, &world.route53);
            reply
        }
        "scheduler" => scheduler::handle(world, call).unwrap_or_else(|e| scheduler::error_reply(&e)),
        "s3" => s3::handle(world, call).await.unwrap_or_else(|e| s3::error_reply(&e)),
        "servicequotas" => servicequotas::handle(world, call),
        "sqs" => sqs::handle(world, call).await.unwrap_or_else(|e| sqs::error_reply(&e)),
        "states" => states::handle(world, call).unwrap_or_else(|e| states::error_reply(&e)),
        "sts" => sts::handle(world, call),
        _ => unknown_service(call),
    }
}

/// What a service that the twin does not have answers, in a shape that its client reads: only the query protocol sends a
/// form and reads XML; JSON's protocols look for the code in the body.
fn unknown_service(call: &Call) -> Reply {
    let error = AwsError::unknown_operation(&format!("of service {}", call.service));
    if call.header("content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded")) {
        return cloudformation::error_reply(&error);
    }
    error_json(&error.clone().with("__type", error.code).with("code", error.code))
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
    fn a_service_that_is_not_there_says_so_in_each_protocol() {
        let mut call = Call::json_rpc("us-east-1", "kms", "TrentService.ListKeys", &serde_json::json!({}));
        let reply = unknown_service(&call);
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        for member in ["__type", "code"] {
            assert_eq!((reply.status, &body[member]), (404, &"UnknownOperationException".into()));
        }
        assert!(reply.headers.contains(&("x-amzn-ErrorType", "UnknownOperationException".to_owned())));
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        call.headers.insert("content-type", HeaderValue::from_static(form));
        let text = String::from_utf8(unknown_service(&call).body.to_vec()).unwrap();
        assert!(text.contains("<Code>UnknownOperationException</Code>"), "{text}");
    }

    #[tokio::test]
    async fn the_services_are_those_that_answer() {
        let twin = crate::Twin::start(crate::TwinConfig::default()).await.unwrap();
        for service in SERVICES.into_iter().chain(["kms"]) {
            let call = Call::json_rpc("us-east-1", service, "X.Nothing", &serde_json::json!({}));
            let reply = dispatch(twin.world(), &call).await;
            let told = String::from_utf8_lossy(&reply.body).contains("of service");
            assert_eq!(told, service == "kms", "{service}");
        }
        twin.stop().await;
    }

    #[test]
    fn queries_are_decoded() {
        assert_eq!(query("a=b%2Fc&flag"), [("a".into(), "b/c".into()), ("flag".into(), String::new())]);
    }
}
