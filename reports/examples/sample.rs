//! Writes the folder of a made-up run and its results: `cargo run -p gameday-report --example sample -- FOLDER [good|bad|stopped] [DEVICES] [mixed]`.

use std::path::Path;

use gameday_report::record;
use gameday_report::record::{ActLog, EventLog, Folder, HistogramLog, LedgerLog, RecordError, UndoLog};

#[path = "../src/sample.rs"]
#[allow(dead_code, reason = "each of its users needs another part")]
mod sample;

fn main() -> Result<(), RecordError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().map_or("sample-run", String::as_str);
    let luck = match arguments.get(1).map(String::as_str) {
        Some("bad") => sample::Luck::Bad,
        Some("stopped") => sample::Luck::Stopped,
        _ => sample::Luck::Good,
    };
    let devices = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(500);
    let record = match arguments.get(3).map(String::as_str) {
        Some("mixed") => sample::mixed(devices, luck),
        _ => sample::record(devices, luck),
    };
    let folder = Folder::create(Path::new(path))?;
    write(&folder, &record)?;
    gameday_report::write_results(&folder)?;
    Ok(())
}

fn write(folder: &Folder, record: &record::Record) -> Result<(), RecordError> {
    let mut events = EventLog::create(folder)?;
    for entry in &record.events {
        events.append(entry)?;
    }
    for act in &record.acts {
        ActLog::append(folder, act)?;
    }
    let mut ledger = LedgerLog::create(folder)?;
    for write in &record.ledger {
        ledger.append(write)?;
    }
    ledger.finish()?;
    let mut undo = UndoLog::create(folder)?;
    for entry in &record.undo {
        undo.append(entry)?;
    }
    for (metric, series) in &record.histograms {
        let start = record.events.first().map(|entry| entry.wall).unwrap_or_default();
        let mut log = HistogramLog::create(&folder.histogram(metric), start)?;
        for interval in &series.intervals {
            log.interval(interval.start_us, interval.duration_us, &interval.histogram)?;
        }
    }
    let path = folder.quotas();
    let quotas = serde_json::to_string_pretty(&record.quotas)
        .map_err(|source| RecordError::Json { path: path.clone(), source })?;
    std::fs::write(&path, quotas).map_err(|source| RecordError::Io { action: "write", path, source })?;
    let path = folder.scenario();
    std::fs::write(&path, &record.scenario).map_err(|source| RecordError::Io {
        action: "write",
        path,
        source,
    })
}
