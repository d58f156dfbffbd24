//! Operations on one item: put, get, update, delete.

use serde_json::{Value as Json, json};

use super::{
    action::{Action, Verb},
    api::Context,
    capacity::{Consumed, Direction, Units},
    condition::project,
    expression::Path,
    item::item_size_bytes,
    request::ItemRequest,
    table::Table,
};
use crate::{dynamodb::item::Item, error::AwsError};

pub(crate) fn put_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    write(context, Verb::Put, request)
}

pub(crate) fn update_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    write(context, Verb::Update, request)
}

pub(crate) fn delete_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    write(context, Verb::Delete, request)
}

fn write(context: &Context<'_>, verb: Verb, request: Json) -> Result<Json, AwsError> {
    let (mut request, expressions) = ItemRequest::parse(request)?;
    let return_values = request.return_values(verb == Verb::Update)?;
    let detail = request.detail()?;
    let place = (context.region, request.table_name.clone());
    let place = (place.0, place.1.as_str());
    let mut tables = context.db.tables.lock();
    let action = Action::new(tables.table(place.0, place.1)?, verb, &mut request, expressions)?;
    let paths = action.paths();
    let key = action.key.clone();
    let written = tables.write(place, &key, context.now, false, |old| action.apply(old))?;
    let consumed = tables.cost(place, &written, detail)?;
    drop(tables);
    context.db.wake();
    let mut answer = return_values.answer(&written, &paths);
    detail.tell(&mut answer, place.1, &consumed);
    Ok(answer)
}

pub(crate) fn get_item(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, expressions) = ItemRequest::parse(request)?;
    let detail = request.detail()?;
    let mut tables = context.db.tables.lock();
    let table = tables.table_mut(context.region, &request.table_name)?;
    table.admit_read(None, context.now)?;
    let (item, consumed) =
        read(table, request.key()?, expressions.projection.as_deref(), request.consistent_read)?;
    table.charge(&consumed, Direction::Read);
    let mut answer = item.map_or_else(|| json!({}), |item| json!({"Item": item}));
    detail.tell(&mut answer, &request.table_name, &consumed);
    Ok(answer)
}

/// Reads one item by its key, and says what that consumes.
pub(crate) fn read(
    table: &Table,
    key: &Item,
    projection: Option<&[Path]>,
    consistent: bool,
) -> Result<(Option<Json>, Consumed), AwsError> {
    let key = table.schema.key_of_request(key)?;
    let item = table.get(&key);
    let units = Units::read(item.map_or(0, |item| item_size_bytes(item)), consistent);
    let item = item.map(|item| match projection {
        Some(paths) => json!(project(item, paths)),
        None => json!(**item),
    });
    Ok((item, Consumed { table: units, ..Consumed::default() }))
}
