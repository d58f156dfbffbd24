//! The undo journal: a line is written and synced *before* each change to the world, so that whatever happens to this
//! process, the way back is on disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of `undo.ndjson`. The last line of an `id` is where that change stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoEntry {
    /// The change, numbered from 1 in the order made.
    pub id: u64,
    /// When the line was written.
    pub wall: Timestamp,
    /// Where it stands.
    pub state: UndoState,
    /// The Region, or `global`.
    pub region: String,
    /// What is changed, for example `thing`, `table`, `fault`.
    pub kind: String,
    /// Its name or id; for a change of a value, what and where.
    pub name: String,
    /// The exact manual undo: a command that a person can run.
    pub manual: String,
    /// What the cure needs to know, for example the value that was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// Why the cure failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoState {
    /// About to be made (it may have been made).
    Intended,
    /// Undone, and read back where it can be.
    Undone,
    /// The undo was tried and failed.
    Failed,
}
