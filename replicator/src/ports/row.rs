//! What the replicator remembers of each key.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Status;
use crate::order::{GroupMark, MembershipMark, ShadowMark, ThingMark, TypeMark};

/// A row of the state table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Row {
    /// Of a thing.
    Thing(ThingRow),
    /// Of the principals of a thing.
    Identity(IdentityRow),
    /// Of the groups of a thing.
    Memberships(Memberships),
    /// Of a certificate.
    Certificate(CertificateRow),
    /// Of a policy.
    Policy(PolicyRow),
    /// Of a thing type.
    Type(TypeRow),
    /// Of a group.
    Group(GroupRow),
    /// Of the policies of a group.
    Policies(PoliciesRow),
    /// Of a shadow.
    Shadow(ShadowRow),
}

/// Of a thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThingRow {
    /// The newest event applied.
    pub mark: Option<ThingMark>,
    /// Something of it was left undone, and remarked: it is applied again whenever it comes again, so
    /// that no remark is lost with the function that was about to put it down.
    #[serde(default)]
    pub undone: bool,
}

/// Of the principals of a thing. Written before they are attached: a thing that is made later finds
/// here what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRow {
    /// When the primary was looked at.
    pub looked_ms: u64,
    /// The ARNs, in the secondary, of all principals that the thing is to have.
    pub principals: BTreeSet<String>,
    /// Those that it is to lose; empty when that is done.
    #[serde(default)]
    pub removing: BTreeSet<String>,
    /// What the row wants was not done to the end, or a remark on it is to be put down.
    #[serde(default)]
    pub pending: bool,
    /// The incarnation of the thing to which it was done; none if there was no thing then.
    #[serde(default)]
    pub thing_id: Option<String>,
}

/// Of the groups of a thing, by the group's name. Written before the thing is added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memberships {
    /// The newest event of each group.
    pub groups: BTreeMap<String, MembershipMark>,
    /// Those that are not done: the thing is to be looked at again, or a remark is to be put down.
    #[serde(default)]
    pub pending: BTreeMap<String, MembershipMark>,
}

/// Of a certificate: what it is known to be in the secondary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRow {
    /// When the primary was looked at.
    pub looked_ms: u64,
    /// The newest look with which something was begun that failed, if it is newer. An older one gives way to
    /// it: what was begun comes again.
    #[serde(default)]
    pub begun_ms: u64,
    /// It was gone there, and is gone here.
    pub deleted: bool,
    /// The look that registered it here: whatever was attached to it before is not.
    #[serde(default)]
    pub since_ms: u64,
    /// Its status here; none: not known.
    #[serde(default)]
    pub status: Option<Status>,
    /// The policies that it has here.
    #[serde(default)]
    pub policies: BTreeSet<String>,
    /// Something of it was left undone, and remarked: as [`ThingRow::undone`].
    #[serde(default)]
    pub undone: bool,
}

/// Of a policy: what it is known to be in the secondary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// When the primary was looked at; 0 if only a certificate's document told of it.
    pub looked_ms: u64,
    /// As [`CertificateRow::begun_ms`].
    #[serde(default)]
    pub begun_ms: u64,
    /// It was gone there, and is gone here.
    pub deleted: bool,
    /// Its document here; none: not known.
    #[serde(default)]
    pub document: Option<String>,
    /// Something of it was left undone, and remarked: as [`ThingRow::undone`].
    #[serde(default)]
    pub undone: bool,
}

/// Of a thing type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeRow {
    /// The newest event applied.
    pub mark: Option<TypeMark>,
    /// By that event it takes no more things.
    #[serde(default)]
    pub deprecated: bool,
    /// Something of it was left undone, and remarked: it is applied again whenever it comes again, so
    /// that no remark is lost with the function that was about to put it down.
    #[serde(default)]
    pub undone: bool,
}

/// Of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRow {
    /// The newest event applied.
    pub mark: Option<GroupMark>,
    /// Something of it was left undone, and remarked: it is applied again whenever it comes again, so
    /// that no remark is lost with the function that was about to put it down.
    #[serde(default)]
    pub undone: bool,
}

/// Of the policies of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoliciesRow {
    /// When the primary was looked at.
    pub looked_ms: u64,
    /// As [`CertificateRow::begun_ms`].
    #[serde(default)]
    pub begun_ms: u64,
    /// The policies that it has here; none: not known.
    #[serde(default)]
    pub policies: Option<BTreeSet<String>>,
    /// The incarnation of the group that has them; none if there was no group then.
    #[serde(default)]
    pub group_id: Option<String>,
    /// Something of it was left undone, and remarked: as [`ThingRow::undone`].
    #[serde(default)]
    pub undone: bool,
}

/// Of a shadow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShadowRow {
    /// The newest event applied.
    pub mark: Option<ShadowMark>,
    /// The primary's state by that event: what the primary is known to have had.
    pub state: Value,
    /// The time of each leaf of that state.
    pub metadata: Value,
    /// The secondary's version after the replicator's last write; another one shows another writer.
    pub target_version: Option<u64>,
    /// The secondary's time of that write.
    pub target_timestamp_s: u64,
    /// The secondary's state after that write.
    pub target_state: Value,
    /// The time of each leaf of it.
    pub target_metadata: Value,
    /// Leaves of it that someone else wrote (pointer and time) and that are newer than the primary's.
    pub kept: BTreeMap<String, u64>,
}
