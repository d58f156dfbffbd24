//! Function URLs: an HTTP request as an event of payload version 2.0, and the function's answer as a response.

use std::{collections::BTreeMap, net::IpAddr};

use axum::http::{HeaderMap, Method, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use jiff::Timestamp;
use rand::Rng as _;
use serde_json::{Value as Json, json};

use super::InvokeOutput;
use crate::{api, call::Reply, error::AwsError};

const ID_CHARS: usize = 32;
/// Response headers that are passed on. Replies have fixed header names, so that others are left out.
const HEADERS: [&str; 19] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "set-cookie",
    "vary",
    "www-authenticate",
];

/// The header that a function's answer may set under this name, in any case.
pub(crate) fn header_name(name: &str) -> Option<&'static str> {
    HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// A host for a new function URL.
pub(crate) fn new_host(region: &str) -> String {
    let mut rng = rand::rng();
    let id: String = (0..ID_CHARS)
        .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[rng.random_range(0..32)]))
        .collect();
    format!("{id}.lambda-url.{region}.on.aws")
}

/// A request to a function URL.
#[derive(Debug)]
pub(crate) struct UrlRequest<'a> {
    pub(crate) host: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) raw_path: &'a str,
    pub(crate) raw_query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) source_ip: IpAddr,
}

impl UrlRequest<'_> {
    /// The event that the function is given.
    pub(crate) fn event(&self, now: Timestamp) -> Bytes {
        let id = self.host.split('.').next().unwrap_or_default();
        let user_agent =
            self.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.raw_path,
            "rawQueryString": self.raw_query,
            "headers": self.headers(),
            "requestContext": {
                "accountId": "anonymous",
                "apiId": id,
                "domainName": self.host,
                "domainPrefix": id,
                "http": {
                    "method": self.method.as_str(),
                    "path": self.raw_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.source_ip.to_string(),
                    "userAgent": user_agent,
                },
                "requestId": uuid::Uuid::new_v4().to_string(),
                "routeKey": "$default",
                "stage": "$default",
                "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "timeEpoch": now.as_millisecond(),
            },
            "isBase64Encoded": false,
        });
        let cookies: Vec<&str> = self
            .headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(';').map(str::trim))
            .collect();
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        let parameters = self.query_parameters();
        if !parameters.is_empty() {
            event["queryStringParameters"] = json!(parameters);
        }
        if !self.body.is_empty() {
            match std::str::from_utf8(&self.body) {
                Ok(text) if self.is_text() => event["body"] = json!(text),
                _ => {
                    event["body"] = json!(STANDARD.encode(&self.body));
                    event["isBase64Encoded"] = json!(true);
                }
            }
        }
        Bytes::from(event.to_string())
    }

    /// Headers by lower-case name, repeated ones joined. Cookies have a member of their own.
    fn headers(&self) -> BTreeMap<&str, String> {
        let mut joined: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in self.headers.iter().filter(|(name, _)| *name != header::COOKIE) {
            let value = String::from_utf8_lossy(value.as_bytes());
            joined
                .entry(name.as_str())
                .and_modify(|v| {
                    v.push(',');
                    v.push_str(&value);
                })
                .or_insert_with(|| value.clone().into_owned());
        }
        joined
    }

    /// Decoded parameters, repeated ones joined.
    fn query_parameters(&self) -> BTreeMap<String, String> {
        let mut joined: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in api::query(self.raw_query) {
            joined
                .entry(name)
                .and_modify(|v| {
                    v.push(',');
                    v.push_str(&value);
                })
                .or_insert_with(|| value.clone());
        }
        joined
    }

    fn is_text(&self) -> bool {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/")
            || ["json", "xml", "javascript", "x-www-form-urlencoded"].iter().any(|t| kind.contains(t))
    }
}

/// The HTTP response that an invocation's outcome stands for.
pub(crate) fn reply(output: Result<InvokeOutput, AwsError>) -> Reply {
    match output {
        Err(error) => message(error.status, &error.message),
        Ok(InvokeOutput { function_error: Some(_), .. }) => message(502, "Internal Server Error"),
        Ok(output) => success(output.payload),
    }
}

fn message(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"Message": message}))
}

/// Without a status code, the whole answer is the body.
fn success(payload: Bytes) -> Reply {
    let answer = match serde_json::from_slice(&payload) {
        Ok(Json::Object(answer)) if answer.contains_key("statusCode") => answer,
        Ok(Json::String(text)) => return Reply::raw(200, "application/json", text),
        _ => return Reply::raw(200, "application/json", payload),
    };
    let status = match &answer["statusCode"] {
        Json::Number(n) => n.as_u64(),
        Json::String(s) => s.parse().ok(),
        _ => None,
    };
    let Some(status) = status.and_then(|s| u16::try_from(s).ok()).filter(|s| (100..1000).contains(s)) else {
        return message(502, "Internal Server Error");
    };
    let text = match answer.get("body") {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let is_base64 = answer.get("isBase64Encoded") == Some(&Json::Bool(true));
    let body = match is_base64.then(|| STANDARD.decode(&text)) {
        None => Bytes::from(text),
        Some(Ok(bytes)) => Bytes::from(bytes),
        Some(Err(_)) => return message(502, "Internal Server Error"),
    };
    let mut headers = Vec::new();
    for (name, value) in answer.get("headers").and_then(Json::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.extend(header_name(name).map(|known| (known, value)));
    }
    for cookie in
        answer.get("cookies").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
    {
        headers.push(("set-cookie", cookie.to_owned()));
    }
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        headers.push(("content-type", "application/json".to_owned()));
    }
    Reply { status, headers, metadata: Vec::new(), body }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn answered(payload: &Json) -> Reply {
        reply(Ok(InvokeOutput { payload: Bytes::from(payload.to_string()), function_error: None }))
    }

    #[test]
    fn a_request_becomes_an_event() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", "1".parse().unwrap());
        headers.append("x-a", "2".parse().unwrap());
        headers.append("cookie", "k=v; l=w".parse().unwrap());
        headers.append("content-type", "application/json".parse().unwrap());
        let host = new_host("us-east-1");
        let request = UrlRequest {
            host: &host,
            method: &Method::POST,
            raw_path: "/a/b",
            raw_query: "x=1&x=2&y=a%20b",
            headers: &headers,
            body: Bytes::from_static(b"{}"),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let event: Json = serde_json::from_slice(&request.event(Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["headers"]["x-a"], "1,2");
        assert_eq!(event["cookies"], json!(["k=v", "l=w"]));
        assert_eq!(event["queryStringParameters"], json!({"x": "1,2", "y": "a b"}));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!(event["requestContext"]["time"], "01/Jan/1970:00:00:00 +0000");
        assert_eq!(event["requestContext"]["domainPrefix"].as_str().unwrap().len(), ID_CHARS);
    }

    #[test]
    fn an_answer_becomes_a_response() {
        let reply =
            answered(&json!({"statusCode": 503, "headers": {"Content-Type": "text/plain"}, "body": "no"}));
        assert_eq!((reply.status, &reply.body[..]), (503, &b"no"[..]));
        assert_eq!(reply.headers, [("content-type", "text/plain".to_owned())]);
        let reply = answered(&json!({"statusCode": 200, "body": "AQI=", "isBase64Encoded": true}));
        assert_eq!(&reply.body[..], [1, 2]);
        let reply = answered(&json!({"ok": true}));
        assert_eq!((reply.status, &reply.body[..]), (200, &br#"{"ok":true}"#[..]));
    }

    #[test]
    fn failures_become_errors_of_the_gateway() {
        let failed = InvokeOutput { payload: Bytes::new(), function_error: Some("Unhandled".to_owned()) };
        assert_eq!(reply(Ok(failed)).status, 502);
        assert_eq!(reply(Err(AwsError::new(429, "TooManyRequestsException", "Rate Exceeded."))).status, 429);
        assert_eq!(answered(&json!({"statusCode": "x"})).status, 502);
    }
}
