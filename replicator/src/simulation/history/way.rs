//! The way of one global table to the secondary: its replica there, and the replica's stream with its shards.
//!
//! There are two, of events and of documents, and nothing orders the one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::EventRow;
use crate::document;
use crate::policy::Policies;
use crate::simulation::tables::EventChange;
use crate::tables::Stream;

/// Of each stream.
const SHARDS: usize = 2;

/// The keys of a row.
type Key = (String, String);

/// A shard of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(super) stream: Stream,
    shard: usize,
}

impl Place {
    /// Where the records of a device are.
    pub(super) fn of(stream: Stream, device: &str) -> Self {
        Self { stream, shard: device.bytes().map(usize::from).sum::<usize>() % SHARDS }
    }

    /// The functions of the two mappings are other instances, with other clocks.
    pub(super) fn environment(self) -> usize {
        self.shard + SHARDS * usize::from(self.stream == Stream::Documents)
    }
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Indexes of records.
    pub(super) records: Vec<usize>,
    pub(super) next: usize,
    pub(super) busy: bool,
    pub(super) policies: Arc<Policies>,
}

/// A global table on its way.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// It does not replicate.
    pub(crate) is_table_paused: bool,
    /// Its stream is not read.
    pub(crate) is_stream_paused: bool,
    /// When the last change of a key reaches the secondary.
    arrivals: BTreeMap<Key, u64>,
    /// The rows of the secondary's replica.
    replica: BTreeMap<Key, EventRow>,
    shards: [Shard; SHARDS],
}

impl Way {
    /// When a change reaches the secondary that would at that time: not before the one before it.
    pub(super) fn arrives(&mut self, key: Key, due_ms: u64) -> u64 {
        let last_ms = self.arrivals.get(&key).copied().unwrap_or_default();
        let due_ms = due_ms.max(last_ms + 1);
        self.arrivals.insert(key, due_ms);
        due_ms
    }

    /// Makes a change in the replica; the answer is the row before.
    pub(super) fn write(&mut self, change: &EventChange) -> Option<EventRow> {
        let key = (change.device.clone(), change.event.clone());
        if change.is_gone { self.replica.remove(&key) } else { self.replica.insert(key, change.row.clone()) }
    }

    pub(super) fn shard(&mut self, place: Place) -> &mut Shard {
        &mut self.shards[place.shard]
    }
}

/// The stream that tells of a row.
pub(super) fn stream_of(row: &EventRow) -> Stream {
    if document::is_of_documents(row) { Stream::Documents } else { Stream::Events }
}
