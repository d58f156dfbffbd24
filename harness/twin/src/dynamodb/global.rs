//! Global tables at run time: one task a direction, which lets a Region's writes arrive in another after the delay.
//!
//! It pauses while the source does not replicate or either Region is dark, and goes on without loss.

use std::{sync::Arc, time::Duration};

use crate::{fault::Switch, world::World};

/// Writes that arrive in one go, so that the tables are not locked for long after a pause.
const WRITES_AT_ONCE_MAX: usize = 256;

/// Replicates from one Region to another until the world ends.
pub(crate) async fn replicate(world: Arc<World>, from: String, to: String) {
    tokio::select! {
        () = world.shutdown.cancelled() => {}
        () = replicate_forever(&world, &from, &to) => {}
    }
}

async fn replicate_forever(world: &World, from: &str, to: &str) {
    let (Some(source), Some(destination)) = (world.region(from), world.region(to)) else { return };
    let gates: [&Switch; 4] =
        [&source.replication_paused, &source.dark, &source.half_dark, &destination.dark];
    let mut changed = world.dynamodb.changed.subscribe();
    loop {
        // Seen before looking, so that a write in between wakes again.
        changed.mark_unchanged();
        let delay = delay(world, from);
        let due = world.dynamodb.tables.lock().next_due(from, to, delay, world.clock.now());
        match due {
            None => {
                if changed.changed().await.is_err() {
                    return;
                }
            }
            Some(Duration::ZERO) => {
                if let Some(gate) = gates.iter().find(|g| g.is_on()) {
                    gate.wait(false).await;
                    continue;
                }
                let now = world.clock.now();
                let arrived =
                    world.dynamodb.tables.lock().deliver((from, to), delay, now, WRITES_AT_ONCE_MAX);
                if let Some((_, rule)) = world.faults.replication_slow(from) {
                    rule.count(arrived as u64);
                }
                tokio::task::yield_now().await;
            }
            Some(wait) => wait_or_new_delay(world, from, wait, delay).await,
        }
    }
}

/// How long a Region's writes take to the others.
fn delay(world: &World, from: &str) -> Duration {
    let more = world.faults.replication_slow(from).map_or(Duration::ZERO, |(more, _)| more);
    world.dynamodb.replication_delay() + more
}

/// Waits until the first write is due, or until the delay has changed.
async fn wait_or_new_delay(world: &World, from: &str, wait: Duration, before: Duration) {
    let mut changed = world.dynamodb.changed.subscribe();
    let new_delay = changed.wait_for(|_| delay(world, from) != before);
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        _ = new_delay => {}
    }
}
