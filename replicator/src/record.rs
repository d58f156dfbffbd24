//! Records of the event table's stream, as AWS Lambda delivers them.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::document::LOOKED;
use crate::reconcile::{HEARTBEAT, STREAM};
use crate::tables::Stream;
use crate::typed;

/// The event that a stream's mapping hands to the function. Records stay untyped here: one that
/// cannot be read must not take the others with it.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    /// The records, in the order of their shard.
    #[serde(rename = "Records", default)]
    pub records: Vec<Value>,
}

/// A record that has something to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Names the record in the answer.
    pub sequence: String,
    /// The partition key: order matters within it.
    pub device: String,
    /// The sort key: the event's identity.
    pub event: String,
    /// When the stream's table got the row.
    pub created_ms: u64,
    /// The row in plain JSON, or why it could not be decoded.
    pub row: Result<Map<String, Value>, String>,
}

/// What a record asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Nothing: a row that went, did not change, was written in this Region, or is only a note.
    Skip,
    /// Nothing: a heartbeat, which came all the way through that stream.
    Heartbeat(Stream),
    /// An event to apply.
    Event(Record),
    /// A record without keys or sequence number, which no stream delivers.
    Nameless,
}

/// Reads one record. `own_region` is the Region in which this runs: rows that began there are not
/// for it.
pub fn read(record: &Value, own_region: &str) -> Reading {
    let change = &record["dynamodb"];
    let (Some(sequence), Some(keys)) = (change["SequenceNumber"].as_str(), change["Keys"].as_object()) else {
        return Reading::Nameless;
    };
    let key = |name: &str| keys.get(name).and_then(|typed| typed["S"].as_str()).map(str::to_owned);
    let (Some(device), Some(event)) = (key("device"), key("event")) else { return Reading::Nameless };
    let operation = record["eventName"].as_str().unwrap_or_default();
    // A row that goes has lived its time; deletions of things are rows of their own.
    if operation == "REMOVE" || (operation == "MODIFY" && change["OldImage"] == change["NewImage"]) {
        return Reading::Skip;
    }
    let row = match change["NewImage"].as_object() {
        Some(image) => typed::item(image).map_err(|malformed| malformed.to_string()),
        None => Err("the record has no new image".to_owned()),
    };
    let is =
        |name: &str, value: &str| row.as_ref().is_ok_and(|row| row.get(name).is_some_and(|it| it == value));
    if is("origin", own_region) || is("eventType", LOOKED) {
        return Reading::Skip;
    }
    if is("eventType", HEARTBEAT) {
        let is_of_documents = is(STREAM, Stream::Documents.name());
        return Reading::Heartbeat(if is_of_documents { Stream::Documents } else { Stream::Events });
    }
    let created_ms = created_ms(record).unwrap_or_default();
    Reading::Event(Record { sequence: sequence.to_owned(), device, event, created_ms, row })
}

/// When the stream's table got the row of a record: it says seconds, whole or with a fraction. Without a
/// time a record counts as old.
pub fn created_ms(record: &Value) -> Option<u64> {
    let seconds = record["dynamodb"]["ApproximateCreationDateTime"].as_f64()?.max(0.0);
    let since = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, image: &Value) -> Value {
        json!({"eventName": name, "dynamodb": {"SequenceNumber": "7", "ApproximateCreationDateTime": 1.5,
            "Keys": {"device": {"S": "d"}, "event": {"S": "thing#1"}}, "NewImage": image}})
    }

    #[test]
    fn d17_the_row_itself_says_in_which_region_it_began() {
        let own = record("INSERT", &json!({"origin": {"S": "us-west-2"}}));
        assert_eq!(read(&own, "us-west-2"), Reading::Skip);
        assert!(matches!(read(&own, "eu-west-1"), Reading::Event(record) if record.created_ms == 1_500));
        // A global table of 2017 has such an attribute, one of 2019 has none: it says nothing.
        let replicated = json!({"origin": {"S": "us-east-1"}, "aws:rep:updateregion": {"S": "us-west-2"}});
        assert!(matches!(read(&record("INSERT", &replicated), "us-west-2"), Reading::Event(_)));
    }

    #[test]
    fn a_heartbeat_asks_for_nothing_and_says_through_which_stream_it_came() {
        for stream in [Stream::Events, Stream::Documents] {
            let row = Value::Object(crate::reconcile::heartbeat(stream, 7));
            let record = record("MODIFY", &typed_row(&row));
            assert_eq!(read(&record, "r"), Reading::Heartbeat(stream));
        }
    }

    fn typed_row(row: &Value) -> Value {
        crate::simulation::typed(row)["M"].clone()
    }

    #[test]
    fn d18_removals_and_changes_that_change_nothing_are_skipped() {
        assert_eq!(read(&record("REMOVE", &Value::Null), "r"), Reading::Skip);
        let mut same = record("MODIFY", &json!({"a": {"S": "x"}}));
        same["dynamodb"]["OldImage"] = same["dynamodb"]["NewImage"].clone();
        assert_eq!(read(&same, "r"), Reading::Skip);
        same["dynamodb"]["OldImage"]["a"]["S"] = json!("y");
        assert!(matches!(read(&same, "r"), Reading::Event(_)));
    }

    #[test]
    fn what_cannot_be_decoded_is_an_event_with_a_reason() {
        let Reading::Event(broken) = read(&record("INSERT", &json!({"a": 1})), "r") else {
            panic!("an event")
        };
        assert_eq!(broken.row, Err("not a typed value".into()));
        assert_eq!(read(&json!({}), "r"), Reading::Nameless);
    }
}
