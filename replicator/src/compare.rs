//! Is it the same in both Regions? Field by field, not by existence.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::look::{Principals, Regions, stays};
use crate::model::{Shadow, Status, Thing};
use crate::outcome::Outcome;
use crate::policy;
use crate::ports::{Clock, Region};
use crate::rules::is_own;
use crate::shadow::diff;

/// One way in which the secondary is not what the primary is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "what", content = "name")]
pub enum Difference {
    /// There is no such thing.
    ThingAbsent,
    /// It has another type.
    TypeDiffers,
    /// It has other attributes.
    AttributesDiffer,
    /// A certificate of the thing is not registered.
    CertificateAbsent(String),
    /// A certificate is registered and is not attached to the thing.
    NotAttached(String),
    /// The thing has a certificate that it does not have in the primary.
    AttachedOnlyThere(String),
    /// A certificate has another status, and this is the primary's.
    StatusDiffers(String, Status),
    /// A certificate or group lacks a policy.
    PolicyNotAttached(String),
    /// A certificate or group has a policy that it does not have in the primary.
    PolicyOnlyThere(String),
    /// A policy is absent.
    PolicyAbsent(String),
    /// A policy's document differs, after its Region was rewritten.
    DocumentDiffers(String),
    /// The thing is not in a group.
    NotInGroup(String),
    /// The thing is in a group in which it is not in the primary.
    InGroupOnlyThere(String),
    /// A group is absent.
    GroupAbsent(String),
    /// A group lies under another one, whose policies are others.
    ParentDiffers(String),
    /// No authority registers devices in the primary.
    NoAuthority,
    /// An authority that registers devices is absent.
    AuthorityAbsent(String),
    /// An authority that registers devices is out of use.
    AuthorityInactive(String),
    /// An authority that registers devices in the primary registers none here.
    AuthorityRegistersNone(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThingAbsent => f.write_str("no such thing"),
            Self::TypeDiffers => f.write_str("another type"),
            Self::AttributesDiffer => f.write_str("other attributes"),
            Self::CertificateAbsent(id) => write!(f, "certificate {} is absent", short(id)),
            Self::NotAttached(id) => write!(f, "certificate {} is not attached", short(id)),
            Self::AttachedOnlyThere(id) => write!(f, "certificate {} is attached only there", short(id)),
            Self::StatusDiffers(id, status) => {
                write!(f, "certificate {} is not {status:?} there", short(id))
            }
            Self::PolicyNotAttached(name) => write!(f, "policy {name} is not attached"),
            Self::PolicyOnlyThere(name) => write!(f, "policy {name} is attached only there"),
            Self::PolicyAbsent(name) => write!(f, "policy {name} is absent"),
            Self::DocumentDiffers(name) => write!(f, "policy {name} has another document"),
            Self::NotInGroup(name) => write!(f, "not in group {name}"),
            Self::InGroupOnlyThere(name) => write!(f, "in group {name} only there"),
            Self::GroupAbsent(name) => write!(f, "group {name} is absent"),
            Self::ParentDiffers(name) => write!(f, "group {name} is under another group"),
            Self::NoAuthority => f.write_str("no authority registers devices in the primary"),
            Self::AuthorityAbsent(id) => write!(f, "authority {} is absent", short(id)),
            Self::AuthorityInactive(id) => write!(f, "authority {} is not active", short(id)),
            Self::AuthorityRegistersNone(id) => {
                write!(f, "authority {} does not register devices by itself", short(id))
            }
        }
    }
}

/// As much of a certificate's identity as a reader needs to find it.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Compares a thing itself.
pub fn thing(primary: &Thing, secondary: Option<&Thing>) -> Vec<Difference> {
    let Some(secondary) = secondary else { return vec![Difference::ThingAbsent] };
    let mut found = Vec::new();
    if primary.thing_type != secondary.thing_type {
        found.push(Difference::TypeDiffers);
    }
    if primary.attributes != secondary.attributes {
        found.push(Difference::AttributesDiffer);
    }
    found
}

/// Compares the groups of a thing.
pub fn groups(here: &[String], there: &[String]) -> Vec<Difference> {
    let (here, there) = (BTreeSet::from_iter(here), BTreeSet::from_iter(there));
    let missing = here.difference(&there).map(|name| Difference::NotInGroup((*name).clone()));
    let extra = there.difference(&here).map(|name| Difference::InGroupOnlyThere((*name).clone()));
    missing.chain(extra).collect()
}

/// What was found of a thing's certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// In what the secondary is not as the primary.
    pub differences: Vec<Difference>,
    /// Whether one of them is active in the primary.
    pub has_active: bool,
}

/// Whether two shadows have the same state; an empty section is as good as none.
pub fn shadow(primary: &Shadow, secondary: &Shadow) -> bool {
    fn bare(state: &Value) -> diff::Document<'_> {
        diff::Document { state, metadata: &Value::Null }
    }
    diff::update(&bare(&secondary.state), &bare(&primary.state), |_| false).0.is_none()
}

/// Whether two policy documents mean the same text, however it is spaced.
pub fn document(a: &str, b: &str) -> bool {
    a == b
        || matches!(
            (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)),
            (Ok(a), Ok(b)) if a == b
        )
}

impl<P: Region, S: Region, C: Clock> Regions<'_, P, S, C> {
    /// Compares the certificates of a thing and everything that makes them work.
    pub async fn compare_identity(&self, thing: &str) -> Outcome<Found> {
        let (here, there) =
            futures::join!(self.primary.thing_principals(thing), self.secondary.thing_principals(thing));
        let (here, there) = (Principals::of(here?).certificates, Principals::of(there?).certificates);
        let mut found = Found::default();
        for id in &here {
            let (status, differences) = self.certificate(id, Some(there.contains(id))).await?;
            found.has_active |= status == Some(Status::Active);
            found.differences.extend(differences);
        }
        for id in there.difference(&here) {
            let arn = self.names.certificate_arn(&self.names.secondary, id);
            if !stays(&self.secondary.attached_policies(&arn).await?) {
                found.differences.push(Difference::AttachedOnlyThere(id.clone()));
            }
        }
        Ok(found)
    }

    /// Compares a certificate of the primary: status, policies, documents; `attached` says whether
    /// the thing that it is looked at for has it in the secondary.
    pub async fn compare_certificate(&self, id: &str, attached: Option<bool>) -> Outcome<Vec<Difference>> {
        Ok(self.certificate(id, attached).await?.1)
    }

    /// Its status in the primary, and what differs.
    async fn certificate(
        &self,
        id: &str,
        attached: Option<bool>,
    ) -> Outcome<(Option<Status>, Vec<Difference>)> {
        let (here, there) = futures::join!(self.primary.certificate(id), self.secondary.certificate(id));
        // One that is gone in the meantime is no difference: its own deletion says so.
        let Some(here) = here? else { return Ok((None, Vec::new())) };
        let status = Some(here.status);
        let arn = self.names.certificate_arn(&self.names.primary, id);
        let wanted = self.primary.attached_policies(&arn).await?;
        if stays(&wanted) {
            return Ok((status, Vec::new()));
        }
        let Some(there) = there? else {
            return Ok((status, vec![Difference::CertificateAbsent(id.to_owned())]));
        };
        let mut found = Vec::new();
        if attached == Some(false) {
            found.push(Difference::NotAttached(id.to_owned()));
        }
        if here.status != there.status {
            found.push(Difference::StatusDiffers(id.to_owned(), here.status));
        }
        found.extend(self.compare_policies(&arn, wanted).await?);
        Ok((status, found))
    }

    /// Compares the policies of a group.
    pub async fn compare_group_policies(&self, group: &str) -> Outcome<Vec<Difference>> {
        let arn = self.names.group_arn(&self.names.primary, group);
        let wanted = self.primary.attached_policies(&arn).await?;
        self.compare_policies(&arn, wanted).await
    }

    async fn compare_policies(&self, arn: &str, wanted: Vec<String>) -> Outcome<Vec<Difference>> {
        let arn = policy::arn_in_region(arn, &self.names.primary, &self.names.secondary);
        let there = self.secondary.attached_policies(arn.as_deref().unwrap_or_default()).await?;
        let others = |names: Vec<String>| names.into_iter().filter(|name| !is_own(name)).collect();
        let (wanted, there): (BTreeSet<_>, BTreeSet<_>) = (others(wanted), others(there));
        let mut found = Vec::new();
        for name in &wanted {
            if there.contains(name) {
                found.extend(self.compare_policy(name).await?);
            } else {
                found.push(Difference::PolicyNotAttached(name.clone()));
            }
        }
        found.extend(there.difference(&wanted).map(|name| Difference::PolicyOnlyThere(name.clone())));
        Ok(found)
    }

    /// Compares the document of a policy.
    pub async fn compare_policy(&self, name: &str) -> Outcome<Option<Difference>> {
        let (here, there) = (self.primary_policy(name).await?, self.secondary_policy(name).await?);
        let Some(here) = here else { return Ok(None) };
        let Some(there) = there else { return Ok(Some(Difference::PolicyAbsent(name.to_owned()))) };
        let same = document(&self.there(&here.document)?, &there.document);
        Ok((!same).then(|| Difference::DocumentDiffers(name.to_owned())))
    }

    /// Compares the groups of a thing.
    pub async fn compare_groups(&self, thing: &str) -> Outcome<Vec<Difference>> {
        let (here, there) =
            futures::join!(self.primary.thing_groups(thing), self.secondary.thing_groups(thing));
        let others =
            |groups: Vec<String>| groups.into_iter().filter(|name| !is_own(name)).collect::<Vec<_>>();
        Ok(groups(&others(here?), &others(there?)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn d45_an_existing_thing_with_other_fields_is_not_the_same() {
        let primary = Thing { name: "t".into(), thing_type: Some("pump".into()), ..Thing::default() };
        let mut secondary = primary.clone();
        assert_eq!(thing(&primary, Some(&secondary)), []);
        secondary.thing_type = None;
        secondary.attributes.insert("a".into(), "b".into());
        assert_eq!(
            thing(&primary, Some(&secondary)),
            [Difference::TypeDiffers, Difference::AttributesDiffer]
        );
        assert_eq!(thing(&primary, None), [Difference::ThingAbsent]);
    }

    #[test]
    fn spaces_and_the_order_of_keys_are_no_difference() {
        assert!(document(r#"{"a":1,"b":[2]}"#, r#"{ "b": [2], "a": 1 }"#));
        assert!(!document(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(document("not json", "not json") && !document("not json", "{}"));
    }

    #[test]
    fn d45_shadows_are_compared_by_value() {
        let of = |state| Shadow { state, ..Shadow::default() };
        assert!(shadow(&of(json!({"reported": {"a": 1}})), &of(json!({"reported": {"a": 1.0}}))));
        assert!(!shadow(&of(json!({"reported": {"a": 1}})), &of(json!({"reported": {"a": 1, "b": 2}}))));
    }
}
