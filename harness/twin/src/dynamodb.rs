//! DynamoDB: tables, indexes, streams and global tables of both Regions.
//!
//! The layers: values and expressions ([`item`], [`number`], [`key`], [`token`], [`expression`], [`condition`],
//! [`update`]); one table ([`table`], [`index`], [`settings`], [`capacity`], [`rows`], [`query`], [`stream`]); all tables
//! with the writes under way between Regions ([`tables`], [`legacy`], [`action`], [`transaction`]); the codec ([`api`] and
//! what ends in `_api`); and the tasks that pass time ([`global`], [`ttl`]). All but codec and tasks are functions of
//! their inputs.

mod action;
mod api;
mod batch_api;
mod capacity;
mod condition;
mod control_api;
mod definition;
mod description;
mod expression;
#[cfg(test)]
mod fuzz;
mod global;
mod global_api;
mod index;
mod index_api;
mod item;
mod item_api;
mod key;
mod legacy;
mod number;
mod poison;
mod query;
mod query_api;
mod request;
mod reserved;
mod rows;
mod setting_api;
mod settings;
mod stream;
mod stream_api;
mod table;
mod tables;
mod token;
mod transaction;
mod transaction_api;
mod ttl;
mod update;

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::watch;

pub(crate) use self::{
    api::error_reply,
    item::{Item, Value as AttributeValue},
    key::fixed_digest,
    stream::{Record, SHARDS, StreamName, sequence_text, shard_id},
};
use self::{item::item_from_plain, tables::Tables};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    fault::Faults,
    truth::Truth,
    world::World,
};

/// What a topic rule's `DynamoDB` action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleOperation {
    Insert,
    Update,
    Delete,
}

/// The DynamoDB of all Regions.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    tables: Mutex<Tables>,
    replication_delay_ms: AtomicU64,
    /// Counts writes and changes of the delay, so that replication wakes.
    changed: watch::Sender<u64>,
    faults: Arc<Faults>,
}

impl DynamoDb {
    pub(crate) fn new(replication_delay: Duration) -> Self {
        let db = Self {
            tables: Mutex::new(Tables::default()),
            replication_delay_ms: AtomicU64::new(0),
            changed: watch::Sender::new(0),
            faults: Arc::default(),
        };
        db.set_replication_delay(replication_delay);
        db
    }

    /// The same, under these faults, and telling the truth.
    pub(crate) fn watched(self, faults: &Arc<Faults>, truth: &Arc<Truth>) -> Self {
        self.tables.lock().tell(Arc::clone(truth));
        Self { faults: Arc::clone(faults), ..self }
    }

    /// Writes to global tables that a Region has made so far.
    pub(crate) fn writes_from(&self, region: &str) -> u64 {
        self.tables.lock().writes_from(region)
    }

    pub(crate) fn has_table(&self, region: &str, name: &str) -> bool {
        self.tables.lock().get(region, name).is_some()
    }

    /// How long a write takes to the other Region; for what is under way too.
    pub(crate) fn set_replication_delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.replication_delay_ms.store(ms, Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn replication_delay(&self) -> Duration {
        Duration::from_millis(self.replication_delay_ms.load(Ordering::Relaxed))
    }

    /// Stores an item for a topic rule's `DynamoDBv2` action: plain JSON, each member an attribute.
    pub(crate) fn put_from_rule(
        &self,
        world: &Arc<World>,
        region: &str,
        table: &str,
        item: serde_json::Map<String, Json>,
    ) -> Result<(), AwsError> {
        self.put_plain(region, table, item, world.clock.now())
    }

    fn put_plain(
        &self,
        region: &str,
        table: &str,
        item: serde_json::Map<String, Json>,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let item = item_from_plain(item)?;
        let mut tables = self.tables.lock();
        let key = tables.table(region, table)?.schema.key_of_item(&item)?;
        tables.write((region, table), &key, now, false, |_| Ok(Some(item)))?;
        drop(tables);
        self.wake();
        Ok(())
    }

    /// Writes one item for a topic rule's `DynamoDB` action: its key, and its payload in one attribute.
    pub(crate) fn write_from_rule(
        &self,
        (region, table): (&str, &str),
        operation: RuleOperation,
        key_item: Item,
        (attribute, payload): (String, AttributeValue),
        now: Timestamp,
    ) -> Result<(), AwsError> {
        if key_item.contains_key(&attribute) {
            return Err(item::invalid(format!("The payload cannot go to the key attribute {attribute}")));
        }
        let mut tables = self.tables.lock();
        let key = tables.table(region, table)?.schema.key_of_request(&key_item)?;
        tables.write((region, table), &key, now, false, |old| {
            let mut item = match (operation, old) {
                (RuleOperation::Delete, _) => return Ok(None),
                (RuleOperation::Update, Some(old)) => Item::clone(old),
                (RuleOperation::Update, None) | (RuleOperation::Insert, _) => key_item,
            };
            item.entry(attribute).insert_entry(payload);
            Ok(Some(item))
        })?;
        drop(tables);
        self.wake();
        Ok(())
    }

    /// What records of this stream say of it; none if there is no such stream.
    pub(crate) fn stream_name(&self, arn: &str) -> Option<StreamName> {
        self.tables.lock().stream(arn).map(StreamName::of)
    }

    /// The sequence number of the newest record of a stream.
    pub(crate) fn stream_sequence(&self, arn: &str) -> Option<u64> {
        self.tables.lock().stream(arn).map(stream::Stream::sequence)
    }

    /// The records of a shard after a sequence number, and through which number the shard has been trimmed.
    pub(crate) fn stream_read(
        &self,
        arn: &str,
        shard: usize,
        after: u64,
        limit: usize,
    ) -> Option<(Vec<Arc<Record>>, u64)> {
        let tables = self.tables.lock();
        let stream = tables.stream(arn)?;
        let (records, trimmed) = stream.read(shard, after, limit)?;
        Some((poison::poisoned(&self.faults, stream, records), trimmed))
    }

    /// The sequence number of a shard's newest record, to wait on. Its sender ends with the stream.
    pub(crate) fn stream_newest(&self, arn: &str, shard: usize) -> Option<watch::Receiver<u64>> {
        self.tables.lock().stream(arn)?.newest(shard)
    }

    pub(crate) fn wake(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }
}

/// Answers a call.
pub(crate) fn handle(world: &Arc<World>, call: &Call) -> Ready<Result<Reply, AwsError>> {
    // Nothing here waits: tables are in memory.
    ready(api::handle(&world.dynamodb, &world.account, &region_names(world), world.clock.now(), call))
}

/// Starts the tasks that replicate and expire items. They end with the world.
pub(crate) fn start(world: &Arc<World>) {
    let names = region_names(world);
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            world.tasks.spawn(global::replicate(Arc::clone(world), from.clone(), to.clone()));
        }
    }
    world.tasks.spawn(ttl::expire(Arc::clone(world)));
}

fn region_names(world: &World) -> Vec<String> {
    world.regions.iter().map(|r| r.name.clone()).collect()
}
