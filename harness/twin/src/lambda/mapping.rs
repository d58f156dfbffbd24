//! An event source mapping: feeds the records of a DynamoDB stream to a function, one poller a shard.
//!
//! Guarantees: in each shard, records are given in order, at least once, and none is given before those before it are
//! done or given up. A poller sleeps until its shard has a record. While the function's Region is dark or the mapping is
//! disabled nothing is given, and nothing is lost.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    PAYLOAD_BYTES_MAX,
    batch::{Next, RetryRules, next, verdict},
};
use crate::{
    dynamodb::{Record, StreamName, sequence_text},
    world::World,
};

/// First wait before a batch is given again.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
/// Longest wait before a batch is given again: a rehearsal does not want AWS's minutes.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// Bytes of the event around its records.
const ENVELOPE_BYTES: usize = 64;

/// What can be changed of a mapping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MappingSettings {
    pub(crate) batch_size: usize,
    pub(crate) window: Duration,
    pub(crate) parallelization: u32,
    /// None: until the stream drops the record.
    pub(crate) record_age_max: Option<Duration>,
    pub(crate) rules: RetryRules,
}

/// An event source mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) uuid: String,
    pub(crate) region: String,
    pub(crate) stream_arn: String,
    pub(crate) function_name: String,
    pub(crate) function_arn: String,
    pub(crate) starting_position: String,
    pub(crate) settings: Mutex<MappingSettings>,
    pub(crate) modified: Mutex<Timestamp>,
    pub(crate) last_result: Mutex<String>,
    pub(crate) enabled: watch::Sender<bool>,
    /// Cancelled when the mapping is deleted.
    pub(crate) gone: CancellationToken,
}

impl Mapping {
    fn say(&self, result: &str) {
        let mut last = self.last_result.lock();
        if *last != result {
            result.clone_into(&mut last);
        }
    }
}

/// Polls one shard after the sequence number, until the mapping, its stream or the world ends.
pub(crate) async fn poll(world: Arc<World>, mapping: Arc<Mapping>, shard: usize, after: u64) {
    let mut poller = Poller { world: &world, mapping: &mapping, shard, after, back_off: BACK_OFF_MIN };
    tokio::select! {
        () = world.shutdown.cancelled() => {}
        () = mapping.gone.cancelled() => {}
        () = Box::pin(poller.run()) => {}
    }
}

struct Poller<'a> {
    world: &'a Arc<World>,
    mapping: &'a Mapping,
    shard: usize,
    /// The checkpoint: all records through this one are done.
    after: u64,
    back_off: Duration,
}

/// Records that are given together, and how often that has failed.
#[derive(Debug)]
struct Work {
    records: Vec<Arc<Record>>,
    failures: u32,
}

impl Poller<'_> {
    async fn run(&mut self) {
        let arn = &self.mapping.stream_arn;
        while let Some(name) = self.world.dynamodb.stream_name(arn) {
            self.gate().await;
            if self.wait_for_batch().await.is_none() {
                break;
            }
            self.gate().await;
            let Some(records) = self.read() else { break };
            self.work_off(&name, records).await;
        }
        self.mapping.say("PROBLEM: The stream does not exist any more");
    }

    /// Returns when records may be given.
    async fn gate(&self) {
        let Some(region) = self.world.region(&self.mapping.region) else { return };
        let mut enabled = self.mapping.enabled.subscribe();
        loop {
            // The sender lives as long as the mapping, so that waiting cannot fail.
            let _ = enabled.wait_for(|on| *on).await;
            if !region.dark.is_on() {
                return;
            }
            region.dark.wait(false).await;
        }
    }

    /// Waits until a batch is full or its window is over. None if the stream has ended.
    async fn wait_for_batch(&self) -> Option<()> {
        let (arn, shard, after) = (&self.mapping.stream_arn, self.shard, self.after);
        let mut newest = self.world.dynamodb.stream_newest(arn, shard)?;
        newest.wait_for(|sequence| *sequence > after).await.ok()?;
        let MappingSettings { batch_size, window, .. } = *self.mapping.settings.lock();
        let until = Instant::now() + window;
        loop {
            newest.mark_unchanged();
            let waiting = self.world.dynamodb.stream_waiting(arn, shard, after, batch_size)?;
            if window.is_zero() || waiting >= batch_size {
                return Some(());
            }
            match timeout_at(until, newest.changed()).await {
                Ok(changed) => changed.ok()?,
                Err(_) => return Some(()),
            }
        }
    }

    /// The next batch. None if the stream has ended.
    fn read(&mut self) -> Option<Vec<Arc<Record>>> {
        let arn = &self.mapping.stream_arn;
        let batch_size = self.mapping.settings.lock().batch_size;
        let (records, trimmed) = self.world.dynamodb.stream_read(arn, self.shard, self.after, batch_size)?;
        if trimmed > self.after {
            tracing::warn!(arn, shard = self.shard, "the stream dropped records before they were read");
            self.mapping.say("PROBLEM: Records were trimmed before they were read");
        }
        Some(records)
    }

    /// Gives the records until all are done or given up.
    async fn work_off(&mut self, name: &StreamName, records: Vec<Arc<Record>>) {
        let mut queue = VecDeque::from([Work { records, failures: 0 }]);
        while let Some(mut work) = queue.pop_front() {
            self.gate().await;
            self.drop_old(&mut work);
            let (event, count) = event(name, &work.records);
            if count == 0 {
                continue;
            }
            if count < work.records.len() {
                let rest = work.records.split_off(count);
                queue.push_front(Work { records: rest, failures: work.failures });
            }
            if let Some(rest) = self.give(work, event).await {
                for work in rest.into_iter().rev() {
                    queue.push_front(work);
                }
            }
        }
    }

    /// Skips what is older than the mapping takes.
    fn drop_old(&mut self, work: &mut Work) {
        let Some(age_max) = self.mapping.settings.lock().record_age_max else { return };
        let now = self.world.clock.now();
        let is_old =
            |r: &Arc<Record>| Duration::try_from(now.duration_since(r.at)).is_ok_and(|age| age > age_max);
        let old = work.records.iter().take_while(|r| is_old(r)).count();
        if let Some(last) = work.records.drain(..old).next_back() {
            tracing::warn!(
                mapping = self.mapping.uuid,
                old,
                "records were too old for the mapping and were skipped"
            );
            self.after = last.sequence;
        }
    }

    /// Gives one batch once. What it says is to be given again, in order.
    async fn give(&mut self, mut work: Work, event: Bytes) -> Option<Vec<Work>> {
        let mapping = self.mapping;
        let output =
            self.world.lambda.invoke(self.world, &mapping.region, &mapping.function_name, event).await;
        let output = match output {
            Ok(output) => output,
            Err(error) => {
                // The function has not seen the batch: this counts as no try.
                mapping.say(&format!("PROBLEM: {error}"));
                self.pause().await;
                return Some(vec![work]);
            }
        };
        let rules = mapping.settings.lock().rules;
        let sequences: Vec<String> = work.records.iter().map(|r| sequence_text(r.sequence)).collect();
        let verdict = verdict(&sequences, output.function_error.is_some(), &output.payload, rules);
        let next = next(verdict, work.records.len(), work.failures, rules);
        if next == Next::Advance {
            mapping.say("OK");
        } else {
            let problem = String::from_utf8_lossy(&output.payload).into_owned();
            tracing::debug!(function = mapping.function_name, ?next, problem, "a batch failed");
            mapping.say("PROBLEM: Function call failed");
        }
        match next {
            Next::Advance => {
                self.advance(&work.records);
                None
            }
            Next::Discard => {
                tracing::warn!(
                    function = mapping.function_name,
                    records = work.records.len(),
                    "a batch was given up"
                );
                self.advance(&work.records);
                None
            }
            Next::Retry { from } => {
                let failures = if from == 0 { work.failures.saturating_add(1) } else { 0 };
                let records = work.records.split_off(from);
                if from > 0 {
                    self.advance(&work.records);
                }
                self.pause().await;
                Some(vec![Work { records, failures }])
            }
            Next::Split { at } => {
                let second = work.records.split_off(at);
                self.pause().await;
                let failures = work.failures;
                Some(vec![work, Work { records: second, failures }])
            }
        }
    }

    fn advance(&mut self, done: &[Arc<Record>]) {
        if let Some(last) = done.last() {
            self.after = last.sequence;
        }
        self.back_off = BACK_OFF_MIN;
    }

    async fn pause(&mut self) {
        sleep(self.back_off).await;
        self.back_off = (self.back_off * 2).min(BACK_OFF_MAX);
    }
}

/// The event for a function, and how many of the records fit into it: at least one.
fn event(name: &StreamName, records: &[Arc<Record>]) -> (Bytes, usize) {
    let mut text = String::from(r#"{"Records":["#);
    let mut count = 0;
    for record in records {
        let record: Json = record.to_json(name, true);
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
