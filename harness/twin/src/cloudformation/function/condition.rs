//! Conditions, and what of a template they leave: resources, dependencies, imports.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::{
    Scope, pair,
    reference::{References, call},
    text,
};
use crate::{cloudformation::error::invalid, error::AwsError};

/// Conditions within conditions.
const CONDITIONS_DEEP_MAX: usize = 32;

/// What a scope's conditions came to, so that each is worked out once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    known: BTreeMap<String, bool>,
    /// Being worked out, each for the one before it.
    under_way: Vec<String>,
}

impl Scope<'_> {
    /// Whether a condition of the template holds.
    pub(crate) fn condition(&self, name: &str) -> Result<bool, AwsError> {
        self.truth(&json!({"Condition": name}), 0)
    }

    fn named(&self, name: &str, depth: usize) -> Result<bool, AwsError> {
        let found = self.template.conditions.get(name);
        let condition = found
            .ok_or_else(|| invalid(format!("Template error: unresolved condition dependency {name}")))?;
        {
            let mut conditions = self.conditions.borrow_mut();
            if let Some(holds) = conditions.known.get(name) {
                return Ok(*holds);
            }
            // `Fn::If` within `Fn::Equals` begins anew with the depth: this bounds it too.
            let under_way = &mut conditions.under_way;
            if under_way.len() > CONDITIONS_DEEP_MAX || under_way.iter().any(|n| n == name) {
                return Err(circle());
            }
            under_way.push(name.to_owned());
        }
        let holds = self.truth(condition, depth + 1);
        let mut conditions = self.conditions.borrow_mut();
        conditions.under_way.pop();
        if let Ok(holds) = holds {
            conditions.known.insert(name.to_owned(), holds);
        }
        holds
    }

    pub(super) fn truth(&self, value: &Json, depth: usize) -> Result<bool, AwsError> {
        if depth > CONDITIONS_DEEP_MAX {
            return Err(circle());
        }
        // All of them, even if the first decides: one that is wrong is refused wherever it stands.
        let all = |argument: &Json| -> Result<Vec<bool>, AwsError> {
            argument.as_array().into_iter().flatten().map(|v| self.truth(v, depth + 1)).collect()
        };
        match call(value) {
            Some(("Condition", Json::String(name))) => self.named(name, depth),
            Some(("Fn::And", list)) => Ok(all(list)?.into_iter().all(|v| v)),
            Some(("Fn::Or", list)) => Ok(all(list)?.into_iter().any(|v| v)),
            Some(("Fn::Not", list)) => match all(list)?.as_slice() {
                [one] => Ok(!one),
                _ => Err(invalid("Template error: every Fn::Not object requires one argument")),
            },
            Some(("Fn::Equals", list)) => {
                let (left, right) = pair(list).ok_or_else(|| {
                    invalid("Template error: every Fn::Equals object requires a list of 2 string parameters.")
                })?;
                let (left, right) = (self.some(left)?, self.some(right)?);
                Ok(left == right || (text(&left).is_some() && text(&left) == text(&right)))
            }
            _ => match text(value).as_deref() {
                Some("true") => Ok(true),
                Some("false") => Ok(false),
                _ => Err(invalid(
                    "Template format error: Every Conditions member must be a condition function",
                )),
            },
        }
    }

    /// The resources of the template whose conditions hold.
    pub(crate) fn wanted(&self) -> Result<BTreeSet<String>, AwsError> {
        let mut wanted = BTreeSet::new();
        for (name, resource) in &self.template.resources {
            let holds = resource.condition.as_ref().map_or(Ok(true), |c| self.condition(c))?;
            if holds {
                wanted.insert(name.clone());
            }
        }
        Ok(wanted)
    }

    /// The resources that a value refers to: of `Fn::If` only the branch that is taken.
    pub(crate) fn dependencies(&self, value: &Json, found: &mut BTreeSet<String>) -> Result<(), AwsError> {
        if let Some(("Fn::If", argument)) = call(value)
            && let Some([condition, yes, no]) = argument.as_array().map(Vec::as_slice)
        {
            let holds = self.condition(condition.as_str().unwrap_or_default())?;
            return self.dependencies(if holds { yes } else { no }, found);
        }
        if let Some(("Ref" | "Fn::GetAtt" | "Fn::Sub", _)) = call(value) {
            let mut references = References::default();
            references.collect(value);
            let names = references.names.into_iter().chain(references.attributes.into_iter().map(|(r, _)| r));
            found.extend(names.filter(|name| self.template.resources.contains_key(name)));
            if let Some(("Fn::Sub", Json::Array(list))) = call(value)
                && let Some(variables) = list.get(1)
            {
                return self.dependencies(variables, found);
            }
            return Ok(());
        }
        match value {
            Json::Array(list) => list.iter().try_for_each(|v| self.dependencies(v, found)),
            Json::Object(map) => map.values().try_for_each(|v| self.dependencies(v, found)),
            _ => Ok(()),
        }
    }

    /// The exports of other stacks that a value takes.
    pub(crate) fn imports(&self, value: &Json, found: &mut BTreeSet<String>) -> Result<(), AwsError> {
        match call(value) {
            Some(("Fn::ImportValue", name)) => {
                found.insert(self.string(name, "the name of an import")?);
                Ok(())
            }
            Some(("Fn::If", argument)) => match argument.as_array().map(Vec::as_slice) {
                Some([condition, yes, no]) => {
                    let holds = self.condition(condition.as_str().unwrap_or_default())?;
                    self.imports(if holds { yes } else { no }, found)
                }
                _ => Ok(()),
            },
            _ => match value {
                Json::Array(list) => list.iter().try_for_each(|v| self.imports(v, found)),
                Json::Object(map) => map.values().try_for_each(|v| self.imports(v, found)),
                _ => Ok(()),
            },
        }
    }
}

fn circle() -> AwsError {
    invalid("Template error: conditions refer to each other in a circle or too deeply")
}
