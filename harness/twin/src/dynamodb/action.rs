//! One write that a request asks for: a put, an update, a deletion, or a condition alone.

use serde_json::{Value as Json, json};

use super::{
    expression::{Condition, Path},
    item::{Item, invalid},
    key::Key,
    request::{Expressions, ItemRequest},
    table::Table,
    update::Update,
};
use crate::error::AwsError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Put,
    Update,
    Delete,
    /// Of a transaction: a condition and no write.
    Check,
}

#[derive(Debug)]
enum Change {
    Put(Item),
    /// With the key attributes, of which an item that is not there is made.
    Update(Update, Item),
    Delete,
    Check,
}

/// A write on one item.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) key: Key,
    change: Change,
    condition: Option<Condition>,
    shows_old_on_failure: bool,
}

impl Action {
    pub(crate) fn new(
        table: &Table,
        verb: Verb,
        request: &mut ItemRequest,
        expressions: Expressions,
    ) -> Result<Self, AwsError> {
        let shows_old_on_failure = request.shows_old_on_failure()?;
        let (key, change) = match verb {
            Verb::Put => {
                let item = request.item.take();
                let item =
                    item.ok_or_else(|| invalid("The parameter 'Item' is required but was not present"))?;
                (table.schema.key_of_item(&item)?, Change::Put(item))
            }
            Verb::Update => {
                let key = table.schema.key_of_request(request.key()?)?;
                let update = expressions.update.unwrap_or_default();
                if let Some(name) = update.attributes().find(|a| table.schema.has(a)) {
                    return Err(invalid(format!(
                        "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is \
                         part of the key"
                    )));
                }
                let key_item = table.schema.key_item(&key);
                (key, Change::Update(update, key_item))
            }
            Verb::Delete => (table.schema.key_of_request(request.key()?)?, Change::Delete),
            Verb::Check => (table.schema.key_of_request(request.key()?)?, Change::Check),
        };
        Ok(Self { key, change, condition: expressions.condition, shows_old_on_failure })
    }

    /// Whether it is a condition and nothing else.
    pub(crate) fn is_check(&self) -> bool {
        matches!(self.change, Change::Check)
    }

    /// The paths that an update writes.
    pub(crate) fn paths(&self) -> Vec<Path> {
        match &self.change {
            Change::Update(update, _) => update.paths().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// What the action makes of the item as it is.
    pub(crate) fn apply(self, old: Option<&Item>) -> Result<Option<Item>, AwsError> {
        self.check(old)?;
        match self.change {
            Change::Put(item) => Ok(Some(item)),
            Change::Update(update, key_item) => update.apply(old.unwrap_or(&key_item)).map(Some),
            Change::Delete => Ok(None),
            Change::Check => Ok(old.cloned()),
        }
    }

    /// Refuses if the condition does not hold.
    fn check(&self, old: Option<&Item>) -> Result<(), AwsError> {
        let empty = Item::new();
        if self.condition.as_ref().is_none_or(|c| c.holds(old.unwrap_or(&empty))) {
            return Ok(());
        }
        let refused = AwsError::new(400, "ConditionalCheckFailedException", "The conditional request failed");
        Err(match old.filter(|_| self.shows_old_on_failure) {
            Some(item) => refused.with("Item", json!(item).to_string()),
            None => refused,
        })
    }
}

/// A put of an item, or the deletion of one, as batches have it.
pub(crate) fn batched(table: &Table, request: &Json) -> Result<(Key, Option<Item>), AwsError> {
    let part =
        |verb: &str, member: &str| request.get(verb).map(|r| r.get(member).cloned().unwrap_or(Json::Null));
    let members = request.as_object().map_or(0, serde_json::Map::len);
    match (part("PutRequest", "Item"), part("DeleteRequest", "Key")) {
        (Some(item), None) if members == 1 => {
            let item: Item = super::api::input(item)?;
            table.check(&item)?;
            Ok((table.schema.key_of_item(&item)?, Some(item)))
        }
        (None, Some(key)) if members == 1 => {
            let key: Item = super::api::input(key)?;
            Ok((table.schema.key_of_request(&key)?, None))
        }
        _ => Err(invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of PutRequest and \
             DeleteRequest",
        )),
    }
}
