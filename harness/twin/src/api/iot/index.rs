//! Fleet indexing: its configuration, and the search.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok, required};
use crate::registry::{THINGS_INDEX, invalid};

impl Api<'_> {
    pub(super) fn index(&self, operation: &str) -> Outcome {
        match operation {
            "SearchIndex" => self.search(),
            "DescribeIndex" => ok(&self.region.registry.lock().index(self.name)?),
            "GetIndexingConfiguration" => ok(&self.region.registry.lock().indexing()),
            _ => self.region.registry.lock().set_indexing(&self.call.json()?).and_then(|()| done()),
        }
    }

    fn search(&self) -> Outcome {
        let body = self.call.json()?;
        let (index, query) =
            (body["indexName"].as_str().unwrap_or(THINGS_INDEX), required(&body, "queryString")?);
        let max = match &body["maxResults"] {
            Value::Null => None,
            given => Some(given.as_u64().ok_or_else(|| invalid("maxResults is not a number"))?),
        };
        // Before the registry is locked: the broker's lock is never taken under it.
        let connected: BTreeSet<String> = self.region.broker.connected_clients();
        let registry = self.region.registry.lock();
        let (found, next) = registry.search(index, query, &connected, body["nextToken"].as_str(), max)?;
        let things: Vec<Value> = found
            .iter()
            .map(|found| {
                let thing = found.thing;
                let mut body = json!({
                    "thingName": thing.name, "thingId": thing.id, "attributes": thing.attributes,
                    "thingGroupNames": found.groups,
                });
                if let Some(name) = &thing.type_name {
                    body["thingTypeName"] = json!(name);
                }
                if let Some(connected) = found.connected {
                    body["connectivity"] = json!({"connected": connected});
                }
                body
            })
            .collect();
        ok(&json!({"things": things, "nextToken": next}))
    }
}
