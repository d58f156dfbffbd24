//! One Region's registry: things, certificates, policies and who is attached to what. Pure state: the time comes in,
//! registry events come out, and a call either changes everything that it should or nothing.

mod certificate;
mod event;
mod page;
mod policy;
mod thing;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use certificate::{Certificate, CertificateStatus, certificate_id};
pub(crate) use event::RegistryEvent;
pub(crate) use page::page;
pub(crate) use policy::{Policy, check_policy_name};
pub(crate) use thing::{Thing, ThingChange};

use crate::error::AwsError;

/// Things, certificates and policies of one Region and account.
#[derive(Debug)]
pub(crate) struct Registry {
    region: String,
    account: String,
    things: BTreeMap<String, Thing>,
    certificates: BTreeMap<String, Certificate>,
    policies: BTreeMap<String, Policy>,
    /// Thing name to the ARNs of its principals, in the order attached.
    thing_principals: BTreeMap<String, BTreeSet<String>>,
    /// Kinds of events that are on: `THING` and so on. AWS has them off.
    events: BTreeSet<String>,
}

impl Registry {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            things: BTreeMap::new(),
            certificates: BTreeMap::new(),
            policies: BTreeMap::new(),
            thing_principals: BTreeMap::new(),
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

    /// The things that a certificate is attached to.
    pub(crate) fn principal_things(&self, principal: &str) -> Vec<String> {
        self.thing_principals
            .iter()
            .filter(|(_, principals)| principals.contains(principal))
            .map(|(thing, _)| thing.clone())
            .collect()
    }
}

pub(crate) fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new(404, "ResourceNotFoundException", message)
}

pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidRequestException", message)
}
