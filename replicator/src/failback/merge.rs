//! Three-way merging of one shadow: what both Regions had when replication broke, and what each has
//! now. Leaf by leaf:
//!
//! | Changed since | The result |
//! |---|---|
//! | only in the primary | stays as it is there |
//! | only in the secondary | is taken home, unless its stamp is older than the primary's |
//! | in both | the newest stamp; at the same second a device's write (`reported`) wins over the primary's, and the primary's over an application's (`desired`) |
//! | deleted in one, changed in the other | the primary's: said, and brought back only if asked for |
//!
//! A deletion has no stamp. So a leaf that only the secondary deleted is deleted at home, and against a
//! change no deletion wins. Both sections go home in one update: a delta against a stale `reported` is
//! never computed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::shadow::diff::{self, Document, newest_s, same};

/// What becomes of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Changed only in the secondary: the primary gets it.
    TakenHome,
    /// Changed only in the primary: it stays.
    Kept,
    /// Changed in both, and the secondary's is newer: it overwrites the primary's.
    Overwrites,
    /// Changed in both, and the primary's is newer: the secondary's will be overwritten.
    Overwritten,
    /// Deleted in one and changed in the other.
    Resurrects,
}

/// A leaf that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    /// A JSON pointer from the top of the state.
    pub pointer: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The primary's value; null if it has none.
    pub primary: Value,
    /// The secondary's value; null if it has none.
    pub secondary: Value,
    /// When the primary's was written, in seconds.
    pub primary_s: Option<u64>,
    /// When the secondary's was written, in seconds.
    pub secondary_s: Option<u64>,
}

/// What is merged.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The primary now.
    pub primary: Document<'a>,
    /// The secondary now.
    pub secondary: Document<'a>,
    /// The primary as it was last replicated.
    pub base: Document<'a>,
    /// The secondary as the replicator left it.
    pub left: Document<'a>,
    /// Leaves in it that were a device's own, with their stamps.
    pub kept: &'a BTreeMap<String, u64>,
}

/// The merged state, and every leaf that differs.
pub fn merge(sides: &Sides<'_>, resurrect: bool) -> (Value, Vec<Leaf>) {
    let mut walk = Walk { kept: sides.kept, resurrect, leaves: Vec::new() };
    let at = At {
        primary: Some(sides.primary.state),
        secondary: Some(sides.secondary.state),
        base: Some(sides.base.state),
        left: Some(sides.left.state),
        stamps: [sides.primary.metadata, sides.secondary.metadata, sides.base.metadata, sides.left.metadata],
    };
    let merged = walk.objects("", &at).unwrap_or_default();
    (Value::Object(merged), walk.leaves)
}

/// The update that brings the primary from its state to the merged one; none if it has it.
pub fn update(primary: &Value, merged: &Value) -> Option<Value> {
    fn bare(state: &Value) -> Document<'_> {
        Document { state, metadata: &Value::Null }
    }
    diff::update(&bare(primary), &bare(merged), |_| false).0
}

/// One place in all four documents.
struct At<'a> {
    primary: Option<&'a Value>,
    secondary: Option<&'a Value>,
    base: Option<&'a Value>,
    left: Option<&'a Value>,
    stamps: [&'a Value; 4],
}

impl At<'_> {
    fn child(&self, key: &str) -> Self {
        fn of<'a>(value: Option<&'a Value>, key: &str) -> Option<&'a Value> {
            value.and_then(|value| value.get(key)).filter(|value| !value.is_null())
        }
        Self {
            primary: of(self.primary, key),
            secondary: of(self.secondary, key),
            base: of(self.base, key),
            left: of(self.left, key),
            stamps: self.stamps.map(|stamps| stamps.get(key).unwrap_or(&Value::Null)),
        }
    }

    fn stamp_s(&self, index: usize) -> Option<u64> {
        self.stamps.get(index).and_then(|stamps| newest_s(stamps))
    }

    fn primary_changed(&self) -> bool {
        changed(self.primary, self.base, self.stamp_s(0), self.stamp_s(2))
    }

    fn secondary_changed(&self, kept: Option<&u64>) -> bool {
        // What the replicator brought and found removed, it leaves away: only the base has it still.
        let removed = self.secondary.is_none() && self.left.is_none() && self.base.is_some();
        changed(self.secondary, self.left, self.stamp_s(1), self.stamp_s(3))
            || removed
            || (kept.is_some() && kept.copied() == self.stamp_s(1))
    }
}

fn changed(now: Option<&Value>, then: Option<&Value>, now_s: Option<u64>, then_s: Option<u64>) -> bool {
    match (now, then) {
        // A value that was written again is a write, too.
        (Some(now), Some(then)) => !same(now, then) || now_s > then_s,
        (None, None) => false,
        _ => true,
    }
}

struct Walk<'a> {
    kept: &'a BTreeMap<String, u64>,
    resurrect: bool,
    leaves: Vec<Leaf>,
}

impl Walk<'_> {
    /// Merges what is an object in both, or in one and absent in the other; none if it is not that.
    fn objects(&mut self, pointer: &str, at: &At<'_>) -> Option<Map<String, Value>> {
        let nothing = Map::new();
        let (primary, secondary) = match (at.primary, at.secondary) {
            (Some(Value::Object(primary)), Some(Value::Object(secondary))) => (primary, secondary),
            (Some(Value::Object(primary)), None) if !primary.is_empty() => (primary, &nothing),
            (None, Some(Value::Object(secondary))) if !secondary.is_empty() => (&nothing, secondary),
            _ => return None,
        };
        let new = secondary.keys().filter(|key| !primary.contains_key(*key));
        let mut merged = Map::new();
        for key in primary.keys().chain(new) {
            let pointer = diff::child(pointer, key);
            if let Some(value) = self.value(&pointer, &at.child(key)) {
                merged.insert(key.clone(), value);
            }
        }
        Some(merged)
    }

    fn value(&mut self, pointer: &str, at: &At<'_>) -> Option<Value> {
        if let Some(merged) = self.objects(pointer, at) {
            let both = at.primary.is_some() && at.secondary.is_some();
            return (both || !merged.is_empty()).then_some(Value::Object(merged));
        }
        match (at.primary, at.secondary) {
            (Some(primary), Some(secondary)) if same(primary, secondary) => Some(primary.clone()),
            (None, None) => None,
            _ => self.leaf(pointer, at),
        }
    }

    fn leaf(&mut self, pointer: &str, at: &At<'_>) -> Option<Value> {
        let (primary_s, secondary_s) = (at.stamp_s(0), at.stamp_s(1));
        let here = at.primary_changed();
        let there = at.secondary_changed(self.kept.get(pointer));
        let newer_there = match secondary_s.cmp(&primary_s) {
            std::cmp::Ordering::Equal => pointer.starts_with("/reported"),
            order => order.is_gt(),
        };
        let both = at.primary.is_some() && at.secondary.is_some();
        let verdict = match (here, there) {
            (_, false) => Verdict::Kept,
            (true, true) if !both => Verdict::Resurrects,
            (false, true) if !both || newer_there => Verdict::TakenHome,
            (true, true) if newer_there => Verdict::Overwrites,
            _ => Verdict::Overwritten,
        };
        let takes = match verdict {
            Verdict::TakenHome | Verdict::Overwrites => true,
            // A deletion in the secondary never wins against a change.
            Verdict::Resurrects => self.resurrect && at.secondary.is_some(),
            Verdict::Kept | Verdict::Overwritten => false,
        };
        let (primary, secondary) = (at.primary.cloned(), at.secondary.cloned());
        self.leaves.push(Leaf {
            pointer: pointer.to_owned(),
            verdict,
            primary: primary.clone().unwrap_or_default(),
            secondary: secondary.clone().unwrap_or_default(),
            primary_s,
            secondary_s,
        });
        if takes { secondary } else { primary }
    }
}

#[cfg(test)]
mod tests;
