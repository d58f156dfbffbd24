//! Batches: reads and writes on many items, each on its own.
//!
//! What a table has no capacity for is given back as unprocessed; only if that is all of it the call fails.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    action::batched,
    api::{Context, input, refuse, table_name},
    capacity::{Consumed, Detail, Direction, exceeded},
    expression::{Placeholders, parse_projection},
    item::{Item, invalid},
    item_api::read,
    request::LEGACY_PARAMETERS,
};
use crate::error::AwsError;

/// Puts and deletes in one batch, as AWS has it.
const WRITES_MAX: usize = 25;
/// Reads in one batch, as AWS has it.
const READS_MAX: usize = 100;
/// Bytes that one batch reads; what is beyond is unprocessed, as AWS has it.
const READ_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchWrite {
    request_items: BTreeMap<String, Vec<Json>>,
    return_consumed_capacity: Option<String>,
}

pub(crate) fn batch_write_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: BatchWrite = input(request)?;
    let detail = Detail::parse(request.return_consumed_capacity.as_deref())?;
    let count: usize = request.request_items.values().map(Vec::len).sum();
    if count == 0 || count > WRITES_MAX {
        return Err(invalid(format!(
            "Too many or no items requested for the BatchWriteItem call: {count}, 1 to {WRITES_MAX} allowed"
        )));
    }
    let mut tables = context.db.tables.lock();
    let mut writes = Vec::with_capacity(count);
    let mut seen = BTreeSet::new();
    for (given, requests) in request.request_items {
        let name = table_name(&given).to_owned();
        let table = tables.table(context.region, &name)?;
        for write in requests {
            let (key, item) = batched(table, &write)?;
            if !seen.insert((name.clone(), key.clone())) {
                return Err(invalid("Provided list of item keys contains duplicates"));
            }
            writes.push((given.clone(), name.clone(), key, item, write));
        }
    }
    let mut unprocessed: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    let mut consumed: BTreeMap<String, Consumed> = BTreeMap::new();
    for (given, name, key, item, write) in writes {
        match tables.write((context.region, &name), &key, context.now, false, |_| Ok(item)) {
            Ok(written) => {
                let cost = tables.cost((context.region, &name), &written, detail)?;
                consumed.entry(name).or_default().add(cost);
            }
            Err(error) if error == exceeded() => unprocessed.entry(given).or_default().push(write),
            Err(error) => return Err(error),
        }
    }
    drop(tables);
    context.db.wake();
    if consumed.is_empty() {
        return Err(exceeded());
    }
    let mut answer = json!({"UnprocessedItems": unprocessed});
    detail.tell_all(&mut answer, &consumed, None);
    Ok(answer)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchGet {
    request_items: BTreeMap<String, Json>,
    return_consumed_capacity: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    keys: Vec<Item>,
    #[serde(default)]
    consistent_read: bool,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
}

pub(crate) fn batch_get_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: BatchGet = input(request)?;
    let detail = Detail::parse(request.return_consumed_capacity.as_deref())?;
    let mut wanted = Vec::with_capacity(request.request_items.len());
    for (given, request) in request.request_items {
        refuse(&request, &LEGACY_PARAMETERS)?;
        let keys: Keys = input(request.clone())?;
        wanted.push((given, request, keys));
    }
    let count: usize = wanted.iter().map(|(_, _, keys)| keys.keys.len()).sum();
    if count == 0 || count > READS_MAX || wanted.iter().any(|(_, _, keys)| keys.keys.is_empty()) {
        return Err(invalid(format!(
            "Too many or no items requested for the BatchGetItem call: {count}, 1 to {READS_MAX} allowed"
        )));
    }
    let mut tables = context.db.tables.lock();
    let mut responses = serde_json::Map::new();
    let mut unprocessed = serde_json::Map::new();
    let mut consumed: BTreeMap<String, Consumed> = BTreeMap::new();
    let mut bytes = 0;
    for (given, request, keys) in wanted {
        let name = table_name(&given).to_owned();
        let table = tables.table_mut(context.region, &name)?;
        let mut placeholders = Placeholders::new(keys.expression_attribute_names, None);
        let projection =
            keys.projection_expression.map(|t| parse_projection(&t, &mut placeholders)).transpose()?;
        placeholders.check_all_used()?;
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut left = Vec::new();
        for key in keys.keys {
            let stored_key = table.schema.key_of_request(&key)?;
            if !seen.insert(stored_key.clone()) {
                return Err(invalid("Provided list of item keys contains duplicates"));
            }
            if bytes >= READ_BYTES_MAX || table.admit_read(None, context.now).is_err() {
                left.push(key);
                continue;
            }
            bytes += table.get(&stored_key).map_or(0, |item| super::item::item_size_bytes(item));
            let (item, cost) = read(table, &key, projection.as_deref(), keys.consistent_read)?;
            table.charge(&cost, Direction::Read);
            consumed.entry(name.clone()).or_default().add(cost);
            found.extend(item);
        }
        responses.insert(name, Json::Array(found));
        if !left.is_empty() {
            let mut rest = request;
            rest["Keys"] = json!(left);
            unprocessed.insert(given, rest);
        }
    }
    if consumed.is_empty() {
        return Err(exceeded());
    }
    let mut answer = json!({"Responses": responses, "UnprocessedKeys": unprocessed});
    detail.tell_all(&mut answer, &consumed, None);
    Ok(answer)
}
