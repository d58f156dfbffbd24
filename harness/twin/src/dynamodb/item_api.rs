//! Operations on items: put, get, update, delete, query, scan, batch write.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, input, table_name},
    condition::project,
    expression::{Condition, Path, Placeholders, parse_condition, parse_projection},
    item::{Item, invalid},
    query::{Page, PageRequest, key_condition, page},
    table::Table,
    tables::Written,
    update::{Update, parse_update},
};
use crate::error::AwsError;

/// Puts and deletes in one batch, as AWS has it.
const BATCH_WRITES_MAX: usize = 25;
/// Segments of one parallel scan, as AWS has it.
const SEGMENTS_MAX: usize = 1_000_000;
/// Parameters of the API before expressions. Ignoring them would write without the condition that was asked for.
const LEGACY_PARAMETERS: [&str; 8] = [
    "Expected",
    "AttributeUpdates",
    "ConditionalOperator",
    "AttributesToGet",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
    "IndexName",
];

/// The members of all item operations. Each takes those that are its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ItemRequest {
    table_name: String,
    item: Option<Item>,
    key: Option<Item>,
    condition_expression: Option<String>,
    update_expression: Option<String>,
    key_condition_expression: Option<String>,
    filter_expression: Option<String>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    expression_attribute_values: Option<Item>,
    return_values: Option<String>,
    exclusive_start_key: Option<Item>,
    limit: Option<usize>,
    scan_index_forward: Option<bool>,
    select: Option<String>,
    segment: Option<usize>,
    total_segments: Option<usize>,
}

/// The expressions of a request, parsed.
#[derive(Debug, Default)]
struct Expressions {
    condition: Option<Condition>,
    update: Option<Update>,
    key_condition: Option<Condition>,
    filter: Option<Condition>,
    projection: Option<Vec<Path>>,
}

impl ItemRequest {
    fn parse(request: Json) -> Result<(Self, Expressions), AwsError> {
        if let Some(name) = LEGACY_PARAMETERS.iter().find(|p| request.get(p).is_some()) {
            return Err(invalid(format!("The twin does not have the parameter {name}; use expressions")));
        }
        let mut request: Self = input(request)?;
        let name = table_name(&request.table_name).to_owned();
        request.table_name = name;
        let mut placeholders = Placeholders::new(
            request.expression_attribute_names.take(),
            request.expression_attribute_values.take(),
        );
        let p = &mut placeholders;
        let condition = |text: &Option<String>, p: &mut Placeholders| {
            text.as_deref().map(|t| parse_condition(t, p)).transpose()
        };
        let expressions = Expressions {
            condition: condition(&request.condition_expression, p)?,
            key_condition: condition(&request.key_condition_expression, p)?,
            filter: condition(&request.filter_expression, p)?,
            update: request.update_expression.as_deref().map(|t| parse_update(t, p)).transpose()?,
            projection: request
                .projection_expression
                .as_deref()
                .map(|t| parse_projection(t, p))
                .transpose()?,
        };
        placeholders.check_all_used()?;
        Ok((request, expressions))
    }

    fn key(&self) -> Result<&Item, AwsError> {
        self.key.as_ref().ok_or_else(|| invalid("The parameter 'Key' is required but was not present"))
    }

    /// What `ReturnValues` asks for, where the operation has it.
    fn answer(&self, written: &Written, allowed: &[&str]) -> Result<Json, AwsError> {
        let wanted = self.return_values.as_deref().unwrap_or("NONE");
        let image = match wanted {
            _ if !allowed.contains(&wanted) => {
                return Err(invalid(format!("Return values set to invalid value: {wanted}")));
            }
            "ALL_OLD" => &written.old,
            "ALL_NEW" => &written.new,
            _ => &None,
        };
        Ok(image.as_ref().map_or_else(|| json!({}), |item| json!({"Attributes": **item})))
    }
}

fn check(condition: Option<&Condition>, old: Option<&Item>) -> Result<(), AwsError> {
    let empty = Item::new();
    if condition.is_none_or(|c| c.holds(old.unwrap_or(&empty))) {
        return Ok(());
    }
    Err(AwsError::new(400, "ConditionalCheckFailedException", "The conditional request failed"))
}

pub(crate) fn put_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (mut request, expressions) = ItemRequest::parse(request)?;
    let item =
        request.item.take().ok_or_else(|| invalid("The parameter 'Item' is required but was not present"))?;
    let allowed = ["NONE", "ALL_OLD"];
    request.answer(&Written::default(), &allowed)?;
    let place = (context.region, request.table_name.as_str());
    let mut tables = context.db.tables.lock();
    let key = tables.table(place.0, place.1)?.key_of_item(&item)?;
    let written = tables.write(place, &key, context.now, false, |old| {
        check(expressions.condition.as_ref(), old)?;
        Ok(Some(item))
    })?;
    drop(tables);
    context.db.wake();
    request.answer(&written, &allowed)
}

pub(crate) fn delete_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, expressions) = ItemRequest::parse(request)?;
    let allowed = ["NONE", "ALL_OLD"];
    request.answer(&Written::default(), &allowed)?;
    let place = (context.region, request.table_name.as_str());
    let mut tables = context.db.tables.lock();
    let key = tables.table(place.0, place.1)?.key_of_request(request.key()?)?;
    let written = tables.write(place, &key, context.now, false, |old| {
        check(expressions.condition.as_ref(), old)?;
        Ok(None)
    })?;
    drop(tables);
    context.db.wake();
    request.answer(&written, &allowed)
}

pub(crate) fn update_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, expressions) = ItemRequest::parse(request)?;
    let allowed = ["NONE", "ALL_OLD", "ALL_NEW"];
    request.answer(&Written::default(), &allowed)?;
    let place = (context.region, request.table_name.as_str());
    let update = expressions.update.unwrap_or_default();
    let mut tables = context.db.tables.lock();
    let table = tables.table(place.0, place.1)?;
    let key = table.key_of_request(request.key()?)?;
    let key_item = table.key_item(&key);
    if let Some(name) = update.attributes().find(|a| key_item.contains_key(*a)) {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the \
             key"
        )));
    }
    let written = tables.write(place, &key, context.now, false, |old| {
        check(expressions.condition.as_ref(), old)?;
        update.apply(old.unwrap_or(&key_item)).map(Some)
    })?;
    drop(tables);
    context.db.wake();
    request.answer(&written, &allowed)
}

pub(crate) fn get_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, expressions) = ItemRequest::parse(request)?;
    let tables = context.db.tables.lock();
    let table = tables.table(context.region, &request.table_name)?;
    let key = table.key_of_request(request.key()?)?;
    let Some(item) = table.get(&key) else { return Ok(json!({})) };
    Ok(match &expressions.projection {
        Some(paths) => json!({"Item": project(item, paths)}),
        None => json!({"Item": **item}),
    })
}

pub(crate) fn query(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, mut expressions) = ItemRequest::parse(request)?;
    let tables = context.db.tables.lock();
    let table = tables.table(context.region, &request.table_name)?;
    let condition = expressions.key_condition.take().ok_or_else(|| {
        invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        )
    })?;
    let condition = key_condition(&table.schema, condition)?;
    let mut wanted = page_request(table, &request, &mut expressions)?;
    wanted.key_condition = Some(condition);
    wanted.backward = request.scan_index_forward == Some(false);
    Ok(answer_page(table, &request, &expressions, &page(table, &wanted)))
}

pub(crate) fn scan(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, mut expressions) = ItemRequest::parse(request)?;
    let tables = context.db.tables.lock();
    let table = tables.table(context.region, &request.table_name)?;
    let mut wanted = page_request(table, &request, &mut expressions)?;
    wanted.segment = match (request.segment, request.total_segments) {
        (None, None) => None,
        (Some(segment), Some(total)) if segment < total && total <= SEGMENTS_MAX => Some((segment, total)),
        _ => {
            return Err(invalid(
                "The Segment parameter must be less than TotalSegments, and both must be given",
            ));
        }
    };
    Ok(answer_page(table, &request, &expressions, &page(table, &wanted)))
}

fn page_request(
    table: &Table,
    request: &ItemRequest,
    expressions: &mut Expressions,
) -> Result<PageRequest, AwsError> {
    if request.limit == Some(0) {
        return Err(invalid("1 validation error detected: Value '0' at 'limit' must be at least 1"));
    }
    let start = request.exclusive_start_key.as_ref().map(|key| table.key_of_request(key)).transpose();
    let start = start.map_err(|_| invalid("The provided starting key is invalid"))?;
    Ok(PageRequest {
        filter: expressions.filter.take(),
        start,
        limit: request.limit,
        ..PageRequest::default()
    })
}

fn answer_page(table: &Table, request: &ItemRequest, expressions: &Expressions, page: &Page) -> Json {
    let mut answer = json!({"Count": page.items.len(), "ScannedCount": page.scanned});
    if request.select.as_deref() != Some("COUNT") {
        let items = page.items.iter().map(|item| match &expressions.projection {
            Some(paths) => json!(project(item, paths)),
            None => json!(**item),
        });
        answer["Items"] = items.collect();
    }
    if let Some(last) = &page.last {
        answer["LastEvaluatedKey"] = json!(table.key_item(last));
    }
    answer
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchWrite {
    request_items: BTreeMap<String, Vec<WriteRequest>>,
}

#[derive(Debug, Deserialize)]
enum WriteRequest {
    #[serde(rename = "PutRequest", rename_all = "PascalCase")]
    Put { item: Item },
    #[serde(rename = "DeleteRequest", rename_all = "PascalCase")]
    Delete { key: Item },
}

pub(crate) fn batch_write_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let request: BatchWrite = input(request)?;
    let count: usize = request.request_items.values().map(Vec::len).sum();
    if count == 0 || count > BATCH_WRITES_MAX {
        return Err(invalid(format!(
            "Too many or no items requested for the BatchWriteItem call: {count}, 1 to {BATCH_WRITES_MAX} allowed"
        )));
    }
    let mut tables = context.db.tables.lock();
    let mut writes = Vec::with_capacity(count);
    let mut seen = BTreeSet::new();
    for (name, requests) in request.request_items {
        let name = table_name(&name).to_owned();
        let table = tables.table(context.region, &name)?;
        for write in requests {
            let (key, item) = match write {
                WriteRequest::Put { item } => (table.key_of_item(&item)?, Some(item)),
                WriteRequest::Delete { key } => (table.key_of_request(&key)?, None),
            };
            if !seen.insert((name.clone(), key.clone())) {
                return Err(invalid("Provided list of item keys contains duplicates"));
            }
            writes.push((name.clone(), key, item));
        }
    }
    for (name, key, item) in writes {
        tables.write((context.region, &name), &key, context.now, false, |_| Ok(item))?;
    }
    drop(tables);
    context.db.wake();
    Ok(json!({"UnprocessedItems": {}}))
}
