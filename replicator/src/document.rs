//! Documents: what the primary's functions saw when they looked, for what no event carries.
//!
//! A document is complete: the secondary can finish with it alone, while the primary is gone. Its
//! order is the time *before* the look. A later change is followed by a later look, so the newest
//! document is never older than the last change, and whatever arrives late is known as old.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{Certificate, Policy};

/// The sort key under which a document stands in the event table.
pub const SORT_KEY: &str = "document";

/// The sort key under which it stands when a certificate was looked at with its thing, and the kind of that
/// row: it has `looked_ms`, and asks for nothing.
pub const LOOKED: &str = "looked";

/// What a document is of, and so its partition key in the event table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// The principals of a thing, by its name. In the thing's own partition: in order with its events.
    Identity(String),
    /// A certificate, by its identity.
    Certificate(String),
    /// A policy, by its name.
    Policy(String),
    /// The policies of a group, by the group's name.
    GroupPolicies(String),
}

impl Key {
    /// That this was seen with something else, as a row of the event table.
    pub fn looked_row(&self, looked_ms: u64) -> Map<String, Value> {
        let row =
            json!({"device": self.device(), "event": LOOKED, "eventType": LOOKED, "looked_ms": looked_ms});
        row.as_object().cloned().unwrap_or_default()
    }

    /// The sort keys of the rows that say when this was looked at.
    pub fn looked_at(&self) -> &'static [&'static str] {
        if matches!(self, Self::Certificate(_)) { &[SORT_KEY, LOOKED] } else { &[SORT_KEY] }
    }

    /// The partition key of the event table.
    pub fn device(&self) -> String {
        match self {
            Self::Identity(thing) => thing.clone(),
            Self::Certificate(id) => format!("certificate#{id}"),
            Self::Policy(name) => format!("policy#{name}"),
            Self::GroupPolicies(group) => format!("group#{group}"),
        }
    }
}

/// A certificate with everything that makes it work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its identity.
    pub id: String,
    /// The certificate.
    pub certificate: Certificate,
    /// The policies attached to it, with their documents as in the primary.
    pub policies: Vec<Policy>,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// All certificates of a thing, and the ARNs of principals that are no certificates.
    Identity {
        /// The certificates.
        certificates: Vec<Identity>,
        /// ARNs or identities of others, which are not replicated.
        others: Vec<String>,
    },
    /// A certificate; none: it is gone.
    Certificate(Option<Identity>),
    /// A policy; none: it is gone.
    Policy(Option<Policy>),
    /// The policies attached to a group.
    GroupPolicies {
        /// The incarnation of the group; none if it is gone, or is not replicated.
        group_id: Option<String>,
        /// The policies.
        policies: Vec<Policy>,
    },
}

/// What was seen of a key, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Of what.
    pub key: Key,
    /// When the look began, in milliseconds of the looker's clock.
    pub looked_ms: u64,
    /// What was seen.
    pub seen: Seen,
}
