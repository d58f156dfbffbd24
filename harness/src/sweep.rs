//! The proof that nothing is left: everything of this run's name is listed again, in both Regions and globally.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_route53::types::{ResourceTagSet, TagResourceType};
use gameday_report::record::{Event, Leftover};
use jiff::Timestamp;

use crate::{
    aws::{Aws, Missing, RegionClients},
    deploy::{TAG, health_policy, rule_prefix, stack_prefix},
    journal::{issued_for, things},
    lease,
    output::Output,
};

/// Certificates have no names: this many pages of them are looked through for those of the run.
const CERTIFICATE_PAGES_MAX: usize = 40;
/// AWS's largest page.
const PAGE: i32 = 250;

/// Which certificates are the run's.
#[derive(Debug)]
pub(crate) enum Certificates {
    /// Those with these ARNs.
    Issued(Vec<String>),
    /// Those that were issued for these keys since then, in whatever Region.
    For { since: Timestamp, keys: Vec<String> },
}

/// A look at everything of a run's name.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    pub(crate) aws: &'a Aws,
    pub(crate) run: &'a str,
    pub(crate) certificates: Certificates,
    pub(crate) output: &'a Output,
}

impl Sweep<'_> {
    /// Lists what is left, as events of the record; the second part of the answer is how much it is.
    pub(crate) async fn run(&self) -> anyhow::Result<(Vec<Event>, usize)> {
        self.output.status("looking for what is left");
        let (mut events, mut left) = (Vec::new(), 0);
        let mut swept = |region: &str, kinds: &[&str], leftovers: Vec<Leftover>| {
            left += leftovers.len();
            for leftover in &leftovers {
                self.output.line(&format!("LEFT in {region}: {} {}", leftover.kind, leftover.name));
            }
            let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            events.push(Event::Swept { region: region.to_owned(), kinds, leftovers });
        };
        for clients in [&self.aws.primary, &self.aws.secondary] {
            let kinds = [
                "stacks",
                "things",
                "certificates",
                "policies",
                "topic rules",
                "tables",
                "functions",
                "leases",
            ];
            swept(&clients.region, &kinds, self.sweep_region(clients).await?);
        }
        swept("global", &["hosted zones", "health checks"], self.sweep_global().await?);
        Ok((events, left))
    }

    async fn sweep_region(&self, clients: &RegionClients) -> anyhow::Result<Vec<Leftover>> {
        let mut left = Vec::new();
        let mut add = |kind: &str, names: Vec<String>| {
            left.extend(names.iter().map(|name| leftover(kind, name)));
        };
        // What the run makes itself, what it installs, and the health check's own.
        let prefixes = [format!("gd-{}-", self.run), stack_prefix(self.run), health_policy(self.run)];
        let rule_prefix = rule_prefix(self.run);
        let of_run = |name: &&str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let pages: Vec<_> = clients
            .cloudformation
            .list_stacks()
            .into_paginator()
            .send()
            .collect::<Result<_, _>>()
            .await
            .context("stacks could not be listed")?;
        let stacks = pages
            .iter()
            .flat_map(aws_sdk_cloudformation::operation::list_stacks::ListStacksOutput::stack_summaries)
            .filter(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete))
            .filter_map(|stack| stack.stack_name());
        add("stack", stacks.filter(of_run).map(str::to_owned).collect());
        add("thing", things(clients, self.run).await?);
        add("certificate", self.certificates(clients).await?);
        let pages: Vec<_> = clients
            .iot
            .list_policies()
            .page_size(PAGE)
            .into_paginator()
            .send()
            .collect::<Result<_, _>>()
            .await
            .context("policies could not be listed")?;
        let policies = pages
            .iter()
            .flat_map(aws_sdk_iot::operation::list_policies::ListPoliciesOutput::policies)
            .filter_map(|p| p.policy_name());
        add("policy", policies.filter(of_run).map(str::to_owned).collect());
        let pages: Vec<_> = clients
            .iot
            .list_topic_rules()
            .into_paginator()
            .send()
            .collect::<Result<_, _>>()
            .await
            .context("rules could not be listed")?;
        let rules = pages.iter().flat_map(|p| p.rules().iter()).filter_map(|r| r.rule_name());
        add("topic rule", rules.filter(|r| r.starts_with(&rule_prefix)).map(str::to_owned).collect());
        let tables: Vec<String> = clients
            .dynamodb
            .list_tables()
            .into_paginator()
            .items()
            .send()
            .collect::<Result<_, _>>()
            .await
            .context("tables could not be listed")?;
        add("table", tables.into_iter().filter(|t| of_run(&t.as_str())).collect());
        let pages: Vec<_> = clients
            .lambda
            .list_functions()
            .into_paginator()
            .send()
            .collect::<Result<_, _>>()
            .await
            .context("functions could not be listed")?;
        let functions = pages
            .iter()
            .flat_map(aws_sdk_lambda::operation::list_functions::ListFunctionsOutput::functions)
            .filter_map(|f| f.function_name());
        add("function", functions.filter(of_run).map(str::to_owned).collect());
        let lease = lease::read(clients).await?.filter(|lease| lease.run == self.run);
        add("lease", lease.map(|_| lease::NAME.to_owned()).into_iter().collect());
        Ok(left)
    }

    async fn certificates(&self, clients: &RegionClients) -> anyhow::Result<Vec<String>> {
        let arns = match &self.certificates {
            Certificates::Issued(arns) => arns,
            Certificates::For { since, keys } => return issued_for(self.aws, clients, *since, keys).await,
        };
        let ours: BTreeSet<&str> = arns.iter().filter_map(|arn| arn.rsplit('/').next()).collect();
        let mut pages = clients.iot.list_certificates().page_size(PAGE).into_paginator().send();
        let mut found = Vec::new();
        for _ in 0..CERTIFICATE_PAGES_MAX {
            let Some(page) = pages.next().await else {
                return Ok(found);
            };
            let page = page.context("certificates could not be listed")?;
            let ids = page.certificates().iter().filter_map(|c| c.certificate_id());
            found.extend(ids.filter(|id| ours.contains(id)).map(str::to_owned));
        }
        bail!(
            "{} has more certificates than the {CERTIFICATE_PAGES_MAX} pages that were looked through",
            clients.region
        )
    }

    async fn sweep_global(&self) -> anyhow::Result<Vec<Leftover>> {
        let mark = format!("gd-{}", self.run);
        let zones: Vec<_> = self
            .aws
            .route53
            .list_hosted_zones()
            .into_paginator()
            .send()
            .collect::<Result<_, _>>()
            .await
            .context("zones could not be listed")?;
        let zones =
            zones.iter().flat_map(|page| page.hosted_zones().iter()).filter(|z| z.name().starts_with(&mark));
        let checks: Vec<_> = self
            .aws
            .route53
            .list_health_checks()
            .into_paginator()
            .send()
            .collect::<Result<_, _>>()
            .await
            .context("health checks could not be listed")?;
        let checks = checks.iter().flat_map(|page| page.health_checks().iter());
        let mut found: Vec<Leftover> = zones.map(|zone| leftover("hosted zone", zone.name())).collect();
        // They have no names, and of a deployment that was not finished no ids are known: what tells is their tag.
        for check in checks {
            if self.is_tagged(check.id()).await? {
                found.push(leftover("health check", check.id()));
            }
        }
        Ok(found)
    }

    /// Whether a health check has the tag of this run's deployment.
    async fn is_tagged(&self, check: &str) -> anyhow::Result<bool> {
        let tags = self.aws.route53.list_tags_for_resource();
        let tags = tags.resource_type(TagResourceType::Healthcheck).resource_id(check).send().await;
        // One that went meanwhile is none.
        let tags = tags.missing_ok().context("tags of a health check could not be listed")?;
        let mut tags = tags.iter().filter_map(|tags| tags.resource_tag_set()).flat_map(ResourceTagSet::tags);
        Ok(tags.any(|tag| tag.key() == Some(TAG) && tag.value() == Some(self.run)))
    }
}

fn leftover(kind: &str, name: &str) -> Leftover {
    Leftover { kind: kind.to_owned(), name: name.to_owned() }
}
