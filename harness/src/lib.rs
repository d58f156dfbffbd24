//! gameday rehearses the loss of an AWS Region for an AWS IoT fleet.
//!
//! A run goes one way: [`scenario`] -> [`plan`] -> [`deploy`] -> [`fleet`] provisioned and connected -> steps ([`run`]) with
//! [`fault`]s -> heal -> converge -> undo ([`journal`]) -> report (crate `gameday-report`). Everything that is measured goes
//! through [`measure`] into the run folder; everything that is changed is in the undo journal before it is made.
//!
//! The harness reaches its target over sockets only, so that the same code runs against the twin and against AWS.

mod arrival;
mod aws;
mod cleanup;
pub mod cli;
mod clock;
mod cost;
mod deploy;
mod descriptors;
pub mod fault;
mod fleet;
mod gauge;
mod holder;
mod identity;
mod journal;
mod ladder;
mod lease;
mod library;
mod live;
mod log;
mod measure;
mod names;
mod output;
mod plan;
mod pool;
mod predict;
mod preflight;
mod pubsub;
mod quota;
mod restore;
mod results;
mod run;
mod runs;
pub mod scenario;
mod schedule;
mod shadows;
mod stop;
mod sweep;
mod switch;
mod target;
mod text;
mod verify;
