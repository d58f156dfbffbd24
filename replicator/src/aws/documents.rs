//! The event table and the table of documents, for whoever writes into them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use serde_json::{Map, Value};

use super::columns::{Item, item, number, read_number, text, unavailable};
use super::errors::failure;
use crate::document::{self, Document, Key};
use crate::event::DOCUMENT;
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::ports::Documents;
use crate::reconcile;
use crate::rules::EVENT_LIFE_S;
use crate::tables::Stream;

/// How long a document lives that is not looked at again. Longer than an event, since a document also
/// says that nothing newer needs a look; short enough that what is gone is forgotten.
const DOCUMENT_LIFE_S: u64 = 30 * 24 * 60 * 60;

/// The event table, and the table of documents beside it.
#[derive(Debug, Clone)]
pub struct EventTable {
    client: Client,
    table: String,
    documents: String,
    origin: String,
}

impl EventTable {
    /// Over a client of the Region `origin`, in which what is written begins. Without a table of their own
    /// documents stand in the event table, too: whoever applies them asks nothing of where they stood.
    pub fn new(client: Client, table: String, documents: Option<String>, origin: String) -> Self {
        let documents = documents.unwrap_or_else(|| table.clone());
        Self { client, table, documents, origin }
    }

    /// Reads a row of each table that nobody writes: an error if one is not there, or not for us.
    pub async fn look(&self) -> Outcome<()> {
        for table in [&self.table, &self.documents] {
            let looked = self.row_looked_ms(table, &Key::Policy(String::new()), document::SORT_KEY).await;
            looked.map_err(|Failure { class, step, why }| {
                Failure::new(class, step, format!("table {table}: {why}"))
            })?;
        }
        Ok(())
    }

    /// Puts a heartbeat into each table: silence of a stream is not mistaken for nothing to tell.
    pub async fn beat(&self, now_ms: u64) -> Outcome<()> {
        for (table, stream) in [(&self.table, Stream::Events), (&self.documents, Stream::Documents)] {
            self.put_into(table, &reconcile::heartbeat(stream, now_ms)).await?;
        }
        Ok(())
    }

    async fn row_looked_ms(&self, table: &str, key: &Key, event: &str) -> Outcome<Option<u64>> {
        let get = self
            .client
            .get_item()
            .table_name(table)
            .key("device", text(key.device()))
            .key("event", text(event))
            .projection_expression("looked_ms")
            .consistent_read(true);
        let answer = get.send().await.map_err(failure("get document")).map_err(unavailable)?;
        Ok(answer.item.and_then(|item| read_number(&item, "looked_ms")))
    }

    async fn put_into(&self, table: &str, row: &Map<String, Value>) -> Outcome<()> {
        let mut item = item(row);
        // What the caller does not say is as a topic rule writes it.
        item.entry("origin".to_owned()).or_insert_with(|| text(&self.origin));
        item.entry("expires".to_owned()).or_insert_with(|| number(now_s() + EVENT_LIFE_S));
        let put = self.client.put_item().table_name(table).set_item(Some(item));
        put.send().await.map(drop).map_err(failure("put event")).map_err(too_large_or_later)
    }

    /// The row of a document.
    fn row(&self, document: &Document) -> Outcome<Item> {
        let json = serde_json::to_string(document);
        let json = json.map_err(|why| Failure::permanent("put document", why))?;
        let columns = [
            ("device", text(document.key.device())),
            ("event", text(document::SORT_KEY)),
            ("expires", number(now_s() + DOCUMENT_LIFE_S)),
            ("origin", text(&self.origin)),
            ("eventType", text(DOCUMENT)),
            ("looked_ms", number(document.looked_ms)),
            ("document", text(json)),
        ];
        Ok(columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Documents for EventTable {
    async fn looked_ms(&self, key: &Key) -> Outcome<Option<u64>> {
        let looked = key.looked_at().iter().map(|event| self.row_looked_ms(&self.documents, key, event));
        Ok(futures::future::try_join_all(looked).await?.into_iter().flatten().max())
    }

    async fn put(&self, document: &Document) -> Outcome<bool> {
        let put = self
            .client
            .put_item()
            .table_name(&self.documents)
            .set_item(Some(self.row(document)?))
            .condition_expression("attribute_not_exists(#looked) OR #looked < :looked")
            .expression_attribute_names("#looked", "looked_ms")
            .expression_attribute_values(":looked", number(document.looked_ms));
        let put = put.send().await.map(drop).map_err(failure("put document")).map_err(too_large_or_later);
        put.settled(Class::Conflict)
    }

    async fn put_event(&self, row: &Map<String, Value>) -> Outcome<()> {
        let table = if document::is_of_documents(row) { &self.documents } else { &self.table };
        self.put_into(table, row).await
    }
}

/// Only a row that the table refuses as it is stays a permanent failure.
fn too_large_or_later(failure: Failure) -> Failure {
    if failure.why.starts_with("ValidationException") { failure } else { unavailable(failure) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Seen;
    use crate::event::{Event, What};
    use crate::typed;

    #[tokio::test]
    async fn a_document_is_read_as_it_was_written() {
        let clients = crate::aws::Clients::in_region("us-east-1").await;
        let table = EventTable::new(clients.dynamodb(), "events".into(), None, "us-east-1".into());
        let document =
            Document { key: Key::Policy("p".into()), looked_ms: 1_700_000_000_123, seen: Seen::Policy(None) };
        let item = table.row(&document).unwrap();
        let image: Map<String, Value> = item
            .iter()
            .map(|(name, value)| {
                let typed = match (value.as_s(), value.as_n()) {
                    (Ok(text), _) => serde_json::json!({ "S": text }),
                    (_, Ok(number)) => serde_json::json!({ "N": number }),
                    _ => Value::Null,
                };
                (name.clone(), typed)
            })
            .collect();
        let row = typed::item(&image).unwrap();
        assert_eq!(row["device"], "policy#p");
        assert_eq!(row["origin"], "us-east-1");
        assert_eq!(Event::read(&row).unwrap().what, What::Document(document));
    }
}
