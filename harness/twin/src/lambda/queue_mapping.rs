//! The pollers of an event source mapping that reads a queue: each receives a batch, gives it to the function, and
//! deletes what is done.
//!
//! What has failed stays in the queue, hidden until its visibility timeout is over: the queue's redrive policy says when
//! it is a dead letter. Order is not kept.

use std::{sync::Arc, time::Duration};

use serde_json::Value as Json;
use tokio::time::{Instant, sleep};

use super::{
    batch::failures,
    mapping::{BACK_OFF_MAX, BACK_OFF_MIN, Mapping, MappingSettings, events},
};
use crate::{
    error::AwsError,
    sqs::{Receive, Received},
    world::World,
};

/// Batches under way at once: what AWS starts with.
pub(crate) const POLLERS: u32 = 5;
/// How long one receive waits.
const WAIT: Duration = Duration::from_secs(20);
/// Messages of one receive.
const RECEIVE_MAX: usize = 10;
/// How long a queue that is gone is left alone: one of its name may be made again.
const QUEUE_GONE_PAUSE: Duration = Duration::from_secs(1);

/// Polls the queue until the mapping or the world ends.
pub(crate) async fn poll(world: Arc<World>, mapping: Arc<Mapping>, queue: String, poller: u32) {
    let mut lanes = mapping.lanes.subscribe();
    let run = async {
        let mut back_off = BACK_OFF_MIN;
        loop {
            // The sender lives as long as the mapping, so that waiting cannot fail.
            let _ = lanes.wait_for(|lanes| *lanes > poller).await;
            mapping.gate(&world).await;
            let mut batch = Vec::new();
            let received = tokio::select! {
                biased;
                () = mapping.closed(&world) => Ok(()),
                received = receive(&world, &mapping, &queue, &mut batch) => received,
            };
            if let Err(error) = received {
                mapping.say(&format!("PROBLEM: {error}"));
                sleep(QUEUE_GONE_PAUSE).await;
                continue;
            }
            if !mapping.is_open(&world) {
                hand_back(&world, &mapping, &queue, &batch);
                continue;
            }
            if batch.is_empty() {
                continue;
            }
            if give(&world, &mapping, &queue, batch).await {
                back_off = BACK_OFF_MIN;
            } else {
                sleep(back_off).await;
                back_off = (back_off * 2).min(BACK_OFF_MAX);
            }
        }
    };
    tokio::select! {
        () = world.shutdown.cancelled() => {}
        () = mapping.gone.cancelled() => {}
        () = Box::pin(run) => {}
    }
}

/// Fills a batch: waits until it is full or its window is over.
async fn receive(
    world: &Arc<World>,
    mapping: &Mapping,
    queue: &str,
    batch: &mut Vec<Received>,
) -> Result<(), AwsError> {
    let MappingSettings { batch_size, window, filters, .. } = mapping.settings.lock().clone();
    let account = &world.account;
    let mut until = None;
    loop {
        let wait = until.map_or(WAIT, |until: Instant| until.saturating_duration_since(Instant::now()));
        let count_max = (batch_size - batch.len()).min(RECEIVE_MAX);
        let how = Receive { count_max, wait: Some(wait), visibility: None };
        for received in world.sqs.receive(world, &mapping.region, queue, how).await? {
            let mut event = received.to_event(&mapping.source_arn, &mapping.region, account);
            if filters.look_into("body") {
                // A filter that looks into the body takes it as JSON.
                event["body"] = serde_json::from_str(&received.message.body).unwrap_or(Json::Null);
            }
            if filters.pass(&event) {
                batch.push(received);
            } else {
                // As AWS does: what is filtered out is deleted.
                world.sqs.delete(&mapping.region, queue, &received.handle)?;
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        let until = *until.get_or_insert_with(|| Instant::now() + window);
        if batch.len() >= batch_size || Instant::now() >= until {
            return Ok(());
        }
    }
}

/// Makes visible again what is not given. It has been received all the same, as its receive count says.
fn hand_back(world: &World, mapping: &Mapping, queue: &str, batch: &[Received]) {
    for received in batch {
        let shown = world.sqs.show(world, &mapping.region, queue, &received.handle);
        if let Err(error) = shown {
            tracing::debug!(%error, queue, "a message that was not given stays hidden for now");
        }
    }
}

/// Gives one batch. Says whether the function has taken it.
async fn give(world: &Arc<World>, mapping: &Mapping, queue: &str, mut batch: Vec<Received>) -> bool {
    let event = |r: &Received| r.to_event(&mapping.source_arn, &mapping.region, &world.account);
    let (payload, count) = events(batch.iter().map(event));
    // What does not fit is visible again in time.
    batch.truncate(count);
    let invoked = match mapping.call(world, payload).await {
        Ok(invoked) => invoked,
        Err(error) => {
            mapping.say(&format!("PROBLEM: {error}"));
            return false;
        }
    };
    let partial = mapping.settings.lock().rules.partial;
    let ids: Vec<String> = batch.iter().map(|r| r.message.id.clone()).collect();
    let output = invoked.output;
    let failed = failures(&ids, output.function_error.is_some(), &output.payload, partial);
    mapping.say(match &failed {
        Some(failed) if failed.is_empty() => "OK",
        _ => "PROBLEM: Function call failed",
    });
    let Some(failed) = failed else { return true };
    for (place, received) in batch.iter().enumerate() {
        if !failed.contains(&place)
            && let Err(error) = world.sqs.delete(&mapping.region, queue, &received.handle)
        {
            tracing::debug!(%error, queue, "a message that is done was not deleted");
        }
    }
    true
}
