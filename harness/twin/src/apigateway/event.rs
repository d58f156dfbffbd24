//! A request as the event of a proxy integration, payload version 1.0, and the function's answer as a response.

use std::{collections::BTreeMap, net::IpAddr};

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::route::Match;
use crate::{call::Reply, lambda::header_name};

/// A request to a stage.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) host: &'a str,
    pub(crate) method: &'a str,
    /// Without the stage.
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
    pub(crate) source_ip: IpAddr,
}

/// What a stage adds to the event.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) account: &'a str,
    pub(crate) api: &'a str,
    pub(crate) stage: &'a str,
    pub(crate) deployment: &'a str,
    pub(crate) variables: &'a BTreeMap<String, String>,
    pub(crate) key: Option<(&'a str, &'a str)>,
    pub(crate) binary_types: &'a [String],
}

impl Request<'_> {
    /// Values by name, in the order they came in.
    fn grouped<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> BTreeMap<&'a str, Vec<String>> {
        let mut grouped: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            grouped.entry(name).or_default().push(value);
        }
        grouped
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The event that the function is given.
    pub(crate) fn event(&self, found: &Match<'_>, place: &Place<'_>, now: Timestamp) -> Bytes {
        let headers = Self::grouped(
            self.headers
                .iter()
                .map(|(n, v)| (n.as_str(), String::from_utf8_lossy(v.as_bytes()).into_owned())),
        );
        let query = Self::grouped(self.query.iter().map(|(n, v)| (n.as_str(), v.clone())));
        // AWS gives null for what there is none of, and the last of several values.
        let or_null = |none: bool, value: Json| if none { Json::Null } else { value };
        let last = |grouped: &BTreeMap<&str, Vec<String>>| -> Json {
            json!(grouped.iter().map(|(n, v)| (*n, v.last())).collect::<BTreeMap<_, _>>())
        };
        let (body, is_base64) = self.body(place.binary_types);
        let id = uuid::Uuid::new_v4().to_string();
        let mut event = json!({
            "resource": found.resource_path,
            "path": self.path,
            "httpMethod": self.method,
            "headers": or_null(headers.is_empty(), last(&headers)),
            "multiValueHeaders": or_null(headers.is_empty(), json!(headers)),
            "queryStringParameters": or_null(query.is_empty(), last(&query)),
            "multiValueQueryStringParameters": or_null(query.is_empty(), json!(query)),
            "pathParameters": or_null(found.variables.is_empty(), json!(found.variables)),
            "stageVariables": or_null(place.variables.is_empty(), json!(place.variables)),
            "requestContext": {
                "resourceId": found.resource_id,
                "resourcePath": found.resource_path,
                "httpMethod": self.method,
                "extendedRequestId": STANDARD.encode(&id.as_bytes()[..12]),
                "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "requestTimeEpoch": now.as_millisecond(),
                "path": format!("/{}{}", place.stage, self.path),
                "accountId": place.account,
                "protocol": "HTTP/1.1",
                "stage": place.stage,
                "domainPrefix": place.api,
                "domainName": self.host,
                "deploymentId": place.deployment,
                "apiId": place.api,
                "requestId": id,
                "identity": self.identity(),
            },
            "body": body,
            "isBase64Encoded": is_base64,
        });
        if let Some((key_id, key)) = place.key {
            event["requestContext"]["identity"]["apiKey"] = json!(key);
            event["requestContext"]["identity"]["apiKeyId"] = json!(key_id);
        }
        Bytes::from(event.to_string())
    }

    fn identity(&self) -> Json {
        json!({
            "cognitoIdentityPoolId": null,
            "accountId": null,
            "cognitoIdentityId": null,
            "caller": null,
            "sourceIp": self.source_ip.to_string(),
            "principalOrgId": null,
            "accessKey": null,
            "cognitoAuthenticationType": null,
            "cognitoAuthenticationProvider": null,
            "userArn": null,
            "userAgent": self.header("user-agent"),
            "user": null,
        })
    }

    fn body(&self, binary_types: &[String]) -> (Json, bool) {
        if self.body.is_empty() {
            return (Json::Null, false);
        }
        let kind = self.header("content-type").and_then(|k| k.split(';').next()).unwrap_or_default().trim();
        if binary_types.iter().any(|b| b == "*/*" || b.eq_ignore_ascii_case(kind)) {
            return (json!(STANDARD.encode(self.body)), true);
        }
        (json!(String::from_utf8_lossy(self.body)), false)
    }
}

/// The response that a function's answer stands for; none if it is not one.
pub(crate) fn response(payload: &[u8]) -> Option<Reply> {
    let answer: Json = serde_json::from_slice(payload).ok()?;
    let members = answer.as_object()?;
    let status = match members.get("statusCode")? {
        Json::Number(n) => n.as_u64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    let status = u16::try_from(status?).ok().filter(|s| (200..600).contains(s))?;
    let text = match members.get("body") {
        None | Some(Json::Null) => "",
        Some(Json::String(text)) => text,
        Some(_) => return None,
    };
    let body = if members.get("isBase64Encoded") == Some(&Json::Bool(true)) {
        Bytes::from(STANDARD.decode(text).ok()?)
    } else {
        Bytes::from(text.to_owned())
    };
    let plain = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut headers = Vec::new();
    let many = members.get("multiValueHeaders").and_then(Json::as_object);
    for (name, values) in many.into_iter().flatten() {
        for value in values.as_array().into_iter().flatten() {
            headers.extend(header_name(name).map(|name| (name, plain(value))));
        }
    }
    for (name, value) in members.get("headers").and_then(Json::as_object).into_iter().flatten() {
        let known = header_name(name).filter(|name| headers.iter().all(|(n, _)| n != name));
        headers.extend(known.map(|name| (name, plain(value))));
    }
    if headers.iter().all(|(name, _)| *name != "content-type") {
        headers.push(("content-type", "application/json".to_owned()));
    }
    Some(Reply { status, headers, metadata: Vec::new(), body })
}
