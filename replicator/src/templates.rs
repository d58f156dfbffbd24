//! The CloudFormation templates that deploy the replicator, as `gameday deploy` and everyone else uses them.
//!
//! | Template | Region | What |
//! |---|---|---|
//! | tables | secondary | the global tables of events and documents: they must be there before they are filled |
//! | secondary | secondary | state, errors, who applies events, repair, alarms |
//! | primary | primary | topic rules, capture, reconcile, alarms |
//! | jitr | both | lets devices in that register themselves; only for that mode |
//! | health | both | the health check of the Region: function, API, Route 53 check |
//!
//! The tables' stack is in the secondary: what the secondary lives on is managed where it
//! lives, and can be when the primary is gone. The mode's function is a template of its own since it
//! is the same in both Regions.
//!
//! What is marked as generated in them comes from [`crate::rules`], [`crate::permissions`] and the
//! state machine; a test compares, and says how to write it anew.

#[cfg(test)]
mod generated;

/// A template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// What its stack is called after the deployment's prefix.
    pub name: &'static str,
    /// The text, in YAML.
    pub body: &'static str,
}

/// The global tables.
pub const TABLES: Template = Template { name: "tables", body: include_str!("../templates/tables.yaml") };
/// What runs in the Region that is kept ready.
pub const SECONDARY: Template =
    Template { name: "secondary", body: include_str!("../templates/secondary.yaml") };
/// What runs in the Region in which devices live.
pub const PRIMARY: Template = Template { name: "primary", body: include_str!("../templates/primary.yaml") };
/// Just-in-time registration.
pub const JITR: Template = Template { name: "jitr", body: include_str!("../templates/jitr.yaml") };
/// The health check of a Region.
pub const HEALTH: Template = Template { name: "health", body: include_str!("../templates/health.yaml") };

/// All of them.
pub const ALL: [Template; 5] = [TABLES, SECONDARY, PRIMARY, JITR, HEALTH];
