//! CloudFormation: what is deployed here is what ships. Stacks come from the same templates by the same calls as on AWS.
//!
//! It guarantees:
//! - a resource passes the checks that a call from outside passes, since it is made by calling the twin's own API;
//! - a stack whose making or updating fails goes back to what it was, and says in events what happened;
//! - what is not modelled is refused by name: functions, types, properties, sections.
//!
//! Pure: reading ([`yaml`], [`template`], [`parameter`]), working out ([`function`]), ordering ([`graph`]), comparing
//! ([`change_set`], [`kind`]), and the state ([`stack`], [`store`]). Then what does it: [`walk`], [`deploy`] one resource,
//! [`operation`] a whole stack, [`resource`] through [`client`]. The codec: [`api`], [`query`], `*_api`.

mod api;
mod change_set;
mod change_set_api;
mod client;
mod deploy;
mod error;
mod function;
mod graph;
mod kind;
mod operation;
mod parameter;
mod query;
mod resource;
mod source;
mod stack;
mod stack_api;
mod store;
mod template;
mod template_api;
mod walk;
mod yaml;

use parking_lot::Mutex;

pub(crate) use self::{api::handle, query::error_reply, resource::ANSWER_BYTES_MAX};
use self::{resource::Waiting, store::Store};

/// The CloudFormation of all Regions.
#[derive(Debug, Default)]
pub(crate) struct CloudFormation {
    store: Mutex<Store>,
    /// Custom resources that wait for an answer.
    pub(crate) waiting: Waiting,
}

#[cfg(test)]
mod tests;
