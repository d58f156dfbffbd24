//! Keeps the secondary AWS Region ready for an AWS IoT fleet.
//!
//! Topic rules in the primary Region write registry events and shadow documents to a `DynamoDB`
//! global table; the stream of its replica feeds the function `replicate`, which brings things,
//! certificates, policies and shadows of the secondary Region to the same state.
//!
//! **The promise:** for every history of events with reordering, duplication, delay, throttling,
//! retries and a crash at any step, the secondary converges to the primary's last state; a version
//! never goes backwards; a device's own write in the secondary is never overwritten by an older
//! write from the primary; nothing is dropped without a row in the error table.
//!
//! The logic ([`batch`], [`registry`], [`shadow`], [`order`]) stands on narrow [`ports`] and knows
//! nothing of sockets, clocks or AWS. [`aws`] and [`function`] wire it to the real thing.

#[cfg(feature = "aws")]
pub mod aws;
pub mod batch;
pub mod capture;
#[cfg(test)]
mod checks;
#[cfg(feature = "aws")]
pub mod command;
pub mod compare;
pub mod crowd;
#[cfg(test)]
mod defects;
pub mod document;
pub mod event;
pub mod failback;
#[cfg(feature = "aws")]
pub mod function;
pub mod group;
#[cfg(feature = "aws")]
pub mod health;
pub mod identity;
pub mod jitr;
pub mod look;
pub mod lost;
pub mod membership;
pub mod metrics;
pub mod mode;
pub mod model;
pub mod order;
pub mod outcome;
pub mod pace;
mod patience;
pub mod permissions;
pub mod policy;
pub mod ports;
pub mod progress;
pub mod rate;
pub mod readiness;
pub mod reconcile;
pub mod record;
pub mod repair;
pub mod replicate;
pub mod rules;
pub mod settle;
pub mod shadow;
#[cfg(feature = "aws")]
pub mod signals;
#[cfg(test)]
mod simulation;
pub mod sync;
pub mod tables;
pub mod templates;
pub mod thing;
pub mod thing_type;
pub mod turns;
pub mod typed;
pub mod workflow;
