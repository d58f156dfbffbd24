//! Bodies of the control API, whatever a client says that they are; and what is wrong with one, in words.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
    response::Response,
};
use serde_json::{Map, Value};

use super::refuse;

/// A body that was read.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| {
            let why = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
                _ => "the body did not arrive whole",
            };
            refuse(rejection.status(), why)
        })
    }
}

/// The members of a JSON object; `example` is what is wanted instead of anything else.
pub(super) fn object(body: &[u8], example: &str) -> Result<Map<String, Value>, String> {
    let wanted = |is: &str| format!("the body is {is}; it has to be a JSON object, as {example}");
    if body.is_empty() {
        return Err(wanted("empty"));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(wanted("JSON and no object")),
        Err(error) => Err(wanted(&format!("not JSON (line {}, column {})", error.line(), error.column()))),
    }
}

/// Refuses members that are none of these.
pub(super) fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{name}: there is no such member; there are {}", known.join(", "))),
        None => Ok(()),
    }
}
