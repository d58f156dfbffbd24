//! Drives an execution: does what the interpreter says, and tells it what came of it. One task each, which ends with the
//! execution or with the twin. In a dark Region executions stand still; their functions, once called, run on.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    interpreter::{Effect, Input},
    lambda_call,
    store::Running,
};
use crate::{region::Region, world::World};

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
                world.clock.sleep_until(until).await;
                Input::Tick
            }
            Effect::Invoke { function, payload, until } => tokio::select! {
                answer = lambda_call::call(world, &region.name, &function, &payload) => Input::Answer(answer),
                () = world.clock.sleep_until(until.unwrap_or(Timestamp::MAX)) => Input::Tick,
            },
        };
    }
}

#[cfg(test)]
mod tests;
