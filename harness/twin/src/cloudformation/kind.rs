//! The resource types that there are: their properties, what a change of them does, and their attributes.

mod surrounding;
mod workload;

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::change_set::changed;

/// A resource type.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
    /// Properties, also nested ones as `A.B`, whose change makes a new resource.
    pub(crate) fixed: &'static [&'static str],
    /// What `Fn::GetAtt` knows.
    pub(crate) attributes: &'static [&'static str],
    /// The property that names it. A named resource cannot be replaced under its name.
    pub(crate) named_by: Option<&'static str>,
    /// Any property, and any attribute, is fine.
    pub(crate) is_open: bool,
}

const NONE: Kind = Kind {
    name: "",
    required: &[],
    optional: &[],
    fixed: &[],
    attributes: &[],
    named_by: None,
    is_open: false,
};

const CUSTOM: Kind =
    Kind { name: "AWS::CloudFormation::CustomResource", required: &["ServiceToken"], is_open: true, ..NONE };

static CUSTOM_KIND: Kind = CUSTOM;

/// Every type but the custom ones.
fn all() -> impl Iterator<Item = &'static Kind> {
    workload::KINDS.iter().chain(surrounding::KINDS)
}

/// The type of this name.
pub(crate) fn find(name: &str) -> Option<&'static Kind> {
    if name == CUSTOM.name || name.starts_with("Custom::") {
        return Some(&CUSTOM_KIND);
    }
    all().find(|kind| kind.name == name)
}

impl Kind {
    pub(crate) fn has_attribute(&self, name: &str) -> bool {
        self.attributes.contains(&name) || (self.is_open && self.attributes.is_empty())
    }

    /// Refuses properties that the type does not have, and a lack of those that it needs.
    pub(crate) fn check(&self, properties: &Json) -> Result<(), String> {
        let names: BTreeSet<&str> =
            properties.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let is_known = |name: &&str| {
            self.required.contains(name)
                || self.optional.contains(name)
                || self.fixed.iter().any(|fixed| fixed == name)
        };
        let mut wrong: Vec<String> = self
            .required
            .iter()
            .filter(|name| !names.contains(*name))
            .map(|name| format!("#: required key [{name}] not found"))
            .collect();
        if !self.is_open {
            let extra = names.iter().filter(|name| !is_known(name));
            wrong.extend(extra.map(|name| format!("#: extraneous key [{name}] is not permitted")));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// The fixed properties that differ: with any of them a new resource is made.
    pub(crate) fn replaced_by(&self, old: &Json, new: &Json) -> Vec<&'static str> {
        let differs = |path: &&&'static str| match path.split_once('.') {
            Some((outer, inner)) => changed(&old[outer], &new[outer]).contains(inner),
            None => changed(old, new).contains(**path),
        };
        self.fixed.iter().filter(differs).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_found_by_name_and_named_once() {
        let names: BTreeSet<&str> = all().map(|kind| kind.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|kind| find(kind.name).is_some_and(|found| found.name == kind.name)));
        assert!(find("Custom::Anything").is_some());
        assert!(find("AWS::EC2::Instance").is_none());
        for kind in all() {
            assert!(kind.named_by.is_none_or(|name| kind.fixed.contains(&name)), "{}", kind.name);
        }
    }

    #[test]
    fn properties_are_checked_by_name() {
        let rule = find("AWS::IoT::TopicRule").unwrap();
        assert_eq!(rule.check(&json!({"TopicRulePayload": {}, "RuleName": "r"})), Ok(()));
        let wrong = rule.check(&json!({"Rulename": "r"})).unwrap_err();
        assert_eq!(
            wrong,
            "#: required key [TopicRulePayload] not found\n#: extraneous key [Rulename] is not permitted"
        );
    }

    #[test]
    fn nested_properties_may_be_fixed() {
        let check = find("AWS::Route53::HealthCheck").unwrap();
        let config = |kind: &str, port: u16| json!({"HealthCheckConfig": {"Type": kind, "Port": port}});
        assert!(check.replaced_by(&config("TCP", 1), &config("TCP", 2)).is_empty());
        assert_eq!(check.replaced_by(&config("TCP", 1), &config("HTTP", 1)), ["HealthCheckConfig.Type"]);
    }
}
