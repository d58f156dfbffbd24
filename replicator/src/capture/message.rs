//! What one message of the queue, or one record of the stream, asks to be looked at.

use serde_json::Value;

use super::{Later, Shows, Want, api_event};
use crate::document::Key;
use crate::event::{Event, What};
use crate::record::{self, Reading};
use crate::rules::is_own;

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    /// By which it is named in the answer.
    pub(super) id: String,
    /// Whether it is a record of the stream, which tells of what was done a moment ago.
    pub(super) is_of_stream: bool,
    /// What is to be looked at, or why the message cannot be read.
    pub(super) wants: Result<Vec<Want>, String>,
    /// How often it was looked at again.
    pub(super) tries: usize,
    /// How often it could not be looked at.
    pub(super) failures: u32,
}

/// Reads a record of a batch of either kind.
pub(super) fn read(record: &Value, region: &str) -> Message {
    let is_of_stream = record["eventSource"] == "aws:dynamodb";
    let id = if is_of_stream { &record["dynamodb"]["SequenceNumber"] } else { &record["messageId"] };
    let id = id.as_str().unwrap_or_default().to_owned();
    let read = if is_of_stream { Ok((created(record, region), 0, 0)) } else { queued(record, region) };
    let (wants, tries, failures) = match read {
        Ok((wants, tries, failures)) => (Ok(wants), tries, failures),
        Err(why) => (Err(why), 0, 0),
    };
    Message { id, is_of_stream, wants, tries, failures }
}

fn queued(record: &Value, region: &str) -> Result<(Vec<Want>, usize, u32), String> {
    let body = record["body"].as_str().ok_or("it has no body")?;
    let body: Value = serde_json::from_str(body).map_err(|why| why.to_string())?;
    if body.get("look").is_none() {
        return api_event::read(&body, region).map(|wants| (wants, 0, 0));
    }
    let later: Later = serde_json::from_value(body).map_err(|why| why.to_string())?;
    Ok((
        vec![Want { key: later.look, since_ms: later.since_ms, shows: later.shows }],
        later.tries,
        later.failures,
    ))
}

/// A thing that was made in this Region. The replicator's own rows, and those of the other Region, are
/// no reason to look.
fn created(record: &Value, region: &str) -> Vec<Want> {
    // No Region is left out here: the rows that began in this one are those that matter.
    let Reading::Event(record) = record::read(record, "") else { return Vec::new() };
    let Ok(row) = record.row else { return Vec::new() };
    let is = |name: &str, value: &str| row.get(name).and_then(Value::as_str) == Some(value);
    if !is("operation", "CREATED") || !is("origin", region) {
        return Vec::new();
    }
    match Event::read(&row).map(|event| event.what) {
        Ok(What::Thing(event)) if !is_own(&event.thing.name) => {
            let (key, since_ms) = (Key::Identity(event.thing.name), event.mark.timestamp_ms);
            vec![Want { key, since_ms, shows: Shows::Anything }]
        }
        // Not of a thing. What cannot be read is said by the function that applies it.
        _ => Vec::new(),
    }
}
