//! Change sets: what an update would do, worked out beforehand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{
    function::{Known, Scope, text},
    kind,
    stack::{OnFailure, Plan, Resource, Stack},
};
use crate::error::AwsError;

/// Stands for what is known only once a resource is made.
const LATER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// What an update would do to one resource.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) action: &'static str,
    pub(crate) logical: String,
    pub(crate) physical: Option<String>,
    pub(crate) kind: String,
    /// Of a change of an existing resource: `True`, `False` or `Conditional`.
    pub(crate) replacement: Option<&'static str>,
    /// Properties that change, and whether they do for certain.
    pub(crate) properties: Vec<(String, bool)>,
}

/// A change set.
#[derive(Debug, Clone)]
pub(crate) struct ChangeSet {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) is_create: bool,
    pub(crate) plan: Plan,
    pub(crate) on_failure: Option<OnFailure>,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) execution: &'static str,
    pub(crate) changes: Vec<Change>,
    pub(crate) created: Timestamp,
}

/// The pseudo parameters of a stack.
pub(crate) fn pseudo(stack: &Stack, plan: &Plan, account: &str) -> BTreeMap<&'static str, Json> {
    BTreeMap::from([
        ("AWS::AccountId", json!(account)),
        ("AWS::NotificationARNs", json!(plan.notification_arns)),
        ("AWS::Partition", json!("aws")),
        ("AWS::Region", json!(stack.region)),
        ("AWS::StackId", json!(stack.id)),
        ("AWS::StackName", json!(stack.name)),
        ("AWS::URLSuffix", json!("amazonaws.com")),
    ])
}

/// What a plan would change of a stack. It is empty if nothing would.
pub(crate) fn changes(
    stack: &Stack,
    plan: &Plan,
    account: &str,
    exports: &BTreeMap<String, String>,
) -> Result<Vec<Change>, AwsError> {
    let pseudo = pseudo(stack, plan, account);
    let mut scope = Scope {
        template: &plan.template,
        parameters: &plan.parameters,
        pseudo: &pseudo,
        exports,
        resources: stack.known(),
        conditions: std::cell::RefCell::default(),
    };
    let wanted = scope.wanted()?;
    // What is not there yet, and what it will be called, is not known.
    for name in &wanted {
        let Some(declared) = plan.template.resources.get(name) else { continue };
        if stack.resources.get(name).is_none_or(|r| r.kind != declared.kind || r.physical.is_none()) {
            scope.resources.insert(name.clone(), later(&declared.kind, &plan.template));
        }
    }
    let graph = super::graph::Graph::of(&scope)?;
    let mut changes = Vec::new();
    let mut replaced = BTreeSet::new();
    let mut left: BTreeMap<String, BTreeSet<String>> = graph.nodes().clone();
    while let Some(name) = left.iter().find(|(_, before)| before.is_empty()).map(|(n, _)| n.clone()) {
        left.remove(&name);
        for before in left.values_mut() {
            before.remove(&name);
        }
        let Some(declared) = plan.template.resources.get(&name) else { continue };
        let properties = scope.resolve(&declared.properties)?.unwrap_or_default();
        let old = stack.resources.get(&name).filter(|r| r.physical.is_some());
        let Some(old) = old else {
            changes.push(Change {
                action: "Add",
                logical: name,
                physical: None,
                kind: declared.kind.clone(),
                replacement: None,
                properties: Vec::new(),
            });
            continue;
        };
        if let Some(change) = modification(
            old,
            &declared.kind,
            &properties,
            declared.deletion != old.deletion || declared.replacement != old.replacement,
        ) {
            if change.replacement == Some("True") {
                replaced.insert(name.clone());
                scope.resources.insert(name.clone(), later(&declared.kind, &plan.template));
            }
            changes.push(change);
        }
    }
    for (name, old) in stack.resources.iter().filter(|(name, _)| !wanted.contains(*name)) {
        changes.push(Change {
            action: "Remove",
            logical: name.clone(),
            physical: old.physical.clone(),
            kind: old.kind.clone(),
            replacement: None,
            properties: Vec::new(),
        });
    }
    changes.sort_by(|a, b| (a.action, &a.logical).cmp(&(b.action, &b.logical)));
    Ok(changes)
}

fn later(kind: &str, template: &super::template::Template) -> Known {
    let mut attributes = serde_json::Map::new();
    if let Some(kind) = kind::find(kind) {
        attributes.extend(kind.attributes.iter().map(|name| ((*name).to_owned(), json!(LATER))));
    }
    // Attributes of custom resources have any name: those that the template asks for.
    let mut found = super::function::References::default();
    let values =
        template.resources.values().map(|r| &r.properties).chain(template.outputs.values().map(|o| &o.value));
    values.for_each(|value| found.collect(value));
    attributes.extend(found.attributes.into_iter().map(|(_, attribute)| (attribute, json!(LATER))));
    Known { id: LATER.to_owned(), attributes }
}

fn modification(old: &Resource, kind: &str, properties: &Json, is_policy_changed: bool) -> Option<Change> {
    let change = |replacement, properties| Change {
        action: "Modify",
        logical: old.logical.clone(),
        physical: old.physical.clone(),
        kind: kind.to_owned(),
        replacement: Some(replacement),
        properties,
    };
    if old.kind != kind {
        return Some(change("True", Vec::new()));
    }
    let changed = changed(&old.properties, properties);
    if changed.is_empty() {
        return is_policy_changed.then(|| change("False", Vec::new()));
    }
    let is_later = |name: &str| properties[name].to_string().contains(LATER);
    let fixed = kind::find(kind).map(|k| k.replaced_by(&old.properties, properties)).unwrap_or_default();
    let is_certain = |path: &&str| !is_later(path.split('.').next().unwrap_or_default());
    let replacement = if fixed.iter().any(is_certain) {
        "True"
    } else if fixed.is_empty() {
        "False"
    } else {
        "Conditional"
    };
    let details = changed
        .into_iter()
        .map(|name| {
            let is_certain = !is_later(&name);
            (name, is_certain)
        })
        .collect();
    Some(change(replacement, details))
}

/// Names of the properties that differ. Text and numbers that read alike are equal.
pub(crate) fn changed(old: &Json, new: &Json) -> BTreeSet<String> {
    let names = |json: &Json| json.as_object().into_iter().flat_map(serde_json::Map::keys).cloned().collect();
    let (before, after): (BTreeSet<String>, BTreeSet<String>) = (names(old), names(new));
    before.union(&after).filter(|name| !is_same(&old[name.as_str()], &new[name.as_str()])).cloned().collect()
}

fn is_same(old: &Json, new: &Json) -> bool {
    match (old, new) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        _ => old == new || (text(old).is_some() && text(old) == text(new)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_and_numbers_that_read_alike_are_no_change() {
        let (old, new) = (json!({"A": "5", "B": {"c": [true]}}), json!({"A": 5, "B": {"c": ["true"]}}));
        assert_eq!(changed(&old, &new), BTreeSet::new());
        let other = json!({"A": 6, "B": {"c": ["true"]}, "C": 1});
        assert_eq!(changed(&old, &other), BTreeSet::from(["A".to_owned(), "C".to_owned()]));
    }

    proptest! {
        /// Nothing differs from itself, and what differs does so both ways.
        #[test]
        fn difference_is_symmetric(a in proptest::collection::btree_map("[A-C]", 0_i64..3, 0..3),
                                   b in proptest::collection::btree_map("[A-C]", 0_i64..3, 0..3)) {
            let (a, b) = (json!(a), json!(b));
            prop_assert!(changed(&a, &a).is_empty());
            prop_assert_eq!(changed(&a, &b), changed(&b, &a));
            prop_assert_eq!(changed(&a, &b).is_empty(), a == b);
        }
    }
}
