//! Both Regions at once, and what is read from them for a comparison.
//!
//! A policy's document is read once in a while, not for each device that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::document::{Identity, Seen};
use crate::model::Policy;
use crate::outcome::Outcome;
use crate::policy;
use crate::ports::{Clock, Identities, Region};
use crate::rules::EXCLUDED_PREFIX;

/// How long the document of a policy is taken to be what was read.
pub const POLICY_MS_MAX: u64 = 60_000;

/// How many documents are remembered. Beyond this they are read again.
pub const POLICIES_MAX: usize = 1_000;

/// The names of both Regions, and of the account in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The Region in which devices live.
    pub primary: String,
    /// The Region that is kept ready.
    pub secondary: String,
    /// The account.
    pub account: String,
}

impl Names {
    /// The ARN of a certificate in a Region.
    pub fn certificate_arn(&self, region: &str, id: &str) -> String {
        policy::certificate_arn(region, &self.account, id)
    }

    /// The ARN of a group in a Region.
    pub fn group_arn(&self, region: &str, name: &str) -> String {
        policy::group_arn(region, &self.account, name)
    }
}

/// Both Regions.
#[derive(Debug)]
pub struct Regions<'a, P, S, C> {
    /// The Region in which devices live.
    pub primary: &'a P,
    /// The Region that is kept ready.
    pub secondary: &'a S,
    /// The clock.
    pub clock: &'a C,
    /// What they are called.
    pub names: Names,
    primary_policies: Policies,
    secondary_policies: Policies,
}

impl<'a, P: Region, S: Region, C: Clock> Regions<'a, P, S, C> {
    /// Both Regions.
    pub fn new(primary: &'a P, secondary: &'a S, clock: &'a C, names: Names) -> Self {
        let (primary_policies, secondary_policies) = (Policies::default(), Policies::default());
        Self { primary, secondary, clock, names, primary_policies, secondary_policies }
    }

    /// A policy of the primary.
    pub async fn primary_policy(&self, name: &str) -> Outcome<Option<Policy>> {
        self.primary_policies.get(self.primary, self.clock, name).await
    }

    /// A policy of the secondary.
    pub async fn secondary_policy(&self, name: &str) -> Outcome<Option<Policy>> {
        self.secondary_policies.get(self.secondary, self.clock, name).await
    }

    /// The principals of a thing in the primary with everything that makes them work.
    pub async fn primary_identity(&self, thing: &str) -> Outcome<Seen> {
        let principals = Principals::of(self.primary.thing_principals(thing).await?);
        let mut certificates = Vec::new();
        for id in &principals.certificates {
            certificates.extend(self.primary_certificate(id).await?);
        }
        Ok(Seen::Identity { certificates, others: principals.others.into_iter().collect() })
    }

    /// A certificate of the primary with its policies; none if it is gone, or is to stay there.
    pub async fn primary_certificate(&self, id: &str) -> Outcome<Option<Identity>> {
        let Some(certificate) = self.primary.certificate(id).await? else { return Ok(None) };
        let arn = self.names.certificate_arn(&self.names.primary, id);
        let names = self.primary.attached_policies(&arn).await?;
        if stays(&names) {
            return Ok(None);
        }
        let policies = self.primary_documents(&names).await?;
        Ok(Some(Identity { id: id.to_owned(), certificate, policies }))
    }

    /// The policies of a group of the primary.
    pub async fn primary_group_policies(&self, group: &str) -> Outcome<Vec<Policy>> {
        let arn = self.names.group_arn(&self.names.primary, group);
        let names = self.primary.attached_policies(&arn).await?;
        self.primary_documents(&names).await
    }

    async fn primary_documents(&self, names: &[String]) -> Outcome<Vec<Policy>> {
        let mut policies = Vec::new();
        for name in names {
            policies.extend(self.primary_policy(name).await?);
        }
        Ok(policies)
    }

    /// A document of the primary as the secondary should have it.
    pub fn there(&self, document: &str) -> Outcome<String> {
        policy::in_region(document, &self.names.primary, &self.names.secondary)
    }

    /// A document of the secondary as the primary would have it.
    pub fn home(&self, document: &str) -> Outcome<String> {
        policy::in_region(document, &self.names.secondary, &self.names.primary)
    }
}

/// Whether a certificate with these policies is the replicator's own equipment.
pub fn stays(policies: &[String]) -> bool {
    policies.iter().any(|name| name.starts_with(EXCLUDED_PREFIX))
}

/// The principals of a thing, told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principals {
    /// The identities of the certificates.
    pub certificates: BTreeSet<String>,
    /// All others.
    pub others: BTreeSet<String>,
}

impl Principals {
    /// Tells principals apart.
    pub fn of(arns: Vec<String>) -> Self {
        let mut principals = Self::default();
        for arn in arns {
            match policy::certificate_id(&arn) {
                Some(id) => principals.certificates.insert(id.to_owned()),
                None => principals.others.insert(arn),
            };
        }
        principals
    }
}

/// The policies of one Region that were read lately.
#[derive(Debug, Default)]
struct Policies {
    read: Mutex<BTreeMap<String, (u64, Option<Policy>)>>,
}

impl Policies {
    async fn get<I: Identities, C: Clock>(
        &self,
        region: &I,
        clock: &C,
        name: &str,
    ) -> Outcome<Option<Policy>> {
        let now_ms = clock.now_ms();
        {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((until_ms, policy)) = read.get(name)
                && now_ms < *until_ms
            {
                return Ok(policy.clone());
            }
        }
        let policy = region.policy(name).await?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= POLICIES_MAX {
            read.clear();
        }
        read.insert(name.to_owned(), (now_ms + POLICY_MS_MAX, policy.clone()));
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_from_other_principals() {
        let names = Names { account: "1".into(), ..Names::default() };
        let arn = names.certificate_arn("eu-west-1", "ab");
        let principals = Principals::of(vec![arn, "eu-west-1:pool".into()]);
        assert_eq!(principals.certificates, BTreeSet::from(["ab".to_owned()]));
        assert_eq!(principals.others.len(), 1);
        assert_eq!(names.group_arn("r", "g"), "arn:aws:iot:r:1:thinggroup/g");
    }

    #[test]
    fn a_certificate_with_a_policy_of_the_health_check_stays() {
        assert!(stays(&["a".into(), format!("{EXCLUDED_PREFIX}x")]));
        assert!(!stays(&["a".into()]));
    }
}
