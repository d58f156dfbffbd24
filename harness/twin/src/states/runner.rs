//! Drives an execution: does what the interpreter says, and tells it what came of it. One task each, which ends with the
//! execution or with the twin. In a dark Region executions stand still; their functions, once called, run on.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::sleep;

use super::{
    interpreter::{Effect, Input},
    lambda_call,
    store::Running,
};
use crate::{clock::Clock, region::Region, world::World};

/// Longest single sleep. The wall clock, which executions go by, may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_hours(1);
/// Shortest sleep: the two clocks may differ by less than a tick of either.
const SLEEP_MIN: Duration = Duration::from_millis(1);

/// Starts the task of an execution that has just been added.
pub(crate) fn spawn(world: &Arc<World>, region: &Arc<Region>, running: Arc<Running>) {
    let (world, region) = (Arc::clone(world), Arc::clone(region));
    let tasks = world.tasks.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = world.shutdown.cancelled() => return,
            () = running.stopped.cancelled() => {}
            () = drive(&world, &region, &running) => {}
        }
        world.states.store.lock().finish(&running);
    });
}

async fn drive(world: &Arc<World>, region: &Region, running: &Running) {
    let mut input = Input::Start;
    loop {
        region.dark.wait(false).await;
        input = match running.step(world.clock.now(), input) {
            Effect::Done => return,
            Effect::WaitUntil(until) => {
                sleep_until(world.clock, until).await;
                Input::Tick
            }
            Effect::Invoke { function, payload, until } => tokio::select! {
                answer = lambda_call::call(world, &region.name, &function, &payload) => Input::Answer(answer),
                () = sleep_until(world.clock, until.unwrap_or(Timestamp::MAX)) => Input::Tick,
            },
        };
    }
}

async fn sleep_until(clock: Clock, until: Timestamp) {
    loop {
        let left = until.duration_since(clock.now());
        if left.as_nanos() <= 0 {
            return;
        }
        sleep(left.unsigned_abs().clamp(SLEEP_MIN, SLEEP_MAX)).await;
    }
}

#[cfg(test)]
mod tests;
