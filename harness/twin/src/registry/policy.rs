//! Policies and their versions. One version is the default: what attaches and authorises.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Registry, delete_conflict, invalid, not_found};
use crate::{authorize::PolicyDocument, error::AwsError};

/// AWS's limit of a policy document, white space not counted.
const DOCUMENT_CHARS_MAX: usize = 2_048;
const VERSIONS_MAX: usize = 5;

/// One policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) name: String,
    /// What `GetPolicy` calls `generationId`.
    pub(crate) generation: String,
    pub(crate) versions: BTreeMap<u64, PolicyVersion>,
    /// The version in force; always one of `versions`.
    pub(crate) default_version: u64,
    /// The default version's document, as given and parsed.
    pub(crate) document: String,
    pub(crate) parsed: Arc<PolicyDocument>,
    pub(crate) created_s: i64,
    pub(crate) modified_s: i64,
    /// ARNs that it is attached to.
    pub(crate) targets: BTreeSet<String>,
    /// The number of the next version: numbers are not used again.
    next_version: u64,
}

/// One version of a policy.
#[derive(Debug, Clone)]
pub(crate) struct PolicyVersion {
    pub(crate) document: String,
    pub(crate) created_s: i64,
    parsed: Arc<PolicyDocument>,
}

impl PolicyVersion {
    fn parse(document: &str, now_s: i64) -> Result<Self, AwsError> {
        if document.chars().filter(|c| !c.is_whitespace()).count() > DOCUMENT_CHARS_MAX {
            return Err(AwsError::new(
                400,
                "MalformedPolicyException",
                format!("Policy document is longer than {DOCUMENT_CHARS_MAX} characters"),
            ));
        }
        let parsed = Arc::new(PolicyDocument::parse(document)?);
        Ok(Self { document: document.to_owned(), created_s: now_s, parsed })
    }
}

impl Policy {
    /// The version of this id, as the API writes it.
    pub(crate) fn version(&self, id: &str) -> Result<(u64, &PolicyVersion), AwsError> {
        id.parse::<u64>()
            .ok()
            .and_then(|number| self.versions.get(&number).map(|version| (number, version)))
            .ok_or_else(|| not_found(format!("Policy version not found. {} version {id}", self.name)))
    }

    fn set_default(&mut self, number: u64) {
        if let Some(version) = self.versions.get(&number) {
            self.document = version.document.clone();
            self.parsed = version.parsed.clone();
            self.default_version = number;
        }
    }
}

impl Registry {
    pub(crate) fn create_policy(
        &mut self,
        name: &str,
        document: &str,
        now_s: i64,
    ) -> Result<Policy, AwsError> {
        check_policy_name(name)?;
        if self.policies.contains_key(name) {
            return Err(AwsError::new(
                409,
                "ResourceAlreadyExistsException",
                format!("Policy cannot be created - name already exists (name={name})"),
            )
            .with("resourceId", name)
            .with("resourceArn", self.arn(&format!("policy/{name}"))));
        }
        let version = PolicyVersion::parse(document, now_s)?;
        let policy = Policy {
            name: name.to_owned(),
            generation: uuid::Uuid::new_v4().to_string(),
            default_version: 1,
            document: document.to_owned(),
            parsed: version.parsed.clone(),
            versions: BTreeMap::from([(1, version)]),
            created_s: now_s,
            modified_s: now_s,
            targets: BTreeSet::new(),
            next_version: 2,
        };
        self.policies.insert(name.to_owned(), policy.clone());
        Ok(policy)
    }

    pub(crate) fn policy(&self, name: &str) -> Result<&Policy, AwsError> {
        self.policies.get(name).ok_or_else(|| not_found(format!("Policy not found. {name}")))
    }

    pub(super) fn policy_mut(&mut self, name: &str) -> Result<&mut Policy, AwsError> {
        self.policies.get_mut(name).ok_or_else(|| not_found(format!("Policy not found. {name}")))
    }

    /// Policies by name.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values()
    }

    pub(crate) fn delete_policy(&mut self, name: &str) -> Result<(), AwsError> {
        let policy = self.policy(name)?;
        if !policy.targets.is_empty() {
            return Err(delete_conflict(format!(
                "Cannot delete the policy because it has a target attached (name={name})"
            )));
        }
        if policy.versions.len() > 1 {
            return Err(delete_conflict(format!(
                "Cannot delete the policy because it has one or more policy versions attached to it (name={name})"
            )));
        }
        self.policies.remove(name);
        self.forget_tags(&self.arn(&format!("policy/{name}")));
        Ok(())
    }

    /// Adds a version and answers its number.
    pub(crate) fn create_policy_version(
        &mut self,
        name: &str,
        document: &str,
        set_as_default: bool,
        now_s: i64,
    ) -> Result<u64, AwsError> {
        let policy = self.policy_mut(name)?;
        if policy.versions.len() >= VERSIONS_MAX {
            return Err(AwsError::new(
                409,
                "VersionsLimitExceededException",
                format!("The policy {name} already has the maximum number of versions ({VERSIONS_MAX})"),
            ));
        }
        let version = PolicyVersion::parse(document, now_s)?;
        let number = policy.next_version;
        policy.next_version += 1;
        policy.modified_s = now_s;
        policy.versions.insert(number, version);
        if set_as_default {
            policy.set_default(number);
        }
        Ok(number)
    }

    pub(crate) fn set_default_policy_version(
        &mut self,
        name: &str,
        id: &str,
        now_s: i64,
    ) -> Result<(), AwsError> {
        let policy = self.policy_mut(name)?;
        let (number, _) = policy.version(id)?;
        policy.set_default(number);
        policy.modified_s = now_s;
        Ok(())
    }

    pub(crate) fn delete_policy_version(&mut self, name: &str, id: &str) -> Result<(), AwsError> {
        let policy = self.policy_mut(name)?;
        let (number, _) = policy.version(id)?;
        if number == policy.default_version {
            return Err(delete_conflict(format!(
                "Cannot delete the default version of a policy (name={name}, version={id})"
            )));
        }
        policy.versions.remove(&number);
        Ok(())
    }
}

/// Refuses what is neither a name nor fits AWS's pattern of policy names.
fn check_policy_name(name: &str) -> Result<(), AwsError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(fits) {
        return Err(invalid("policyName must match [\\w+=,.@-]+ and have at most 128 characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(action: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#
        )
    }

    #[test]
    fn five_versions_whose_numbers_are_never_used_again() {
        let mut r = Registry::new("us-east-1", "123456789012");
        r.create_policy("p", &document("iot:Connect"), 0).unwrap();
        for number in 2..=5 {
            assert_eq!(r.create_policy_version("p", &document("iot:Publish"), false, 0).unwrap(), number);
        }
        let sixth = r.create_policy_version("p", &document("iot:Publish"), false, 0).unwrap_err();
        assert_eq!((sixth.status, sixth.code), (409, "VersionsLimitExceededException"));
        r.delete_policy_version("p", "5").unwrap();
        assert_eq!(r.create_policy_version("p", &document("iot:Publish"), false, 0).unwrap(), 6);
    }

    #[test]
    fn the_default_version_is_in_force_and_stays() {
        let mut r = Registry::new("us-east-1", "123456789012");
        r.create_policy("p", &document("iot:Connect"), 0).unwrap();
        r.create_policy_version("p", &document("iot:Publish"), true, 1).unwrap();
        assert_eq!(r.policy("p").unwrap().document, document("iot:Publish"));
        assert_eq!(r.delete_policy_version("p", "2").unwrap_err().code, "DeleteConflictException");
        assert_eq!(r.delete_policy("p").unwrap_err().code, "DeleteConflictException");
        r.set_default_policy_version("p", "1", 2).unwrap();
        assert_eq!(r.policy("p").unwrap().document, document("iot:Connect"));
        r.delete_policy_version("p", "2").unwrap();
        assert_eq!(r.set_default_policy_version("p", "2", 3).unwrap_err().code, "ResourceNotFoundException");
        r.delete_policy("p").unwrap();
    }

    #[test]
    fn a_malformed_document_makes_no_version() {
        let mut r = Registry::new("us-east-1", "123456789012");
        r.create_policy("p", &document("iot:Connect"), 0).unwrap();
        for bad in ["{", "{}", &document(&"x".repeat(2_048))] {
            assert_eq!(
                r.create_policy_version("p", bad, true, 0).unwrap_err().code,
                "MalformedPolicyException"
            );
        }
        assert_eq!(r.policy("p").unwrap().versions.len(), 1);
    }
}
