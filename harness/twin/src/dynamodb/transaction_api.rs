//! The operations of transactions: writes and reads.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    action::{Action, Verb},
    api::{Context, input},
    capacity::{Consumed, Detail, Direction},
    item::invalid,
    item_api::read,
    key::fixed_hash,
    request::ItemRequest,
    transaction::transact,
};
use crate::error::AwsError;

/// Actions of one transaction, as AWS has it.
const ACTIONS_MAX: usize = 100;
const TOKEN_CHARS_MAX: usize = 36;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Transaction {
    transact_items: Vec<serde_json::Map<String, Json>>,
    client_request_token: Option<String>,
    return_consumed_capacity: Option<String>,
}

fn parse(request: Json) -> Result<(Transaction, Detail), AwsError> {
    let request: Transaction = input(request)?;
    let count = request.transact_items.len();
    if count == 0 || count > ACTIONS_MAX {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length \
             of 1 to {ACTIONS_MAX}, and has {count}"
        )));
    }
    let detail = Detail::parse(request.return_consumed_capacity.as_deref())?;
    Ok((request, detail))
}

/// The one member that an action of a transaction has.
fn only_member(action: serde_json::Map<String, Json>) -> Result<(String, Json), AwsError> {
    let mut members = action.into_iter().filter(|(_, value)| !value.is_null());
    match (members.next(), members.next()) {
        (Some(member), None) => Ok(member),
        _ => Err(invalid(
            "TransactItems can only contain one of Check, Put, Update or Delete; Get in TransactGetItems",
        )),
    }
}

pub(crate) fn transact_write_items(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, detail) = parse(request)?;
    let token = request.client_request_token;
    if token.as_ref().is_some_and(|t| t.is_empty() || t.len() > TOKEN_CHARS_MAX) {
        return Err(invalid(format!("ClientRequestToken must have 1 to {TOKEN_CHARS_MAX} characters")));
    }
    let token = token.map(|t| format!("{} {t}", context.region));
    let hash = fixed_hash(&json!(request.transact_items).to_string());
    let mut parsed = Vec::with_capacity(request.transact_items.len());
    for action in request.transact_items {
        let (name, action) = only_member(action)?;
        let verb = match name.as_str() {
            "Put" => Verb::Put,
            "Update" => Verb::Update,
            "Delete" => Verb::Delete,
            "ConditionCheck" => Verb::Check,
            other => return Err(invalid(format!("A transaction has no action {other}"))),
        };
        parsed.push((verb, ItemRequest::parse(action)?));
    }
    let mut tables = context.db.tables.lock();
    let mut answer = json!({});
    if let Some(token) = &token
        && tables.tokens.seen(token, hash, context.now)?
    {
        return Ok(answer);
    }
    let mut actions = Vec::with_capacity(parsed.len());
    for (verb, (mut request, expressions)) in parsed {
        let table = tables.table(context.region, &request.table_name)?;
        let action = Action::new(table, verb, &mut request, expressions);
        actions.push((request.table_name, action));
    }
    let consumed = transact(&mut tables, context.region, actions, context.now)?;
    if let Some(token) = token {
        tables.tokens.remember(token, hash, context.now);
    }
    drop(tables);
    context.db.wake();
    detail.tell_all(&mut answer, &consumed, Some(Direction::Write));
    Ok(answer)
}

pub(crate) fn transact_get_items(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, detail) = parse(request)?;
    let mut tables = context.db.tables.lock();
    let mut seen = BTreeSet::new();
    let mut responses = Vec::with_capacity(request.transact_items.len());
    let mut consumed: BTreeMap<String, Consumed> = BTreeMap::new();
    for action in request.transact_items {
        let (name, action) = only_member(action)?;
        if name != "Get" {
            return Err(invalid(format!("A transaction of reads has no action {name}")));
        }
        let (request, expressions) = ItemRequest::parse(action)?;
        let table = tables.table_mut(context.region, &request.table_name)?;
        let key = table.schema.key_of_request(request.key()?)?;
        if !seen.insert((request.table_name.clone(), key)) {
            return Err(invalid("Transaction request cannot include multiple operations on one item"));
        }
        table.admit_read(None, context.now)?;
        let (item, cost) = read(table, request.key()?, expressions.projection.as_deref(), true)?;
        let cost = cost.doubled();
        table.charge(&cost, Direction::Read);
        consumed.entry(request.table_name).or_default().add(cost);
        responses.push(item.map_or_else(|| json!({}), |item| json!({"Item": item})));
    }
    let mut answer = json!({"Responses": responses});
    detail.tell_all(&mut answer, &consumed, Some(Direction::Read));
    Ok(answer)
}
