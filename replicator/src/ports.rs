//! What the logic needs of the world, as narrow as it can be.
//!
//! Each port has one adapter over AWS ([`crate::aws`]); tests and simulations bring their own.
//! A call answers with an [`Outcome`] whose class is settled by the adapter, is bounded in time by
//! it, and may have happened even if it failed.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::Thing;
use crate::order::{ShadowMark, ThingMark};
use crate::outcome::Outcome;

/// A certificate's status, as far as the secondary has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Devices may connect with it.
    Active,
    /// Not now; also every status between registration and activation.
    Inactive,
    /// Never again.
    Revoked,
}

/// A certificate of the primary.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate, which is public, in PEM.
    pub pem: String,
    /// Its status in the primary.
    pub status: Status,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A shadow of the secondary.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
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

/// The primary Region: read only.
pub trait Primary: Sync {
    /// The principals of a thing; of one that does not exist, none.
    fn thing_principals(&self, thing: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// The things of a principal; of one that does not exist, none.
    fn principal_things(&self, principal: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// A certificate by its identity.
    fn certificate(&self, id: &str) -> impl Future<Output = Outcome<Certificate>> + Send;
    /// The names of the policies attached to a certificate.
    fn attached_policies(&self, principal: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// The default version of a policy's document.
    fn policy(&self, name: &str) -> impl Future<Output = Outcome<String>> + Send;
}

/// The secondary Region's registry and shadows.
pub trait Secondary: Sync {
    /// Makes a thing. `Exists` if there is one that differs.
    fn create_thing(&self, thing: &Thing) -> impl Future<Output = Outcome<()>> + Send;
    /// Replaces all attributes and the type of a thing.
    fn update_thing(&self, thing: &Thing) -> impl Future<Output = Outcome<()>> + Send;
    /// Deletes a thing that has no principals.
    fn delete_thing(&self, thing: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// The principals of a thing; of one that does not exist, none.
    fn thing_principals(&self, thing: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// The things of a principal; of one that does not exist, none.
    fn principal_things(&self, principal: &str) -> impl Future<Output = Outcome<Vec<String>>> + Send;
    /// Attaches a principal to a thing.
    fn attach_principal(&self, thing: &str, principal: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Detaches a principal from a thing.
    fn detach_principal(&self, thing: &str, principal: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Registers a certificate without its authority, active or inactive.
    fn register_certificate(&self, pem: &str, active: bool) -> impl Future<Output = Outcome<()>> + Send;
    /// Sets a certificate's status.
    fn set_status(&self, id: &str, status: Status) -> impl Future<Output = Outcome<()>> + Send;
    /// Deletes an inactive certificate that no thing uses, with its attachments to policies.
    fn delete_certificate(&self, id: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Makes a policy. `Exists` if there is one of that name.
    fn create_policy(&self, name: &str, document: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Attaches a policy to a certificate.
    fn attach_policy(&self, name: &str, principal: &str) -> impl Future<Output = Outcome<()>> + Send;
    /// Reads a shadow, if there is one. The classic one has an empty name.
    fn shadow(&self, thing: &str, shadow: &str) -> impl Future<Output = Outcome<Option<Document>>> + Send;
    /// Merges an update into a shadow. `Conflict` unless `expected`, if given, is its version.
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

/// What the replicator remembers of a thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThingRow {
    /// The newest event applied; none if only a step of the first one was.
    pub mark: Option<ThingMark>,
    /// When the thing was deleted last, as far as known, whatever came after.
    pub deleted_at_ms: Option<u64>,
    /// Principals whose removal has begun: once detached, nothing else leads back to them.
    pub removing: Vec<String>,
}

/// What the replicator remembers of a shadow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShadowRow {
    /// The newest event applied; none if the first write was only begun.
    pub mark: Option<ShadowMark>,
    /// The secondary's version after the replicator's last look; another one shows another writer.
    pub target_version: Option<u64>,
    /// The secondary's time of the replicator's last write.
    pub target_timestamp_s: u64,
    /// What the replicator wrote at that time.
    pub wrote: Value,
    /// What it was about to write since then, and may have written.
    pub announced: Value,
    /// Leaves that belong to the device (pointer and time), as they were newer than the primary's.
    pub kept: BTreeMap<String, u64>,
}

/// A row of the state table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Row {
    /// Of a thing.
    Thing(ThingRow),
    /// Of a shadow.
    Shadow(ShadowRow),
}

/// The state table.
pub trait State: Sync {
    /// A row and its revision.
    fn get(&self, key: &str) -> impl Future<Output = Outcome<Option<(Row, u64)>>> + Send;
    /// Puts a row if its revision still is the one that was read (`None`: there was no row), and
    /// answers with the new revision. `Conflict` otherwise.
    fn put(&self, key: &str, row: &Row, read: Option<u64>) -> impl Future<Output = Outcome<u64>> + Send;
}

/// What was not applied, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRow {
    /// The device.
    pub device: String,
    /// The event's sort key in the event table.
    pub event: String,
    /// The step that failed.
    pub what: String,
    /// Why.
    pub why: String,
    /// When.
    pub seen_ms: u64,
}

/// The error table.
pub trait Errors: Sync {
    /// Records a failure; the row's count of attempts rises, the first time it was seen stays.
    fn record(&self, row: &ErrorRow) -> impl Future<Output = Outcome<()>> + Send;
    /// Removes the row of an event, if there is one.
    fn clear(&self, device: &str, event: &str) -> impl Future<Output = Outcome<()>> + Send;
}

/// Time.
pub trait Clock: Sync {
    /// Wall time in milliseconds.
    fn now_ms(&self) -> u64;
    /// Waits.
    fn sleep_ms(&self, ms: u64) -> impl Future<Output = ()> + Send;
}

/// All ports together, with the names of the two Regions.
pub trait World: Sync {
    /// The primary Region.
    type Primary: Primary;
    /// The secondary Region.
    type Secondary: Secondary;
    /// The state table.
    type State: State;
    /// The error table.
    type Errors: Errors;
    /// The clock.
    type Clock: Clock;

    /// The name of the primary Region.
    fn primary_region(&self) -> &str;
    /// The name of the secondary Region, in which this runs.
    fn secondary_region(&self) -> &str;
    /// The primary Region.
    fn primary(&self) -> &Self::Primary;
    /// The secondary Region.
    fn secondary(&self) -> &Self::Secondary;
    /// The state table.
    fn state(&self) -> &Self::State;
    /// The error table.
    fn errors(&self) -> &Self::Errors;
    /// The clock.
    fn clock(&self) -> &Self::Clock;
}
