//! The nouns of a Region's registry, as both Regions know them.
//!
//! Names, attributes and documents are equal in both Regions; ARNs are not, so nothing here holds one
//! unless it says so.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a thing is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// The name, equal in both Regions.
    pub name: String,
    /// The type, if it has one.
    pub thing_type: Option<String>,
    /// All attributes, not a change of them.
    pub attributes: BTreeMap<String, String>,
}

/// A thing as its Region describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DescribedThing {
    /// The thing.
    pub thing: Thing,
    /// The identity of the incarnation; lists do not say it.
    pub thing_id: Option<String>,
    /// Rises with each change of one incarnation.
    pub version: u64,
}

/// One life of something that can be deleted and made again under its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incarnation {
    /// Its identity.
    pub id: String,
    /// Rises with each change.
    pub version: u64,
    /// When it began, in milliseconds; 0 if that is not known.
    pub begun_ms: u64,
}

/// A thing type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThingType {
    /// The name.
    pub name: String,
    /// Fixed when the type is made.
    pub description: Option<String>,
    /// Fixed when the type is made, in their order.
    pub searchable_attributes: Vec<String>,
    /// Deprecated types take no more things.
    pub deprecated: bool,
}

/// A static thing group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The group above it, fixed when the group is made.
    pub parent: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// All attributes, not a change of them.
    pub attributes: BTreeMap<String, String>,
}

/// A certificate's status, as far as the other Region has to know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Devices may connect with it.
    Active,
    /// Not now; also every status between registration and activation.
    #[default]
    Inactive,
    /// Never again.
    Revoked,
}

/// A certificate. Its identity is the SHA-256 of its DER, so it is the same in both Regions.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The certificate, which is public, in PEM.
    pub pem: String,
    /// Its status.
    pub status: Status,
}

/// A certificate as its Region describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// It was registered by its authority, and nobody has activated or deactivated it since.
    pub is_pending: bool,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("status", &self.status).finish_non_exhaustive()
    }
}

/// An authority that issues certificates of devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authority {
    /// What its Region calls it.
    pub id: String,
    /// Its certificate, which is public, in PEM.
    pub pem: String,
    /// It is not taken out of use.
    pub active: bool,
    /// A device's certificate of it is registered when the device first connects.
    pub registers: bool,
}

/// A policy: the document of its default version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The name.
    pub name: String,
    /// JSON, with the ARNs of the Region that it was read in.
    pub document: String,
}

/// A shadow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// `desired` and `reported`.
    pub state: Value,
    /// The time of each leaf, in seconds.
    pub metadata: Value,
    /// What an update must name to be a compare-and-set.
    pub version: u64,
}

/// An accepted shadow update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The document's new version.
    pub version: u64,
    /// The time with which the written leaves are stamped.
    pub timestamp_s: u64,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to ask with for the next part; none: this was the last.
    pub next: Option<String>,
}
