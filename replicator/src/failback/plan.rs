//! The plan: what would be done, and what would not, with the reason of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Tie;
use super::merge::Leaf;
use crate::compare::short;
use crate::model::{Group, Policy, Status, Thing, ThingType};

/// What an item is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A thing type.
    Type(String),
    /// A policy.
    Policy(String),
    /// A certificate.
    Certificate(String),
    /// A policy of a certificate.
    CertificatePolicy(String, String),
    /// A group.
    Group(String),
    /// A policy of a group.
    GroupPolicy(String, String),
    /// A thing.
    Thing(String),
    /// A certificate of a thing.
    Principal(String, String),
    /// A thing in a group.
    Membership(String, String),
    /// A shadow of a thing; the classic one has an empty name.
    Shadow(String, String),
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Made in the secondary: the primary gets it.
    Created,
    /// Changed only in the secondary: the primary gets it.
    TakenHome,
    /// Changed in both: the newest per key.
    Merged,
    /// Changed only in the primary, or not finished by the replicator: the primary's stays.
    Kept,
    /// Changed in both, or nothing tells which: the primary's stays, and the replicator will
    /// overwrite the secondary's.
    Overwritten,
    /// Deleted in one and there in the other.
    Resurrects,
    /// Deleted only in the secondary. What is not deleted at home comes back there with replication.
    Removed,
}

/// A change of the primary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Makes a type.
    CreateType(ThingType),
    /// Makes a policy, or makes a document its default version; with the primary's ARNs.
    PutPolicy(Policy),
    /// Registers a certificate and attaches its policies.
    Register {
        /// The certificate.
        pem: String,
        /// Its status.
        status: Status,
        /// The names of its policies.
        policies: Vec<String>,
    },
    /// Sets a certificate's status.
    SetStatus(Status),
    /// Takes a certificate out of use, detaches it from its things, and deletes it.
    DeleteCertificate,
    /// Attaches a policy to a certificate or group.
    AttachPolicy(String),
    /// Detaches a policy from a certificate or group.
    DetachPolicy(String),
    /// Deletes a policy that nothing has.
    DeletePolicy,
    /// Makes a group and attaches its policies.
    CreateGroup(Group, Vec<String>),
    /// Replaces a group's description and attributes.
    UpdateGroup(Group),
    /// Deletes a group.
    DeleteGroup,
    /// Makes a thing.
    CreateThing(Thing),
    /// Replaces a thing's attributes and type.
    UpdateThing(Thing),
    /// Deletes a thing with its attachments.
    DeleteThing,
    /// Attaches the certificate.
    Attach,
    /// Detaches the certificate.
    Detach,
    /// Adds the thing to the group.
    Add,
    /// Takes the thing out of the group.
    TakeOut,
    /// Merges an update into the shadow; the state is then `goal`.
    WriteShadow {
        /// The update.
        update: Value,
        /// The state after it.
        goal: Value,
    },
    /// Deletes the shadow.
    DeleteShadow,
}

impl Action {
    /// What has to be there before: types before things, groups before their members.
    fn rank(&self) -> u8 {
        match self {
            Self::CreateType(_) | Self::PutPolicy(_) => 0,
            Self::Register { .. } | Self::SetStatus(_) | Self::AttachPolicy(_) | Self::DetachPolicy(_) => 1,
            Self::CreateGroup(..) | Self::UpdateGroup(_) => 2,
            Self::CreateThing(_) | Self::UpdateThing(_) => 3,
            Self::Attach | Self::Detach | Self::Add | Self::TakeOut => 4,
            // What devices reported goes before what was only asked of them.
            Self::WriteShadow { update, .. } if update.get("reported").is_some() => 5,
            Self::WriteShadow { .. } | Self::DeleteShadow => 6,
            Self::DeleteThing => 7,
            // What other things have goes after them.
            Self::DeleteCertificate => 8,
            Self::DeleteGroup => 9,
            Self::DeletePolicy => 10,
        }
    }

    /// Whether it is several calls, after some of which it may end.
    pub(super) fn has_steps(&self) -> bool {
        match self {
            Self::CreateType(wanted) => wanted.deprecated,
            Self::CreateGroup(_, policies) => !policies.is_empty(),
            Self::Register { .. } | Self::DeleteThing | Self::DeleteCertificate => true,
            _ => false,
        }
    }

    /// Whether it cuts what is tied to what it deletes.
    pub(super) fn cuts(&self) -> bool {
        matches!(self, Self::DeleteThing | Self::DeleteCertificate | Self::DeleteGroup)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::CreateType(_) => "create type",
            Self::PutPolicy(_) => "put policy",
            Self::Register { .. } => "register",
            Self::SetStatus(_) => "set status",
            Self::DeleteCertificate => "delete certificate",
            Self::DeletePolicy => "delete policy",
            Self::DeleteGroup => "delete group",
            Self::AttachPolicy(_) => "attach policy",
            Self::DetachPolicy(_) => "detach policy",
            Self::CreateGroup(..) => "create group",
            Self::UpdateGroup(_) => "update group",
            Self::CreateThing(_) => "create thing",
            Self::UpdateThing(_) => "update thing",
            Self::DeleteThing => "delete thing",
            Self::Attach => "attach",
            Self::Detach => "detach",
            Self::Add => "add",
            Self::TakeOut => "take out",
            Self::WriteShadow { .. } => "write shadow",
            Self::DeleteShadow => "delete shadow",
        }
    }
}

/// What was found of something, so that carrying out can tell whether it still is so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// In the primary; none: nothing.
    pub primary: Option<String>,
    /// In the secondary; none: nothing.
    pub secondary: Option<String>,
    /// What is tied to it in the primary, if it is deleted there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ties: BTreeSet<Tie>,
}

impl Found {
    /// What was found, as short texts that differ when it does.
    pub fn of<T: Serialize, U: Serialize>(primary: Option<&T>, secondary: Option<&U>) -> Self {
        Self { primary: primary.map(digest), secondary: secondary.map(digest), ties: BTreeSet::new() }
    }

    /// Whether something is there, which is all that can be told of it.
    pub(super) fn flags(primary: bool, secondary: bool) -> Self {
        let there = |is: bool| is.then(|| "there".to_owned());
        Self { primary: there(primary), secondary: there(secondary), ties: BTreeSet::new() }
    }
}

/// FNV-1a over the JSON: the same in each version of the program, which a plan may outlive.
fn digest<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// One thing, shadow, identity: what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What it is about.
    pub subject: Subject,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub why: String,
    /// What is done in the primary; none: nothing.
    pub action: Option<Action>,
    /// The leaves of a shadow that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<Leaf>,
    /// What was found.
    pub found: Found,
}

/// Something that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What would be done. It is the dry run, and what is carried out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The Region that is written.
    pub primary: String,
    /// The Region that is read.
    pub secondary: String,
    /// When it was made, in milliseconds.
    pub made_ms: u64,
    /// In the order in which they are carried out; those without an action last.
    pub items: Vec<Item>,
    /// What could not be compared: the plan does not cover it.
    pub gaps: Vec<Gap>,
    /// What it takes for granted, and what it never compares.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What a plan takes for granted. Neither the mapping nor the schedule can be seen from here.
const ASSUMES: &str = "replication and reconcile are taken to stand still, since before the primary came back: what \
                       they brought to the secondary meanwhile is not told from what devices and people did";

/// What is never compared.
const NOT_COMPARED: &str = "not compared: authorities of certificates, dynamic groups, billing groups, tags, jobs, \
                            principals that are no certificates, versions of policies but the default one, who \
                            joined a group that only the secondary has deleted, shadows \
                            of no thing that were never replicated";

/// What is not compared in just-in-time mode.
const NO_IDENTITIES: &str = "not compared in just-in-time mode: certificates, policies, and what has them";

/// The notes of a plan.
pub(super) fn notes(identities: bool) -> Vec<String> {
    let mut notes = vec![ASSUMES, NOT_COMPARED];
    if !identities {
        notes.push(NO_IDENTITIES);
    }
    notes.into_iter().map(str::to_owned).collect()
}

impl Plan {
    /// How many changes it makes.
    pub fn actions(&self) -> usize {
        self.items.iter().filter(|item| item.action.is_some()).count()
    }

    /// How many items have each verdict.
    pub fn totals(&self) -> BTreeMap<Verdict, usize> {
        let mut totals = BTreeMap::new();
        for item in &self.items {
            *totals.entry(item.verdict).or_default() += 1;
        }
        totals
    }

    pub(super) fn arrange(&mut self) {
        // Stable: groups came with their parents first.
        self.items.sort_by_key(|item| item.action.as_ref().map_or(u8::MAX, Action::rank));
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(name) => write!(f, "type {name}"),
            Self::Policy(name) => write!(f, "policy {name}"),
            Self::Certificate(id) => write!(f, "certificate {}", short(id)),
            Self::CertificatePolicy(id, name) => write!(f, "certificate {}, policy {name}", short(id)),
            Self::Group(name) => write!(f, "group {name}"),
            Self::GroupPolicy(group, name) => write!(f, "group {group}, policy {name}"),
            Self::Thing(name) => write!(f, "thing {name}"),
            Self::Principal(thing, id) => write!(f, "thing {thing}, certificate {}", short(id)),
            Self::Membership(thing, group) => write!(f, "thing {thing}, group {group}"),
            Self::Shadow(thing, name) if name.is_empty() => write!(f, "shadow of {thing}"),
            Self::Shadow(thing, name) => write!(f, "shadow {name} of {thing}"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "From {} home to {}: {} changes", self.secondary, self.primary, self.actions())?;
        let wide = self.items.iter().map(|item| item.subject.to_string().len()).max().unwrap_or_default();
        for item in &self.items {
            let action = item.action.as_ref().map_or("-", Action::name);
            let (verdict, subject) = (format!("{:?}", item.verdict), item.subject.to_string());
            writeln!(f, "{verdict:<12}{action:<19}{subject:<wide$}  {}", item.why)?;
            for leaf in &item.leaves {
                let here = Stamped(&leaf.primary, leaf.primary_s);
                let there = Stamped(&leaf.secondary, leaf.secondary_s);
                writeln!(f, "{:<12}{} {here} | {there} {:?}", "", leaf.pointer, leaf.verdict)?;
            }
        }
        for Gap { name, why } in &self.gaps {
            writeln!(f, "not compared: {name}: {why}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let totals = self.totals();
        let totals: Vec<_> = totals.iter().map(|(verdict, count)| format!("{verdict:?}: {count}")).collect();
        writeln!(f, "{}", if totals.is_empty() { "nothing differs".to_owned() } else { totals.join(", ") })
    }
}

/// How much of a value is shown.
const SHOWN_MAX: usize = 40;

struct Stamped<'a>(&'a Value, Option<u64>);

impl fmt::Display for Stamped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_null() {
            return f.write_str("none");
        }
        let text: String = self.0.to_string().chars().take(SHOWN_MAX).collect();
        match self.1 {
            Some(stamp_s) => write!(f, "{text} at {stamp_s}"),
            None => f.write_str(&text),
        }
    }
}
