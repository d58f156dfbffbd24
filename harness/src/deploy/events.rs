//! Registry events, which AWS has switched off unless someone asked for them. They are one setting for the whole Region: what
//! one deployment switched on another may need by now, so that none switches off what another's topic rules take.

use anyhow::{Context, anyhow, bail};
use aws_sdk_iot::types::{Configuration, EventType};

use crate::aws::{RegionClients, describe};

/// What the topic rules take. Associations and the hierarchy come with things and groups.
const KINDS: [EventType; 4] =
    [EventType::Thing, EventType::ThingGroup, EventType::ThingGroupMembership, EventType::ThingType];
/// What the names of all deployments' topic rules begin with.
const RULE_PREFIX: &str = "gameday_";
/// Pages of topic rules that are looked through for those of other deployments.
const RULE_PAGES_MAX: usize = 100;

/// The kinds that are wanted and off.
pub(crate) async fn off(clients: &RegionClients) -> anyhow::Result<Vec<String>> {
    let now = clients.iot.describe_event_configurations().send().await;
    let now = now
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("the registry events of {} are not known", clients.region))?;
    let is_on = |kind: &EventType| {
        now.event_configurations().and_then(|kinds| kinds.get(kind)).is_some_and(Configuration::enabled)
    };
    Ok(KINDS.iter().filter(|kind| !is_on(kind)).map(|kind| kind.as_str().to_owned()).collect())
}

/// Switches kinds on.
pub(super) async fn switch_on(clients: &RegionClients, kinds: &[String]) -> anyhow::Result<()> {
    switch(clients, kinds, true).await
}

/// Switches off the kinds that were switched on for the deployment of that postfix. The answer is whether they are off:
/// they stay on as long as another deployment has rules that take them.
pub(crate) async fn switch_off(
    clients: &RegionClients,
    postfix: &str,
    kinds: &[String],
) -> anyhow::Result<bool> {
    if kinds.is_empty() {
        return Ok(true);
    }
    if has_other_rules(clients, postfix).await? {
        return Ok(false);
    }
    switch(clients, kinds, false).await?;
    Ok(true)
}

async fn switch(clients: &RegionClients, kinds: &[String], on: bool) -> anyhow::Result<()> {
    if kinds.is_empty() {
        return Ok(());
    }
    let mut call = clients.iot.update_event_configurations();
    for kind in kinds {
        call = call.event_configurations(kind.as_str().into(), Configuration::builder().enabled(on).build());
    }
    let word = if on { "on" } else { "off" };
    call.send()
        .await
        .map(drop)
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("registry events could not be switched {word} in {}", clients.region))
}

/// What the names of a deployment's topic rules begin with.
pub(crate) fn rule_prefix(postfix: &str) -> String {
    format!("{RULE_PREFIX}{postfix}_")
}

/// Whether another deployment has topic rules there.
async fn has_other_rules(clients: &RegionClients, postfix: &str) -> anyhow::Result<bool> {
    let own = rule_prefix(postfix);
    let mut pages = clients.iot.list_topic_rules().into_paginator().send();
    for _ in 0..RULE_PAGES_MAX {
        let Some(page) = pages.next().await else { return Ok(false) };
        let page = page.map_err(|e| anyhow!(describe(&e))).context("rules could not be listed")?;
        let mut names = page.rules().iter().filter_map(|rule| rule.rule_name());
        if names.any(|name| name.starts_with(RULE_PREFIX) && !name.starts_with(&own)) {
            return Ok(true);
        }
    }
    bail!("{} has more than {RULE_PAGES_MAX} pages of topic rules", clients.region)
}
