//! An event source mapping: what it reads, how it is set, and what all of them do. The pollers are in
//! [`super::stream_mapping`] and [`super::queue_mapping`].
//!
//! Guarantees: while the function's Region is dark or the mapping is disabled nothing is given, and nothing is lost.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    PAYLOAD_BYTES_MAX,
    batch::RetryRules,
    destination::Destination,
    filter::Filters,
    function::{Invoked, Wish},
};
use crate::{error::AwsError, world::World};

/// First wait before a batch is given again.
pub(crate) const BACK_OFF_MIN: Duration = Duration::from_millis(100);
/// Longest wait before a batch is given again: a rehearsal does not want AWS's minutes.
pub(crate) const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// Bytes of the event around its records.
const ENVELOPE_BYTES: usize = 64;
/// What can be changed of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct MappingSettings {
    pub(crate) batch_size: usize,
    pub(crate) window: Duration,
    pub(crate) parallelization: u32,
    /// None: until the stream drops the record.
    pub(crate) record_age_max: Option<Duration>,
    pub(crate) rules: RetryRules,
    pub(crate) filters: Arc<Filters>,
    pub(crate) on_failure: Option<Destination>,
    /// Batches of a queue that may be under way at once, if that is set.
    pub(crate) concurrency_max: Option<u32>,
}

/// What a mapping reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Stream { starting_position: String },
    Queue { name: String },
}

/// An event source mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) uuid: String,
    pub(crate) region: String,
    pub(crate) source_arn: String,
    pub(crate) origin: Origin,
    pub(crate) function_name: String,
    pub(crate) function_arn: String,
    pub(crate) settings: Mutex<MappingSettings>,
    pub(crate) modified: Mutex<Timestamp>,
    pub(crate) last_result: Mutex<String>,
    pub(crate) enabled: watch::Sender<bool>,
    /// How many lanes each shard has, or how many batches of a queue are under way at once.
    pub(crate) lanes: watch::Sender<u32>,
    /// Cancelled when the mapping is deleted.
    pub(crate) gone: CancellationToken,
}

impl Mapping {
    pub(crate) fn say(&self, result: &str) {
        let mut last = self.last_result.lock();
        if *last != result {
            result.clone_into(&mut last);
        }
    }

    /// Returns when something may be given.
    pub(crate) async fn gate(&self, world: &World) {
        let Some(region) = world.region(&self.region) else { return };
        let mut enabled = self.enabled.subscribe();
        loop {
            // The sender lives as long as the mapping, so that waiting cannot fail.
            let _ = enabled.wait_for(|on| *on).await;
            if !region.dark.is_on() {
                return;
            }
            region.dark.wait(false).await;
        }
    }

    /// Whether something may be given now.
    pub(crate) fn is_open(&self, world: &World) -> bool {
        *self.enabled.borrow() && world.region(&self.region).is_none_or(|region| !region.dark.is_on())
    }

    /// Returns when nothing may be given any more.
    pub(crate) async fn closed(&self, world: &World) {
        let Some(region) = world.region(&self.region) else { return std::future::pending().await };
        let mut enabled = self.enabled.subscribe();
        tokio::select! {
            _ = enabled.wait_for(|on| !*on) => {}
            () = region.dark.wait(true) => {}
        }
    }

    /// Calls the function.
    pub(crate) async fn call(&self, world: &Arc<World>, event: Bytes) -> Result<Invoked, AwsError> {
        let function = world.lambda.function(&self.region, &self.function_name)?;
        world.lambda.run(world, &function, event, Wish::default()).await
    }
}

/// The event of these records, and how many of them fit into it: at least one.
pub(crate) fn events(records: impl Iterator<Item = Json>) -> (Bytes, usize) {
    let mut text = String::from(r#"{"Records":["#);
    let mut count = 0;
    for record in records {
        let record = record.to_string();
        if count > 0 && text.len() + record.len() + ENVELOPE_BYTES > PAYLOAD_BYTES_MAX {
            break;
        }
        if count > 0 {
            text.push(',');
        }
        text.push_str(&record);
        count += 1;
    }
    text.push_str("]}");
    (Bytes::from(text), count)
}

#[cfg(test)]
mod tests;
