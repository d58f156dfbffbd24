//! What version 2017.11.29 of global tables writes into items, and the groups that it has.
//!
//! The version replicates with writes like a user's, which its streams show. Of a user's put or update in its own Region:
//! the write, and one that adds the three attributes. In another Region: an item that is new there is put and then given
//! the attributes; one that is there is written once; one that is deleted is first marked `aws:rep:deleting`. AWS
//! documents the number of writes, so that the images of a put elsewhere are inferred.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use super::{
    item::{Item, Value},
    number::Number,
    table::Stamp,
};

const DELETING: &str = "aws:rep:deleting";
const UPDATE_REGION: &str = "aws:rep:updateregion";
const UPDATE_TIME: &str = "aws:rep:updatetime";

/// A global table of that version.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) created: Timestamp,
    pub(crate) regions: BTreeSet<String>,
}

/// The item with the attributes of a write.
pub(crate) fn marked(item: &Item, stamp: &Stamp, deleting: bool) -> Arc<Item> {
    let mut item = item.clone();
    item.insert(DELETING.to_owned(), Value::Bool(deleting));
    item.insert(UPDATE_REGION.to_owned(), Value::S(stamp.region.clone()));
    item.insert(UPDATE_TIME.to_owned(), Value::N(Number::seconds(stamp.at_ns)));
    Arc::new(item)
}

/// The item without them.
pub(crate) fn unmarked(item: &Item) -> Arc<Item> {
    let mut item = item.clone();
    for name in [DELETING, UPDATE_REGION, UPDATE_TIME] {
        item.remove(name);
    }
    Arc::new(item)
}

#[cfg(test)]
mod tests;
