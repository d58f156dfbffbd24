//! What a query or scan reads: a table or one of its indexes, in the order of its keys.

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use super::{
    index::{Index, Projection},
    item::{Item, invalid, item_size_bytes},
    key::{Key, Schema},
    table::Table,
};
use crate::error::AwsError;

/// A place in the order: the key, and in an index the table's key as well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) key: Key,
    pub(crate) table_key: Option<Key>,
}

/// A place that is borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceRef<'a> {
    pub(crate) key: &'a Key,
    pub(crate) table_key: Option<&'a Key>,
}

impl PlaceRef<'_> {
    pub(crate) fn owned(self) -> Place {
        Place { key: self.key.clone(), table_key: self.table_key.cloned() }
    }
}

type Found<'a> = (PlaceRef<'a>, &'a Arc<Item>);

/// A table, or one of its indexes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) table: &'a Table,
    pub(crate) index: Option<&'a Index>,
    /// Attributes that a local index lacks are fetched from the table.
    pub(crate) fetches: bool,
}

impl<'a> Rows<'a> {
    pub(crate) fn schema(&self) -> &'a Schema {
        self.index.map_or(&self.table.schema, |index| &index.definition.schema)
    }

    /// Whether items lack attributes here.
    pub(crate) fn is_partial(&self) -> bool {
        self.index.is_some_and(|index| index.definition.projection != Projection::All)
    }

    /// The rows between two places, in order.
    pub(crate) fn between(
        &self,
        (from, to): (Bound<Place>, Bound<Place>),
    ) -> Box<dyn DoubleEndedIterator<Item = Found<'a>> + 'a> {
        match self.index {
            None => {
                let range = (from.map(|p| p.key), to.map(|p| p.key));
                if !is_ordered(&range) {
                    return Box::new(std::iter::empty());
                }
                let rows = self.table.range(range);
                Box::new(rows.map(|(key, item)| (PlaceRef { key, table_key: None }, item)))
            }
            Some(index) => {
                // Without a table's key a place stands for all that have its key.
                let pair = |place: Place, otherwise: Key| (place.key, place.table_key.unwrap_or(otherwise));
                let from = match from {
                    Bound::Included(place) => Bound::Included(pair(place, Key::FIRST)),
                    Bound::Excluded(place) => Bound::Excluded(pair(place, Key::LAST)),
                    Bound::Unbounded => Bound::Unbounded,
                };
                let to = match to {
                    Bound::Included(place) => Bound::Included(pair(place, Key::LAST)),
                    Bound::Excluded(place) => Bound::Excluded(pair(place, Key::FIRST)),
                    Bound::Unbounded => Bound::Unbounded,
                };
                let range = (from, to);
                if !is_ordered(&range) {
                    return Box::new(std::iter::empty());
                }
                let entries = index.range(range);
                Box::new(entries.map(|((key, table), item)| (PlaceRef { key, table_key: Some(table) }, item)))
            }
        }
    }

    /// What of an item is seen here.
    pub(crate) fn seen(&self, item: &Arc<Item>) -> Arc<Item> {
        match self.index {
            Some(index) if !self.fetches => index.projected(item),
            _ => Arc::clone(item),
        }
    }

    /// Bytes that reading an item here counts for.
    pub(crate) fn size_bytes(&self, item: &Item) -> usize {
        self.index.map_or_else(|| item_size_bytes(item), |index| index.size_bytes(item))
    }

    /// A place as `LastEvaluatedKey` has it.
    pub(crate) fn place_item(&self, place: &Place) -> Item {
        let mut item = self.schema().key_item(&place.key);
        if let Some(key) = &place.table_key {
            item.extend(self.table.schema.key_item(key));
        }
        item
    }

    /// The place that an `ExclusiveStartKey` names.
    pub(crate) fn place_of(&self, start: &Item) -> Result<Place, AwsError> {
        let wrong = |_| invalid("The provided starting key is invalid");
        let Some(index) = self.index else {
            let key = self.table.schema.key_of_request(start).map_err(wrong)?;
            return Ok(Place { key, table_key: None });
        };
        let of_table = self.table.schema.attributes().map(|a| &a.name);
        let of_index = index.definition.schema.attributes().map(|a| &a.name);
        let names: BTreeSet<&String> = of_table.chain(of_index).collect();
        if start.len() != names.len() {
            return Err(invalid("The provided starting key is invalid"));
        }
        let key = index.definition.schema.key_of_item(start).map_err(wrong)?;
        let table_key = self.table.schema.key_of_item(start).map_err(wrong)?;
        Ok(Place { key, table_key: Some(table_key) })
    }
}

/// A range that is turned around would make the map panic.
fn is_ordered<T: Ord>((from, to): &(Bound<T>, Bound<T>)) -> bool {
    match (from, to) {
        (Bound::Excluded(a), Bound::Excluded(b)) => a < b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a <= b,
        _ => true,
    }
}
