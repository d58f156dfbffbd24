//! `gameday fleet` through the binary, on a twin with the replicator: fleets made call by call, by bulk registration and with an
//! authority of their own, compared, gone on with after an interrupt, played with, and deleted without a trace.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bulk;
mod fleets;
mod interrupt;
mod just_in_time;
mod life;
mod play;
mod secrets;
