//! The pollers of a mapping that reads a DynamoDB stream: for each shard as many lanes as its parallelization factor
//! says. Records of one partition key go down one lane.
//!
//! Guarantees: in each lane, records are given in order, at least once, and none is given before those before it are
//! done or given up. A poller sleeps until its shard has a record. A new parallelization factor may give records again.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    batch::{Next, next, verdict},
    event::{millisecond_text, response_context},
    function::Invoked,
    mapping::{BACK_OFF_MAX, BACK_OFF_MIN, Mapping, MappingSettings, events},
};
use crate::{
    dynamodb::{Record, StreamName, sequence_text, shard_id},
    world::World,
};

/// Records that are looked at in one go, of which a lane may take few.
const LOOK_MAX: usize = 1_000;

/// Polls one shard after the sequence number, until the mapping, its stream or the world ends.
pub(crate) async fn poll(world: Arc<World>, mapping: Arc<Mapping>, shard: usize, mut after: u64) {
    let mut lanes = mapping.lanes.subscribe();
    loop {
        let count = (*lanes.borrow_and_update()).max(1);
        // Each lane's checkpoint: the next lanes start at the lowest.
        let checkpoints: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(after)).collect();
        let (world, mapping) = (&world, &*mapping);
        let pollers = checkpoints.iter().zip(0..).map(|(checkpoint, lane)| async move {
            let lane = Lane { number: lane, of: u64::from(count) };
            Box::pin(Poller { world, mapping, shard, lane, checkpoint, back_off: BACK_OFF_MIN }.run()).await;
        });
        tokio::select! {
            () = world.shutdown.cancelled() => return,
            () = mapping.gone.cancelled() => return,
            _ = join_all(pollers) => return,
            changed = lanes.wait_for(|wanted| (*wanted).max(1) != count) => {
                if changed.is_err() {
                    return;
                }
            }
        }
        after = checkpoints.iter().map(|c| c.load(Ordering::Relaxed)).min().unwrap_or(after);
    }
}

/// Which records of a shard a poller takes.
#[derive(Debug, Clone, Copy)]
struct Lane {
    number: u64,
    of: u64,
}

impl Lane {
    fn has(self, record: &Record) -> bool {
        record.partition % self.of == self.number
    }
}

struct Poller<'a> {
    world: &'a Arc<World>,
    mapping: &'a Mapping,
    shard: usize,
    lane: Lane,
    /// All records of the lane through this one are done.
    checkpoint: &'a AtomicU64,
    back_off: Duration,
}

/// Records that are given together, and how that has gone.
#[derive(Debug)]
struct Work {
    records: Vec<Arc<Record>>,
    failures: u32,
    invocations: u32,
    /// Id and error of the last try.
    last: Option<(String, Option<String>)>,
}

impl Work {
    fn new(records: Vec<Arc<Record>>) -> Self {
        Self { records, failures: 0, invocations: 0, last: None }
    }
}

impl Poller<'_> {
    async fn run(&mut self) {
        let arn = &self.mapping.source_arn;
        while let Some(name) = self.world.dynamodb.stream_name(arn) {
            self.mapping.gate(self.world).await;
            let Some(records) = self.collect(&name).await else { break };
            self.work_off(&name, records).await;
        }
        self.mapping.say("PROBLEM: The stream does not exist any more");
    }

    /// The next batch: waits until it is full or its window is over. None if the stream has ended.
    async fn collect(&mut self, name: &StreamName) -> Option<Vec<Arc<Record>>> {
        let (arn, shard) = (&self.mapping.source_arn, self.shard);
        let mut newest = self.world.dynamodb.stream_newest(arn, shard)?;
        let mut batch: Vec<Arc<Record>> = Vec::new();
        let mut seen = self.checkpoint.load(Ordering::Relaxed);
        let mut until = None;
        loop {
            newest.mark_unchanged();
            let MappingSettings { batch_size, window, filters, .. } = self.mapping.settings.lock().clone();
            loop {
                let (records, trimmed) = self.world.dynamodb.stream_read(arn, shard, seen, LOOK_MAX)?;
                if trimmed > seen {
                    tracing::warn!(arn, shard, "the stream dropped records before they were read");
                    self.mapping.say("PROBLEM: Records were trimmed before they were read");
                }
                let Some(last) = records.last().map(|r| r.sequence) else { break };
                for record in records {
                    if batch.len() >= batch_size {
                        return Some(batch);
                    }
                    if self.lane.has(&record)
                        && (filters.is_empty() || filters.pass(&record.to_json(name, true)))
                    {
                        batch.push(record);
                    }
                }
                seen = last;
            }
            if batch.is_empty() {
                // Nothing of it is for the function.
                self.checkpoint.store(seen, Ordering::Relaxed);
                newest.changed().await.ok()?;
                continue;
            }
            if window.is_zero() || batch.len() >= batch_size {
                return Some(batch);
            }
            let until = *until.get_or_insert_with(|| Instant::now() + window);
            match timeout_at(until, newest.changed()).await {
                Ok(changed) => changed.ok()?,
                Err(_) => return Some(batch),
            }
        }
    }

    /// Gives the records until all are done or given up.
    async fn work_off(&mut self, name: &StreamName, records: Vec<Arc<Record>>) {
        let mut queue = VecDeque::from([Work::new(records)]);
        while let Some(mut work) = queue.pop_front() {
            self.mapping.gate(self.world).await;
            self.drop_old(&mut work);
            let (event, count) = event(name, &work.records);
            if count == 0 {
                continue;
            }
            if count < work.records.len() {
                let rest = Work::new(work.records.split_off(count));
                queue.push_front(Work { failures: work.failures, ..rest });
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
        let dropped: Vec<Arc<Record>> = work.records.drain(..old).collect();
        if !dropped.is_empty() {
            tracing::warn!(
                mapping = self.mapping.uuid,
                old,
                "records were too old for the mapping and were skipped"
            );
            self.give_up(&dropped, work.invocations, work.last.as_ref(), "MaximumRecordAgeExceeded");
        }
    }

    /// Gives one batch once. What it says is to be given again, in order.
    async fn give(&mut self, mut work: Work, event: Bytes) -> Option<Vec<Work>> {
        let mapping = self.mapping;
        let invoked = match mapping.call(self.world, event).await {
            Ok(invoked) => invoked,
            Err(error) => {
                // The function has not seen the batch: this counts as no try.
                mapping.say(&format!("PROBLEM: {error}"));
                self.pause().await;
                return Some(vec![work]);
            }
        };
        let Invoked { request_id, output, .. } = invoked;
        work.invocations = work.invocations.saturating_add(1);
        work.last = Some((request_id, output.function_error.clone()));
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
                self.give_up(&work.records, work.invocations, work.last.as_ref(), "RetryAttemptsExhausted");
                None
            }
            Next::Retry { from } => {
                let records = work.records.split_off(from);
                let again = if from == 0 {
                    Work { records, failures: work.failures.saturating_add(1), ..work }
                } else {
                    self.advance(&work.records);
                    Work::new(records)
                };
                self.pause().await;
                Some(vec![again])
            }
            Next::Split { at } => {
                let second = work.records.split_off(at);
                self.pause().await;
                let second = Work { failures: work.failures, ..Work::new(second) };
                Some(vec![work, second])
            }
        }
    }

    /// Goes past records that are given up, and tells the destination of them.
    fn give_up(
        &mut self,
        records: &[Arc<Record>],
        invocations: u32,
        last: Option<&(String, Option<String>)>,
        condition: &str,
    ) {
        let mapping = self.mapping;
        if let Some(destination) = mapping.settings.lock().on_failure.clone()
            && let (Some(first_record), Some(last_record)) = (records.first(), records.last())
        {
            let id = last.map_or_else(|| uuid::Uuid::new_v4().to_string(), |(id, _)| id.clone());
            let arrival = |r: &Record| r.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let mut record = json!({
                "requestContext": {
                    "requestId": id,
                    "functionArn": mapping.function_arn,
                    "condition": condition,
                    "approximateInvokeCount": invocations,
                },
                "version": "1.0",
                "timestamp": millisecond_text(self.world.clock.now()),
                "DDBStreamBatchInfo": {
                    "shardId": shard_id(self.shard),
                    "startSequenceNumber": sequence_text(first_record.sequence),
                    "endSequenceNumber": sequence_text(last_record.sequence),
                    "approximateArrivalOfFirstRecord": arrival(first_record),
                    "approximateArrivalOfLastRecord": arrival(last_record),
                    "batchSize": records.len(),
                    "streamArn": mapping.source_arn,
                },
            });
            if let Some((_, error)) = last {
                record["responseContext"] = response_context(error.as_deref());
            }
            destination.send(self.world, &mapping.region, &record);
        }
        self.advance(records);
    }

    fn advance(&mut self, done: &[Arc<Record>]) {
        if let Some(last) = done.last() {
            self.checkpoint.store(last.sequence, Ordering::Relaxed);
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
    events(records.iter().map(|record| record.to_json(name, true)))
}
