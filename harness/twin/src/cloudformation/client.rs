//! Calls of the twin's own AWS API from within: each passes the checks that a call from outside passes.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::{
    api,
    call::{Call, Reply},
    world::World,
};

/// Tries of a call that is throttled, and the wait between them: CloudFormation waits out throttling too.
const THROTTLED_TRIES_MAX: u32 = 40;
const THROTTLED_WAIT: Duration = Duration::from_millis(250);

/// Why a resource could not be made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// AWS's code of the error that led to it, if it was one.
    pub(crate) code: String,
    pub(crate) reason: String,
    /// The resource that is left behind, so that a rollback deletes it.
    pub(crate) left: Option<String>,
}

impl Failure {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { code: String::new(), reason: reason.into(), left: None }
    }

    /// A resource was made before something else failed.
    pub(crate) fn leaving(mut self, id: &str) -> Self {
        self.left = Some(id.to_owned());
        self
    }

    /// Whether the resource is not there: a delete is then done.
    pub(crate) fn is_not_found(&self) -> bool {
        ["NotFound", "NoSuch", "NonExistent", "DoesNotExist"].iter().any(|part| self.code.contains(part))
    }
}

/// The API as one stack's operation sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) region: &'a str,
}

/// A REST call, as far as it is not empty.
#[derive(Debug, Default)]
pub(crate) struct Rest<'a> {
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Bytes,
}

impl Client<'_> {
    /// A call of the JSON protocols: `target` is prefix and operation.
    pub(crate) async fn rpc(&self, service: &str, target: &str, body: &Json) -> Result<Json, Failure> {
        let rest = Rest {
            headers: &[("x-amz-target", target), ("content-type", "application/x-amz-json-1.0")],
            body: Bytes::from(body.to_string()),
            ..Rest::default()
        };
        let reply = self.send(service, Method::POST, "/", rest).await?;
        Ok(json_of(&reply))
    }

    /// A call of the REST JSON protocol without query and special headers.
    pub(crate) async fn rest(
        &self,
        service: &str,
        method: Method,
        path: &str,
        body: &Json,
    ) -> Result<Json, Failure> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let reply = self.send(service, method, path, Rest { body, ..Rest::default() }).await?;
        Ok(json_of(&reply))
    }

    pub(crate) async fn send(
        &self,
        service: &str,
        method: Method,
        path: &str,
        rest: Rest<'_>,
    ) -> Result<Reply, Failure> {
        let mut headers = HeaderMap::new();
        for (name, value) in rest.headers {
            let value = HeaderValue::from_str(value).map_err(|e| Failure::new(e.to_string()))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let call = Call {
            method,
            raw_path: path.to_owned(),
            query: rest.query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            headers,
            body: rest.body,
            region: self.region.to_owned(),
            service: service.to_owned(),
        };
        let mut tries = 0;
        loop {
            let reply = dispatched(self.world, &call).await;
            if reply.status < 300 {
                return Ok(reply);
            }
            let failure = failure(service, &reply);
            tries += 1;
            let is_throttled = ["Throttl", "TooManyRequests"].iter().any(|code| failure.code.contains(code));
            if !is_throttled || tries >= THROTTLED_TRIES_MAX {
                return Err(failure);
            }
            tokio::time::sleep(THROTTLED_WAIT).await;
        }
    }
}

/// Boxed, since the API may end up here again.
fn dispatched<'a>(world: &'a Arc<World>, call: &'a Call) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
    Box::pin(api::dispatch(world, call))
}

fn json_of(reply: &Reply) -> Json {
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| json!({}))
}

/// The text of the first element of this name.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(quick_xml::escape::unescape(inner).map_or_else(|_| inner.to_owned(), std::borrow::Cow::into_owned))
}

/// The error of a reply in words as resource handlers have them.
fn failure(service: &str, reply: &Reply) -> Failure {
    let body = String::from_utf8_lossy(&reply.body);
    let (code, message) = if body.trim_start().starts_with('<') {
        (element(&body, "Code"), element(&body, "Message"))
    } else {
        let json = json_of(reply);
        let header = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-amzn-errortype"));
        let code =
            header.map(|(_, code)| code.clone()).or_else(|| json["__type"].as_str().map(str::to_owned));
        let message = json["message"].as_str().or_else(|| json["Message"].as_str()).map(str::to_owned);
        (code, message)
    };
    let code = code.unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().to_owned();
    let status = reply.status;
    let said = message.unwrap_or_else(|| code.clone());
    let name = match service {
        "apigateway" => "ApiGateway",
        "dynamodb" => "DynamoDb",
        "events" => "EventBridge",
        "iot" => "Iot",
        "lambda" => "Lambda",
        "route53" => "Route53",
        "s3" => "S3",
        "scheduler" => "Scheduler",
        "sqs" => "Sqs",
        "states" => "Sfn",
        other => other,
    };
    let kind = if code.contains("NotFound") || code.contains("DoesNotExist") || code.contains("NoSuch") {
        "NotFound"
    } else if code.contains("Exists") || code.contains("Conflict") || code.contains("InUse") {
        "AlreadyExists"
    } else if code.contains("Limit") || code.contains("TooMany") {
        "ServiceLimitExceeded"
    } else if code.contains("Throttl") {
        "Throttling"
    } else if status >= 500 {
        "ServiceInternalError"
    } else {
        "InvalidRequest"
    };
    let token = uuid::Uuid::new_v4();
    Failure {
        reason: format!(
            "Resource handler returned message: \"{said} (Service: {name}, Status Code: {status})\" (RequestToken: \
             {token}, HandlerErrorCode: {kind})"
        ),
        code,
        left: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_protocol_are_read() {
        let mut json = Reply::json(409, &json!({"message": "there already"}));
        json.headers.push(("x-amzn-ErrorType", "ResourceAlreadyExistsException".to_owned()));
        let failed = failure("iot", &json);
        assert_eq!(failed.code, "ResourceAlreadyExistsException");
        assert!(failed.reason.starts_with(
            "Resource handler returned message: \"there already (Service: Iot, Status Code: 409)\" (RequestToken: "
        ));
        assert!(failed.reason.ends_with("HandlerErrorCode: AlreadyExists)"));
        let rpc = Reply::json(400, &json!({"__type": "x#ResourceNotFoundException", "message": "gone"}));
        assert!(failure("dynamodb", &rpc).is_not_found());
        let xml = "<ErrorResponse><Error><Code>NoSuchHostedZone</Code><Message>a &amp; b</Message></Error></ErrorResponse>";
        let failed = failure("route53", &Reply::xml(404, xml.to_owned()));
        assert!(failed.is_not_found() && failed.reason.contains("\"a & b (Service: Route53"));
    }
}
