//! The state table: one row a key, and who holds the key.
//!
//! | Column | |
//! |---|---|
//! | `key` | what it is of ([`crate::tables`]) |
//! | `row` | what is remembered, JSON |
//! | `token`, `until` | who holds the key, and until when in milliseconds; absent: nobody |
//! | `intent` | what the holder is about to do, JSON; it outlives a holder that ends, and later ones that end |
//! | `latest` | the same, of the last holder |
//! | `before`, `before_latest` | what this holder found there, so that a repeated request still learns it |
//! | `last` | who put the row, so that a repeated request knows its own work |
//!
//! Requests are repeated when an answer is lost. Each is therefore its own proof: one that finds its
//! token in place has already happened.

use std::fmt::Write as _;

use aws_lc_rs::rand::{self, SystemRandom};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use serde_json::Value;

use super::columns::{Item, number, page_key, read_json, read_text, start_key, text, unavailable};
use super::errors::failure;
use crate::model::Page;
use crate::order::LEASE_MS;
use crate::outcome::{Failure, Outcome};
use crate::ports::{Row, State, TAKE_KEY, Taken};

/// What a key has while it is held, or was when its holder ended.
const HOLDING: &str = "#token, #until, #intent, #latest, #before, #before_latest";

/// The state table.
#[derive(Debug, Clone)]
pub struct StateTable {
    client: Client,
    table: String,
    random: SystemRandom,
}

impl StateTable {
    /// Over a client of the secondary Region.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, random: SystemRandom::new() }
    }

    /// Names one holding: no two functions, and no two tries of one, have the same.
    fn token(&self) -> Outcome<String> {
        let mut bytes = [0_u8; 16];
        rand::SecureRandom::fill(&self.random, &mut bytes)
            .map_err(|_| Failure::transient(TAKE_KEY, "no random number"))?;
        Ok(bytes.iter().fold(String::with_capacity(32), |mut token, byte| {
            // Writing to a String cannot fail.
            write!(token, "{byte:02x}").ok();
            token
        }))
    }

    /// A change of a key's row that says, if it is refused, what is there instead.
    fn change(&self, key: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("key", text(key))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// What is there instead, if a change was refused because of it.
fn refused(error: &SdkError<UpdateItemError, HttpResponse>) -> Option<&Item> {
    match error.as_service_error()? {
        UpdateItemError::ConditionalCheckFailedException(refused) => refused.item(),
        _ => None,
    }
}

fn row(item: &Item, step: &'static str) -> Outcome<Option<Row>> {
    if !item.contains_key("row") {
        return Ok(None);
    }
    let row = read_json(item, "row");
    row.map(Some).ok_or_else(|| Failure::permanent(step, "the row cannot be read"))
}

/// The intent in a column; a missing one and JSON's null are the same.
fn intent(item: &Item, column: &str) -> Option<Value> {
    read_json::<Value>(item, column).filter(|intent| !intent.is_null())
}

impl State for StateTable {
    async fn take(&self, key: &str, intent_now: &Value, now_ms: u64) -> Outcome<Taken> {
        const STEP: &str = TAKE_KEY;
        let token = self.token()?;
        let take = self
            .change(key)
            .update_expression(
                "SET #token = :token, #until = :until, #before = if_not_exists(#intent, :none), \
                 #before_latest = if_not_exists(#latest, :none), #intent = if_not_exists(#intent, :intent), \
                 #latest = :intent",
            )
            .condition_expression("attribute_not_exists(#until) OR #until <= :now")
            .expression_attribute_names("#token", "token")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#latest", "latest")
            .expression_attribute_names("#before", "before")
            .expression_attribute_names("#before_latest", "before_latest")
            .expression_attribute_names("#intent", "intent")
            .expression_attribute_values(":token", text(&token))
            .expression_attribute_values(":until", number(now_ms.saturating_add(LEASE_MS)))
            .expression_attribute_values(":none", text("null"))
            .expression_attribute_values(":intent", text(intent_now.to_string()))
            .expression_attribute_values(":now", number(now_ms))
            .return_values(ReturnValue::AllOld);
        let (there, [unfinished, latest]) = match take.send().await {
            Ok(answer) => {
                let there = answer.attributes.unwrap_or_default();
                let found = ["intent", "latest"].map(|column| intent(&there, column));
                (there, found)
            }
            Err(error) => match refused(&error) {
                // A repeated request: the first one took it.
                Some(there) if read_text(there, "token") == Some(&token) => {
                    (there.clone(), ["before", "before_latest"].map(|column| intent(there, column)))
                }
                _ => return Err(unavailable(failure(STEP)(error))),
            },
        };
        Ok(Taken { key: key.to_owned(), row: row(&there, STEP)?, unfinished, latest, token })
    }

    async fn put(&self, taken: &Taken, row: &Row) -> Outcome<()> {
        const STEP: &str = "put state";
        let json = serde_json::to_string(row).map_err(|why| Failure::permanent(STEP, why))?;
        let put = self
            .change(&taken.key)
            .update_expression(format!("SET #row = :row, #last = :token REMOVE {HOLDING}"))
            .condition_expression("#token = :token")
            .expression_attribute_names("#row", "row")
            .expression_attribute_names("#last", "last")
            .expression_attribute_names("#token", "token")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#intent", "intent")
            .expression_attribute_names("#latest", "latest")
            .expression_attribute_names("#before", "before")
            .expression_attribute_names("#before_latest", "before_latest")
            .expression_attribute_values(":row", text(json))
            .expression_attribute_values(":token", text(&taken.token));
        match put.send().await {
            Ok(_) => Ok(()),
            // A repeated request: the first one put it. Somebody may hold the key since.
            Err(error)
                if refused(&error).and_then(|there| read_text(there, "last")) == Some(&taken.token) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(failure(STEP)(error))),
        }
    }

    async fn note(&self, taken: &Taken, row: &Row, intent_now: &Value, now_ms: u64) -> Outcome<Taken> {
        const STEP: &str = "note state";
        let json = serde_json::to_string(row).map_err(|why| Failure::permanent(STEP, why))?;
        let note = self
            .change(&taken.key)
            // A repeated request does the same again.
            .update_expression(
                "SET #row = :row, #intent = :intent, #latest = :intent, #until = :until \
                 REMOVE #before, #before_latest",
            )
            .condition_expression("#token = :token")
            .expression_attribute_names("#row", "row")
            .expression_attribute_names("#token", "token")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#intent", "intent")
            .expression_attribute_names("#latest", "latest")
            .expression_attribute_names("#before", "before")
            .expression_attribute_names("#before_latest", "before_latest")
            .expression_attribute_values(":row", text(json))
            .expression_attribute_values(":intent", text(intent_now.to_string()))
            .expression_attribute_values(":until", number(now_ms.saturating_add(LEASE_MS)))
            .expression_attribute_values(":token", text(&taken.token));
        note.send().await.map_err(failure(STEP)).map_err(unavailable)?;
        Ok(Taken { row: Some(row.clone()), unfinished: None, latest: None, ..taken.clone() })
    }

    async fn release(&self, taken: &Taken) -> Outcome<()> {
        const STEP: &str = "release key";
        let release = self
            .change(&taken.key)
            .condition_expression("#token = :token")
            .expression_attribute_names("#last", "last")
            .expression_attribute_names("#token", "token")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#intent", "intent")
            .expression_attribute_names("#latest", "latest")
            .expression_attribute_names("#before", "before")
            .expression_attribute_names("#before_latest", "before_latest")
            .expression_attribute_values(":token", text(&taken.token));
        let release = match &taken.unfinished {
            Some(unfinished) => release
                .update_expression(
                    "SET #last = :token, #intent = :intent, #latest = :latest \
                     REMOVE #token, #until, #before, #before_latest",
                )
                .expression_attribute_values(":intent", text(unfinished.to_string()))
                .expression_attribute_values(
                    ":latest",
                    text(taken.latest.as_ref().unwrap_or(unfinished).to_string()),
                ),
            None => release.update_expression(format!("SET #last = :token REMOVE {HOLDING}")),
        };
        match release.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if refused(&error).and_then(|there| read_text(there, "last")) == Some(&taken.token) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(failure(STEP)(error))),
        }
    }

    async fn read(&self, key: &str) -> Outcome<Option<Row>> {
        const STEP: &str = "read state";
        let get = self.client.get_item().table_name(&self.table).key("key", text(key)).consistent_read(true);
        let answer = get.send().await.map_err(failure(STEP)).map_err(unavailable)?;
        answer.item.map_or(Ok(None), |item| row(&item, STEP))
    }

    async fn rows(&self, prefix: &str, from: Option<&str>) -> Outcome<Page<(String, Row)>> {
        const STEP: &str = "scan state";
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .filter_expression("begins_with(#key, :prefix) AND attribute_exists(#row)")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#row", "row")
            .expression_attribute_values(":prefix", text(prefix))
            .set_exclusive_start_key(start_key(from));
        let answer = scan.send().await.map_err(failure(STEP)).map_err(unavailable)?;
        let mut items = Vec::new();
        for item in answer.items.unwrap_or_default() {
            if let (Some(key), Some(row)) = (read_text(&item, "key"), row(&item, STEP)?) {
                items.push((key.to_owned(), row));
            }
        }
        Ok(Page { items, next: page_key(answer.last_evaluated_key) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ports::PolicyRow;

    #[test]
    fn a_row_that_is_not_there_is_none_and_one_that_cannot_be_read_is_an_error() {
        let policy = Row::Policy(PolicyRow { looked_ms: 7, ..PolicyRow::default() });
        let json = serde_json::to_string(&policy).unwrap();
        assert_eq!(row(&[("row".to_owned(), text(json))].into(), "s"), Ok(Some(policy)));
        assert_eq!(row(&Item::new(), "s"), Ok(None));
        assert!(row(&[("row".to_owned(), text("{}"))].into(), "s").is_err());
    }

    #[test]
    fn no_intent_and_null_are_the_same() {
        let item: Item = [("before".to_owned(), text("null")), ("intent".to_owned(), text("[1]"))].into();
        assert_eq!(intent(&item, "before"), None);
        assert_eq!(intent(&item, "intent"), Some(json!([1])));
        assert_eq!(intent(&item, "other"), None);
    }
}
