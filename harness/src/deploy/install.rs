//! Installs the replicator and the health checks: five templates in two Regions, consumers before producers. It may be done
//! again at any time: what is there is changed into what is wanted, and what is as wanted stays.

use std::collections::BTreeSet;

use anyhow::Context;
use aws_sdk_cloudformation::types::Stack;
use clap::ValueEnum;
use replicator::templates::{JITR, PRIMARY, SECONDARY, TABLES, Template};

use super::{
    events,
    package::Package,
    place::Place,
    stack::{Given, Stacks, Wanted, account_of, output_of, tag_of},
};
use crate::{
    aws::{Aws, RegionClients, describe},
    journal::{Change, Journal},
    names::RUN_ATTRIBUTE,
    output::Output,
};

/// What the names of all deployments begin with.
pub(crate) const STACK_PREFIX: &str = "gameday-";
/// The tag of everything that is deployed: its value is the postfix.
pub(crate) const TAG: &str = "gameday";
/// The tag, on the stack of the tables, that remembers which registry events were switched on for this deployment.
pub(super) const SWITCHED_ON: &str = "gameday:switched-on";

/// Whose instances functions run in, out of those that an account may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Concurrency {
    /// Those that need some for certain keep them.
    Own,
    /// None keeps any.
    Shared,
}

/// How the replicator is to work.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `direct` or `workflow`.
    pub(crate) dispatch: &'static str,
    /// The policy that devices get which register themselves; given, the mode is just-in-time.
    pub(crate) just_in_time_policy: Option<String>,
    /// Events wait in the stream.
    pub(crate) is_paused: bool,
    pub(crate) is_traced: bool,
    pub(crate) concurrency: Concurrency,
    /// The SNS topics, `{region}` in them, that are told of alarms; empty: none.
    pub(crate) alarm_topic: String,
    /// Seconds between the requests of a health checker.
    pub(crate) interval_s: u64,
    /// Results in a row that change a health checker's opinion.
    pub(crate) failures: u32,
    /// New certificates and query strings for the health checks.
    pub(crate) rotate: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dispatch: "direct",
            just_in_time_policy: None,
            is_paused: false,
            is_traced: false,
            concurrency: Concurrency::Own,
            alarm_topic: String::new(),
            interval_s: 30,
            failures: 3,
            rotate: false,
        }
    }
}

/// What is installed where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Installation<'a> {
    /// What tells it from others of the account.
    pub(crate) postfix: &'a str,
    pub(crate) aws: &'a Aws,
    pub(crate) place: &'a Place,
    pub(crate) package: &'a Package,
    pub(crate) settings: &'a Settings,
    pub(crate) output: &'a Output,
    /// Where each change is written down before it is made; none: the stacks themselves remember.
    pub(crate) journal: Option<&'a Journal>,
}

/// What the others need to know of it.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) events_table: String,
    pub(crate) primary_check: String,
    pub(crate) secondary_check: String,
}

/// Kinds of registry events.
struct Switched {
    /// Those that are off and wanted.
    off: Vec<String>,
    /// Those that were, or are to be, switched on for any deployment: the last one that goes switches them off.
    all: Vec<String>,
}

/// What the names of a deployment's stacks, and of nearly all that is in them, begin with.
pub(crate) fn stack_prefix(postfix: &str) -> String {
    format!("{STACK_PREFIX}{postfix}-")
}

/// The name of one stack.
pub(crate) fn stack_name(postfix: &str, template: Template) -> String {
    stack_prefix(postfix) + template.name
}

impl<'a> Installation<'a> {
    pub(super) fn stack_name(&self, template: Template) -> String {
        stack_name(self.postfix, template)
    }

    pub(super) fn stacks(&self, clients: &'a RegionClients) -> Stacks<'a> {
        // With a journal it is a run, which says in its own words what it does.
        if self.journal.is_some() { Stacks::quiet(clients) } else { Stacks::new(clients, self.output) }
    }

    pub(super) fn intend(&self, change: Change) -> anyhow::Result<()> {
        self.journal.map_or(Ok(()), |journal| journal.intend(change))
    }

    /// Puts everything.
    pub(crate) async fn put_all(&self) -> anyhow::Result<Installed> {
        let (primary, secondary) = (&self.aws.primary, &self.aws.secondary);
        self.output.status("deploy: tables");
        let (tables, events) = self.tables().await?;
        let (events_table, account) = (output_of(&tables, "EventsTable")?, account_of(&tables)?);
        let documents_table = output_of(&tables, "DocumentsTable")?;
        self.output.status("deploy: replicator");
        self.secondary(&tables).await?;
        self.primary(&events_table, documents_table).await?;
        self.just_in_time().await?;
        if !events.all.is_empty() {
            let (region, deployment) = (primary.region.clone(), self.postfix.to_owned());
            self.intend(Change::RegistryEvents { region, deployment, kinds: events.all })?;
        }
        events::switch_on(primary, &events.off).await?;
        self.output.status("deploy: health checks");
        let primary_check = self.health(primary, &self.place.primary, &account).await?;
        let secondary_check = self.health(secondary, &self.place.secondary, &account).await?;
        Ok(Installed {
            events_table,
            primary_check: output_of(&primary_check, "HealthCheck")?,
            secondary_check: output_of(&secondary_check, "HealthCheck")?,
        })
    }

    /// The tables, and the kinds of registry events that are to be switched on. Which ones they were in all is remembered
    /// before any is.
    async fn tables(&self) -> anyhow::Result<(Stack, Switched)> {
        let clients = &self.aws.secondary;
        let off = events::off(&self.aws.primary).await?;
        let mut wanted = self.wanted(TABLES, clients);
        // Tables have no code.
        wanted.parameters.retain(|(key, _)| *key == "Postfix");
        wanted.parameters.push(("PrimaryRegion", Given::Is(self.aws.primary.region.clone())));
        // Other deployments need the same kinds: the last one that goes switches off what the first one switched on.
        let suffix = format!("-{}", TABLES.name);
        let deployed = self.stacks(clients).named(STACK_PREFIX, &suffix).await?;
        let before = deployed.iter().filter_map(|stack| tag_of(stack, SWITCHED_ON));
        let before = before.flat_map(str::split_whitespace);
        let all: BTreeSet<&str> = before.chain(off.iter().map(String::as_str)).collect();
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        if !all.is_empty() {
            wanted.tags.push((SWITCHED_ON.to_owned(), all.join(" ")));
        }
        Ok((self.put(clients, &wanted, false).await?, Switched { off, all }))
    }

    async fn secondary(&self, tables: &Stack) -> anyhow::Result<()> {
        let mut wanted = self.wanted(SECONDARY, &self.aws.secondary);
        wanted.parameters.extend([
            ("PrimaryRegion", Given::Is(self.aws.primary.region.clone())),
            ("EventsStream", Given::Is(output_of(tables, "EventsStream")?)),
            ("DocumentsStream", Given::Is(output_of(tables, "DocumentsStream")?)),
            ("Dispatch", Given::Is(self.settings.dispatch.to_owned())),
            ("Paused", Given::Is(self.settings.is_paused.to_string())),
            ("Mode", Given::Is(self.mode().to_owned())),
        ]);
        self.put(&self.aws.secondary, &wanted, true).await.map(drop)
    }

    async fn primary(&self, events_table: &str, documents_table: String) -> anyhow::Result<()> {
        let clients = &self.aws.primary;
        let mut wanted = self.wanted(PRIMARY, clients);
        wanted.parameters.extend([
            ("SecondaryRegion", Given::Is(self.aws.secondary.region.clone())),
            ("EventsTable", Given::Is(events_table.to_owned())),
            ("DocumentsTable", Given::Is(documents_table)),
            ("EventsStream", Given::Is(stream(clients, events_table).await?)),
            ("Paused", Given::Is(self.settings.is_paused.to_string())),
            ("Mode", Given::Is(self.mode().to_owned())),
        ]);
        self.put(clients, &wanted, true).await.map(drop)
    }

    /// Of the other mode nothing is left.
    async fn just_in_time(&self) -> anyhow::Result<()> {
        for clients in [&self.aws.secondary, &self.aws.primary] {
            if let Some(policy) = &self.settings.just_in_time_policy {
                let mut wanted = self.wanted(JITR, clients);
                wanted.parameters.push(("IotPolicyName", Given::Is(policy.clone())));
                self.put(clients, &wanted, true).await?;
            } else {
                self.stacks(clients).delete(&self.stack_name(JITR)).await?;
            }
        }
        Ok(())
    }

    fn mode(&self) -> &'static str {
        if self.settings.just_in_time_policy.is_some() { "just-in-time" } else { "complete" }
    }

    /// A stack with what all of them are given.
    pub(super) fn wanted(&self, template: Template, clients: &RegionClients) -> Wanted {
        let region = &clients.region;
        let tracing = if self.settings.is_traced { "on" } else { "off" };
        let mut parameters = vec![
            ("Postfix", self.postfix.to_owned()),
            ("CodeBucket", self.package.bucket_in(region)),
            ("CodeKey", self.package.key.clone()),
            ("Architecture", self.package.architecture.to_owned()),
            ("Tracing", tracing.to_owned()),
            ("AlarmTopic", self.settings.alarm_topic.replace("{region}", region)),
        ];
        if self.settings.concurrency == Concurrency::Shared && template.body.contains("  Concurrency:\n") {
            parameters.push(("Concurrency", "0".to_owned()));
        }
        let mut tags = vec![(TAG.to_owned(), self.postfix.to_owned())];
        // A run's goes with the run; one that stays is told from it by having no such tag.
        tags.extend(self.journal.map(|_| (RUN_ATTRIBUTE.to_owned(), self.postfix.to_owned())));
        Wanted {
            name: self.stack_name(template),
            template,
            parameters: parameters.into_iter().map(|(key, value)| (key, Given::Is(value))).collect(),
            tags,
        }
    }

    /// Puts a stack, once it is in the journal. `replicates`: it brings further things into being.
    pub(super) async fn put(
        &self,
        clients: &'a RegionClients,
        wanted: &Wanted,
        replicates: bool,
    ) -> anyhow::Result<Stack> {
        let (region, name) = (clients.region.clone(), wanted.name.clone());
        self.intend(Change::Stack { region, name, replicates })?;
        self.stacks(clients).put(wanted).await
    }
}

/// The stream of a table's replica.
async fn stream(clients: &RegionClients, table: &str) -> anyhow::Result<String> {
    let described = clients.dynamodb.describe_table().table_name(table).send().await;
    let described = described.map_err(|e| anyhow::anyhow!(describe(&e)))?;
    let stream = described.table().and_then(|table| table.latest_stream_arn()).map(str::to_owned);
    stream.with_context(|| format!("table {table} has no stream in {}", clients.region))
}
