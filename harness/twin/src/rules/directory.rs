//! Which rules a topic concerns. Every publish asks: a topic without rules costs two look-ups, however many rules there
//! are for others.

use std::{collections::BTreeMap, sync::Arc};

use super::Rule;
use crate::mqtt::filter_matches;

/// The enabled rules, by what their topic filters begin with.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// Filters without wildcards.
    exact: BTreeMap<String, Vec<Arc<Rule>>>,
    /// By the first level, where that is no wildcard.
    by_first: BTreeMap<String, Vec<Arc<Rule>>>,
    /// Filters that begin with a wildcard.
    any: Vec<Arc<Rule>>,
}

impl Directory {
    pub(super) fn new<'a>(rules: impl Iterator<Item = &'a Arc<Rule>>) -> Self {
        let mut directory = Self::default();
        for rule in rules.filter(|rule| !rule.is_disabled()) {
            let Some(filter) = &rule.query.filter else {
                continue;
            };
            let rules = if !filter.contains(['+', '#']) {
                directory.exact.entry(filter.clone()).or_default()
            } else if filter.starts_with(['+', '#']) {
                &mut directory.any
            } else {
                directory.by_first.entry(first(filter).to_owned()).or_default()
            };
            rules.push(rule.clone());
        }
        directory
    }

    /// The rules whose filter matches, by name.
    pub(super) fn matching(&self, topic: &str) -> Vec<Arc<Rule>> {
        let exact = self.exact.get(topic).into_iter().flatten();
        let wild = self.by_first.get(first(topic)).into_iter().flatten().chain(&self.any);
        let matching = wild.filter(|rule| filter_matches(rule.filter(), topic));
        let mut found: Vec<Arc<Rule>> = exact.chain(matching).cloned().collect();
        if found.len() > 1 {
            found.sort_by(|a, b| a.name.cmp(&b.name));
        }
        found
    }
}

fn first(topic: &str) -> &str {
    topic.split('/').next().unwrap_or(topic)
}
