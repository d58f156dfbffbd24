//! Takes down what is installed, producers before consumers, and nothing else. What cannot be taken down is named with what
//! to do by hand.

use replicator::templates::{HEALTH, JITR, PRIMARY, SECONDARY, TABLES, Template};

use super::{
    events,
    health::health_policy,
    install::{SWITCHED_ON, stack_name},
    package,
    stack::{Stacks, tag_of},
};
use crate::{
    aws::{Aws, RegionClients},
    journal::{self, Change},
    output::Output,
};

/// Takes down the deployment of that postfix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destruction<'a> {
    pub(crate) postfix: &'a str,
    pub(crate) aws: &'a Aws,
    pub(crate) output: &'a Output,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Destroyed {
    /// How many stacks there were.
    pub(crate) stacks: u32,
    /// What is left, each with why and what to do by hand.
    pub(crate) left: Vec<String>,
}

impl Destroyed {
    fn leave(&mut self, change: &Change, error: &anyhow::Error) {
        self.left.push(change.left(&format!("{error:#}")));
    }
}

impl Destruction<'_> {
    pub(crate) async fn run(&self) -> anyhow::Result<Destroyed> {
        let (primary, secondary) = (&self.aws.primary, &self.aws.secondary);
        let tables = Stacks::quiet(secondary).find(&stack_name(self.postfix, TABLES)).await?;
        let mut done = Destroyed::default();
        // A Region that does not answer keeps nothing of the other one from being taken down.
        let code = package::deployed(self.aws, self.postfix).await.unwrap_or_else(|error| {
            done.left.push(format!("the functions' package: it was not looked up: {error:#}; destroy again"));
            None
        });
        for (clients, template) in
            [(secondary, HEALTH), (primary, HEALTH), (secondary, JITR), (primary, JITR)]
        {
            self.stack(clients, template, &mut done).await;
        }
        for clients in [secondary, primary] {
            self.identity(clients, &mut done).await;
        }
        self.stack(primary, PRIMARY, &mut done).await;
        let switched = tables.iter().filter_map(|stack| tag_of(stack, SWITCHED_ON));
        let switched: Vec<String> = switched.flat_map(str::split_whitespace).map(str::to_owned).collect();
        self.events(primary, switched, &mut done).await;
        self.stack(secondary, SECONDARY, &mut done).await;
        // The tables remember what else there is to do, so they go last, when nothing is.
        if done.left.is_empty() {
            self.stack(secondary, TABLES, &mut done).await;
        } else if tables.is_some() {
            let name = stack_name(self.postfix, TABLES);
            done.left
                .push(format!("stack {name} in {}: it stays while something else does", secondary.region));
        }
        if let Some((bucket, key)) = code.filter(|_| done.left.is_empty())
            && let Err(error) = package::remove(&bucket, &key)
        {
            done.left.push(format!("{error:#}"));
        }
        Ok(done)
    }

    /// Deletes a stack.
    async fn stack(&self, clients: &RegionClients, template: Template, done: &mut Destroyed) {
        let name = stack_name(self.postfix, template);
        match Stacks::new(clients, self.output).delete(&name).await {
            Ok(was_there) => done.stacks += u32::from(was_there),
            Err(error) => {
                let change = Change::Stack { region: clients.region.clone(), name, replicates: false };
                done.leave(&change, &error);
            }
        }
    }

    /// Deletes the health check's policy with its certificates.
    async fn identity(&self, clients: &RegionClients, done: &mut Destroyed) {
        let (region, name) = (clients.region.clone(), health_policy(self.postfix));
        if let Err(error) = journal::delete_policy(self.aws, &region, &name).await {
            done.leave(&Change::Policy { region, name }, &error);
        }
    }

    /// Switches off the registry events that were switched on for this deployment, unless another needs them.
    async fn events(&self, clients: &RegionClients, kinds: Vec<String>, done: &mut Destroyed) {
        match events::switch_off(clients, self.postfix, &kinds).await {
            Ok(true) => {}
            Ok(false) => self.output.line(&format!(
                "      registry events in {} stay on: another deployment has rules that take them",
                clients.region
            )),
            Err(error) => {
                let (region, deployment) = (clients.region.clone(), self.postfix.to_owned());
                done.leave(&Change::RegistryEvents { region, deployment, kinds }, &error);
            }
        }
    }
}
