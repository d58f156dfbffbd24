//! Damaged records of a stream: what their readers get while a fault says so. The stream keeps them whole, so that they are
//! whole again once the fault is removed.

use std::sync::Arc;

use super::{
    item::{Item, Value},
    key::fixed_hash,
    stream::{Record, Stream, StreamName},
};
use crate::fault::{Faults, Kind, Poison};

/// The records as their readers get them.
pub(super) fn poisoned(faults: &Faults, stream: &Stream, records: Vec<Arc<Record>>) -> Vec<Arc<Record>> {
    if !faults.any(Kind::StreamPoison) {
        return records;
    }
    let table = StreamName::of(stream).table().to_owned();
    let damage = |record: Arc<Record>| {
        let hash = fixed_hash(&(&stream.arn, record.sequence));
        match faults.poison(&stream.region, &table, hash) {
            Some(how) => Arc::new(damaged(&record, how)),
            None => record,
        }
    };
    records.into_iter().map(damage).collect()
}

fn damaged(record: &Record, how: Poison) -> Record {
    let image = |image: &Option<Arc<Item>>| {
        let image = image.as_deref()?;
        let mut damaged = record.keys.clone();
        if how == Poison::Null {
            let others = image.keys().filter(|name| !record.keys.contains_key(*name));
            damaged.extend(others.map(|name| (name.clone(), Value::Null(true))));
        }
        Some(Arc::new(damaged))
    };
    Record {
        sequence: record.sequence,
        event: record.event,
        at: record.at,
        keys: record.keys.clone(),
        old: image(&record.old),
        new: image(&record.new),
        expired: record.expired,
        partition: record.partition,
    }
}
