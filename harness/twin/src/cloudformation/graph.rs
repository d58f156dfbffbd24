//! What waits for what: the order in which resources are made, and the reverse in which they are deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::{error::invalid, function::Scope};
use crate::error::AwsError;

/// Each node with the nodes that come before it. It has no circle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    /// The order of a template's resources whose conditions hold.
    pub(crate) fn of(scope: &Scope<'_>) -> Result<Self, AwsError> {
        let wanted = scope.wanted()?;
        let mut graph = BTreeMap::new();
        for name in &wanted {
            let Some(resource) = scope.template.resources.get(name) else { continue };
            let mut before = BTreeSet::new();
            scope.dependencies(&resource.properties, &mut before)?;
            if let Some(gone) = before.iter().find(|name| !wanted.contains(*name)) {
                return Err(invalid(format!(
                    "Template format error: Unresolved resource dependencies [{gone}] in the Resources block of the \
                     template"
                )));
            }
            // A resource may depend on one whose condition does not hold: then it waits for nothing.
            before.extend(resource.depends_on.iter().filter(|name| wanted.contains(*name)).cloned());
            graph.insert(name.clone(), before);
        }
        Self::new(graph)
    }

    /// Refuses circles. What is before a node and no node itself does not count.
    pub(crate) fn new(mut before: BTreeMap<String, BTreeSet<String>>) -> Result<Self, AwsError> {
        let nodes: BTreeSet<String> = before.keys().cloned().collect();
        for waits in before.values_mut() {
            waits.retain(|name| nodes.contains(name));
        }
        let mut left = before.clone();
        loop {
            let ready: BTreeSet<String> =
                left.iter().filter(|(_, waits)| waits.is_empty()).map(|(name, _)| name.clone()).collect();
            if ready.is_empty() {
                break;
            }
            left.retain(|name, _| !ready.contains(name));
            for waits in left.values_mut() {
                waits.retain(|name| !ready.contains(name));
            }
        }
        if left.is_empty() {
            return Ok(Self(before));
        }
        let names: Vec<&str> = left.keys().map(String::as_str).collect();
        Err(invalid(format!("Circular dependency between resources: [{}]", names.join(", "))))
    }

    /// The nodes, each with those that it waits for.
    pub(crate) fn nodes(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.0
    }

    /// The same with every arrow turned round.
    pub(crate) fn reversed(&self) -> Self {
        let mut after: BTreeMap<String, BTreeSet<String>> =
            self.0.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
        for (name, before) in &self.0 {
            for other in before {
                after.entry(other.clone()).or_default().insert(name.clone());
            }
        }
        Self(after)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(pairs: &[(&str, &[&str])]) -> Result<Graph, AwsError> {
        let owned = |names: &&[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Graph::new(pairs.iter().map(|(name, before)| ((*name).to_owned(), owned(before))).collect())
    }

    #[test]
    fn a_circle_is_refused_and_what_hangs_on_it_named() {
        let error = graph(&[("A", &["B"]), ("B", &["A"]), ("C", &[])]).unwrap_err();
        assert_eq!(error.message, "Circular dependency between resources: [A, B]");
        assert!(graph(&[("A", &["A"])]).is_err());
        assert!(graph(&[("A", &["B"]), ("B", &["C"]), ("C", &[])]).is_ok());
    }

    proptest! {
        /// Arrows from higher to lower numbers only: never a circle, and turned round twice it is the same.
        #[test]
        fn reversing_twice_changes_nothing(arrows in proptest::collection::vec((0_u8..12, 0_u8..12), 0..40)) {
            let mut before: BTreeMap<String, BTreeSet<String>> =
                (0..12).map(|n| (n.to_string(), BTreeSet::new())).collect();
            for (a, b) in arrows.into_iter().filter(|(a, b)| a != b) {
                before.entry(a.max(b).to_string()).or_default().insert(a.min(b).to_string());
            }
            let graph = Graph::new(before).unwrap();
            prop_assert_eq!(graph.reversed().reversed(), graph.clone());
            prop_assert!(Graph::new(graph.reversed().0).is_ok());
        }
    }
}
