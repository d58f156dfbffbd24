//! The state table and the error table, both local to the secondary Region.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use super::errors::failure;
use crate::outcome::{Class, Failure, Outcome};
use crate::ports::{ErrorRow, Errors, Row, State};

/// The state table: `key`, `revision` (rises with every put) and `row` (JSON).
#[derive(Debug, Clone)]
pub struct StateTable {
    client: Client,
    table: String,
}

/// The error table: `device`, `event`, `what`, `why`, `attempts`, `first_seen`, `last_seen` (ms).
#[derive(Debug, Clone)]
pub struct ErrorTable {
    client: Client,
    table: String,
}

impl StateTable {
    /// Over a client of the secondary Region.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl ErrorTable {
    /// Over a client of the secondary Region.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Nothing about a table is the event's fault, so no event is given up for it.
fn unavailable(failure: Failure) -> Failure {
    match failure.class {
        Class::Conflict => failure,
        _ => Failure { class: Class::Transient, ..failure },
    }
}

impl State for StateTable {
    async fn get(&self, key: &str) -> Outcome<Option<(Row, u64)>> {
        const STEP: &str = "get state";
        let get = self.client.get_item().table_name(&self.table).key("key", text(key)).consistent_read(true);
        let answer = get.send().await.map_err(failure(STEP)).map_err(unavailable)?;
        let Some(item) = answer.item else { return Ok(None) };
        let row = item.get("row").and_then(|row| row.as_s().ok());
        let revision = item.get("revision").and_then(|revision| revision.as_n().ok());
        let row = row.and_then(|row| serde_json::from_str(row).ok());
        let revision = revision.and_then(|revision| revision.parse().ok());
        match (row, revision) {
            (Some(row), Some(revision)) => Ok(Some((row, revision))),
            _ => Err(Failure::permanent(STEP, "the row cannot be read")),
        }
    }

    async fn put(&self, key: &str, row: &Row, read: Option<u64>) -> Outcome<u64> {
        const STEP: &str = "put state";
        let json = serde_json::to_string(row).map_err(|why| Failure::permanent(STEP, why))?;
        let revision = read.unwrap_or_default() + 1;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("key", text(key))
            .item("revision", number(revision))
            .item("row", text(&json));
        let put = match read {
            None => put
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", "key"),
            Some(read) => put
                .condition_expression("#revision = :read")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":read", number(read)),
        };
        put.send().await.map_err(failure(STEP)).map_err(unavailable)?;
        Ok(revision)
    }
}

impl Errors for ErrorTable {
    async fn record(&self, row: &ErrorRow) -> Outcome<()> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("device", text(&row.device))
            .key("event", text(&row.event))
            .update_expression(
                "SET #what = :what, #why = :why, #last = :now, #first = if_not_exists(#first, :now) \
                 ADD #attempts :one",
            )
            .expression_attribute_names("#what", "what")
            .expression_attribute_names("#why", "why")
            .expression_attribute_names("#last", "last_seen")
            .expression_attribute_names("#first", "first_seen")
            .expression_attribute_names("#attempts", "attempts")
            .expression_attribute_values(":what", text(&row.what))
            .expression_attribute_values(":why", text(&row.why))
            .expression_attribute_values(":now", number(row.seen_ms))
            .expression_attribute_values(":one", number(1))
            .send()
            .await
            .map_err(failure("record error"))
            .map_err(unavailable)?;
        Ok(())
    }

    async fn clear(&self, device: &str, event: &str) -> Outcome<()> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key("device", text(device))
            .key("event", text(event))
            .send()
            .await
            .map_err(failure("clear error"))
            .map_err(unavailable)?;
        Ok(())
    }
}
