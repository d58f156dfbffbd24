//! Takes down what is installed, producers before consumers, and nothing else. What cannot be taken down is named with what
//! to do by hand.

use anyhow::{Context, anyhow};
use replicator::templates::{HEALTH, JITR, PRIMARY, SECONDARY, TABLES, Template};

use super::{
    events,
    health::health_policy,
    install::{SWITCHED_ON, stack_name},
    package,
    stack::{Stacks, parameter_of, tag_of},
};
use crate::{
    aws::{Aws, RegionClients, describe},
    journal::{self, Change},
    output::Output,
};

/// Pages of topic rules that are looked through for those of other deployments.
const RULE_PAGES_MAX: usize = 100;

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
        let (kind, name, region) = (change.kind(), change.name(), change.region());
        self.left.push(format!("{kind} {name} in {region}: {error:#}\n      by hand: {}", change.manual()));
    }
}

impl Destruction<'_> {
    pub(crate) async fn run(&self) -> anyhow::Result<Destroyed> {
        let (primary, secondary) = (&self.aws.primary, &self.aws.secondary);
        let tables = Stacks::quiet(secondary).find(&stack_name(self.postfix, TABLES)).await?;
        let mut done = Destroyed::default();
        for (clients, template) in
            [(secondary, HEALTH), (primary, HEALTH), (secondary, JITR), (primary, JITR)]
        {
            self.stack(clients, template, &mut done).await;
        }
        for clients in [secondary, primary] {
            self.identity(clients, &mut done).await;
        }
        let is_primary_gone = self.stack(primary, PRIMARY, &mut done).await;
        let switched: Vec<&str> = tables
            .iter()
            .filter_map(|stack| tag_of(stack, SWITCHED_ON))
            .flat_map(str::split_whitespace)
            .collect();
        let are_events_off = self.events(primary, &switched, &mut done).await;
        let code = self.code(secondary).await;
        let is_secondary_gone = self.stack(secondary, SECONDARY, &mut done).await;
        // The tables remember what else there is to do, so they go last, when nothing is.
        if is_primary_gone && are_events_off && is_secondary_gone {
            self.stack(secondary, TABLES, &mut done).await;
        } else if tables.is_some() {
            let name = stack_name(self.postfix, TABLES);
            done.left.push(format!("stack {name} in {}: it stays while the others do", secondary.region));
        }
        if let Some((bucket, key)) = code.filter(|_| is_primary_gone && is_secondary_gone)
            && let Err(error) = package::remove(&bucket, &key)
        {
            done.left.push(format!("{error:#}"));
        }
        Ok(done)
    }

    /// Deletes a stack; the answer is whether it is gone.
    async fn stack(&self, clients: &RegionClients, template: Template, done: &mut Destroyed) -> bool {
        let name = stack_name(self.postfix, template);
        match Stacks::new(clients, self.output).delete(&name).await {
            Ok(was_there) => {
                done.stacks += u32::from(was_there);
                true
            }
            Err(error) => {
                let change = Change::Stack { region: clients.region.clone(), name, replicates: false };
                done.leave(&change, &error);
                false
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
    async fn events(&self, clients: &RegionClients, switched: &[&str], done: &mut Destroyed) -> bool {
        if switched.is_empty() {
            return true;
        }
        let switch = async {
            if has_other_rules(clients, self.postfix).await? {
                self.output.line(&format!(
                    "      registry events in {} stay on: another deployment has rules that take them",
                    clients.region
                ));
                return Ok(());
            }
            events::switch(clients, switched.iter().copied(), false).await
        };
        match switch.await {
            Ok(()) => true,
            Err(error) => {
                let before = switched.iter().map(|kind| ((*kind).to_owned(), false)).collect();
                done.leave(&Change::RegistryEvents { region: clients.region.clone(), before }, &error);
                false
            }
        }
    }

    /// Where the functions' package is.
    async fn code(&self, clients: &RegionClients) -> Option<(String, String)> {
        let stack = Stacks::quiet(clients).find(&stack_name(self.postfix, SECONDARY)).await.ok()??;
        let of = |key| parameter_of(&stack, key).map(str::to_owned);
        Some((of("CodeBucket")?, of("CodeKey")?))
    }
}

/// Whether another deployment has topic rules there: `gameday_<postfix>_<rule>`.
async fn has_other_rules(clients: &RegionClients, postfix: &str) -> anyhow::Result<bool> {
    let own = format!("gameday_{postfix}_");
    let mut pages = clients.iot.list_topic_rules().into_paginator().send();
    for _ in 0..RULE_PAGES_MAX {
        let Some(page) = pages.next().await else { return Ok(false) };
        let page = page.map_err(|e| anyhow!(describe(&e))).context("rules could not be listed")?;
        let mut names = page.rules().iter().filter_map(|rule| rule.rule_name());
        if names.any(|name| name.starts_with("gameday_") && !name.starts_with(&own)) {
            return Ok(true);
        }
    }
    Err(anyhow!("more than {RULE_PAGES_MAX} pages of topic rules"))
}
