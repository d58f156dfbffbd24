//! From an event to its handler: the one table.

use crate::document::Seen;
use crate::event::{Event, What};
use crate::outcome::{Failure, Outcome};
use crate::policy::Policies;
use crate::ports::World;
use crate::{group, identity, membership, shadow, thing, thing_type};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The secondary was changed.
    Changed,
    /// The secondary was as it should be.
    Unchanged,
    /// The event was a duplicate or older than what was applied.
    Superseded,
}

/// What became of an event, and what it had to leave undone although it is done: each remark is worth
/// a row in the error table, from which the event is applied again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What became of it.
    pub change: Change,
    /// What it left undone.
    pub remarks: Vec<Failure>,
}

impl From<Change> for Applied {
    fn from(change: Change) -> Self {
        Self { change, remarks: Vec::new() }
    }
}

/// Applies an event to the secondary Region. Every handler is idempotent, and puts its row last.
pub async fn apply<W: World>(world: &W, policies: &Policies, event: &Event) -> Outcome<Applied> {
    let again = event.again;
    match &event.what {
        What::Thing(event) => thing::apply(world, event, again).await,
        What::Type(event) => thing_type::apply(world, event, again).await,
        What::Group(event) => group::apply(world, event, again).await,
        What::Membership(event) => membership::apply(world, event, again).await,
        What::Shadow(event) => shadow::apply(world, event, again).await,
        What::Document(document) => match &document.seen {
            Seen::Identity { .. } => identity::apply(world, policies, document, again).await,
            Seen::Certificate(_) => identity::certificate::apply(world, policies, document, again).await,
            Seen::Policy(_) => identity::policy::apply(world, policies, document, again).await,
            Seen::GroupPolicies { .. } => identity::group::apply(world, policies, document, again).await,
        },
    }
}
