//! DynamoDB: tables, streams and global tables (version 2019.11.21) of both Regions.
//!
//! The layers: values and expressions ([`item`], [`number`], [`token`], [`expression`], [`condition`], [`update`]); one
//! table ([`table`], [`query`], [`stream`]); all tables with the writes under way between Regions ([`tables`]); the
//! codec ([`api`] and its three neighbours); and the tasks that pass time ([`global`], [`ttl`]). All but codec and tasks
//! are functions of their inputs.

mod api;
mod condition;
mod control_api;
mod expression;
#[cfg(test)]
mod fuzz;
mod global;
mod item;
mod item_api;
mod number;
mod query;
mod reserved;
mod stream;
mod stream_api;
mod table;
mod tables;
mod token;
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
    stream::{Record, SHARDS, StreamName, sequence_text},
};
use self::{item::item_from_plain, tables::Tables};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

/// The DynamoDB of all Regions.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    tables: Mutex<Tables>,
    replication_delay_ms: AtomicU64,
    /// Counts writes and changes of the delay, so that replication wakes.
    changed: watch::Sender<u64>,
}

impl DynamoDb {
    pub(crate) fn new(replication_delay: Duration) -> Self {
        let db = Self {
            tables: Mutex::new(Tables::default()),
            replication_delay_ms: AtomicU64::new(0),
            changed: watch::Sender::new(0),
        };
        db.set_replication_delay(replication_delay);
        db
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
        let key = tables.table(region, table)?.key_of_item(&item)?;
        tables.write((region, table), &key, now, false, |_| Ok(Some(item)))?;
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
        self.tables.lock().stream(arn)?.read(shard, after, limit)
    }

    /// The sequence number of a shard's newest record, to wait on. Its sender ends with the stream.
    pub(crate) fn stream_newest(&self, arn: &str, shard: usize) -> Option<watch::Receiver<u64>> {
        self.tables.lock().stream(arn)?.newest(shard)
    }

    fn wake(&self) {
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
