//! Ground truth over the control API: switched on and off, and read as lines of JSON.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{
    body::{self, Body},
    refuse,
};
use crate::{api, truth::Fact, world::World};

/// Entries in one answer if the caller does not say.
const PAGE: usize = 10_000;
/// Entries in one answer.
const PAGE_MAX: usize = 100_000;

/// What is to be read.
#[derive(Debug, Default)]
struct Page {
    after: u64,
    kind: Option<String>,
    max: Option<usize>,
}

impl Page {
    fn parse(query: &str) -> Result<Self, String> {
        let mut page = Self::default();
        for (name, value) in api::query(query) {
            let number = || value.parse::<u64>().map_err(|_| format!("{name}: a whole number; not {value}"));
            match name.as_str() {
                "after" => page.after = number()?,
                "max" => page.max = Some(usize::try_from(number()?).unwrap_or(PAGE_MAX)),
                "kind" if Fact::KINDS.contains(&value.as_str()) => page.kind = Some(value),
                "kind" => return Err(format!("kind: one of {}; not {value}", Fact::KINDS.join(", "))),
                _ => return Err(format!("{name}: there is no such parameter; there are after, kind, max")),
            }
        }
        Ok(page)
    }
}

pub(super) async fn switch(State(world): State<Arc<World>>, Body(body): Body) -> Response {
    switched(&body, |on| world.truth.set(on))
}

/// Does what a body of `{"on": ...}` asks for.
pub(super) fn switched(body: &[u8], set: impl FnOnce(bool)) -> Response {
    match wanted(body) {
        Ok(on) => {
            set(on);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(why) => refuse(StatusCode::BAD_REQUEST, &why),
    }
}

/// Whether it is to be on.
pub(super) fn wanted(body: &[u8]) -> Result<bool, String> {
    let members = body::object(body, r#"{"on": true}"#)?;
    body::only(&members, &["on"])?;
    members.get("on").and_then(Value::as_bool).ok_or_else(|| "on: true or false".to_owned())
}

pub(super) async fn read(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let page = match Page::parse(query.as_deref().unwrap_or_default()) {
        Ok(page) => page,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    let read =
        world.truth.read(page.after, page.kind.as_deref(), page.max.unwrap_or(PAGE).clamp(1, PAGE_MAX));
    let mut body = String::new();
    for entry in &read.entries {
        // Every entry can be written: it has string keys alone.
        body.push_str(&serde_json::to_string(&**entry).unwrap_or_default());
        body.push('\n');
    }
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/x-ndjson".to_owned()),
        ("x-twin-on", world.truth.is_on().to_string()),
        ("x-twin-through", read.through.to_string()),
        ("x-twin-dropped", read.dropped.to_string()),
    ];
    (headers, body).into_response()
}
