//! Traffic policies and their instances: pure state. The records of an instance are in its zone; this knows whose they
//! are.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::{
    error::AwsError,
    route53::{
        record::{RecordSet, RecordType},
        traffic_document::Document,
    },
};

/// Policies (L-FC688E7C), policy records (L-628D5A56) and versions of a policy, as AWS has them.
const POLICIES_MAX: usize = 50;
const INSTANCES_MAX: usize = 5;
const VERSION_MAX: u32 = 1_000;
const NAME_CHARS_MAX: usize = 512;
const COMMENT_CHARS_MAX: usize = 1_024;

/// A traffic policy: its versions share id, name and type.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: RecordType,
    pub(crate) versions: BTreeMap<u32, Version>,
    /// Numbers are not used again.
    version_next: u32,
}

/// One version of a policy.
#[derive(Debug)]
pub(crate) struct Version {
    /// As it was given.
    pub(crate) text: String,
    pub(crate) document: Document,
    pub(crate) comment: Option<String>,
}

/// A policy applied to a name: a policy record.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) zone_id: String,
    /// Absolute and in lower case.
    pub(crate) name: String,
    pub(crate) ttl_s: u32,
    pub(crate) policy_id: String,
    pub(crate) version: u32,
    pub(crate) kind: RecordType,
    /// Why its records could not be made as it says; empty if they were.
    pub(crate) fault: String,
    /// What is in the zone on its behalf.
    pub(crate) records: Vec<RecordSet>,
}

/// The account's policies and instances, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    policies: IndexMap<String, Policy>,
    instances: IndexMap<String, Instance>,
}

fn limit(code: &'static str, message: &str) -> AwsError {
    AwsError::new(400, code, message)
}

fn check_text(member: &str, text: &str, chars_max: usize) -> Result<(), AwsError> {
    if text.chars().count() > chars_max {
        return Err(limit("InvalidInput", &format!("{member} has more than {chars_max} characters")));
    }
    Ok(())
}

impl Traffic {
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values()
    }

    pub(crate) fn policy(&self, id: &str) -> Result<&Policy, AwsError> {
        self.policies.get(id).ok_or_else(|| no_policy(id))
    }

    pub(crate) fn version(&self, id: &str, number: u32) -> Result<(&Policy, &Version), AwsError> {
        let policy = self.policy(id)?;
        policy.versions.get(&number).map(|version| (policy, version)).ok_or_else(|| no_policy(id))
    }

    pub(crate) fn create(
        &mut self,
        id: String,
        name: &str,
        text: &str,
        comment: Option<String>,
    ) -> Result<(), AwsError> {
        if name.is_empty() {
            return Err(limit("InvalidInput", "Name is required"));
        }
        check_text("Name", name, NAME_CHARS_MAX)?;
        if self.policies.values().any(|p| p.name == name) {
            let message = format!("A traffic policy with the name {name} already exists");
            return Err(AwsError::new(409, "TrafficPolicyAlreadyExists", message));
        }
        if self.policies.len() >= POLICIES_MAX {
            let message = format!("This account has the limit of {POLICIES_MAX} traffic policies");
            return Err(limit("TooManyTrafficPolicies", &message));
        }
        let version = Version::new(text, comment)?;
        let policy = Policy {
            id: id.clone(),
            name: name.to_owned(),
            kind: version.document.kind,
            versions: BTreeMap::from([(1, version)]),
            version_next: 2,
        };
        self.policies.insert(id, policy);
        Ok(())
    }

    /// Adds a version and says its number.
    pub(crate) fn add_version(
        &mut self,
        id: &str,
        text: &str,
        comment: Option<String>,
    ) -> Result<u32, AwsError> {
        let policy = self.policies.get_mut(id).ok_or_else(|| no_policy(id))?;
        let number = policy.version_next;
        if number > VERSION_MAX {
            let message = format!("This policy has the limit of {VERSION_MAX} versions");
            return Err(limit("TooManyTrafficPolicyVersionsForCurrentPolicy", &message));
        }
        let version = Version::new(text, comment)?;
        if version.document.kind != policy.kind {
            return Err(limit(
                "InvalidTrafficPolicyDocument",
                "Invalid traffic policy document: RecordType of a policy cannot change",
            ));
        }
        policy.versions.insert(number, version);
        policy.version_next += 1;
        Ok(number)
    }

    pub(crate) fn comment(&mut self, id: &str, number: u32, comment: String) -> Result<(), AwsError> {
        check_text("Comment", &comment, COMMENT_CHARS_MAX)?;
        let policy = self.policies.get_mut(id).ok_or_else(|| no_policy(id))?;
        policy.versions.get_mut(&number).ok_or_else(|| no_policy(id))?.comment = Some(comment);
        Ok(())
    }

    /// Removes a version that no instance uses, and the policy with its last one.
    pub(crate) fn delete_version(&mut self, id: &str, number: u32) -> Result<(), AwsError> {
        self.version(id, number)?;
        if self.instances.values().any(|i| i.policy_id == id && i.version == number) {
            let message = format!("Version {number} of traffic policy {id} is in use");
            return Err(limit("TrafficPolicyInUse", &message));
        }
        if let Some(policy) = self.policies.get_mut(id) {
            policy.versions.remove(&number);
            if policy.versions.is_empty() {
                self.policies.shift_remove(id);
            }
        }
        Ok(())
    }

    pub(crate) fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    pub(crate) fn instance(&self, id: &str) -> Result<&Instance, AwsError> {
        self.instances.get(id).ok_or_else(|| no_instance(id))
    }

    /// Whether there is room for one more at this name.
    pub(crate) fn check_new(&self, zone_id: &str, name: &str, kind: RecordType) -> Result<(), AwsError> {
        if self.owner(zone_id, name, kind).is_some() {
            let message = format!("There is already a traffic policy instance of {} {name}", kind.as_str());
            return Err(AwsError::new(409, "TrafficPolicyInstanceAlreadyExists", message));
        }
        if self.instances.len() >= INSTANCES_MAX {
            let message = format!("This account has the limit of {INSTANCES_MAX} traffic policy instances");
            return Err(limit("TooManyTrafficPolicyInstances", &message));
        }
        Ok(())
    }

    pub(crate) fn put_instance(&mut self, instance: Instance) {
        self.instances.insert(instance.id.clone(), instance);
    }

    pub(crate) fn remove_instance(&mut self, id: &str) {
        self.instances.shift_remove(id);
    }

    /// The instance that a name's records of a type belong to.
    pub(crate) fn owner(&self, zone_id: &str, name: &str, kind: RecordType) -> Option<&Instance> {
        self.instances.values().find(|i| i.zone_id == zone_id && i.name == name && i.kind == kind)
    }
}

impl Policy {
    pub(crate) fn version_latest(&self) -> u32 {
        self.versions.keys().next_back().copied().unwrap_or_default()
    }
}

impl Version {
    fn new(text: &str, comment: Option<String>) -> Result<Self, AwsError> {
        check_text("Comment", comment.as_deref().unwrap_or_default(), COMMENT_CHARS_MAX)?;
        Ok(Self { text: text.to_owned(), document: Document::parse(text)?, comment })
    }
}

fn no_policy(id: &str) -> AwsError {
    AwsError::new(404, "NoSuchTrafficPolicy", format!("No traffic policy exists with ID: {id}"))
}

fn no_instance(id: &str) -> AwsError {
    AwsError::new(
        404,
        "NoSuchTrafficPolicyInstance",
        format!("No traffic policy instance exists with ID: {id}"),
    )
}
