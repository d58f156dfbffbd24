//! One Region's registry: things with their types and groups, certificates and the CAs that signed them, policies, tags,
//! and who is attached to what. Pure state: the time comes in, registry events come out, and a call either changes
//! everything that it should or nothing.

mod attachment;
mod attribute;
mod ca;
mod certificate;
mod event;
mod group;
mod indexing;
mod jitr;
mod membership;
mod page;
mod policy;
mod principal;
mod query;
mod search;
mod tag;
mod thing;
mod thing_type;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use attribute::AttributeChange;
pub(crate) use ca::{CaCertificate, CaChange, CaRegistration};
pub(crate) use certificate::{Certificate, CertificateStatus, certificate_id};
pub(crate) use event::RegistryEvent;
pub(crate) use group::{Group, GroupChange};
pub(crate) use page::Paging;
pub(crate) use policy::Policy;
pub(crate) use search::THINGS_INDEX;
pub(crate) use tag::tags_of;
pub(crate) use thing::{Thing, ThingChange, ThingFilter, ThingSettings};
pub(crate) use thing_type::{ThingType, TypeProperties};

use crate::error::AwsError;
use indexing::Indexing;

/// AWS's limit of the names of things, thing types and thing groups.
const NAME_BYTES_MAX: usize = 128;

/// Things, certificates, policies and the rest of one Region and account.
#[derive(Debug)]
pub(crate) struct Registry {
    region: String,
    account: String,
    things: BTreeMap<String, Thing>,
    types: BTreeMap<String, ThingType>,
    groups: BTreeMap<String, Group>,
    /// Thing name to the names of the groups that it is directly in.
    thing_groups: BTreeMap<String, BTreeSet<String>>,
    certificates: BTreeMap<String, Certificate>,
    cas: BTreeMap<String, CaCertificate>,
    /// What the verification certificate of a CA has to be issued to.
    registration_code: String,
    policies: BTreeMap<String, Policy>,
    /// ARN of a certificate or thing group to the names of its policies.
    target_policies: BTreeMap<String, BTreeSet<String>>,
    /// Thing name to the ARNs of its principals.
    thing_principals: BTreeMap<String, BTreeSet<String>>,
    /// The same the other way round.
    principal_things: BTreeMap<String, BTreeSet<String>>,
    /// ARN to its tags.
    tags: BTreeMap<String, BTreeMap<String, String>>,
    indexing: Indexing,
    /// Kinds of events that are on: `THING` and so on. AWS has them off.
    events: BTreeSet<String>,
}

impl Registry {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        let code = certificate_id(uuid::Uuid::new_v4().as_bytes());
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            things: BTreeMap::new(),
            types: BTreeMap::new(),
            groups: BTreeMap::new(),
            thing_groups: BTreeMap::new(),
            certificates: BTreeMap::new(),
            cas: BTreeMap::new(),
            registration_code: code,
            policies: BTreeMap::new(),
            target_policies: BTreeMap::new(),
            thing_principals: BTreeMap::new(),
            principal_things: BTreeMap::new(),
            tags: BTreeMap::new(),
            indexing: Indexing::default(),
            events: BTreeSet::new(),
        }
    }

    /// `arn:aws:iot:<region>:<account>:<resource>`.
    pub(crate) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:iot:{}:{}:{resource}", self.region, self.account)
    }

    pub(crate) fn events_enabled(&self) -> &BTreeSet<String> {
        &self.events
    }

    pub(crate) fn set_event(&mut self, kind: &str, enabled: bool) {
        if enabled {
            self.events.insert(kind.to_owned());
        } else {
            self.events.remove(kind);
        }
    }
}

pub(crate) fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new(404, "ResourceNotFoundException", message)
}

pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidRequestException", message)
}

fn limit_exceeded(message: impl Into<String>) -> AwsError {
    AwsError::new(410, "LimitExceededException", message)
}

fn delete_conflict(message: impl Into<String>) -> AwsError {
    AwsError::new(409, "DeleteConflictException", message)
}

/// The same name with other settings.
fn already_exists(message: impl Into<String>, id: &str, arn: String) -> AwsError {
    AwsError::new(409, "ResourceAlreadyExistsException", message)
        .with("resourceId", id)
        .with("resourceArn", arn)
}

/// `expectedVersion` of things and groups: none given fits always.
fn check_version(what: &str, name: &str, actual: u64, expected: Option<u64>) -> Result<(), AwsError> {
    match expected {
        Some(expected) if expected != actual => Err(AwsError::new(
            409,
            "VersionConflictException",
            format!(
                "The version for {what} {name} does not match the expected version. Expected version {expected}, \
                 actual {actual}"
            ),
        )),
        _ => Ok(()),
    }
}

/// The names of things, thing types and thing groups; `member` is what AWS calls it in the request.
fn check_name(member: &str, name: &str) -> Result<(), AwsError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err(invalid(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [a-zA-Z0-9:_-]+ and have a length of at most {NAME_BYTES_MAX}"
        )));
    }
    Ok(())
}
