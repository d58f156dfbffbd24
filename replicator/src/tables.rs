//! The tables and their keys, for whoever creates, fills or reads them.

/// A table: what it is called by default and how it is keyed. All key attributes are strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The name without a deployment's prefix or suffix.
    pub name: &'static str,
    /// The partition key.
    pub partition_key: &'static str,
    /// The sort key, if there is one.
    pub sort_key: Option<&'static str>,
    /// The attribute with the time, in seconds, at which a row may go.
    pub ttl: Option<&'static str>,
    /// Whether it is a global table (version 2019.11.21) with a replica in both Regions, and so has
    /// a stream of new and old images.
    pub global: bool,
}

/// A stream of what happened in the primary. The two are in no order with one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// That of [`EVENTS`].
    Events,
    /// That of [`DOCUMENTS`].
    Documents,
}

impl Stream {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Documents => "documents",
        }
    }
}

/// What happened in the primary, one row an event; filled by [`crate::rules`], and by `reconcile` with
/// what they missed.
pub const EVENTS: Table = Table {
    name: "gameday-events",
    partition_key: "device",
    sort_key: Some("event"),
    ttl: Some("expires"),
    global: true,
};

/// What was looked at in the primary, one row a document ([`crate::document`]); filled by `capture` and
/// `reconcile`. A table of its own, and so a stream of its own: what waits for a certificate's quota and
/// what waits for a thing's do not stand in each other's way, and neither table's stream has a second
/// reader, which AWS advises against for global tables.
pub const DOCUMENTS: Table = Table {
    name: "gameday-documents",
    partition_key: "device",
    sort_key: Some("event"),
    ttl: Some("expires"),
    global: true,
};

/// What the replicator has applied, one row a thing or shadow; only in the secondary.
pub const STATE: Table =
    Table { name: "gameday-state", partition_key: "key", sort_key: None, ttl: None, global: false };

/// What could not be applied, one row an event; only in the secondary. Empty is healthy.
pub const ERRORS: Table = Table {
    name: "gameday-errors",
    partition_key: "device",
    sort_key: Some("event"),
    ttl: None,
    global: false,
};

/// The key of a thing's row in [`STATE`]. `#` occurs in no name of AWS IoT but a shadow's, which comes last.
pub fn thing_key(thing: &str) -> String {
    format!("thing#{thing}")
}

/// The key of the row of a thing's principals.
pub fn identity_key(thing: &str) -> String {
    format!("identity#{thing}")
}

/// The key of the row of a thing's groups.
pub fn memberships_key(thing: &str) -> String {
    format!("memberships#{thing}")
}

/// The key of a certificate's row.
pub fn certificate_key(id: &str) -> String {
    format!("certificate#{id}")
}

/// The key of a policy's row.
pub fn policy_key(name: &str) -> String {
    format!("policy#{name}")
}

/// The key of a thing type's row.
pub fn type_key(name: &str) -> String {
    format!("type#{name}")
}

/// The key of a group's row.
pub fn group_key(name: &str) -> String {
    format!("group#{name}")
}

/// The key of the row of a group's policies.
pub fn group_policies_key(name: &str) -> String {
    format!("group-policies#{name}")
}

/// How the keys of the rows of all shadows begin.
pub fn shadow_prefix() -> &'static str {
    "shadow#"
}

/// The key of a shadow's row; the classic shadow has no name.
pub fn shadow_key(thing: &str, shadow: &str) -> String {
    format!("shadow#{thing}#{shadow}")
}
