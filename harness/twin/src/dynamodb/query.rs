//! Pages of a query or scan: which items in which order, where a page ends and where the next one starts.

use std::{ops::Bound, sync::Arc};

use super::{
    expression::{Comparator, Condition, Operand, Path, Step},
    item::{Item, Value, invalid, item_size_bytes},
    table::{Key, KeyValue, Schema, Table},
};
use crate::error::AwsError;

/// The most that one page reads.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// What a key condition asks for: one partition, and perhaps a condition on the sort key.
#[derive(Debug, Clone)]
pub(crate) struct KeyCondition {
    pub(crate) hash: KeyValue,
    pub(crate) range: Option<Condition>,
}

/// A query (with a key condition) or a scan (without).
#[derive(Debug, Clone, Default)]
pub(crate) struct PageRequest {
    pub(crate) key_condition: Option<KeyCondition>,
    pub(crate) filter: Option<Condition>,
    /// The last key of the page before.
    pub(crate) start: Option<Key>,
    pub(crate) limit: Option<usize>,
    pub(crate) backward: bool,
    /// Segment and number of segments of a parallel scan.
    pub(crate) segment: Option<(usize, usize)>,
}

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<Arc<Item>>,
    /// Items read, before the filter.
    pub(crate) scanned: usize,
    /// Where the next page starts; none at the end.
    pub(crate) last: Option<Key>,
}

/// Reads one page.
pub(crate) fn page(table: &Table, request: &PageRequest) -> Page {
    match &request.key_condition {
        None => {
            let from = request.start.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let rows = table.items(from);
            collect(rows.filter(|(key, _)| request.segment.is_none_or(|(s, n)| key.part(n) == s)), request)
        }
        Some(condition) => {
            let rows = table.partition(&condition.hash).filter(|(key, item)| {
                let fits = condition.range.as_ref().is_none_or(|c| c.holds(item));
                fits && request
                    .start
                    .as_ref()
                    .is_none_or(|start| if request.backward { *key < start } else { *key > start })
            });
            if request.backward {
                let mut rows: Vec<_> = rows.collect();
                rows.reverse();
                collect(rows.into_iter(), request)
            } else {
                collect(rows, request)
            }
        }
    }
}

fn collect<'a>(rows: impl Iterator<Item = (&'a Key, &'a Arc<Item>)>, request: &PageRequest) -> Page {
    let mut page = Page::default();
    let mut bytes = 0;
    for (key, item) in rows {
        page.scanned += 1;
        bytes += item_size_bytes(item);
        if request.filter.as_ref().is_none_or(|f| f.holds(item)) {
            page.items.push(Arc::clone(item));
        }
        // As AWS does, a full page names its last key even when nothing comes after it.
        if request.limit.is_some_and(|limit| page.scanned >= limit) || bytes >= PAGE_BYTES_MAX {
            page.last = Some(key.clone());
            break;
        }
    }
    page
}

/// Takes a parsed key condition apart: equality on the partition key, and at most one condition on the sort key.
pub(crate) fn key_condition(schema: &Schema, condition: Condition) -> Result<KeyCondition, AwsError> {
    let mut parts = Vec::new();
    flatten(condition, &mut parts);
    let mut hash = None;
    let mut range = None;
    for part in parts {
        let is_on = |operand: &Operand, name: &str| matches!(operand, Operand::Path(p) if is_name(p, name));
        match part {
            Condition::Compare(left, Comparator::Equal, Operand::Value(value))
                if hash.is_none() && is_on(&left, &schema.hash.name) =>
            {
                hash = Some(hash_value(schema, value)?);
            }
            Condition::Compare(ref left, comparator, Operand::Value(_))
                if range.is_none() && comparator != Comparator::NotEqual && on_range(schema, left) =>
            {
                range = Some(part);
            }
            Condition::Between(ref left, ..) | Condition::BeginsWith(ref left, _)
                if range.is_none() && on_range(schema, left) =>
            {
                range = Some(part);
            }
            _ => return Err(invalid("Query key condition not supported")),
        }
    }
    let hash = hash
        .ok_or_else(|| invalid(format!("Query condition missed key schema element: {}", schema.hash.name)))?;
    Ok(KeyCondition { hash, range })
}

fn flatten(condition: Condition, parts: &mut Vec<Condition>) {
    if let Condition::And(a, b) = condition {
        flatten(*a, parts);
        flatten(*b, parts);
    } else {
        parts.push(condition);
    }
}

fn on_range(schema: &Schema, operand: &Operand) -> bool {
    match (operand, &schema.range) {
        (Operand::Path(path), Some(range)) => is_name(path, &range.name),
        _ => false,
    }
}

fn is_name(path: &Path, name: &str) -> bool {
    matches!(path.as_slice(), [Step::Name(n)] if n == name)
}

fn hash_value(schema: &Schema, value: Value) -> Result<KeyValue, AwsError> {
    match value {
        _ if value.type_name() != schema.hash.kind => Err(invalid(
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        )),
        Value::S(s) => Ok(KeyValue::S(s)),
        Value::N(n) => Ok(KeyValue::N(n)),
        Value::B(b) => Ok(KeyValue::B(b)),
        _ => Err(invalid("Query key condition not supported")),
    }
}
