//! Step Functions: Standard state machines of both Regions, in the Amazon States Language with `JSONPath`.
//!
//! The layers: a definition read once into types ([`parse`], [`diagnostic`], [`machine`], and what states are made of:
//! [`path`], [`template`], [`choice`], [`retry`]); one execution ([`execution`], [`history`]) and the [`interpreter`],
//! which is a pure function of it; all of them ([`store`]); the task that drives one ([`runner`], [`lambda_call`]); the
//! codec ([`api`], [`machine_api`], [`execution_api`]).
//!
//! It guarantees that an execution runs only what was checked when its machine was made, that its history is AWS's event
//! by event, and that executions, histories and payloads are bounded.

mod api;
mod choice;
mod diagnostic;
mod execution;
mod execution_api;
#[cfg(test)]
mod fuzz;
mod history;
mod interpreter;
mod lambda_call;
mod machine;
mod machine_api;
mod parse;
mod path;
mod retry;
mod runner;
mod store;
mod template;

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;

use self::{api::Context, store::Store};
pub(crate) use self::{
    api::{error_reply, handle, seconds},
    path::{Path, Scope},
};
use crate::{error::AwsError, world::World};

/// The Step Functions of all Regions.
#[derive(Debug, Default)]
pub(crate) struct States {
    store: Mutex<Store>,
}

/// Starts an execution for a topic rule.
pub(crate) fn start_from_rule(
    world: &Arc<World>,
    region: &str,
    machine: &str,
    name: &str,
    input: &str,
) -> Result<(), AwsError> {
    let machine = format!("arn:aws:states:{region}:{}:stateMachine:{machine}", world.account);
    let region = world.region(region).ok_or_else(|| store::no_machine(&machine))?;
    let context = Context { world, region, now: world.clock.now() };
    let request = json!({"stateMachineArn": machine, "name": name, "input": input});
    execution_api::start_execution(&context, request).map(|_| ())
}
