//! Both Regions at once, and what is read of identities, for a document or for a comparison.
//!
//! A policy's document is read once in a while, not for each device that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::document::{Identity, Seen};
use crate::model::Policy;
use crate::outcome::Outcome;
use crate::policy;
use crate::ports::{Clock, Identities, Region, Things};
use crate::rules::is_own;

/// How long the document of a policy is taken to be what was read. Another function may have been told
/// of its change. It costs nothing but a call: the secondary never takes it over the policy's own document.
pub const POLICY_MS_MAX: u64 = 60_000;

/// How many documents are remembered. Beyond this they are read again.
pub const POLICIES_MAX: usize = 20_000;

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
        let (certificates, principals) = self.primary_reader().identity(thing).await?;
        Ok(Seen::Identity { certificates, others: principals.others.into_iter().collect() })
    }

    /// A certificate of the primary with its policies; none if it is gone, or is to stay there.
    pub async fn primary_certificate(&self, id: &str) -> Outcome<Option<Identity>> {
        self.primary_reader().certificate(id).await.map(Certificate::there)
    }

    /// The policies of a group of the primary.
    pub async fn primary_group_policies(&self, group: &str) -> Outcome<Vec<Policy>> {
        self.primary_reader().group_policies(group).await
    }

    fn primary_reader(&self) -> Reader<'_, P, C> {
        let Names { primary, account, .. } = &self.names;
        Reader {
            region: self.primary,
            clock: self.clock,
            name: primary,
            account,
            policies: &self.primary_policies,
        }
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
    policies.iter().any(|name| is_own(name))
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

/// A certificate as its Region has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// It is gone.
    Gone,
    /// It is the replicator's own, and stays in its Region.
    Own,
    /// It is there.
    There(Identity),
}

impl Certificate {
    /// What the other Region is to have of it.
    pub(crate) fn there(self) -> Option<Identity> {
        match self {
            Self::There(identity) => Some(identity),
            Self::Gone | Self::Own => None,
        }
    }
}

/// Reads the identities of one Region whole: certificates with their policies, and those with what they
/// say. Whatever is the replicator's own is left out.
#[derive(Debug)]
pub(crate) struct Reader<'a, R, C> {
    pub(crate) region: &'a R,
    pub(crate) clock: &'a C,
    pub(crate) name: &'a str,
    pub(crate) account: &'a str,
    pub(crate) policies: &'a Policies,
}

impl<R: Identities, C: Clock> Reader<'_, R, C> {
    /// A certificate.
    pub(crate) async fn certificate(&self, id: &str) -> Outcome<Certificate> {
        let Some(certificate) = self.region.certificate(id).await? else { return Ok(Certificate::Gone) };
        let arn = policy::certificate_arn(self.name, self.account, id);
        let names = self.region.attached_policies(&arn).await?;
        if stays(&names) {
            return Ok(Certificate::Own);
        }
        let policies = self.documents(names).await?;
        Ok(Certificate::There(Identity { id: id.to_owned(), certificate, policies }))
    }

    /// The policies of a group.
    pub(crate) async fn group_policies(&self, group: &str) -> Outcome<Vec<Policy>> {
        let names = self.region.attached_policies(&policy::group_arn(self.name, self.account, group)).await?;
        self.documents(names).await
    }

    async fn documents(&self, mut names: Vec<String>) -> Outcome<Vec<Policy>> {
        names.retain(|name| !is_own(name));
        names.sort();
        let mut policies = Vec::new();
        for name in names {
            // One that went away in between is not attached any more.
            policies.extend(self.policies.get(self.region, self.clock, &name).await?);
        }
        Ok(policies)
    }
}

impl<R: Things + Identities, C: Clock> Reader<'_, R, C> {
    /// The certificates of a thing, and all principals that it has.
    pub(crate) async fn identity(&self, thing: &str) -> Outcome<(Vec<Identity>, Principals)> {
        let principals = Principals::of(self.region.thing_principals(thing).await?);
        let mut certificates = Vec::new();
        for id in &principals.certificates {
            certificates.extend(self.certificate(id).await?.there());
        }
        Ok((certificates, principals))
    }
}

/// The policies of one Region that were read lately.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// Each has a lock of its own, which is held while it is read: many devices with one policy read it
    /// once, and wait for no other.
    read: Mutex<BTreeMap<String, Arc<Known>>>,
}

/// When a policy was read, and what it said.
type Known = tokio::sync::Mutex<Option<(u64, String)>>;

impl Policies {
    pub(crate) async fn get<I: Identities, C: Clock>(
        &self,
        region: &I,
        clock: &C,
        name: &str,
    ) -> Outcome<Option<Policy>> {
        let known = self.known(name);
        let mut known = known.lock().await;
        let now_ms = clock.now_ms();
        let policy = |document| Policy { name: name.to_owned(), document };
        if let Some((read_ms, document)) = known.as_ref()
            && read_ms.saturating_add(POLICY_MS_MAX) > now_ms
        {
            return Ok(Some(policy(document.clone())));
        }
        let document = region.policy(name).await?.map(|policy| policy.document);
        // One that is not there may be made at any moment.
        *known = document.clone().map(|document| (now_ms, document));
        Ok(document.map(policy))
    }

    /// Forgets what a policy said.
    pub(crate) fn forget(&self, name: &str) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn known(&self, name: &str) -> Arc<Known> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= POLICIES_MAX && !read.contains_key(name) {
            read.clear();
        }
        Arc::clone(read.entry(name.to_owned()).or_default())
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
        assert!(stays(&["a".into(), format!("{}x", crate::rules::EXCLUDED_PREFIX)]));
        assert!(!stays(&["a".into()]));
    }
}
