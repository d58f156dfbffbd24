//! Faults: what can be broken on a game day. Each is one value in the [catalogue] and one function that breaks and says how
//! it will be seen to act; its [cure] is complete data, in the journal before anything changes.
//!
//! What holds for all of them:
//! - a fault that was not seen to act proves nothing: its proof asks the world what it does, and not what it was told;
//! - a proof ends within the limit of its break, or there is none;
//! - a cure may be repeated, runs without the run that broke, and reads back what it did.
//!
//! A new fault is a file here and a line in the table.

mod api;
mod breakage;
mod broker;
mod catalogue;
mod courier;
mod cure;
mod devices;
mod dns;
mod function;
mod ground;
mod health_check;
mod identity;
mod page;
mod parameter;
mod quota;
mod region;
mod replication;
mod rule;
mod schema;

pub use breakage::Breakage;
pub use catalogue::{CATALOGUE, FaultEntry, FaultName, Targets, Touches};
pub(crate) use cure::{Cure, sha256, sha256_of};
pub(crate) use ground::Ground;
pub use page::{json, markdown};
pub use parameter::{Parameter, Takes, Without};
