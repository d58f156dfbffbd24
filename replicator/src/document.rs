//! Documents: what the primary's functions saw when they looked, for what no event carries.
//!
//! They stand in a table of their own ([`crate::tables::DOCUMENTS`]), whose stream is in no order with
//! that of the events: a document may come long before the event of its thing, or long after.
//!
//! A document is complete: the secondary can finish with it alone, while the primary is gone. Its
//! order is the time *before* the look. A later change is followed by a later look, so the newest
//! document is never older than the last change, and whatever arrives late is known as old.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::event::DOCUMENT;
use crate::model::{Certificate, Policy};

/// The sort key under which a document stands in its table.
pub const SORT_KEY: &str = "document";

/// The sort key under which it stands when a certificate was looked at with its thing, and the kind of that
/// row: it has `looked_ms`, and asks for nothing.
pub const LOOKED: &str = "looked";

/// Whether a row is one of the table of documents, and not of the event table.
pub fn is_of_documents(row: &Map<String, Value>) -> bool {
    row.get("eventType").is_some_and(|kind| kind == DOCUMENT || kind == LOOKED)
}

/// What a document is of, and so its partition key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// The principals of a thing, by its name.
    Identity(String),
    /// A certificate, by its identity.
    Certificate(String),
    /// A policy, by its name.
    Policy(String),
    /// The policies of a group, by the group's name.
    GroupPolicies(String),
}

impl Key {
    /// That this was seen with something else, as a row of the table of documents.
    pub fn looked_row(&self, looked_ms: u64) -> Map<String, Value> {
        let row =
            json!({"device": self.device(), "event": LOOKED, "eventType": LOOKED, "looked_ms": looked_ms});
        row.as_object().cloned().unwrap_or_default()
    }

    /// The sort keys of the rows that say when this was looked at.
    pub fn looked_at(&self) -> &'static [&'static str] {
        if matches!(self, Self::Certificate(_)) { &[SORT_KEY, LOOKED] } else { &[SORT_KEY] }
    }

    /// The partition key.
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
