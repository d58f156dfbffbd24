//! A secondary index: the items that have its key attributes, in the order of its own keys.
//!
//! Guarantees: it holds exactly the items of the table that have its key attributes with the right types (a sparse
//! index), as the table has them now. AWS lets a global index lag a little behind its table; this one does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    capacity::{Throughput, Units},
    item::{Item, invalid, item_size_bytes},
    key::{Key, Schema},
};
use crate::error::AwsError;

/// How long an index that is added to a table is `CREATING`, and one that is taken away `DELETING`. AWS takes minutes.
pub(crate) const CHANGE_TIME: SignedDuration = SignedDuration::from_secs(1);

/// Where an entry stands: by the index's key and the table's.
type Place = (Key, Key);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Global,
    Local,
}

/// Which attributes an index has besides its keys and the table's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Projection {
    All,
    KeysOnly,
    Include(BTreeSet<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Creating,
    Active,
    Deleting,
}

/// How an index is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) schema: Schema,
    pub(crate) projection: Projection,
}

/// An index.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) definition: Definition,
    /// Capacity, where the table is provisioned and the index global.
    pub(crate) throughput: Option<Throughput>,
    /// Names of the table's key attributes, which every index has.
    table_keys: Vec<String>,
    entries: BTreeMap<Place, Arc<Item>>,
    bytes: usize,
    active_at: Timestamp,
    gone_at: Option<Timestamp>,
}

impl Index {
    /// An empty index, active from that time on.
    pub(crate) fn new(definition: Definition, table: &Schema, active_at: Timestamp) -> Self {
        let table_keys = table.attributes().map(|a| a.name.clone()).collect();
        Self {
            definition,
            throughput: None,
            table_keys,
            entries: BTreeMap::new(),
            bytes: 0,
            active_at,
            gone_at: None,
        }
    }

    pub(crate) fn status(&self, now: Timestamp) -> Status {
        match self.gone_at {
            Some(_) => Status::Deleting,
            None if now < self.active_at => Status::Creating,
            None => Status::Active,
        }
    }

    /// Starts the deletion.
    pub(crate) fn delete(&mut self, now: Timestamp) {
        self.gone_at = Some(now.saturating_add(CHANGE_TIME).unwrap_or(now));
    }

    pub(crate) fn is_gone(&self, now: Timestamp) -> bool {
        self.gone_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of what the index has of its items.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What stands between two places, in order. The range must not be turned around.
    pub(crate) fn range(
        &self,
        range: (Bound<Place>, Bound<Place>),
    ) -> impl DoubleEndedIterator<Item = (&Place, &Arc<Item>)> {
        self.entries.range(range)
    }

    /// An item may lack the index's keys, but it may not have them with another type or as something empty.
    pub(crate) fn check(&self, item: &Item) -> Result<(), AwsError> {
        let name = &self.definition.name;
        for attribute in self.definition.schema.attributes() {
            let Some(value) = item.get(&attribute.name) else { continue };
            if value.type_name() != attribute.kind {
                return Err(invalid(format!(
                    "One or more parameter values were invalid: Type mismatch for Index Key {} Expected: {} Actual: {} \
                     IndexName: {name}",
                    attribute.name,
                    attribute.kind,
                    value.type_name()
                )));
            }
            if value.size_bytes() == 0 {
                return Err(invalid(format!(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not \
                     supported. The AttributeValue for a key attribute cannot contain an empty string value. \
                     IndexName: {name}, IndexKey: {}",
                    attribute.name
                )));
            }
        }
        if self.is_full_key(item) { self.definition.schema.key_of_item(item).map(|_| ()) } else { Ok(()) }
    }

    fn is_full_key(&self, item: &Item) -> bool {
        self.definition.schema.attributes().all(|a| item.contains_key(&a.name))
    }

    /// The key under which the index has an item; none if it does not have it.
    pub(crate) fn key_of(&self, item: &Item) -> Option<Key> {
        // Looking first spares the error's text for the many items that a sparse index does not have.
        if self.is_full_key(item) { self.definition.schema.key_of_item(item).ok() } else { None }
    }

    /// Follows a change of the table.
    pub(crate) fn replace(&mut self, table_key: &Key, old: Option<&Arc<Item>>, new: Option<&Arc<Item>>) {
        if let Some(old) = old
            && let Some(key) = self.key_of(old)
            && self.entries.remove(&(key, table_key.clone())).is_some()
        {
            self.bytes = self.bytes.saturating_sub(self.size_bytes(old));
        }
        if let Some(new) = new
            && let Some(key) = self.key_of(new)
        {
            self.bytes += self.size_bytes(new);
            self.entries.insert((key, table_key.clone()), Arc::clone(new));
        }
    }

    /// Whether the index has attributes of this name.
    pub(crate) fn projects(&self, name: &str) -> bool {
        match &self.definition.projection {
            Projection::All => true,
            Projection::Include(names) if names.contains(name) => true,
            _ => self.definition.schema.has(name) || self.table_keys.iter().any(|k| k == name),
        }
    }

    /// What the index has of an item.
    pub(crate) fn projected(&self, item: &Arc<Item>) -> Arc<Item> {
        if self.definition.projection == Projection::All {
            return Arc::clone(item);
        }
        let kept = item.iter().filter(|(name, _)| self.projects(name));
        Arc::new(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Bytes of what the index has of an item.
    pub(crate) fn size_bytes(&self, item: &Item) -> usize {
        if self.definition.projection == Projection::All {
            return item_size_bytes(item);
        }
        let kept = item.iter().filter(|(name, _)| self.projects(name));
        kept.map(|(name, value)| name.len() + value.size_bytes()).sum()
    }

    /// What a change of the table costs here: one write to put, to take away or to change what the index has, and two if
    /// its key changes.
    pub(crate) fn write_units(&self, old: Option<&Item>, new: Option<&Item>) -> Units {
        let old = old.and_then(|item| Some((self.key_of(item)?, item)));
        let new = new.and_then(|item| Some((self.key_of(item)?, item)));
        let one = |item: &Item| Units::write(self.size_bytes(item));
        match (old, new) {
            (None, None) => Units::default(),
            (Some((_, item)), None) | (None, Some((_, item))) => one(item),
            (Some((a, old)), Some((b, new))) if a != b => one(old) + one(new),
            (Some((_, old)), Some((_, new))) => {
                let mut names = old.keys().chain(new.keys()).filter(|name| self.projects(name));
                if names.all(|name| old.get(name) == new.get(name)) {
                    Units::default()
                } else {
                    Units::write(self.size_bytes(old).max(self.size_bytes(new)))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
