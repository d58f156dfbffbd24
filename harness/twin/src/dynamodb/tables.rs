//! All tables of both Regions, and the writes that are on their way between them. Pure: no clock, no task.
//!
//! Guarantees: the writes of a Region to one item arrive elsewhere in order; whatever the order in which two Regions'
//! writes meet, the later stamp wins, so that replicas agree once everything has arrived.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    capacity::{Consumed, Detail, Direction, Units},
    index::Index,
    item::{Item, invalid, item_size_bytes},
    key::Key,
    legacy::Group,
    stream::{Held, STREAMS_BYTES_MAX, Stream, View},
    table::{Row, Table},
    transaction::Tokens,
};
use crate::{
    error::AwsError,
    truth::{Fact, Truth},
};

/// Writes under way above which older ones of the same item are dropped. AWS coalesces too; this bounds memory while
/// replication is paused.
const COALESCE_ABOVE: usize = 100_000;

/// A write on its way to another Region.
#[derive(Debug)]
struct Outgoing {
    table: String,
    key: Key,
    row: Row,
    written: Timestamp,
}

/// The writes on their way from one Region to another, in order.
#[derive(Debug, Default)]
struct Link {
    queue: VecDeque<Outgoing>,
    coalesce_above: usize,
    /// Writes so far.
    writes: u64,
}

impl Link {
    fn push(&mut self, write: Outgoing) {
        self.writes += 1;
        self.queue.push_back(write);
        if self.queue.len() > self.coalesce_above.max(COALESCE_ABOVE) {
            self.coalesce();
            self.coalesce_above = self.queue.len() * 2;
        }
    }

    /// Keeps the last write of each item.
    fn coalesce(&mut self) {
        let mut seen = BTreeSet::new();
        let mut kept: VecDeque<Outgoing> = VecDeque::new();
        while let Some(write) = self.queue.pop_back() {
            if seen.insert((write.table.clone(), write.key.clone())) {
                kept.push_front(write);
            }
        }
        self.queue = kept;
    }
}

/// What a write found and what it left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) old: Option<Arc<Item>>,
    pub(crate) new: Option<Arc<Item>>,
}

/// The tables of all Regions.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// By Region and name.
    tables: BTreeMap<(String, String), Table>,
    /// By source and destination.
    links: BTreeMap<(String, String), Link>,
    truth: Arc<Truth>,
    /// Bytes of the records of all streams.
    held: Held,
    /// Global tables of version 2017.11.29, by name.
    pub(crate) groups: BTreeMap<String, Group>,
    /// Of transactions that were made lately.
    pub(crate) tokens: Tokens,
}

impl Tables {
    /// Tells the truth from now on.
    pub(crate) fn tell(&mut self, truth: Arc<Truth>) {
        self.truth = truth;
    }

    /// Writes to global tables that a Region has made so far.
    pub(crate) fn writes_from(&self, region: &str) -> u64 {
        self.links.iter().filter(|((from, _), _)| from == region).map(|(_, link)| link.writes).sum()
    }

    pub(crate) fn get(&self, region: &str, name: &str) -> Option<&Table> {
        self.tables.get(&(region.to_owned(), name.to_owned()))
    }

    pub(crate) fn get_mut(&mut self, region: &str, name: &str) -> Option<&mut Table> {
        self.tables.get_mut(&(region.to_owned(), name.to_owned()))
    }

    /// The table for a request on items.
    pub(crate) fn table(&self, region: &str, name: &str) -> Result<&Table, AwsError> {
        self.get(region, name).ok_or_else(|| not_found("Requested resource not found".to_owned()))
    }

    /// The same, to write or to charge for what is read.
    pub(crate) fn table_mut(&mut self, region: &str, name: &str) -> Result<&mut Table, AwsError> {
        self.get_mut(region, name).ok_or_else(|| not_found("Requested resource not found".to_owned()))
    }

    /// The table for a request on tables.
    pub(crate) fn named(&mut self, region: &str, name: &str) -> Result<&mut Table, AwsError> {
        self.get_mut(region, name)
            .ok_or_else(|| not_found(format!("Requested resource not found: Table: {name} not found")))
    }

    pub(crate) fn of_region<'a>(&'a self, region: &'a str) -> impl Iterator<Item = &'a Table> {
        self.tables.values().filter(move |t| t.region == region)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    pub(crate) fn stream(&self, arn: &str) -> Option<&Stream> {
        self.tables.values().filter_map(|t| t.stream.as_ref()).find(|s| s.arn == arn)
    }

    pub(crate) fn create(&mut self, mut table: Table) -> Result<&Table, AwsError> {
        let key = (table.region.clone(), table.name.clone());
        if self.tables.contains_key(&key) {
            let message = format!("Table already exists: {}", table.name);
            return Err(AwsError::new(400, "ResourceInUseException", message));
        }
        table.count_in(&self.held);
        Ok(self.tables.entry(key).or_insert(table))
    }

    /// The tables of one name in several Regions.
    pub(crate) fn in_regions<'a>(
        &'a mut self,
        regions: &'a BTreeSet<String>,
        name: &'a str,
    ) -> impl Iterator<Item = &'a mut Table> {
        self.tables.values_mut().filter(move |t| t.name == name && regions.contains(&t.region))
    }

    /// Removes the table of one Region; its replicas stay.
    pub(crate) fn delete(&mut self, region: &str, name: &str) -> Result<Table, AwsError> {
        if self.named(region, name)?.settings.deletion_protection {
            return Err(invalid(
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection \
                 first.",
            ));
        }
        self.detach(region, name);
        let gone = self
            .tables
            .remove(&(region.to_owned(), name.to_owned()))
            .ok_or_else(|| not_found(format!("Requested resource not found: Table: {name} not found")))?;
        Ok(gone)
    }

    /// Takes a Region's table out of its global table, with the writes that are on their way to and from it.
    pub(crate) fn detach(&mut self, region: &str, name: &str) {
        let Some(table) = self.get_mut(region, name) else { return };
        table.legacy = false;
        for replica in std::mem::take(&mut table.replicas) {
            if let Some(other) = self.get_mut(&replica, name) {
                other.replicas.remove(region);
            }
        }
        for ((from, to), link) in &mut self.links {
            if from == region || to == region {
                link.queue.retain(|w| w.table != name);
            }
        }
        if let Some(group) = self.groups.get_mut(name) {
            group.regions.remove(region);
            if group.regions.is_empty() {
                self.groups.remove(name);
            }
        }
    }

    /// Adds a replica in another Region, with what the table holds now.
    pub(crate) fn add_replica(
        &mut self,
        (region, name): (&str, &str),
        other: &str,
        account: &str,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let others_have_it = self.get(other, name).is_some();
        let source = self.named(region, name)?;
        if source.legacy {
            return Err(invalid(format!(
                "The table {name} is a replica of a global table of version 2017.11.29: use UpdateGlobalTable"
            )));
        }
        if source.stream.as_ref().is_none_or(|s| s.view != View::NewAndOldImages) {
            return Err(invalid("Table must have stream enabled with view type: NEW_AND_OLD_IMAGES"));
        }
        if others_have_it || other == region {
            return Err(invalid(format!(
                "Failed to create a the new replica of table with name: '{name}' because one or more replicas already \
                 existed as tables."
            )));
        }
        let mut replica = Table::new(name, other, account, source.schema.clone(), now);
        replica.settings = source.settings.clone();
        replica.settings.deletion_protection = false;
        replica.settings.recovery = None;
        for index in &source.indexes {
            let mut copy = Index::new(index.definition.clone(), &source.schema, now);
            copy.throughput.clone_from(&index.throughput);
            replica.add_index(copy);
        }
        replica.set_ttl_attribute(source.ttl_attribute().map(str::to_owned));
        replica.enable_stream(View::NewAndOldImages, now);
        replica.replicas.clone_from(&source.replicas);
        replica.replicas.insert(region.to_owned());
        for (key, row) in source.rows() {
            replica.store(key, row.clone(), now, false);
        }
        for existing in replica.replicas.clone() {
            if let Some(table) = self.get_mut(&existing, name) {
                table.replicas.insert(other.to_owned());
            }
        }
        self.create(replica).map(|_| ())
    }

    /// Makes a write: `change` is given the item as it is and says what it shall be, or refuses.
    pub(crate) fn write(
        &mut self,
        (region, name): (&str, &str),
        key: &Key,
        now: Timestamp,
        expired: bool,
        change: impl FnOnce(Option<&Item>) -> Result<Option<Item>, AwsError>,
    ) -> Result<Written, AwsError> {
        let table = self.table_mut(region, name)?;
        if !expired {
            table.admit_write(&Consumed::default(), now)?;
        }
        let old = table.get(key).cloned();
        let new = match change(old.as_deref()) {
            Ok(new) => new,
            Err(refused) => {
                // A condition that fails costs what the item that it looked at weighs.
                if table.settings.throughput.is_some() {
                    let units = Units::write(old.as_deref().map_or(0, item_size_bytes));
                    table.charge(&Consumed { table: units, ..Consumed::default() }, Direction::Write);
                }
                return Err(refused);
            }
        };
        if let Some(item) = &new {
            table.check(item)?;
        }
        // An expiry is free.
        if !expired && table.settings.throughput.is_some() {
            let cost = table.write_cost(old.as_deref(), new.as_ref());
            table.admit_write(&cost, now)?;
            table.charge(&cost, Direction::Write);
        }
        let new = new.map(Arc::new);
        self.put_checked((region, name), key, new.clone(), now, expired)?;
        Ok(Written { old, new })
    }

    /// What a write consumed, if anybody wants to know.
    pub(crate) fn cost(
        &self,
        (region, name): (&str, &str),
        written: &Written,
        detail: Detail,
    ) -> Result<Consumed, AwsError> {
        if detail == Detail::None {
            return Ok(Consumed::default());
        }
        Ok(self.table(region, name)?.write_cost(written.old.as_deref(), written.new.as_deref()))
    }

    /// Stores what was checked and charged, and sends it on its way to the other Regions.
    pub(crate) fn put_checked(
        &mut self,
        (region, name): (&str, &str),
        key: &Key,
        new: Option<Arc<Item>>,
        now: Timestamp,
        expired: bool,
    ) -> Result<(), AwsError> {
        let table = self
            .tables
            .get_mut(&(region.to_owned(), name.to_owned()))
            .ok_or_else(|| not_found("Requested resource not found".to_owned()))?;
        let Some(row) = table.write(key, new, now, expired) else { return Ok(()) };
        for other in &table.replicas {
            let write = Outgoing { table: name.to_owned(), key: key.clone(), row: row.clone(), written: now };
            self.links.entry((region.to_owned(), other.clone())).or_default().push(write);
        }
        self.truth.stamp(|| Fact::TableWrite {
            region: region.to_owned(),
            table: name.to_owned(),
            key: key.digest(),
        });
        self.trim_streams(STREAMS_BYTES_MAX);
        Ok(())
    }

    /// Keeps what the records of all streams hold within bounds.
    fn trim_streams(&mut self, bytes_max: usize) {
        Stream::trim_all(self.tables.values_mut().filter_map(|t| t.stream.as_mut()), &self.held, bytes_max);
    }

    /// How long until the first write from one Region to another is to arrive; none if nothing is under way.
    pub(crate) fn next_due(&self, from: &str, to: &str, delay: Duration, now: Timestamp) -> Option<Duration> {
        let first = self.links.get(&(from.to_owned(), to.to_owned()))?.queue.front()?;
        let waited = now.duration_since(first.written);
        Some(delay.saturating_sub(Duration::try_from(waited).unwrap_or_default()))
    }

    /// Lets the writes arrive that are due, `at_most` so many. Says how many did.
    pub(crate) fn deliver(
        &mut self,
        (from, to): (&str, &str),
        delay: Duration,
        now: Timestamp,
        at_most: usize,
    ) -> usize {
        let mut delivered = 0;
        while delivered < at_most && self.next_due(from, to, delay, now) == Some(Duration::ZERO) {
            let Some(link) = self.links.get_mut(&(from.to_owned(), to.to_owned())) else { break };
            let Some(write) = link.queue.pop_front() else { break };
            if let Some(table) = self.get_mut(to, &write.table) {
                let applied = table.take_over(&write.key, write.row, now);
                self.truth.stamp(|| Fact::Replication {
                    from: from.to_owned(),
                    to: to.to_owned(),
                    table: write.table.clone(),
                    key: write.key.digest(),
                    applied,
                });
            }
            delivered += 1;
        }
        self.trim_streams(STREAMS_BYTES_MAX);
        delivered
    }

    /// Drops tombstones once nothing is under way: then no write can come that they would have to stand against.
    pub(crate) fn purge_tombstones(&mut self) {
        if self.links.values().all(|link| link.queue.is_empty()) {
            for link in self.links.values_mut() {
                link.coalesce_above = 0;
            }
            for table in self.tables.values_mut() {
                table.purge_tombstones();
            }
        }
    }
}

/// A `ResourceNotFoundException`.
pub(crate) fn not_found(message: String) -> AwsError {
    AwsError::new(400, "ResourceNotFoundException", message)
}

#[cfg(test)]
mod tests;
