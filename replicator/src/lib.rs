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

pub mod attribute;
pub mod aws;
pub mod batch;
pub mod event;
pub mod function;
pub mod health;
pub mod order;
pub mod outcome;
pub mod policy;
pub mod ports;
pub mod record;
pub mod registry;
pub mod rules;
pub mod shadow;
pub mod tables;

#[cfg(test)]
mod fakes;
