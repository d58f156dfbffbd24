//! The error table: what could not be applied, one row an event.
//!
//! | Column | |
//! |---|---|
//! | `device`, `event` | the key of the event in the event table |
//! | `what`, `why` | the step that failed, and what was said |
//! | `attempts` | how often it was seen |
//! | `first_seen`, `last_seen` | when, in milliseconds |
//! | `row` | the event, JSON, to be applied again; absent if it could not be decoded |

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use serde_json::{Map, Value};

use super::columns::{
    COLUMN_BYTES_MAX, Item, number, page_key, read_json, read_number, read_text, start_key, text, unavailable,
};
use super::errors::failure;
use crate::model::Page;
use crate::outcome::{Class, Outcome, Settled};
use crate::ports::{ErrorRow, Errors};

/// How many rows a page has: they are applied before the next is read.
const PAGE_ROWS: i32 = 100;

/// How much of a reason is kept.
const WHY_CHARS_MAX: usize = 2_000;

/// The error table.
#[derive(Debug, Clone)]
pub struct ErrorTable {
    client: Client,
    table: String,
}

impl ErrorTable {
    /// Over a client of the secondary Region.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The change that says what failed, and counts it.
    fn one_more(&self, row: &ErrorRow) -> UpdateItemFluentBuilder {
        let why: String = row.why.chars().take(WHY_CHARS_MAX).collect();
        let mut set = "SET #what = :what, #why = :why, #last = :now, \
                       #first = if_not_exists(#first, :now)"
            .to_owned();
        let event = event_text(row.row.as_ref());
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("device", text(&row.device))
            .key("event", text(&row.event))
            .expression_attribute_names("#what", "what")
            .expression_attribute_names("#why", "why")
            .expression_attribute_names("#last", "last_seen")
            .expression_attribute_names("#first", "first_seen")
            .expression_attribute_names("#attempts", "attempts")
            .expression_attribute_values(":what", text(&row.what))
            .expression_attribute_values(":why", text(why))
            .expression_attribute_values(":now", number(row.seen_ms))
            .expression_attribute_values(":one", number(1));
        if let Some(event) = event {
            set.push_str(", #row = :row");
            update = update
                .expression_attribute_names("#row", "row")
                .expression_attribute_values(":row", text(event));
        }
        update.update_expression(format!("{set} ADD #attempts :one"))
    }
}

/// The event as text, unless it is larger than a row of the event table can be.
fn event_text(row: Option<&Map<String, Value>>) -> Option<String> {
    let json = serde_json::to_string(row?).ok()?;
    (json.len() <= COLUMN_BYTES_MAX).then_some(json)
}

fn error_row(item: &Item) -> ErrorRow {
    let column = |name| read_text(item, name).unwrap_or_default().to_owned();
    ErrorRow {
        device: column("device"),
        event: column("event"),
        what: column("what"),
        why: column("why"),
        seen_ms: read_number(item, "last_seen").unwrap_or_default(),
        attempts: read_number(item, "attempts").unwrap_or_default(),
        row: read_json(item, "row"),
    }
}

impl Errors for ErrorTable {
    async fn record(&self, row: &ErrorRow) -> Outcome<u64> {
        let update = self.one_more(row).return_values(ReturnValue::UpdatedNew);
        let answer = update.send().await.map_err(failure("record error")).map_err(unavailable)?;
        let first_ms = answer.attributes.and_then(|item| read_number(&item, "first_seen"));
        Ok(first_ms.unwrap_or(row.seen_ms))
    }

    async fn record_again(&self, row: &ErrorRow) -> Outcome<()> {
        let update = self.one_more(row).condition_expression("attribute_exists(#attempts)");
        let updated = update.send().await.map(drop).map_err(failure("record error")).map_err(unavailable);
        updated.settled(Class::Conflict).map(drop)
    }

    async fn clear(&self, device: &str, event: &str) -> Outcome<()> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.key("device", text(device)).key("event", text(event));
        delete.send().await.map(drop).map_err(failure("clear error")).map_err(unavailable)
    }

    async fn clear_unchanged(&self, row: &ErrorRow) -> Outcome<()> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete
            .key("device", text(&row.device))
            .key("event", text(&row.event))
            .condition_expression("attribute_not_exists(#attempts) OR #attempts = :attempts")
            .expression_attribute_names("#attempts", "attempts")
            .expression_attribute_values(":attempts", number(row.attempts));
        let deleted = delete.send().await.map(drop).map_err(failure("clear error")).map_err(unavailable);
        deleted.settled(Class::Conflict).map(drop)
    }

    async fn rows(&self, from: Option<&str>) -> Outcome<Page<ErrorRow>> {
        let scan = self.client.scan().table_name(&self.table).consistent_read(true).limit(PAGE_ROWS);
        let scan = scan.set_exclusive_start_key(start_key(from));
        let answer = scan.send().await.map_err(failure("scan errors")).map_err(unavailable)?;
        let items = answer.items.unwrap_or_default().iter().map(error_row).collect();
        Ok(Page { items, next: page_key(answer.last_evaluated_key) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_comes_back_as_it_was_and_one_without_is_known() {
        let event = json!({"state": {"N": 1.5, "S": null}, "version": u64::MAX});
        let event = event.as_object().unwrap();
        let item: Item = [
            ("device".to_owned(), text("d")),
            ("event".to_owned(), text("e")),
            ("attempts".to_owned(), number(3)),
            ("last_seen".to_owned(), number(9)),
            ("row".to_owned(), text(event_text(Some(event)).unwrap())),
        ]
        .into();
        let row = error_row(&item);
        assert_eq!((row.attempts, row.seen_ms, row.row.as_ref()), (3, 9, Some(event)));
        assert_eq!(event_text(None), None);
        let large = json!({"a": "x".repeat(COLUMN_BYTES_MAX)});
        assert_eq!(event_text(large.as_object()), None);
    }
}
