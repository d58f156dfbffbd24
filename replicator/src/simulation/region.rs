//! One Region as AWS keeps it: registry, identities and shadows, with the refusals that AWS has.
//!
//! Pure state: time comes in as an argument.

mod groups;
mod identities;
mod shadows;
mod things;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Authority, Certificate, DescribedThing, Group, Shadow, ThingType};
use crate::outcome::{Class, Failure};

pub(crate) use identities::PolicyState;

/// How many entries a page of a list has: few, so that tests with a handful of things turn pages.
pub(crate) const PAGE_MAX: usize = 3;

/// A type and the time of its deprecation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TypeState {
    pub(crate) thing_type: ThingType,
    pub(crate) id: String,
    pub(crate) deprecated_ms: u64,
    /// When it was made; an operator says so.
    pub(crate) begun_ms: u64,
}

/// A group and its incarnation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupState {
    pub(crate) group: Group,
    pub(crate) id: String,
    pub(crate) version: u64,
    /// When it was made; an operator says so.
    pub(crate) begun_ms: u64,
}

/// A Region.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RegionState {
    pub(crate) name: &'static str,
    pub(crate) things: BTreeMap<String, DescribedThing>,
    /// Thing and the ARN of its principal.
    pub(crate) principals: BTreeSet<(String, String)>,
    pub(crate) types: BTreeMap<String, TypeState>,
    pub(crate) groups: BTreeMap<String, GroupState>,
    /// Thing and group, with the identity of the membership.
    pub(crate) members: BTreeMap<(String, String), String>,
    pub(crate) certificates: BTreeMap<String, Certificate>,
    /// Certificates that wait for their first activation.
    pub(crate) pending: BTreeSet<String>,
    pub(crate) policies: BTreeMap<String, PolicyState>,
    /// Target and the name of its policy.
    pub(crate) attached: BTreeSet<(String, String)>,
    pub(crate) authorities: Vec<Authority>,
    pub(crate) shadows: BTreeMap<(String, String), Shadow>,
    /// The versions of shadows, which outlive them.
    counters: BTreeMap<(String, String), u64>,
    ids_made: u64,
}

/// The ARN of a certificate.
pub(crate) fn arn(region: &str, id: &str) -> String {
    format!("arn:aws:iot:{region}:123456789012:cert/{id}")
}

/// The ARN of a group.
pub(crate) fn group_arn(region: &str, name: &str) -> String {
    format!("arn:aws:iot:{region}:123456789012:thinggroup/{name}")
}

/// The PEM of a test's certificate.
pub(crate) fn pem(id: &str) -> String {
    format!("pem-{id}")
}

pub(super) fn absent(what: &'static str) -> Failure {
    Failure::new(Class::NotFound, what, "ResourceNotFoundException")
}

pub(super) fn exists(what: &'static str) -> Failure {
    Failure::new(Class::Exists, what, "ResourceAlreadyExistsException")
}

pub(super) fn conflict(what: &'static str, why: &'static str) -> Failure {
    Failure::new(Class::Conflict, what, why)
}

pub(super) fn invalid(what: &'static str, why: &'static str) -> Failure {
    Failure::permanent(what, why)
}

impl RegionState {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// An identity that no other thing, type, group or membership of this Region has had.
    fn new_id(&mut self, kind: &str) -> String {
        self.ids_made += 1;
        format!("{kind}-{}", self.ids_made)
    }
}
