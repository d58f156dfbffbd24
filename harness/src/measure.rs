//! Everything that is measured on its way into the run folder: events, latencies, the ledger of writes, and the live
//! state of the run that steps wait for.

mod board;
mod health;
mod ledger;
mod meter;
mod observer;
mod recorder;
mod sampler;
mod vitals;
mod watch;

pub(crate) use board::{Board, State};
pub(crate) use health::is_healthy;
pub(crate) use ledger::Ledger;
pub(crate) use meter::{Meter, Metric};
pub(crate) use observer::{Observer, Turns, observe};
pub(crate) use recorder::Recorder;
pub(crate) use sampler::sample;
pub(crate) use watch::{HealthWatch, watch_answer, watch_health};
