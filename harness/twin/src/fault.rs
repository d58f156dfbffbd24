//! What can be broken in the twin, as values. The control API sets and removes them; each is a rule in a list.
//!
//! The rules that hold for all of them:
//! - of the rules of one kind, the first one that fits and whose share comes up is met, in the order in which they were
//!   set; a rule counts what it met;
//! - nothing of a rule is left once it is removed, by its id, by its value, by its time or by its guard;
//! - where no rule of a kind is set, asking for one costs a relaxed load.
//!
//! Values are [`value`], how they are written is [`form`]; the list is [`rules`], what each part of the twin asks it is [`questions`], setting and removing with
//! all that follows is [`world`], and [`api`] is what a call of the AWS API meets.

mod api;
mod connection;
mod form;
mod questions;
mod rules;
mod share;
mod switch;
#[cfg(test)]
mod tests;
mod value;
mod world;

pub(crate) use connection::Met;
pub(crate) use form::check as check_form;
pub use rules::FaultState;
pub(crate) use rules::{Faults, Kind, Rule};
pub use share::Share;
pub(crate) use switch::Switch;
pub use value::{ApiFailure, Cut, DnsFailure, Fault, Moment, Poison, Port};
pub use world::{FaultError, FaultGuard};
