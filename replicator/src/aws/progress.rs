//! The progress table: where a walk is, one row a name.

use aws_sdk_dynamodb::Client;
use serde_json::Value;

use super::columns::{read_json, text, unavailable};
use super::errors::failure;
use crate::outcome::Outcome;
use crate::progress::Progress;

/// The progress table.
#[derive(Debug, Clone)]
pub struct ProgressTable {
    client: Client,
    table: String,
}

impl ProgressTable {
    /// Over a client of the Region that has the table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn write(&self, name: &str, place: String) -> Outcome<()> {
        let put = self.client.put_item().table_name(&self.table);
        let put = put.item("key", text(name)).item("place", text(place));
        put.send().await.map(drop).map_err(failure("put progress")).map_err(unavailable)
    }
}

impl Progress for ProgressTable {
    async fn get(&self, name: &str) -> Outcome<Option<Value>> {
        let get = self.client.get_item().table_name(&self.table).key("key", text(name));
        let answer = get.consistent_read(true).send().await;
        let answer = answer.map_err(failure("get progress")).map_err(unavailable)?;
        let place: Option<Value> = answer.item.as_ref().and_then(|item| read_json(item, "place"));
        Ok(place.filter(|place| !place.is_null()))
    }

    async fn put(&self, name: &str, value: &Value) -> Outcome<()> {
        self.write(name, value.to_string()).await
    }

    /// The row stays, with no place in it: the function that walks may not delete.
    async fn clear(&self, name: &str) -> Outcome<()> {
        self.write(name, Value::Null.to_string()).await
    }
}
