//! gameday rehearses the loss of an AWS Region for an AWS IoT fleet.
//!
//! A run goes one way: [`scenario`] -> [`plan`] -> [`deploy`] -> [`fleet`] provisioned and connected -> steps ([`run`]) with
//! [`fault`]s -> heal -> converge -> undo ([`journal`]) -> report (crate `gameday-report`). Everything that is measured goes
//! through [`measure`] into the run folder; everything that is changed is in the undo journal before it is made.
//!
//! The harness reaches its target over sockets only, so that the same code runs against the twin and against AWS.

mod arrival;
mod aws;
pub mod cli;
mod clock;
mod deploy;
mod descriptors;
pub mod fault;
mod fleet;
mod identity;
mod journal;
mod log;
mod measure;
mod names;
mod output;
mod plan;
mod pool;
mod pubsub;
mod run;
pub mod scenario;
mod shadows;
mod stop;
mod target;
mod verify;
