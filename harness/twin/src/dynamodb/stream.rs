//! A table's stream: what changed, in shards by partition key.
//!
//! Guarantees: the records of one partition key are in one shard, in the order of the writes; sequence numbers rise
//! within the stream; a write that changes nothing leaves no record. Each shard keeps a bounded number of records, all
//! streams together a bounded number of bytes, and a shard says through which sequence number it has trimmed.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::{
    item::{Item, item_size_bytes},
    key::Key,
};

/// Fixed, so that a mapping's pollers are known when it is created.
pub(crate) const SHARDS: usize = 4;
/// Records a shard keeps. AWS keeps 24 hours; this is some minutes of a large fleet's writes, and bounds memory.
pub(crate) const RECORDS_PER_SHARD_MAX: usize = 50_000;
/// Bytes of the records of all streams: the oldest ones go first.
pub(crate) const STREAMS_BYTES_MAX: usize = 512 * 1024 * 1024;
/// The part of them that is trimmed at once, so that not each write looks for the oldest record.
const TRIM_SHARE: usize = 64;
/// What a record counts for besides its attributes.
const RECORD_BYTES: usize = 512;

/// What happened to the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Insert,
    Modify,
    Remove,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Modify => "MODIFY",
            Self::Remove => "REMOVE",
        }
    }
}

/// One change. Images are shared with the table.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) sequence: u64,
    pub(crate) event: Event,
    pub(crate) at: Timestamp,
    pub(crate) keys: Item,
    pub(crate) old: Option<Arc<Item>>,
    pub(crate) new: Option<Arc<Item>>,
    /// Deleted because its time to live was over.
    pub(crate) expired: bool,
    /// A hash of the partition key that its shard was not chosen by.
    pub(crate) partition: u64,
}

/// Which images a stream's records carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum View {
    KeysOnly,
    NewImage,
    OldImage,
    NewAndOldImages,
}

/// One shard.
#[derive(Debug)]
pub(crate) struct Shard {
    records: VecDeque<Arc<Record>>,
    trimmed_through: u64,
    /// The sequence number of the newest record, for readers to wait on.
    newest: watch::Sender<u64>,
}

/// A stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) arn: String,
    pub(crate) label: String,
    pub(crate) region: String,
    pub(crate) view: View,
    pub(crate) created: Timestamp,
    shards: Vec<Shard>,
    sequence: u64,
    /// Of this stream's records.
    bytes: usize,
    held: Held,
}

/// Bytes that the records of all streams hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

impl Held {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Stream {
    /// A stream whose records count in `held`.
    pub(crate) fn new(table_arn: &str, region: &str, view: View, now: Timestamp, held: &Held) -> Self {
        let label = now.strftime("%Y-%m-%dT%H:%M:%S.%3f").to_string();
        let shard = || Shard { records: VecDeque::new(), trimmed_through: 0, newest: watch::Sender::new(0) };
        Self {
            arn: format!("{table_arn}/stream/{label}"),
            label,
            region: region.to_owned(),
            view,
            created: now,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            sequence: 0,
            bytes: 0,
            held: held.clone(),
        }
    }

    /// From now on its records count in another total.
    pub(crate) fn count_in(&mut self, held: &Held) {
        self.held.0.fetch_sub(self.bytes, Ordering::Relaxed);
        held.0.fetch_add(self.bytes, Ordering::Relaxed);
        self.held = held.clone();
    }

    /// Appends the record of a change, if there is one.
    pub(crate) fn append(
        &mut self,
        key: &Key,
        keys: Item,
        (old, new): (Option<Arc<Item>>, Option<Arc<Item>>),
        now: Timestamp,
        expired: bool,
    ) {
        let event = match (&old, &new) {
            (None, None) => return,
            (Some(old), Some(new)) if old == new => return,
            (None, Some(_)) => Event::Insert,
            (Some(_), Some(_)) => Event::Modify,
            (Some(_), None) => Event::Remove,
        };
        self.sequence += 1;
        let partition = key.partition_in_shard(SHARDS);
        let record = Record { sequence: self.sequence, event, at: now, keys, old, new, expired, partition };
        let at = key.part(SHARDS);
        let Some(shard) = self.shards.get_mut(at) else { return };
        self.bytes += record.held_bytes();
        self.held.0.fetch_add(record.held_bytes(), Ordering::Relaxed);
        shard.records.push_back(Arc::new(record));
        let is_full = shard.records.len() > RECORDS_PER_SHARD_MAX;
        shard.newest.send_replace(self.sequence);
        if is_full {
            self.trim(at);
        }
    }

    /// Drops the oldest record of a shard.
    fn trim(&mut self, shard: usize) {
        let Some(shard) = self.shards.get_mut(shard) else { return };
        let Some(oldest) = shard.records.pop_front() else { return };
        shard.trimmed_through = oldest.sequence;
        self.bytes -= oldest.held_bytes();
        self.held.0.fetch_sub(oldest.held_bytes(), Ordering::Relaxed);
    }

    /// The shard with the oldest record, and when that was made.
    fn oldest(&self) -> Option<(Timestamp, usize)> {
        let firsts = self.shards.iter().enumerate();
        firsts.filter_map(|(at, shard)| Some((shard.records.front()?.at, at))).min()
    }

    /// Keeps the records of all streams within `bytes_max`: the oldest go, as after AWS's 24 hours.
    pub(crate) fn trim_all<'a>(streams: impl Iterator<Item = &'a mut Self>, held: &Held, bytes_max: usize) {
        if held.bytes() <= bytes_max {
            return;
        }
        let goal = bytes_max - bytes_max / TRIM_SHARE;
        let mut streams: Vec<&mut Self> = streams.collect();
        while held.bytes() > goal {
            let oldest = streams.iter_mut().filter_map(|s| s.oldest().map(|(at, shard)| (at, shard, s)));
            let Some((_, shard, stream)) = oldest.min_by_key(|(at, ..)| *at) else { return };
            stream.trim(shard);
        }
    }

    /// The records of a shard after the sequence number, and through which number the shard has been trimmed.
    pub(crate) fn read(&self, shard: usize, after: u64, limit: usize) -> Option<(Vec<Arc<Record>>, u64)> {
        let shard = self.shards.get(shard)?;
        let start = shard.records.partition_point(|r| r.sequence <= after);
        let records = shard.records.iter().skip(start).take(limit).cloned().collect();
        Some((records, shard.trimmed_through))
    }

    /// Newest sequence number of a shard, to read and to wait on.
    pub(crate) fn newest(&self, shard: usize) -> Option<watch::Receiver<u64>> {
        self.shards.get(shard).map(|s| s.newest.subscribe())
    }

    /// Through which sequence number a shard has been trimmed.
    pub(crate) fn trimmed_through(&self, shard: usize) -> Option<u64> {
        self.shards.get(shard).map(|s| s.trimmed_through)
    }

    /// The sequence number of the newest record of all.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Record {
    /// Bytes that would be free without it: its new image is the table's, or the old one of a later record.
    fn held_bytes(&self) -> usize {
        RECORD_BYTES + item_size_bytes(&self.keys) + self.old.as_deref().map_or(0, item_size_bytes)
    }

    /// Bytes that the record counts for.
    pub(crate) fn size_bytes(&self) -> usize {
        let image = |i: &Option<Arc<Item>>| i.as_ref().map_or(0, |i| item_size_bytes(i));
        item_size_bytes(&self.keys) + image(&self.old) + image(&self.new)
    }

    /// The record as `GetRecords` has it; functions are given `eventSourceARN` besides.
    pub(crate) fn to_json(&self, stream: &StreamName, for_function: bool) -> Json {
        let mut change = json!({
            "ApproximateCreationDateTime": self.at.as_second(),
            "Keys": self.keys,
            "SequenceNumber": sequence_text(self.sequence),
            "SizeBytes": self.size_bytes(),
            "StreamViewType": stream.view,
        });
        if matches!(stream.view, View::NewImage | View::NewAndOldImages)
            && let Some(new) = &self.new
        {
            change["NewImage"] = json!(**new);
        }
        if matches!(stream.view, View::OldImage | View::NewAndOldImages)
            && let Some(old) = &self.old
        {
            change["OldImage"] = json!(**old);
        }
        let mut record = json!({
            "eventID": format!("{:016x}{:016x}", stream.hash(), self.sequence),
            "eventName": self.event.name(),
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": stream.region,
            "dynamodb": change,
        });
        if for_function {
            record["eventSourceARN"] = json!(stream.arn);
        }
        if self.expired {
            // The API's record has capitals here, the function's has not: AWS differs in the same way.
            record["userIdentity"] = if for_function {
                json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"})
            } else {
                json!({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"})
            };
        }
        record
    }
}

/// What records say of the stream they come from.
#[derive(Debug, Clone)]
pub(crate) struct StreamName {
    pub(crate) arn: String,
    pub(crate) region: String,
    pub(crate) view: View,
}

impl StreamName {
    pub(crate) fn of(stream: &Stream) -> Self {
        Self { arn: stream.arn.clone(), region: stream.region.clone(), view: stream.view }
    }

    /// The table's name.
    pub(crate) fn table(&self) -> &str {
        let rest = self.arn.split_once(":table/").map_or(self.arn.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    fn hash(&self) -> u64 {
        super::key::fixed_hash(&self.arn)
    }
}

/// Sequence numbers have a fixed width on the wire, so that they order as text too.
pub(crate) fn sequence_text(sequence: u64) -> String {
    format!("1{sequence:020}")
}

/// The number behind a sequence number's text.
pub(crate) fn parse_sequence(text: &str) -> Option<u64> {
    text.strip_prefix('1').filter(|t| t.len() == 20).and_then(|t| t.parse().ok())
}

/// The name of a shard.
pub(crate) fn shard_id(shard: usize) -> String {
    format!("shardId-{shard:020}-{shard:08x}")
}

/// The shard that a name stands for.
pub(crate) fn parse_shard_id(text: &str) -> Option<usize> {
    (0..SHARDS).find(|shard| shard_id(*shard) == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::{item::Value, key::KeyValue};

    #[test]
    fn a_shard_keeps_the_newest_records_and_says_what_it_has_dropped() {
        let mut stream =
            Stream::new("arn", "us-east-1", View::NewAndOldImages, Timestamp::UNIX_EPOCH, &Held::default());
        let key = Key { hash: KeyValue::S("a".to_owned()), range: None };
        let shard = key.part(SHARDS);
        let newest = stream.newest(shard).unwrap();
        for n in 0..=RECORDS_PER_SHARD_MAX {
            let image = Item::from([("n".to_owned(), Value::S(n.to_string()))]);
            stream.append(&key, Item::new(), (None, Some(Arc::new(image))), Timestamp::UNIX_EPOCH, false);
        }
        let (records, trimmed) = stream.read(shard, 0, 1).unwrap();
        assert_eq!((records[0].sequence, trimmed), (2, 1));
        assert_eq!(*newest.borrow(), stream.sequence());
        assert!(stream.read(shard, stream.sequence(), 1).unwrap().0.is_empty());
    }

    #[test]
    fn all_streams_together_hold_so_many_bytes_and_the_oldest_records_go() {
        let held = Held::default();
        let mut streams =
            [0, 1].map(|_| Stream::new("arn", "us-east-1", View::OldImage, Timestamp::UNIX_EPOCH, &held));
        let key = Key { hash: KeyValue::S("a".to_owned()), range: None };
        let shard = key.part(SHARDS);
        let image =
            |n: i64| Some(Arc::new(Item::from([("n".to_owned(), Value::S(n.to_string().repeat(90)))])));
        for second in 0..1_000 {
            let now = Timestamp::from_second(second).unwrap();
            let stream = &mut streams[usize::from(second % 10 == 0)];
            stream.append(&key, Item::new(), (image(second), image(second + 1)), now, false);
            Stream::trim_all(streams.iter_mut(), &held, 100_000);
            assert!(held.bytes() <= 100_000);
        }
        let first = |stream: &Stream| stream.read(shard, 0, 1).unwrap().0[0].at.as_second();
        assert!(first(&streams[0]).abs_diff(first(&streams[1])) <= 10, "whatever stream they are of");
        assert!(first(&streams[0]) < 990, "no more than it has to");
        let (records, trimmed) = streams[0].read(shard, 0, 1).unwrap();
        assert_eq!(trimmed, records[0].sequence - 1);
        drop(streams);
        assert_eq!(held.bytes(), 0);
    }

    #[test]
    fn names_and_numbers_can_be_read_back() {
        for shard in 0..SHARDS {
            assert!(shard_id(shard).len() >= 28, "the API's least length");
            assert_eq!(parse_shard_id(&shard_id(shard)), Some(shard));
        }
        assert!(sequence_text(9) < sequence_text(10), "they order as text");
        assert_eq!(parse_sequence(&sequence_text(42)), Some(42));
        assert_eq!(parse_sequence("42"), None);
    }
}
