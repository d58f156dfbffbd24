//! The operations on events, patterns and the one bus.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, check_bus, input, invalid, is_default},
    bus::route,
    envelope,
    pattern::Pattern,
};
use crate::{clock::at_seconds, error::AwsError};

/// Entries of one call, and their bytes.
const ENTRIES_MAX: usize = 10;
const ENTRIES_BYTES_MAX: usize = 256 * 1024;
const PATTERN_CHARS_MAX: usize = 4_096;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    /// Seconds since the epoch.
    time: Option<f64>,
    source: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

pub(crate) fn put_events(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let Put { entries } = input(request)?;
    if entries.is_empty() || entries.len() > ENTRIES_MAX {
        return Err(invalid(format!("1 validation error detected: entries has 1 to {ENTRIES_MAX} members")));
    }
    if entries.iter().map(Entry::bytes).sum::<usize>() > ENTRIES_BYTES_MAX {
        return Err(invalid("Total size of the entries in the request is over the limit."));
    }
    let mut failed = 0;
    let mut answers = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry.event(context) {
            Ok(event) => {
                answers.push(json!({"EventId": event["id"]}));
                route(context.world, context.region, &event);
            }
            Err((code, message)) => {
                failed += 1;
                answers.push(json!({"ErrorCode": code, "ErrorMessage": message}));
            }
        }
    }
    Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
}

impl Entry {
    fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail];
        let time_bytes = if self.time.is_some() { 14 } else { 0 };
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        time_bytes + texts + self.resources.iter().map(String::len).sum::<usize>()
    }

    /// The event, or the entry's error: its code and message.
    fn event(&self, context: &Context<'_>) -> Result<Json, (&'static str, String)> {
        let text = |name: &str, value: &Option<String>| {
            let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            value.clone().filter(|v| !v.is_empty()).ok_or(("InvalidArgument", message))
        };
        let (source, kind) = (text("Source", &self.source)?, text("DetailType", &self.detail_type)?);
        let detail = text("Detail", &self.detail)?;
        if source.starts_with("aws.") {
            return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
        }
        if let Some(bus) = self.event_bus_name.as_deref().filter(|bus| !is_default(bus)) {
            return Err(("InvalidArgument", format!("The twin has the event bus default and not {bus}.")));
        }
        let detail: Json = serde_json::from_str(&detail)
            .ok()
            .filter(Json::is_object)
            .ok_or(("MalformedDetail", "Detail is malformed.".to_owned()))?;
        let at = self.time.and_then(at_seconds);
        let place = (context.region.name.as_str(), context.world.account.as_str());
        Ok(envelope((&source, &kind), place, at.unwrap_or(context.now), &self.resources, &detail))
    }
}

/// Compiles a pattern or says as AWS does why it is none.
pub(crate) fn pattern(text: &str) -> Result<Pattern, AwsError> {
    let parsed = if text.chars().count() > PATTERN_CHARS_MAX {
        Err(format!("it has more than {PATTERN_CHARS_MAX} characters"))
    } else {
        Pattern::parse(text)
    };
    parsed.map_err(|why| {
        let message = format!("Event pattern is not valid. Reason: {why}");
        AwsError::new(400, "InvalidEventPatternException", message)
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Test {
    event_pattern: String,
    event: String,
}

pub(crate) fn test_event_pattern(_: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Test = input(request)?;
    let pattern = pattern(&request.event_pattern)?;
    let event: Json = serde_json::from_str(&request.event)
        .map_err(|_| invalid("Parameter Event is not valid. Reason: it is not JSON."))?;
    for member in ["id", "account", "source", "time", "region", "resources", "detail-type"] {
        if event.get(member).is_none() {
            return Err(invalid(format!("Parameter Event is not valid. Reason: {member} is required.")));
        }
    }
    Ok(json!({"Result": pattern.matches(&event)}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    name: Option<String>,
}

fn bus(context: &Context<'_>) -> Json {
    let arn = format!("arn:aws:events:{}:{}:event-bus/default", context.region.name, context.world.account);
    json!({"Name": "default", "Arn": arn})
}

pub(crate) fn describe_event_bus(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: Describe = input(request)?;
    check_bus(request.name.as_deref())?;
    Ok(bus(context))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    name_prefix: Option<String>,
}

pub(crate) fn list_event_buses(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: List = input(request)?;
    let is_asked = "default".starts_with(request.name_prefix.as_deref().unwrap_or_default());
    Ok(json!({"EventBuses": is_asked.then(|| bus(context)).into_iter().collect::<Vec<_>>()}))
}
