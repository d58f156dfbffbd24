//! Certificates, policies and what ties them.

use std::collections::BTreeMap;

use super::{RegionState, absent, arn, conflict, exists, group_arn};
use crate::model::{Certificate, Policy, Status};
use crate::outcome::Outcome;

/// How many versions a policy may have.
const VERSIONS_MAX: usize = 5;

/// A policy with its versions by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PolicyState {
    pub(crate) versions: BTreeMap<u64, String>,
    /// The default version; the last one made.
    pub(crate) default: u64,
}

impl PolicyState {
    /// The document of the default version.
    pub(crate) fn document(&self) -> &str {
        &self.versions[&self.default]
    }
}

impl RegionState {
    /// Registers a certificate whose PEM is [`super::pem`] of its identity.
    pub(crate) fn register_certificate(&mut self, pem: &str, active: bool) -> Outcome<()> {
        let id = pem.strip_prefix("pem-").unwrap_or_else(|| panic!("{pem} is not a PEM of a test"));
        if self.certificates.contains_key(id) {
            return Err(exists("register certificate"));
        }
        let status = if active { Status::Active } else { Status::Inactive };
        self.certificates.insert(id.to_owned(), Certificate { pem: pem.to_owned(), status });
        Ok(())
    }

    pub(crate) fn set_status(&mut self, id: &str, status: Status) -> Outcome<()> {
        self.certificates.get_mut(id).ok_or_else(|| absent("set status"))?.status = status;
        self.pending.remove(id);
        Ok(())
    }

    pub(crate) fn delete_certificate(&mut self, id: &str) -> Outcome<()> {
        let there = self.certificates.get(id).ok_or_else(|| absent("delete certificate"))?;
        let arn = arn(self.name, id);
        if there.status == Status::Active {
            return Err(conflict("delete certificate", "it is active"));
        }
        if !self.principal_things(&arn).is_empty() {
            return Err(conflict("delete certificate", "a thing uses it"));
        }
        self.certificates.remove(id);
        self.attached.retain(|(target, _)| *target != arn);
        Ok(())
    }

    /// The policy's default version.
    pub(crate) fn policy(&self, name: &str) -> Option<Policy> {
        let there = self.policies.get(name)?;
        Some(Policy { name: name.to_owned(), document: there.document().to_owned() })
    }

    pub(crate) fn create_policy(&mut self, policy: &Policy) -> Outcome<()> {
        if self.policies.contains_key(&policy.name) {
            return Err(exists("create policy"));
        }
        let versions = BTreeMap::from([(1, policy.document.clone())]);
        self.policies.insert(policy.name.clone(), PolicyState { versions, default: 1 });
        Ok(())
    }

    pub(crate) fn put_policy(&mut self, policy: &Policy) -> Outcome<()> {
        let there = self.policies.get_mut(&policy.name).ok_or_else(|| absent("put policy"))?;
        if there.versions.len() == VERSIONS_MAX {
            let oldest = there.versions.keys().copied().find(|version| *version != there.default);
            oldest.map(|version| there.versions.remove(&version));
        }
        let number = there.versions.last_key_value().map_or(1, |(last, _)| last + 1);
        there.versions.insert(number, policy.document.clone());
        there.default = number;
        Ok(())
    }

    pub(crate) fn delete_policy(&mut self, name: &str) -> Outcome<()> {
        if !self.policies.contains_key(name) {
            return Err(absent("delete policy"));
        }
        if !self.policy_targets(name).is_empty() {
            return Err(conflict("delete policy", "something has it"));
        }
        self.policies.remove(name);
        Ok(())
    }

    pub(crate) fn attached_policies(&self, target: &str) -> Vec<String> {
        let of = self.attached.iter().filter(|(arn, _)| arn == target);
        of.map(|(_, name)| name.clone()).collect()
    }

    pub(crate) fn policy_targets(&self, name: &str) -> Vec<String> {
        let of = self.attached.iter().filter(|(_, policy)| policy == name);
        of.map(|(target, _)| target.clone()).collect()
    }

    fn target_there(&self, target: &str) -> bool {
        self.certificates.keys().any(|id| arn(self.name, id) == target)
            || self.groups.keys().any(|name| group_arn(self.name, name) == target)
    }

    pub(crate) fn attach_policy(&mut self, name: &str, target: &str) -> Outcome<()> {
        if !self.policies.contains_key(name) || !self.target_there(target) {
            return Err(absent("attach policy"));
        }
        self.attached.insert((target.to_owned(), name.to_owned()));
        Ok(())
    }

    pub(crate) fn detach_policy(&mut self, name: &str, target: &str) -> Outcome<()> {
        if !self.policies.contains_key(name) || !self.target_there(target) {
            return Err(absent("detach policy"));
        }
        self.attached.remove(&(target.to_owned(), name.to_owned()));
        Ok(())
    }
}
