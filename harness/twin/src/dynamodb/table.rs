//! One table in one Region: key schema, rows in key order, stream. State alone: the time of a write is handed in.
//!
//! Every row has the stamp of the write that made it. Where the table has replicas, deleted rows stay as tombstones, so
//! that a late write from elsewhere cannot bring an item back.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    capacity::{Consumed, Direction, Throughput, Units, exceeded},
    index::{Index, Kind, Status},
    item::{Item, Value, check_item, invalid, item_size_bytes},
    key::{Key, Schema},
    legacy::{marked, unmarked},
    settings::Settings,
    stream::{Held, Stream, View},
};
use crate::error::AwsError;

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
    pub(crate) settings: Settings,
    pub(crate) indexes: Vec<Index>,
    pub(crate) stream: Option<Stream>,
    /// What its stream counts its records in.
    held: Held,
    ttl_attribute: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// The other Regions that have this table.
    pub(crate) replicas: BTreeSet<String>,
    /// Part of a global table of version 2017.11.29.
    pub(crate) legacy: bool,
    rows: BTreeMap<Key, Row>,
    /// Rows that are items.
    items: usize,
    bytes: usize,
    /// When items expire, in seconds; only while there is a time to live.
    expiries: BTreeSet<(i64, Key)>,
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
            settings: Settings::default(),
            indexes: Vec::new(),
            stream: None,
            held: Held::default(),
            ttl_attribute: None,
            tags: BTreeMap::new(),
            replicas: BTreeSet::new(),
            legacy: false,
            rows: BTreeMap::new(),
            items: 0,
            bytes: 0,
            expiries: BTreeSet::new(),
        }
    }

    /// Its stream, now or later, counts its records among those of all.
    pub(crate) fn count_in(&mut self, held: &Held) {
        self.held = held.clone();
        if let Some(stream) = &mut self.stream {
            stream.count_in(held);
        }
    }

    pub(crate) fn enable_stream(&mut self, view: View, now: Timestamp) {
        self.stream = Some(Stream::new(&self.arn, &self.region, view, now, &self.held));
    }

    /// The items between two keys, in order. The range must not be turned around.
    pub(crate) fn range(
        &self,
        range: (Bound<Key>, Bound<Key>),
    ) -> impl DoubleEndedIterator<Item = (&Key, &Arc<Item>)> {
        self.rows.range(range).filter_map(|(key, row)| Some((key, row.item.as_ref()?)))
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

    /// Whether an item may be stored here.
    pub(crate) fn check(&self, item: &Item) -> Result<(), AwsError> {
        check_item(item)?;
        self.indexes.iter().try_for_each(|index| index.check(item))
    }

    /// Makes a write of this Region, and says what is to be replicated of it.
    pub(crate) fn write(
        &mut self,
        key: &Key,
        new: Option<Arc<Item>>,
        now: Timestamp,
        expired: bool,
    ) -> Option<Row> {
        let mut row = Row { item: new, stamp: self.stamp(key, now) };
        if self.legacy {
            if self.get(key) == row.item.as_ref() {
                // That version replicates what its stream shows, and a write that changes nothing is not there.
                return None;
            }
            self.store(key, row.clone(), now, expired);
            let Some(item) = &row.item else { return Some(row) };
            row.item = Some(marked(item, &row.stamp, false));
            self.store(key, row.clone(), now, false);
        } else {
            self.store(key, row.clone(), now, expired);
        }
        Some(row)
    }

    /// Puts what a write made of an item in its place and tells indexes and stream.
    pub(crate) fn store(&mut self, key: &Key, row: Row, now: Timestamp, expired: bool) {
        let new = row.item.clone();
        let old = if new.is_none() && self.replicas.is_empty() {
            self.rows.remove(key)
        } else {
            self.rows.insert(key.clone(), row)
        };
        let old = old.and_then(|row| row.item);
        if let Some(old) = &old {
            self.items = self.items.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(item_size_bytes(old));
            if let Some(at) = self.expiry(old) {
                self.expiries.remove(&(at, key.clone()));
            }
        }
        if let Some(new) = &new {
            self.items += 1;
            self.bytes += item_size_bytes(new);
            if let Some(at) = self.expiry(new) {
                self.expiries.insert((at, key.clone()));
            }
        }
        for index in &mut self.indexes {
            index.replace(key, old.as_ref(), new.as_ref());
        }
        if let Some(stream) = &mut self.stream {
            stream.append(key, self.schema.key_item(key), (old, new), now, expired);
        }
    }

    /// Takes over a write from another Region if it is later than what stands here; says whether it is.
    pub(crate) fn take_over(&mut self, key: &Key, row: Row, now: Timestamp) -> bool {
        if self.rows.get(key).is_some_and(|mine| mine.stamp >= row.stamp) {
            return false;
        }
        if self.legacy {
            let before = match (self.get(key), &row.item) {
                (None, Some(new)) => Some(unmarked(new)),
                (Some(mine), None) => Some(marked(mine, &row.stamp, true)),
                _ => None,
            };
            if let Some(item) = before {
                self.store(key, Row { item: Some(item), stamp: row.stamp.clone() }, now, false);
            }
        }
        self.store(key, row, now, false);
        true
    }

    pub(crate) fn purge_tombstones(&mut self) {
        if self.rows.len() > self.items {
            self.rows.retain(|_, row| row.item.is_some());
        }
    }

    /// Number of items, and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.items, self.bytes)
    }

    pub(crate) fn ttl_attribute(&self) -> Option<&str> {
        self.ttl_attribute.as_deref()
    }

    /// Sets the attribute that says when an item expires, or switches expiry off.
    pub(crate) fn set_ttl_attribute(&mut self, name: Option<String>) {
        self.ttl_attribute = name;
        let items = self.rows.iter().filter_map(|(key, row)| Some((key, row.item.as_ref()?)));
        self.expiries = items.filter_map(|(key, item)| Some((self.expiry(item)?, key.clone()))).collect();
    }

    fn expiry(&self, item: &Item) -> Option<i64> {
        match item.get(self.ttl_attribute.as_ref()?)? {
            Value::N(at) => at.whole(),
            _ => None,
        }
    }

    /// Keys of the items that expire between two times in seconds, and that it is this Region's task to delete: those it
    /// wrote last, since the deletion reaches the others. In version 2017.11.29 each Region has its own time to live.
    pub(crate) fn expired(&self, after_s: i64, before_s: i64) -> Vec<Key> {
        if after_s >= before_s {
            return Vec::new();
        }
        let times = (Bound::Excluded((after_s, Key::LAST)), Bound::Excluded((before_s, Key::FIRST)));
        let keys = self.expiries.range(times).map(|(_, key)| key);
        let is_mine = |row: &Row| self.legacy || row.stamp.region == self.region;
        keys.filter(|key| self.rows.get(*key).is_some_and(is_mine)).cloned().collect()
    }

    /// Adds an index over what the table holds.
    pub(crate) fn add_index(&mut self, mut index: Index) {
        for (key, row) in &self.rows {
            index.replace(key, None, row.item.as_ref());
        }
        self.indexes.push(index);
    }

    /// Forgets indexes whose deletion is over.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.indexes.retain(|index| !index.is_gone(now));
    }

    /// The index for a query or scan.
    pub(crate) fn index(&self, name: &str, now: Timestamp) -> Result<&Index, AwsError> {
        let index = self.indexes.iter().find(|i| i.definition.name == name);
        match index.map(|i| (i, i.status(now))) {
            Some((index, Status::Active)) => Ok(index),
            Some((_, Status::Creating)) => {
                Err(invalid(format!("Cannot read from backfilling global secondary index: {name}")))
            }
            Some((_, Status::Deleting)) | None => {
                Err(invalid(format!("The table does not have the specified index: {name}")))
            }
        }
    }

    /// What a write consumes.
    pub(crate) fn write_cost(&self, old: Option<&Item>, new: Option<&Item>) -> Consumed {
        let size = |item: Option<&Item>| item.map_or(0, item_size_bytes);
        let table = Units::write(size(old).max(size(new)));
        let of_index = |index: &Index| {
            let definition = &index.definition;
            ((definition.kind, definition.name.clone()), index.write_units(old, new))
        };
        Consumed { table, indexes: self.indexes.iter().map(of_index).collect() }
    }

    /// Refuses a write that finds no capacity.
    pub(crate) fn admit_write(&mut self, cost: &Consumed, now: Timestamp) -> Result<(), AwsError> {
        let Some(throughput) = &mut self.settings.throughput else { return Ok(()) };
        let mut open = throughput.write.is_open(now);
        for index in &mut self.indexes {
            let is_written =
                cost.of_global().any(|(n, units)| n == index.definition.name && units > Units::default());
            if let (true, Some(throughput)) = (is_written, &mut index.throughput) {
                open &= throughput.write.is_open(now);
            }
        }
        if open { Ok(()) } else { Err(exceeded()) }
    }

    /// Charges what a request consumed to the table and its indexes.
    pub(crate) fn charge(&mut self, cost: &Consumed, direction: Direction) {
        let Some(throughput) = &mut self.settings.throughput else { return };
        throughput.bucket(direction).take(cost.of_table());
        for index in &mut self.indexes {
            let units = cost.of_global().find(|(name, _)| *name == index.definition.name);
            if let (Some((_, units)), Some(throughput)) = (units, &mut index.throughput) {
                throughput.bucket(direction).take(units);
            }
        }
    }

    /// Refuses a read that finds no capacity.
    pub(crate) fn admit_read(&mut self, index: Option<&str>, now: Timestamp) -> Result<(), AwsError> {
        let open = match self.read_throughput(index) {
            Some(throughput) => throughput.read.is_open(now),
            None => true,
        };
        if open { Ok(()) } else { Err(exceeded()) }
    }

    fn read_throughput(&mut self, index: Option<&str>) -> Option<&mut Throughput> {
        let global = index.and_then(|name| {
            self.indexes.iter_mut().find(|i| i.definition.name == name && i.definition.kind == Kind::Global)
        });
        match global {
            Some(index) => index.throughput.as_mut(),
            None => self.settings.throughput.as_mut(),
        }
    }
}
