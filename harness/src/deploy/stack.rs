//! CloudFormation stacks: made or changed as they are to be, and deleted, each within a bound, with what happens told as it
//! happens and the reasons when it does not.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, anyhow, bail};
use aws_sdk_cloudformation::{
    error::{ProvideErrorMetadata, SdkError},
    types::{Capability, Parameter, Stack, StackEvent, StackStatus, Tag},
};
use replicator::templates::Template;
use tokio::time::Instant;

use crate::{
    aws::{RegionClients, describe},
    output::Output,
};

/// An operation on a stack ends within this: a replica of a table takes AWS minutes.
const STACK_MAX: Duration = Duration::from_mins(30);
/// How often a stack is looked at: on AWS a call a second is throttled, on the twin a stack takes less than that.
const POLL_MIN: Duration = Duration::from_millis(100);
const POLL_MAX: Duration = Duration::from_secs(4);
/// Pages of a stack's events that are looked through for the reasons of a failure.
const EVENT_PAGES_MAX: usize = 20;
/// Pages of stacks that are looked through for those of other deployments.
const STACK_PAGES_MAX: usize = 200;
/// Reasons of a failure that are told: the first is mostly the cause of the others.
const REASONS_MAX: usize = 5;

/// A parameter's value.
#[derive(Clone)]
pub(crate) enum Given {
    /// This one. It may be a secret.
    Is(String),
    /// The one that the stack has.
    AsBefore,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Is(_) => "Is",
            Self::AsBefore => "AsBefore",
        })
    }
}

/// What a stack is to be.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) template: Template,
    pub(crate) parameters: Vec<(&'static str, Given)>,
    pub(crate) tags: Vec<(String, String)>,
}

/// The stacks of one Region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stacks<'a> {
    clients: &'a RegionClients,
    output: Option<&'a Output>,
}

impl<'a> Stacks<'a> {
    pub(crate) fn new(clients: &'a RegionClients, output: &'a Output) -> Self {
        Self { clients, output: Some(output) }
    }

    /// Without a word about what happens.
    pub(crate) fn quiet(clients: &'a RegionClients) -> Self {
        Self { clients, output: None }
    }

    fn region(&self) -> &str {
        &self.clients.region
    }

    /// The stack of that name, or with that id, if there is one.
    pub(crate) async fn find(&self, name: &str) -> anyhow::Result<Option<Stack>> {
        let found = self.clients.cloudformation.describe_stacks().stack_name(name).send().await;
        let found = match found {
            Err(error) if is_missing(&error) => return Ok(None),
            other => other.map_err(|e| anyhow!(describe(&e)))?,
        };
        let is_there = |stack: &Stack| stack.stack_status() != Some(&StackStatus::DeleteComplete);
        Ok(found.stacks.unwrap_or_default().into_iter().find(is_there))
    }

    /// All stacks of the Region whose name begins and ends so.
    pub(crate) async fn named(&self, prefix: &str, suffix: &str) -> anyhow::Result<Vec<Stack>> {
        let mut pages = self.clients.cloudformation.describe_stacks().into_paginator().send();
        let mut found = Vec::new();
        for _ in 0..STACK_PAGES_MAX {
            let Some(page) = pages.next().await else { return Ok(found) };
            let page = page.map_err(|e| anyhow!(describe(&e))).context("stacks could not be listed")?;
            let is_named = |stack: &Stack| {
                stack.stack_name().is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix))
            };
            found.extend(page.stacks.unwrap_or_default().into_iter().filter(is_named));
        }
        bail!("{} has more than {STACK_PAGES_MAX} pages of stacks", self.region())
    }

    /// Makes the stack, or changes it into what it is to be. That nothing is to be changed is fine.
    pub(crate) async fn put(&self, wanted: &Wanted) -> anyhow::Result<Stack> {
        let began = Instant::now();
        let name = &wanted.name;
        let mut before = self.settled(name, began + STACK_MAX).await?;
        if before.as_ref().is_some_and(was_never_made) {
            self.line(&format!("{name} in {}: was never made; making it anew", self.region()));
            self.delete(name).await?;
            before = None;
        }
        let seen = self.events_so_far(name).await;
        let (id, verb) = match before {
            None => (self.create(wanted).await?, "made"),
            Some(stack) => {
                let Some(id) = self.update(wanted).await? else {
                    self.line(&format!("{name} in {}: unchanged", self.region()));
                    return Ok(stack);
                };
                (id, "changed")
            }
        };
        let stack = self.wait(name, &id, seen, began + STACK_MAX).await?;
        let stack = stack.with_context(|| format!("stack {name} in {} is gone", self.region()))?;
        let is_done =
            matches!(stack.stack_status(), Some(StackStatus::CreateComplete | StackStatus::UpdateComplete));
        if !is_done {
            return Err(self.failure(name, &id, &stack).await);
        }
        self.line(&format!("{name} in {}: {verb} in {:.1} s", self.region(), began.elapsed().as_secs_f64()));
        Ok(stack)
    }

    /// Deletes the stack, whatever state it is in. The answer is whether there was one.
    pub(crate) async fn delete(&self, name: &str) -> anyhow::Result<bool> {
        let began = Instant::now();
        let limit = began + STACK_MAX;
        let Some(stack) = self.settled(name, limit).await? else { return Ok(false) };
        let id = stack.stack_id().unwrap_or(name).to_owned();
        let seen = self.events_so_far(&id).await;
        let delete = self.clients.cloudformation.delete_stack().stack_name(&id).send().await;
        delete
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| format!("stack {name} in {} could not be deleted", self.region()))?;
        if let Some(left) = self.wait(name, &id, seen, limit).await? {
            return Err(self.failure(name, &id, &left).await);
        }
        self.line(&format!("{name} in {}: deleted in {:.1} s", self.region(), began.elapsed().as_secs_f64()));
        Ok(true)
    }

    async fn create(&self, wanted: &Wanted) -> anyhow::Result<String> {
        let parameters = wanted.parameters.iter().map(|(key, given)| match given {
            Given::Is(value) => Ok(Parameter::builder().parameter_key(*key).parameter_value(value).build()),
            Given::AsBefore => Err(anyhow!("{key} of stack {} has no value before", wanted.name)),
        });
        let made = self
            .clients
            .cloudformation
            .create_stack()
            .stack_name(&wanted.name)
            .template_body(wanted.template.body)
            .set_parameters(Some(parameters.collect::<anyhow::Result<_>>()?))
            .set_tags(Some(tags(wanted)))
            .capabilities(Capability::CapabilityIam)
            .send()
            .await;
        let made = made
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| format!("stack {} could not be made in {}", wanted.name, self.region()))?;
        made.stack_id.context("a stack without its id")
    }

    async fn update(&self, wanted: &Wanted) -> anyhow::Result<Option<String>> {
        let parameters = wanted.parameters.iter().map(|(key, given)| {
            let parameter = Parameter::builder().parameter_key(*key);
            match given {
                Given::Is(value) => parameter.parameter_value(value).build(),
                Given::AsBefore => parameter.use_previous_value(true).build(),
            }
        });
        let changed = self
            .clients
            .cloudformation
            .update_stack()
            .stack_name(&wanted.name)
            .template_body(wanted.template.body)
            .set_parameters(Some(parameters.collect()))
            .set_tags(Some(tags(wanted)))
            .capabilities(Capability::CapabilityIam)
            .send()
            .await;
        match changed {
            Ok(changed) => Ok(Some(changed.stack_id.context("a stack without its id")?)),
            Err(error) if said(&error, "No updates are to be performed") => Ok(None),
            Err(error) => Err(anyhow!(describe(&error)))
                .with_context(|| format!("stack {} could not be changed in {}", wanted.name, self.region())),
        }
    }

    /// The stack once nothing is under way.
    async fn settled(&self, name: &str, limit: Instant) -> anyhow::Result<Option<Stack>> {
        let Some(stack) = self.find(name).await? else { return Ok(None) };
        if !is_under_way(&stack) {
            return Ok(Some(stack));
        }
        self.line(&format!("{name} in {}: waiting for what is under way", self.region()));
        let id = stack.stack_id().unwrap_or(name).to_owned();
        let seen = self.events_so_far(&id).await;
        self.wait(name, &id, seen, limit).await
    }

    /// Waits until an operation has ended, and tells of its events. None: the stack is gone.
    async fn wait(
        &self,
        name: &str,
        id: &str,
        mut seen: BTreeSet<String>,
        limit: Instant,
    ) -> anyhow::Result<Option<Stack>> {
        let mut pause = POLL_MIN;
        loop {
            let stack = self.find(id).await?;
            self.tell_events(name, id, &mut seen).await;
            match stack {
                Some(stack) if is_under_way(&stack) => {}
                ended => return Ok(ended),
            }
            if Instant::now() >= limit {
                bail!("stack {name} in {} was not done after {} s", self.region(), STACK_MAX.as_secs());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(POLL_MAX);
        }
    }

    /// Ids of the newest events, so that they are not told as new.
    async fn events_so_far(&self, name: &str) -> BTreeSet<String> {
        let ids = self.newest_events(name).await.into_iter().filter_map(|event| event.event_id);
        ids.collect()
    }

    /// The newest page of events, the newest first. They are for people only, so a call that fails is none.
    async fn newest_events(&self, name: &str) -> Vec<StackEvent> {
        let events = self.clients.cloudformation.describe_stack_events().stack_name(name).send().await;
        events.ok().and_then(|events| events.stack_events).unwrap_or_default()
    }

    async fn tell_events(&self, name: &str, id: &str, seen: &mut BTreeSet<String>) {
        let Some(output) = self.output else { return };
        for event in self.newest_events(id).await.iter().rev() {
            let is_new = event.event_id().is_some_and(|id| seen.insert(id.to_owned()));
            if !is_new || event.physical_resource_id() == Some(id) {
                continue;
            }
            let status = event.resource_status().map_or("", |status| status.as_str());
            let resource = event.logical_resource_id().unwrap_or_default();
            match event.resource_status_reason().filter(|_| status.ends_with("_FAILED")) {
                Some(why) => output.line(&format!("      {name}: {resource} {status}: {why}")),
                None if output.is_live() || !status.ends_with("_IN_PROGRESS") => {
                    output.status(&format!("{name} in {}: {resource} {status}", self.region()));
                }
                None => {}
            }
        }
    }

    /// What went wrong, as the stack's events say it.
    async fn failure(&self, name: &str, id: &str, stack: &Stack) -> anyhow::Error {
        let mut pages =
            self.clients.cloudformation.describe_stack_events().stack_name(id).into_paginator().send();
        let mut events = Vec::new();
        for _ in 0..EVENT_PAGES_MAX {
            let Some(Ok(page)) = pages.next().await else { break };
            events.extend(page.stack_events.unwrap_or_default());
        }
        // Those of the last operation: it began with the stack's own event.
        let is_begin = |event: &StackEvent| {
            event.physical_resource_id() == Some(id)
                && event.resource_status_reason().is_some_and(|why| why.starts_with("User Initiated"))
        };
        let begin = events.iter().position(is_begin).unwrap_or(events.len());
        let reasons: Vec<String> = events[..begin]
            .iter()
            .rev()
            .filter(|event| {
                event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED"))
            })
            .filter_map(|event| Some((event.logical_resource_id()?, event.resource_status_reason()?)))
            .filter(|(_, why)| !why.contains("cancelled"))
            .take(REASONS_MAX)
            .map(|(resource, why)| format!("{resource}: {why}"))
            .collect();
        let status = stack.stack_status().map_or("in an unknown state", |status| status.as_str());
        let reasons = if reasons.is_empty() {
            stack.stack_status_reason().unwrap_or("no reason is given").to_owned()
        } else {
            reasons.join("; ")
        };
        anyhow!("stack {name} in {} is {status}: {reasons}", self.region())
    }

    fn line(&self, text: &str) {
        if let Some(output) = self.output {
            output.line(&format!("      {text}"));
        }
    }
}

/// An output of a stack.
pub(crate) fn output_of(stack: &Stack, key: &str) -> anyhow::Result<String> {
    let value = stack.outputs().iter().find(|output| output.output_key() == Some(key));
    let value = value.and_then(|output| output.output_value()).map(str::to_owned);
    value.with_context(|| format!("stack {} has no output {key}", stack.stack_name().unwrap_or_default()))
}

/// A tag of a stack.
pub(crate) fn tag_of<'a>(stack: &'a Stack, key: &str) -> Option<&'a str> {
    stack.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}

/// A parameter of a stack, as far as it is shown.
pub(crate) fn parameter_of<'a>(stack: &'a Stack, key: &str) -> Option<&'a str> {
    let found = stack.parameters().iter().find(|parameter| parameter.parameter_key() == Some(key));
    found.and_then(Parameter::parameter_value)
}

/// The account that a stack is in: `arn:aws:cloudformation:<region>:<account>:stack/...`.
pub(crate) fn account_of(stack: &Stack) -> anyhow::Result<String> {
    let account = stack.stack_id().and_then(|id| id.split(':').nth(4)).map(str::to_owned);
    account.context("a stack whose id names no account")
}

/// Whether the stack was made and is what it is to be, or was so before a change that failed.
pub(crate) fn is_whole(stack: &Stack) -> bool {
    !was_never_made(stack) && !is_under_way(stack)
}

fn tags(wanted: &Wanted) -> Vec<Tag> {
    wanted.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn is_under_way(stack: &Stack) -> bool {
    stack.stack_status().is_some_and(|status| {
        status.as_str().ends_with("_IN_PROGRESS") && *status != StackStatus::ReviewInProgress
    })
}

fn was_never_made(stack: &Stack) -> bool {
    matches!(
        stack.stack_status(),
        Some(
            StackStatus::CreateFailed
                | StackStatus::RollbackComplete
                | StackStatus::RollbackFailed
                | StackStatus::ReviewInProgress
                | StackStatus::DeleteFailed
        )
    )
}

fn is_missing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    said(error, "does not exist")
}

fn said<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, what: &str) -> bool {
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
    message.is_some_and(|message| message.contains(what))
}
