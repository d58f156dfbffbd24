//! What runs have left in an account, found without any run folder: by the marks that everything of a run carries. What has no
//! mark of a run is not touched; deployments and fleets that stay have other marks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use anyhow::{Context, anyhow, bail};
use aws_sdk_iot::types::ThingAttribute;
use aws_sdk_route53::operation::list_hosted_zones::ListHostedZonesOutput;

use crate::{
    aws::{Aws, RegionClients, describe},
    deploy::{Destruction, STACK_PREFIX, Stacks, tag_of},
    journal::{Change, undo_now},
    lease::{self, Lease},
    names::{ID_CHARS, RUN_ATTRIBUTE},
    output::Output,
    sweep::{Certificates, Sweep},
};

/// Pages of things and policies that are looked through: a million.
const PAGES_MAX: usize = 4_000;
/// AWS's largest page.
const PAGE: i32 = 250;
/// Names of what was found that are told of each kind.
const TOLD_MAX: usize = 5;
/// How often what is left of a run is gone through again: the replicator may have had something under way.
const PASSES_MAX: u32 = 3;

/// What was found of one run, by Region and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found(BTreeMap<(String, &'static str), BTreeSet<String>>);

impl Found {
    fn add(&mut self, region: &str, kind: &'static str, name: &str) {
        self.0.entry((region.to_owned(), kind)).or_default().insert(name.to_owned());
    }

    /// Whether there is nothing of it but a lease, which ends by itself.
    pub(crate) fn is_lease_only(&self) -> bool {
        self.0.keys().all(|(_, kind)| *kind == LEASES)
    }

    /// The same in one line.
    pub(crate) fn brief(&self) -> String {
        let said = |((region, kind), names): (&(String, &'static str), &BTreeSet<String>)| {
            format!("{} {kind} in {region}", names.len())
        };
        self.0.iter().map(said).collect::<Vec<_>>().join(", ")
    }

    /// Of that kind in that Region.
    fn named(&self, region: &str, kind: &'static str) -> impl Iterator<Item = &String> {
        self.0.get(&(region.to_owned(), kind)).into_iter().flatten()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((region, kind), names) in &self.0 {
            let told: Vec<&str> = names.iter().take(TOLD_MAX).map(String::as_str).collect();
            let more = names.len().saturating_sub(TOLD_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(f, "  {region}: {} {kind}: {}{more}", names.len(), told.join(", "))?;
        }
        Ok(())
    }
}

const STACKS: &str = "stacks";
const THINGS: &str = "things";
const POLICIES: &str = "policies";
const ZONES: &str = "hosted zones";
const LEASES: &str = "leases";
const GLOBAL: &str = "global";

/// Everything that carries a run's mark, by the run's id.
pub(crate) async fn discover(aws: &Aws) -> anyhow::Result<BTreeMap<String, Found>> {
    let mut runs: BTreeMap<String, Found> = BTreeMap::new();
    for clients in [&aws.primary, &aws.secondary] {
        let region = &clients.region;
        for stack in Stacks::quiet(clients).named(STACK_PREFIX, "").await? {
            if let (Some(run), Some(name)) = (tag_of(&stack, RUN_ATTRIBUTE), stack.stack_name()) {
                runs.entry(run.to_owned()).or_default().add(region, STACKS, name);
            }
        }
        for thing in things(clients).await? {
            let run = thing.attributes().and_then(|attributes| attributes.get(RUN_ATTRIBUTE));
            if let (Some(run), Some(name)) = (run, thing.thing_name()) {
                runs.entry(run.clone()).or_default().add(region, THINGS, name);
            }
        }
        if let Some(Lease { run, .. }) = lease::read(clients).await? {
            runs.entry(run).or_default().add(region, LEASES, lease::NAME);
        }
        for name in policies(clients).await? {
            if let Some(run) = run_of_policy(&name) {
                runs.entry(run.to_owned()).or_default().add(region, POLICIES, &name);
            }
        }
    }
    let zones = aws.route53.list_hosted_zones().into_paginator().send().collect::<Result<Vec<_>, _>>().await;
    let zones = zones.map_err(|e| anyhow!(describe(&e))).context("hosted zones could not be listed")?;
    for zone in zones.iter().flat_map(ListHostedZonesOutput::hosted_zones) {
        if let Some(run) = run_of_zone(zone.name()) {
            runs.entry(run.to_owned()).or_default().add(GLOBAL, ZONES, zone.name());
        }
    }
    Ok(runs)
}

async fn things(clients: &RegionClients) -> anyhow::Result<Vec<ThingAttribute>> {
    let mut pages = clients.iot.list_things().max_results(PAGE).into_paginator().send();
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let Some(page) = pages.next().await else { return Ok(found) };
        let page = page.map_err(|e| anyhow!(describe(&e))).context("things could not be listed")?;
        let is_marked = |thing: &ThingAttribute| {
            thing.attributes().is_some_and(|attributes| attributes.contains_key(RUN_ATTRIBUTE))
        };
        found.extend(page.things.unwrap_or_default().into_iter().filter(is_marked));
    }
    bail!("{} has more than {PAGES_MAX} pages of things", clients.region)
}

async fn policies(clients: &RegionClients) -> anyhow::Result<Vec<String>> {
    let mut pages = clients.iot.list_policies().page_size(PAGE).into_paginator().send();
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let Some(page) = pages.next().await else { return Ok(found) };
        let page = page.map_err(|e| anyhow!(describe(&e))).context("policies could not be listed")?;
        found.extend(page.policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_name));
    }
    bail!("{} has more than {PAGES_MAX} pages of policies", clients.region)
}

/// `gd-<run>-device`, `gd-<run>-observer`; and `gd-verify-<id>` of a check.
fn run_of_policy(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("gd-")?;
    let run = rest.strip_prefix("verify-").or_else(|| Some(rest.split_once('-')?.0))?;
    is_id(run).then_some(run)
}

/// `gd-<run>.gameday.internal.`
fn run_of_zone(name: &str) -> Option<&str> {
    let run = name.strip_prefix("gd-")?.trim_end_matches('.').strip_suffix(".gameday.internal")?;
    is_id(run).then_some(run)
}

/// Whether it may be the id of a run.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Deletes all that is left of a run, what replicates first; the answer is what stays, each with why.
pub(crate) async fn delete(aws: &Aws, run: &str, output: &Output) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    for pass in 1..=PASSES_MAX {
        left = pass_over(aws, run, output).await?;
        let certificates = Certificates::Issued(Vec::new());
        let (events, count) = Sweep { aws, run, certificates, output }.run().await?;
        drop(events);
        let again = discover(aws).await?.remove(run);
        left.extend(again.iter().map(|found| format!("of run {run} there is still:\n{found}")));
        if left.is_empty() && count == 0 {
            return Ok(left);
        }
        if count > 0 && pass == PASSES_MAX {
            left.push(format!("run {run}: {count} things are still there, as named above"));
        }
    }
    Ok(left)
}

async fn pass_over(aws: &Aws, run: &str, output: &Output) -> anyhow::Result<Vec<String>> {
    let found = discover(aws).await?.remove(run).unwrap_or_default();
    // Its stacks, the health checks' policies and the registry events, in the order in which nothing comes again.
    let mut left = Destruction { postfix: run, aws, output }.run().await?.left;
    let mut changes = Vec::new();
    for clients in [&aws.primary, &aws.secondary] {
        let region = &clients.region;
        let device = format!("gd-{run}-device");
        changes.push(Change::Fleet { region: region.clone(), run: run.to_owned(), policy: device });
        for name in found.named(region, POLICIES) {
            changes.push(Change::Policy { region: region.clone(), name: name.clone() });
        }
    }
    changes.extend(found.named(GLOBAL, ZONES).map(|name| Change::HostedZone { name: name.clone() }));
    for clients in [&aws.primary, &aws.secondary] {
        let region = &clients.region;
        let leases = found.named(region, LEASES);
        changes.extend(leases.map(|_| Change::Lease { region: region.clone(), run: run.to_owned() }));
    }
    for change in changes {
        output.status(&format!("deleting {} {} in {}", change.kind(), change.name(), change.region()));
        if let Err(error) = undo_now(aws, &change).await {
            left.push(change.left(&format!("{error:#}")));
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_known_by_its_names_and_nothing_else_is() {
        assert_eq!(run_of_policy("gd-k2x81mqa-device"), Some("k2x81mqa"));
        assert_eq!(run_of_policy("gd-verify-k2x81mqa"), Some("k2x81mqa"));
        for other in
            ["gd-k2x81mqa", "gd-Production-device", "gd-lamps-device", "device", "xgd-k2x81mqa-device"]
        {
            assert_eq!(run_of_policy(other), None, "{other}");
        }
        assert_eq!(run_of_zone("gd-k2x81mqa.gameday.internal."), Some("k2x81mqa"));
        for other in ["gd-k2x81mqa.example.com.", "k2x81mqa.gameday.internal.", "gd-prod.gameday.internal."] {
            assert_eq!(run_of_zone(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_found_is_told_in_few_lines() {
        let mut found = Found::default();
        for n in 0..7 {
            found.add("us-east-1", THINGS, &format!("t-{n}"));
        }
        found.add(GLOBAL, ZONES, "z");
        assert_eq!(
            found.to_string(),
            "  global: 1 hosted zones: z\n  us-east-1: 7 things: t-0, t-1, t-2, t-3, t-4 and 2 more\n"
        );
    }
}
