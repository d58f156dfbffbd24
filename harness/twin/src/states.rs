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

use parking_lot::Mutex;

use self::store::Store;
pub(crate) use self::{
    api::{error_reply, handle, seconds},
    path::{Path, Scope},
};

/// The Step Functions of all Regions.
#[derive(Debug, Default)]
pub(crate) struct States {
    store: Mutex<Store>,
}
