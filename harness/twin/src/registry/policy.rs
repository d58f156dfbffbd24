//! Policies and what they are attached to. The first edition keeps one version of each.

use std::{collections::BTreeSet, sync::Arc};

use super::{Registry, invalid, not_found};
use crate::{authorize::PolicyDocument, error::AwsError};

/// AWS's limit of a policy document, white space not counted.
const DOCUMENT_CHARS_MAX: usize = 2_048;
/// Policies attached to one certificate.
const POLICIES_PER_PRINCIPAL_MAX: usize = 10;

/// One policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) document: String,
    pub(crate) parsed: Arc<PolicyDocument>,
    pub(crate) created_s: i64,
    /// ARNs that it is attached to.
    pub(crate) targets: BTreeSet<String>,
}

impl Registry {
    pub(crate) fn create_policy(
        &mut self,
        name: &str,
        document: &str,
        now_s: i64,
    ) -> Result<Policy, AwsError> {
        if self.policies.contains_key(name) {
            return Err(AwsError::new(
                409,
                "ResourceAlreadyExistsException",
                format!("Policy cannot be created - name already exists (name={name})"),
            ));
        }
        if document.chars().filter(|c| !c.is_whitespace()).count() > DOCUMENT_CHARS_MAX {
            return Err(AwsError::new(
                400,
                "MalformedPolicyException",
                format!("Policy document is longer than {DOCUMENT_CHARS_MAX} characters"),
            ));
        }
        let parsed = PolicyDocument::parse(document)?;
        let policy = Policy {
            name: name.to_owned(),
            document: document.to_owned(),
            parsed: Arc::new(parsed),
            created_s: now_s,
            targets: BTreeSet::new(),
        };
        self.policies.insert(name.to_owned(), policy.clone());
        Ok(policy)
    }

    pub(crate) fn policy(&self, name: &str) -> Result<&Policy, AwsError> {
        self.policies.get(name).ok_or_else(|| not_found(format!("Policy not found. {name}")))
    }

    /// Policies by name.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values()
    }

    pub(crate) fn delete_policy(&mut self, name: &str) -> Result<(), AwsError> {
        if !self.policy(name)?.targets.is_empty() {
            return Err(AwsError::new(
                409,
                "DeleteConflictException",
                format!("Cannot delete the policy because it has a target attached (name={name})"),
            ));
        }
        self.policies.remove(name);
        Ok(())
    }

    pub(crate) fn attach_policy(&mut self, name: &str, target: &str) -> Result<(), AwsError> {
        self.policy(name)?;
        self.certificate_by_arn(target)?;
        let attached = self.attached_policies(target);
        if attached.len() >= POLICIES_PER_PRINCIPAL_MAX && !attached.iter().any(|p| p.name == name) {
            return Err(AwsError::new(
                410,
                "LimitExceededException",
                format!("The maximum number of policies per target is {POLICIES_PER_PRINCIPAL_MAX}"),
            ));
        }
        if let Some(policy) = self.policies.get_mut(name) {
            policy.targets.insert(target.to_owned());
        }
        Ok(())
    }

    pub(crate) fn detach_policy(&mut self, name: &str, target: &str) -> Result<(), AwsError> {
        let policy =
            self.policies.get_mut(name).ok_or_else(|| not_found(format!("Policy not found. {name}")))?;
        policy.targets.remove(target);
        Ok(())
    }

    pub(super) fn detach_all_policies(&mut self, target: &str) {
        for policy in self.policies.values_mut() {
            policy.targets.remove(target);
        }
    }

    /// The policies attached to a principal.
    pub(crate) fn attached_policies(&self, target: &str) -> Vec<&Policy> {
        self.policies.values().filter(|policy| policy.targets.contains(target)).collect()
    }
}

/// Refuses what is neither a name nor fits AWS's pattern of policy names.
pub(crate) fn check_policy_name(name: &str) -> Result<(), AwsError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(fits) {
        return Err(invalid("policyName must match [\\w+=,.@-]+ and have at most 128 characters"));
    }
    Ok(())
}
