//! One Region's registry, identities and shadows.
//!
//! What a list is asked about and is not there has an empty list. What is described and is not there
//! is `None`.

use std::future::Future;

use serde_json::Value;

use crate::model::{
    Authority, Certificate, DescribedCertificate, DescribedThing, Group, Incarnation, Page, Policy, Shadow,
    Status, Thing, ThingType, Written,
};
use crate::outcome::Outcome;

/// A Region: all ports of this file.
pub trait Region: Things + Types + Groups + Identities + Shadows {}
impl<T: Things + Types + Groups + Identities + Shadows> Region for T {}

/// Things and what is attached to them.
pub trait Things: Sync {
    /// A thing.
    fn thing(&self, name: &str) -> impl Future<Output = Outcome<Option<DescribedThing>>> + Send;
    /// Things, a page at a time: those that a query of the fleet index finds, or without one all.
    fn things(
        &self,
        query: Option<&str>,
        from: Option<&str>,
    ) -> impl Future<Output = Outcome<Page<DescribedThing>>> + Send;
    /// Makes a thing. `Exists` if there is one that differs, `NotFound` if its type is not there.
    fn create_thing(&self, thing: &Thing) -> impl Future<Output = Outcome<()>> + Send;
    /// Replaces all attributes and the type of a thing. `Conflict` unless `expected`, if given, is its
    /// version.
    fn update_thing(&self, thing: &Thing, expected: Option<u64>) -> impl Future<Output = Outcome<()>> + Send;
    /// Deletes a thing that has no principals. It leaves its groups; its shadows stay. `Conflict` while
    /// it has some, and unless `expected`, if given, is its version.
    fn delete_thing(&self, name: &str, expected: Option<u64>) -> impl Future<Output = Outcome<()>> + Send;
    /// The ARNs of a thing's principals.
    fn thing_principals(&self, thing: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// The things of a principal.
    fn principal_things(&self, principal: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// Attaches a principal to a thing. `NotFound` if one of them is not there.
    fn attach_principal(&self, thing: &str, principal: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Detaches a principal from a thing.
    fn detach_principal(&self, thing: &str, principal: &str) -> impl Future<Output = Outcome<()>> + Send;
}

/// Thing types.
pub trait Types: Sync {
    /// A type.
    fn thing_type(&self, name: &str) -> impl Future<Output = Outcome<Option<ThingType>>> + Send;
    /// All types, a page at a time.
    fn thing_types(&self, from: Option<&str>) -> impl Future<Output = Outcome<Page<ThingType>>> + Send;
    /// The incarnation of a type; types have no version, so that is zero.
    fn type_incarnation(&self, name: &str) -> impl Future<Output = Outcome<Option<Incarnation>>> + Send;
    /// Makes a type, not deprecated. `Exists` if there is one that differs.
    fn create_thing_type(&self, thing_type: &ThingType) -> impl Future<Output = Outcome<()>> + Send;
    /// Deprecates a type, or takes that back.
    fn deprecate_thing_type(&self, name: &str, deprecated: bool) -> impl Future<Output = Outcome<()>> + Send;
    /// Deletes a type. `Conflict` while a thing has it, or it was not deprecated five minutes ago.
    fn delete_thing_type(&self, name: &str) -> impl Future<Output = Outcome<()>> + Send;
}

/// Thing groups and who is in them.
pub trait Groups: Sync {
    /// A static group.
    fn group(&self, name: &str) -> impl Future<Output = Outcome<Option<Group>>> + Send;
    /// The names of all groups, a page at a time.
    fn groups(&self, from: Option<&str>) -> impl Future<Output = Outcome<Page<String>>> + Send;
    /// The incarnation of a static group.
    fn group_incarnation(&self, name: &str) -> impl Future<Output = Outcome<Option<Incarnation>>> + Send;
    /// Makes a group. `Exists` if there is one that differs, `NotFound` if its parent is not there.
    fn create_group(&self, group: &Group) -> impl Future<Output = Outcome<()>> + Send;
    /// Replaces a group's description and all its attributes. `Conflict` unless `expected`, if given, is
    /// its version.
    fn update_group(&self, group: &Group, expected: Option<u64>) -> impl Future<Output = Outcome<()>> + Send;
    /// Deletes a group. `Conflict` while it has groups under it, and unless `expected`, if given, is its
    /// version.
    fn delete_group(&self, name: &str, expected: Option<u64>) -> impl Future<Output = Outcome<()>> + Send;
    /// The names of the static groups that a thing is in.
    fn thing_groups(&self, thing: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// Adds a thing to a group. `NotFound` if one of them is not there.
    fn add_to_group(&self, group: &str, thing: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Takes a thing out of a group.
    fn remove_from_group(&self, group: &str, thing: &str) -> impl Future<Output = Outcome<()>> + Send;
}

/// Certificates, policies and what ties them. A target is the ARN of a certificate or of a group.
pub trait Identities: Sync {
    /// A certificate by its identity.
    fn described_certificate(
        &self,
        id: &str,
    ) -> impl Future<Output = Outcome<Option<DescribedCertificate>>> + Send;
    /// A certificate by its identity, without what is of this Region alone.
    fn certificate(&self, id: &str) -> impl Future<Output = Outcome<Option<Certificate>>> + Send {
        async { Ok(self.described_certificate(id).await?.map(|described| described.certificate)) }
    }
    /// The identities of all certificates, a page at a time.
    fn certificates(&self, from: Option<&str>) -> impl Future<Output = Outcome<Page<String>>> + Send;
    /// Registers a certificate without its authority, active or inactive. `Exists` if it is there.
    fn register_certificate(&self, pem: &str, active: bool) -> impl Future<Output = Outcome<()>> + Send;
    /// The authorities of certificates that are known here, all of them: there are few.
    fn authorities(&self) -> impl Future<Output = Outcome<Vec<Authority>>> + Send;
    /// Sets a certificate's status.
    fn set_status(&self, id: &str, status: Status) -> impl Future<Output = Outcome<()>> + Send;
    /// Deletes a certificate that is not active and that no thing uses, with its attachments to
    /// policies. `Conflict` while one of both holds it.
    fn delete_certificate(&self, id: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// A policy.
    fn policy(&self, name: &str) -> impl Future<Output = Outcome<Option<Policy>>> + Send;
    /// The names of all policies, a page at a time.
    fn policies(&self, from: Option<&str>) -> impl Future<Output = Outcome<Page<String>>> + Send;
    /// Makes a policy. `Exists` if there is one of that name.
    fn create_policy(&self, policy: &Policy) -> impl Future<Output = Outcome<()>> + Send;
    /// Makes a document the default version of a policy. If the policy has as many versions as it
    /// may have, the oldest that is not the default goes first.
    fn put_policy(&self, policy: &Policy) -> impl Future<Output = Outcome<()>> + Send;
    /// Deletes a policy with all its versions. `Conflict` while something has it.
    fn delete_policy(&self, name: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// The names of the policies attached to a target.
    fn attached_policies(&self, target: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// The targets that have a policy.
    fn policy_targets(&self, name: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// Attaches a policy to a target. `NotFound` if one of them is not there.
    fn attach_policy(&self, name: &str, target: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Detaches a policy from a target.
    fn detach_policy(&self, name: &str, target: &str) -> impl Future<Output = Outcome<()>> + Send;
}

/// Shadows. The classic one has an empty name.
pub trait Shadows: Sync {
    /// A shadow.
    fn shadow(&self, thing: &str, shadow: &str) -> impl Future<Output = Outcome<Option<Shadow>>> + Send;
    /// The names of a thing's named shadows.
    fn named_shadows(&self, thing: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// Merges an update (`state`) into a shadow. `Conflict` unless `expected`, if given, is its
    /// version.
    fn update_shadow(
        &self,
        thing: &str,
        shadow: &str,
        state: &Value,
        expected: Option<u64>,
    ) -> impl Future<Output = Outcome<Written>> + Send;
    /// Deletes a shadow.
    fn delete_shadow(&self, thing: &str, shadow: &str) -> impl Future<Output = Outcome<()>> + Send;
}
