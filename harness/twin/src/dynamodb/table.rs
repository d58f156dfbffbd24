//! One table in one Region: key schema, rows in key order, stream. State alone: the time of a write is handed in.
//!
//! Every row has the stamp of the write that made it. Where the table has replicas, deleted rows stay as tombstones, so
//! that a late write from elsewhere cannot bring an item back.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    ops::Bound,
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    item::{Binary, Item, Value, invalid},
    number::Number,
    stream::{Stream, View},
};
use crate::error::AwsError;

const HASH_KEY_BYTES_MAX: usize = 2048;
const RANGE_KEY_BYTES_MAX: usize = 1024;

/// The value of a key attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeyValue {
    S(String),
    N(Number),
    B(Binary),
}

/// A primary key. Keys of one partition are neighbours, in the order of their sort keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) hash: KeyValue,
    pub(crate) range: Option<KeyValue>,
}

impl Key {
    /// Which of so many parts the partition key falls into.
    pub(crate) fn part(&self, parts: usize) -> usize {
        let parts = u64::try_from(parts).unwrap_or(1).max(1);
        usize::try_from(fixed_hash(&self.hash) % parts).unwrap_or(0)
    }
}

impl Key {
    /// A hash of the key, the same in every Region.
    pub(crate) fn digest(&self) -> String {
        format!("{:016x}", fixed_hash(&(&self.hash, &self.range)))
    }
}

/// A hash that is the same in every run.
pub(crate) fn fixed_hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A key attribute: name and type (`S`, `N` or `B`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyAttribute {
    pub(crate) name: String,
    pub(crate) kind: String,
}

/// The key schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) hash: KeyAttribute,
    pub(crate) range: Option<KeyAttribute>,
}

/// When and where a write was made: the later one wins, and of two at the same instant the one of the later Region name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) at_ns: i128,
    pub(crate) region: String,
}

/// What stands under a key: an item, or a tombstone.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) item: Option<Arc<Item>>,
    pub(crate) stamp: Stamp,
}

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) schema: Schema,
    pub(crate) stream: Option<Stream>,
    pub(crate) ttl_attribute: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// The other Regions that have this table.
    pub(crate) replicas: BTreeSet<String>,
    rows: BTreeMap<Key, Row>,
}

impl Table {
    pub(crate) fn new(name: &str, region: &str, account: &str, schema: Schema, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            region: region.to_owned(),
            arn: format!("arn:aws:dynamodb:{region}:{account}:table/{name}"),
            id: uuid::Uuid::new_v4().to_string(),
            created: now,
            schema,
            stream: None,
            ttl_attribute: None,
            tags: BTreeMap::new(),
            replicas: BTreeSet::new(),
            rows: BTreeMap::new(),
        }
    }

    pub(crate) fn enable_stream(&mut self, view: View, now: Timestamp) {
        self.stream = Some(Stream::new(&self.arn, &self.region, view, now));
    }

    /// The items in key order.
    pub(crate) fn items(&self, from: Bound<&Key>) -> impl Iterator<Item = (&Key, &Arc<Item>)> {
        self.rows.range((from, Bound::Unbounded)).filter_map(|(key, row)| Some((key, row.item.as_ref()?)))
    }

    /// The items of one partition, in the order of their sort keys.
    pub(crate) fn partition<'a>(
        &'a self,
        hash: &'a KeyValue,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Item>)> {
        let first = Key { hash: hash.clone(), range: None };
        self.rows
            .range(first..)
            .take_while(move |(key, _)| key.hash == *hash)
            .filter_map(|(key, row)| Some((key, row.item.as_ref()?)))
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.rows.iter()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Item>> {
        self.rows.get(key).and_then(|row| row.item.as_ref())
    }

    /// The stamp of a write made here now: later than what it replaces, whatever the clock says.
    pub(crate) fn stamp(&self, key: &Key, now: Timestamp) -> Stamp {
        let before = self.rows.get(key).map_or(i128::MIN, |row| row.stamp.at_ns);
        let at_ns = now.as_nanosecond().max(before.saturating_add(1));
        Stamp { at_ns, region: self.region.clone() }
    }

    /// Puts what a write made of an item in its place and tells the stream. Says what stood there.
    pub(crate) fn store(&mut self, key: &Key, row: Row, now: Timestamp, expired: bool) -> Option<Arc<Item>> {
        let new = row.item.clone();
        let old = if new.is_none() && self.replicas.is_empty() {
            self.rows.remove(key)
        } else {
            self.rows.insert(key.clone(), row)
        };
        let old = old.and_then(|row| row.item);
        let keys = self.key_item(key);
        if let Some(stream) = &mut self.stream {
            stream.append(key, keys, (old.clone(), new), now, expired);
        }
        old
    }

    /// Takes over a write from another Region if it is later than what stands here; says whether it is.
    pub(crate) fn take_over(&mut self, key: &Key, row: Row, now: Timestamp) -> bool {
        let is_later = self.rows.get(key).is_none_or(|mine| mine.stamp < row.stamp);
        if is_later {
            self.store(key, row, now, false);
        }
        is_later
    }

    pub(crate) fn purge_tombstones(&mut self) {
        self.rows.retain(|_, row| row.item.is_some());
    }

    /// The key attributes alone.
    pub(crate) fn key_item(&self, key: &Key) -> Item {
        let mut item = Item::from([(self.schema.hash.name.clone(), key.hash.clone().into())]);
        if let (Some(attribute), Some(value)) = (&self.schema.range, &key.range) {
            item.insert(attribute.name.clone(), value.clone().into());
        }
        item
    }

    /// The key of an item that is to be stored.
    pub(crate) fn key_of_item(&self, item: &Item) -> Result<Key, AwsError> {
        let hash = key_value(&self.schema.hash, item, HASH_KEY_BYTES_MAX)?;
        let range =
            self.schema.range.as_ref().map(|a| key_value(a, item, RANGE_KEY_BYTES_MAX)).transpose()?;
        Ok(Key { hash, range })
    }

    /// The key that a request names: the key attributes and nothing else.
    pub(crate) fn key_of_request(&self, key: &Item) -> Result<Key, AwsError> {
        let mismatch = || invalid("The provided key element does not match the schema");
        if key.len() != 1 + usize::from(self.schema.range.is_some()) {
            return Err(mismatch());
        }
        for attribute in std::iter::once(&self.schema.hash).chain(&self.schema.range) {
            if key.get(&attribute.name).is_none_or(|v| v.type_name() != attribute.kind) {
                return Err(mismatch());
            }
        }
        self.key_of_item(key)
    }
}

impl From<KeyValue> for Value {
    fn from(key: KeyValue) -> Self {
        match key {
            KeyValue::S(s) => Self::S(s),
            KeyValue::N(n) => Self::N(n),
            KeyValue::B(b) => Self::B(b),
        }
    }
}

fn key_value(attribute: &KeyAttribute, item: &Item, bytes_max: usize) -> Result<KeyValue, AwsError> {
    let KeyAttribute { name, kind } = attribute;
    let value = item.get(name).ok_or_else(|| {
        invalid(format!("One or more parameter values were invalid: Missing the key {name} in the item"))
    })?;
    if value.type_name() != kind {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Type mismatch for key {name} expected: {kind} actual: {}",
            value.type_name()
        )));
    }
    let bytes = value.size_bytes();
    if bytes == 0 {
        return Err(invalid(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
             empty string value. Key: {name}"
        )));
    }
    if bytes > bytes_max {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Size of key {name} has exceeded the maximum size limit of \
             {bytes_max} bytes"
        )));
    }
    match value.clone() {
        Value::S(s) => Ok(KeyValue::S(s)),
        Value::N(n) => Ok(KeyValue::N(n)),
        Value::B(b) => Ok(KeyValue::B(b)),
        _ => Err(invalid("The provided key element does not match the schema")),
    }
}
