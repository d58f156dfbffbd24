//! Query and Scan, of tables and indexes.

use serde_json::{Value as Json, json};

use super::{
    api::Context,
    capacity::Direction,
    condition::project,
    expression::{Condition, Path, Step},
    index::Kind,
    item::invalid,
    query::{Page, PageRequest, key_condition, page},
    request::{Expressions, ItemRequest},
    rows::Rows,
    table::Table,
};
use crate::error::AwsError;

/// Segments of one parallel scan, as AWS has it.
const SEGMENTS_MAX: usize = 1_000_000;

pub(crate) fn query(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, expressions) = ItemRequest::parse(request)?;
    answer(context, &request, expressions, |rows, expressions, wanted| {
        let condition = expressions.key_condition.take().ok_or_else(|| {
            invalid(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
            )
        })?;
        let condition = key_condition(rows.schema(), condition)?;
        let mut filtered = expressions.filter.iter().flat_map(Condition::attributes);
        if let Some(name) = filtered.find(|name| rows.schema().has(name)) {
            return Err(invalid(format!(
                "Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
            )));
        }
        if wanted.start.as_ref().is_some_and(|start| start.key.hash != condition.hash) {
            return Err(invalid(
                "The provided starting key is outside query boundaries based on provided conditions",
            ));
        }
        wanted.key_condition = Some(condition);
        wanted.backward = request.scan_index_forward == Some(false);
        Ok(())
    })
}

pub(crate) fn scan(context: &Context<'_>, request: Json) -> Result<Json, AwsError> {
    let (request, expressions) = ItemRequest::parse(request)?;
    answer(context, &request, expressions, |_, _, wanted| {
        wanted.segment = match (request.segment, request.total_segments) {
            (None, None) => None,
            (Some(segment), Some(total)) if segment < total && total <= SEGMENTS_MAX => {
                Some((segment, total))
            }
            _ => {
                return Err(invalid(
                    "The Segment parameter must be less than TotalSegments, and both must be given",
                ));
            }
        };
        Ok(())
    })
}

/// Reads a page. `complete` adds what is the operation's own to the page's request.
fn answer(
    context: &Context<'_>,
    request: &ItemRequest,
    mut expressions: Expressions,
    complete: impl FnOnce(&Rows<'_>, &mut Expressions, &mut PageRequest) -> Result<(), AwsError>,
) -> Result<Json, AwsError> {
    let detail = request.detail()?;
    let index = request.index_name.as_deref();
    if request.limit == Some(0) {
        return Err(invalid("1 validation error detected: Value '0' at 'limit' must be at least 1"));
    }
    let mut tables = context.db.tables.lock();
    let table = tables.table_mut(context.region, &request.table_name)?;
    table.admit_read(index, context.now)?;
    let rows = rows(context, table, request, &expressions)?;
    let mut wanted = PageRequest {
        start: request.exclusive_start_key.as_ref().map(|key| rows.place_of(key)).transpose()?,
        limit: request.limit,
        consistent: request.consistent_read,
        ..PageRequest::default()
    };
    complete(&rows, &mut expressions, &mut wanted)?;
    wanted.filter = expressions.filter.take();
    let page = page(rows, &wanted);
    let last = page.last.as_ref().map(|place| rows.place_item(place));
    table.charge(&page.consumed, Direction::Read);
    drop(tables);
    let mut answer = page_json(&page, request, &expressions);
    if let Some(last) = last {
        answer["LastEvaluatedKey"] = json!(last);
    }
    detail.tell(&mut answer, &request.table_name, &page.consumed);
    Ok(answer)
}

/// What is read: the table or the index, and of the index whether all that is asked for is there.
fn rows<'a>(
    context: &Context<'_>,
    table: &'a Table,
    request: &ItemRequest,
    expressions: &Expressions,
) -> Result<Rows<'a>, AwsError> {
    let index = request.index_name.as_deref().map(|name| table.index(name, context.now)).transpose()?;
    let mut rows = Rows { table, index, fetches: false };
    let select = request.select.as_deref();
    let projection = expressions.projection.as_deref();
    match select {
        None | Some("ALL_ATTRIBUTES" | "COUNT") => {}
        Some("ALL_PROJECTED_ATTRIBUTES") if index.is_some() => {}
        Some("SPECIFIC_ATTRIBUTES") if projection.is_some() => {}
        Some(other) => return Err(invalid(format!("Select type {other} does not fit the request"))),
    }
    if projection.is_some() && select.is_some_and(|s| s != "SPECIFIC_ATTRIBUTES") {
        return Err(invalid(
            "Cannot specify the ProjectionExpression when choosing to get another selection",
        ));
    }
    let Some(index) = index else { return Ok(rows) };
    let name = &index.definition.name;
    if index.definition.kind == Kind::Global && request.consistent_read {
        return Err(invalid("Consistent reads are not supported on global secondary indexes"));
    }
    let lacks_asked = || first_names(projection).find(|attribute| !index.projects(attribute));
    let asks_all = select == Some("ALL_ATTRIBUTES") && rows.is_partial();
    if index.definition.kind == Kind::Local {
        rows.fetches = asks_all || lacks_asked().is_some();
    } else if asks_all {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary \
             index {name} because its projection type is not ALL"
        )));
    } else if let Some(attribute) = lacks_asked() {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Global secondary index {name} does not project [{attribute}]"
        )));
    }
    Ok(rows)
}

fn first_names(paths: Option<&[Path]>) -> impl Iterator<Item = &str> {
    paths.unwrap_or_default().iter().filter_map(|path| match path.first() {
        Some(Step::Name(name)) => Some(name.as_str()),
        _ => None,
    })
}

fn page_json(page: &Page, request: &ItemRequest, expressions: &Expressions) -> Json {
    let mut answer = json!({"Count": page.items.len(), "ScannedCount": page.scanned});
    if request.select.as_deref() != Some("COUNT") {
        let items = page.items.iter().map(|item| match &expressions.projection {
            Some(paths) => json!(project(item, paths)),
            None => json!(**item),
        });
        answer["Items"] = items.collect();
    }
    answer
}
