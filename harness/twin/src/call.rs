//! One AWS API call as it came over HTTP, and the reply to it. Codecs of the services work on these.

use axum::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use crate::error::AwsError;

/// A call: the request line in parts, headers and body, and the Region and service of its credential scope.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path as it came: split it before decoding, since ARNs in it are percent-encoded as a whole.
    pub(crate) raw_path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// From the credential scope, for example `us-east-1`.
    pub(crate) region: String,
    /// From the credential scope, for example `iot`.
    pub(crate) service: String,
}

impl Call {
    /// A call of a JSON-RPC service that the twin makes itself; `target` is what `X-Amz-Target` says.
    pub(crate) fn json_rpc(
        region: &str,
        service: &str,
        target: &'static str,
        request: &serde_json::Value,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_static(target));
        Self {
            method: Method::POST,
            raw_path: "/".to_owned(),
            query: Vec::new(),
            headers,
            body: Bytes::from(request.to_string()),
            region: region.to_owned(),
            service: service.to_owned(),
        }
    }

    /// The path's segments, decoded one by one.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.raw_path
            .trim_matches('/')
            .split('/')
            .map(|s| percent_decode_str(s).decode_utf8_lossy().into_owned())
            .collect()
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The body as JSON; an empty body is an empty object.
    pub(crate) fn json(&self) -> Result<serde_json::Value, AwsError> {
        if self.body.is_empty() {
            return Ok(serde_json::Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body)
            .map_err(|e| AwsError::new(400, "SerializationException", format!("body is not JSON: {e}")))
    }

    /// The operation of a JSON-RPC call: what stands behind the dot of `X-Amz-Target`.
    pub(crate) fn target(&self) -> Option<&str> {
        self.header("x-amz-target").and_then(|t| t.split_once('.')).map(|(_, op)| op)
    }
}

/// The reply to a call.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Headers whose names the caller chose.
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            metadata: Vec::new(),
            body: Bytes::from(body.to_string()),
        }
    }

    pub(crate) fn xml(status: u16, body: String) -> Self {
        Self::raw(status, "text/xml", body)
    }

    pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, metadata: Vec::new(), body: body.into() }
    }
}
