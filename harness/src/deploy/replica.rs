//! The replicator of a deployment, for whoever compares the Regions: failback, readiness. All that it has to know the
//! deployment's own stack says.

use replicator::{
    aws::{Both, StateTable},
    mode::Mode,
    templates::SECONDARY,
};

use super::{
    install::stack_name,
    stack::{Stacks, account_of, output_of, parameter_of},
};
use crate::aws::Aws;

/// A deployed replicator, and both Regions as its library takes them.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) both: Both,
    /// What was replicated last.
    pub(crate) state: StateTable,
    /// Whether certificates and policies are replicated, too.
    pub(crate) identities: bool,
    /// Whether it was deployed to apply nothing for now. Whoever paused it by hand is not seen.
    pub(crate) is_paused: bool,
}

impl Replica {
    /// The one of that postfix, if it is deployed.
    pub(crate) async fn find(aws: &Aws, postfix: &str) -> anyhow::Result<Option<Self>> {
        let name = stack_name(postfix, SECONDARY);
        let Some(stack) = Stacks::quiet(&aws.secondary).find(&name).await? else { return Ok(None) };
        let mode: Mode = parameter_of(&stack, "Mode").unwrap_or_default().parse()?;
        Ok(Some(Self {
            both: aws.both(&account_of(&stack)?),
            state: StateTable::new(aws.secondary.dynamodb.clone(), output_of(&stack, "StateTable")?),
            identities: mode == Mode::Complete,
            is_paused: parameter_of(&stack, "Paused") == Some("true"),
        }))
    }
}
