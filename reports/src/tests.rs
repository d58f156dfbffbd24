//! From a run folder to its results, and the published schema.

use serde_json::Value;

use crate::record::Folder;
use crate::record::{ActLog, EventLog, HistogramLog, LedgerLog, Record, UndoLog};
use crate::sample::{Luck, mixed, record};
use crate::{ExitCode, judge, write_results};

fn write(record: &Record) -> (tempfile::TempDir, Folder) {
    let keep = tempfile::tempdir().unwrap();
    let folder = Folder::create(&keep.path().join("run")).unwrap();
    let mut events = EventLog::create(&folder).unwrap();
    record.events.iter().for_each(|entry| events.append(entry).unwrap());
    record.acts.iter().for_each(|act| ActLog::append(&folder, act).unwrap());
    let mut ledger = LedgerLog::create(&folder).unwrap();
    record.ledger.iter().for_each(|write| ledger.append(write).unwrap());
    ledger.finish().unwrap();
    let mut undo = UndoLog::create(&folder).unwrap();
    record.undo.iter().for_each(|entry| undo.append(entry).unwrap());
    for (metric, series) in &record.histograms {
        let mut log = HistogramLog::create(&folder.histogram(metric), record.events[0].wall).unwrap();
        for interval in &series.intervals {
            log.interval(interval.start_us, interval.duration_us, &interval.histogram).unwrap();
        }
    }
    std::fs::write(folder.scenario(), &record.scenario).unwrap();
    std::fs::write(folder.quotas(), serde_json::to_string(&record.quotas).unwrap()).unwrap();
    (keep, folder)
}

#[test]
fn a_folder_says_all_that_the_run_knew() {
    let record = record(40, Luck::Good);
    let (_keep, folder) = write(&record);
    let read = Folder::open(folder.path()).unwrap().read().unwrap();
    assert_eq!((read.events, read.acts), (record.events.clone(), record.acts.clone()));
    assert_eq!(
        (read.ledger, read.undo, read.info),
        (record.ledger.clone(), record.undo.clone(), record.info.clone())
    );
    assert_eq!((read.plan, read.notes.len()), (Value::Null, 0));
    assert_eq!(read.quotas, record.quotas);
    let summary = write_results(&folder).unwrap();
    assert_eq!(summary, judge(&record));
    let first = std::fs::read(folder.report()).unwrap();
    write_results(&folder).unwrap();
    assert_eq!(first, std::fs::read(folder.report()).unwrap());
    let stored = std::fs::read_to_string(folder.summary()).unwrap();
    assert_eq!(serde_json::from_str::<crate::Summary>(&stored).unwrap(), summary);
}

#[test]
fn a_killed_run_is_read_to_its_last_whole_line() {
    let (_keep, folder) = write(&record(10, Luck::Good));
    let text = std::fs::read_to_string(folder.events()).unwrap();
    std::fs::write(folder.events(), &text[..text.len() - 20]).unwrap();
    let summary = write_results(&folder).unwrap();
    assert_eq!(summary.exit, ExitCode::Inconclusive);
    assert!(summary.notes.iter().any(|note| note.contains("events.ndjson")), "{:?}", summary.notes);
}

#[test]
fn a_folder_without_a_beginning_is_an_error() {
    let keep = tempfile::tempdir().unwrap();
    let folder = Folder::create(keep.path()).unwrap();
    let error = Folder::open(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} is no run folder", keep.path().display())), "{error}");
    std::fs::write(folder.events(), "").unwrap();
    assert!(folder.read().unwrap_err().to_string().contains("events.ndjson"));
}

/// Every key of `value` is in the schema, and every required key is in `value`. Enough of JSON Schema for a document
/// that this crate writes itself.
fn agree(schema: &Value, root: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        return agree(root.pointer(name.trim_start_matches('#')).unwrap(), root, value, at);
    }
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    if let Some(choices) = schema["anyOf"].as_array() {
        let choice = choices.iter().find(|choice| (choice["type"] == "null") == value.is_null()).unwrap();
        return agree(choice, root, value, at);
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(
        allowed.contains(&is) || (is == "integer" && allowed.contains(&"number")),
        "{at}: {is} is not {allowed:?}"
    );
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{at}: {value}");
    }
    match value {
        Value::Object(map) => {
            for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(map.contains_key(key), "{at} lacks {key}");
            }
            for (key, value) in map {
                let property = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
                let property = property.filter(|property| property.is_object());
                agree(
                    property.unwrap_or_else(|| panic!("{at}.{key} is not in the schema")),
                    root,
                    value,
                    &format!("{at}.{key}"),
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let schema = schema["prefixItems"].get(index).unwrap_or(&schema["items"]);
                agree(schema, root, item, &format!("{at}[{index}]"));
            }
        }
        _ => {}
    }
}

#[test]
fn summaries_agree_with_the_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("../summary.schema.json")).unwrap();
    for luck in [Luck::Good, Luck::Bad, Luck::Stopped] {
        let summary = serde_json::to_value(judge(&record(90, luck))).unwrap();
        agree(&schema, &schema, &summary, "summary");
    }
    let summary = serde_json::to_value(judge(&mixed(90, Luck::Bad))).unwrap();
    agree(&schema, &schema, &summary, "summary");
    let required = schema["required"].as_array().unwrap().len();
    assert_eq!(required, schema["properties"].as_object().unwrap().len(), "every field is always there");
}
