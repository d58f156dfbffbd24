//! The stacks that there are: by name while they live, by id also afterwards; and the exports among them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    error::{exists, invalid, limit, no_stack},
    stack::Stack,
};
use crate::error::AwsError;

/// AWS's default of stacks in a Region.
const STACKS_MAX: usize = 2_000;
/// Deleted stacks that are kept. AWS keeps them for 90 days.
const DELETED_MAX: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct Store {
    /// By id.
    stacks: BTreeMap<String, Stack>,
    /// Physical ids of what is recorded only, by Region and type: names are taken once.
    pub(crate) recorded: BTreeSet<(String, String, String)>,
}

impl Store {
    /// The stacks of a Region, the newest first.
    pub(crate) fn of_region(&self, region: &str) -> Vec<&Stack> {
        let mut stacks: Vec<&Stack> = self.stacks.values().filter(|s| s.region == region).collect();
        stacks.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        stacks
    }

    fn id(&self, region: &str, name: &str) -> Option<String> {
        if name.starts_with("arn:") {
            return self.stacks.get(name).filter(|s| s.region == region).map(|s| s.id.clone());
        }
        let mut live = self.stacks.values().filter(|s| s.region == region && !s.is_deleted());
        live.find(|s| s.name == name).map(|s| s.id.clone())
    }

    /// The live stack of this name, or the stack of this id.
    pub(crate) fn get(&self, region: &str, name: &str) -> Result<&Stack, AwsError> {
        self.id(region, name).and_then(|id| self.stacks.get(&id)).ok_or_else(|| no_stack(name))
    }

    pub(crate) fn get_mut(&mut self, region: &str, name: &str) -> Result<&mut Stack, AwsError> {
        self.id(region, name).and_then(|id| self.stacks.get_mut(&id)).ok_or_else(|| no_stack(name))
    }

    /// The stack of an operation that runs.
    pub(crate) fn by_id(&mut self, id: &str) -> Result<&mut Stack, AwsError> {
        self.stacks.get_mut(id).ok_or_else(|| no_stack(id))
    }

    pub(crate) fn create(&mut self, stack: Stack) -> Result<(), AwsError> {
        if self.id(&stack.region, &stack.name).is_some() {
            return Err(exists(&stack.name));
        }
        let (deleted, live): (Vec<&Stack>, Vec<&Stack>) =
            self.stacks.values().filter(|s| s.region == stack.region).partition(|s| s.is_deleted());
        if live.len() >= STACKS_MAX {
            return Err(limit(format!("Limit for stack has been exceeded: {STACKS_MAX}")));
        }
        if deleted.len() >= DELETED_MAX
            && let Some(oldest) = deleted.iter().min_by_key(|s| s.deleted).map(|s| s.id.clone())
        {
            self.stacks.remove(&oldest);
        }
        self.stacks.insert(stack.id.clone(), stack);
        Ok(())
    }

    /// Names and values of a Region's exports, but those of one stack.
    pub(crate) fn exports(&self, region: &str, but: &str) -> BTreeMap<String, String> {
        self.stacks
            .values()
            .filter(|s| s.region == region && !s.is_deleted() && s.id != but)
            .flat_map(|s| &s.outputs)
            .filter_map(|o| Some((o.export.clone()?, o.value.clone())))
            .collect()
    }

    /// The stacks of a Region that take an export.
    pub(crate) fn importers<'a>(
        &'a self,
        region: &'a str,
        export: &'a str,
    ) -> impl Iterator<Item = &'a Stack> {
        self.stacks
            .values()
            .filter(move |s| s.region == region && !s.is_deleted() && s.imports.contains(export))
    }

    /// Refuses to give up or change exports that other stacks take. `kept` are the names and values that stay.
    pub(crate) fn check_exports(
        &self,
        stack: &Stack,
        kept: &BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        for output in &stack.outputs {
            let Some(export) = &output.export else { continue };
            let is_same = kept.get(export) == Some(&output.value);
            if !is_same && let Some(user) = self.importers(&stack.region, export).next() {
                let verb = if kept.contains_key(export) { "updated" } else { "deleted" };
                let name = &user.name;
                return Err(invalid(format!("Export {export} cannot be {verb} as it is in use by {name}")));
            }
        }
        Ok(())
    }
}
