//! The quotas that apply: as Service Quotas says, or offline AWS's defaults and what a scenario sets of a twin's.

use std::collections::{BTreeMap, BTreeSet};

use gameday_report::record::QuotaValue;
use gameday_twin::QuotaBook;

use crate::{
    aws::{AppliedQuota, Aws, applied_quotas},
    plan::{Aim, Limited, Place, Plan},
};

/// What applies in both Regions.
#[derive(Debug)]
pub(crate) struct Applied {
    /// Where the quotas are from, for a reader.
    pub(super) source: String,
    book: QuotaBook,
    /// Where the book's numbers are from.
    book_source: &'static str,
    /// What Service Quotas says, by Region, service and code; empty offline.
    said: BTreeMap<(String, String, String), AppliedQuota>,
}

impl Applied {
    /// Of an aim alone, without a network.
    pub(crate) fn offline(aim: &Aim) -> Self {
        let source = match (aim.target, aim.quota_scale) {
            ("aws", _) => "AWS's defaults",
            (_, 1.0) => "AWS's defaults and what the scenario's [twin] sets",
            _ => "AWS's defaults times the scenario's twin.quota_scale, and what its [twin] sets",
        };
        Self { source: source.to_owned(), book: aim.quotas(), book_source: source, said: BTreeMap::new() }
    }

    /// What Service Quotas of both Regions says of all that a plan asks for. What it does not list is AWS's default.
    ///
    /// # Errors
    /// Service Quotas does not answer.
    pub(crate) async fn read(plan: &Plan, aim: &Aim, aws: &Aws) -> anyhow::Result<Self> {
        let book = aim.quotas();
        let mut services = BTreeSet::from(["states"]);
        for place in [Place::Primary, Place::Secondary] {
            let region = aim.region(place);
            let quotas = plan.demands.iter().filter_map(|demand| demand.limited.quota(&book, region));
            services.extend(quotas.filter(|quota| quota.listed).map(|quota| quota.service));
        }
        let mut said = BTreeMap::new();
        for clients in [&aws.primary, &aws.secondary] {
            for service in &services {
                let quotas = applied_quotas(clients, service).await?;
                let key = |code| (clients.region.clone(), (*service).to_owned(), code);
                said.extend(quotas.into_iter().map(|(code, quota)| (key(code), quota)));
            }
        }
        Ok(Self {
            source: "what Service Quotas says of the account".to_owned(),
            book,
            book_source: "AWS's default: Service Quotas does not list it",
            said,
        })
    }

    /// The quota under which something counts in a Region.
    pub(crate) fn of(&self, limited: &Limited, region: &str) -> Option<QuotaValue> {
        let quota = limited.quota(&self.book, region)?;
        let key = (region.to_owned(), quota.service.to_owned(), quota.code.to_owned());
        let said = self.said.get(&key);
        Some(QuotaValue {
            service: quota.service.to_owned(),
            code: quota.code.to_owned(),
            name: said.map_or_else(|| quota.name.to_owned(), |said| said.name.clone()),
            value: said.map_or(quota.value, |said| said.value),
            adjustable: said.map_or(quota.adjustable, |said| said.is_adjustable),
            source: if said.is_some() { "Service Quotas" } else { self.book_source }.to_owned(),
        })
    }

    /// What a reader should know of them.
    pub(super) fn notes(&self, aim: &Aim) -> Vec<String> {
        let mut notes = Vec::new();
        if !aim.quotas_enforced {
            notes.push("The twin enforces no quotas: what exceeds one is not throttled there.".to_owned());
        }
        if self.said.is_empty() {
            notes.push(
                "Offline: an account's own quotas may be smaller or larger; --target says whose are read."
                    .to_owned(),
            );
        }
        notes.push(
            "Production in the same account and Region uses a part of each quota, which is not in these numbers."
                .to_owned(),
        );
        notes
    }
}
