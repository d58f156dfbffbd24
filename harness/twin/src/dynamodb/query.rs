//! Pages of a query or scan: which items in which order, where a page ends and where the next one starts.
//!
//! A page is read from the place where it starts: what it costs does not depend on how much the table holds.

use std::{
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use super::{
    capacity::{Consumed, Units},
    expression::{Comparator, Condition, Operand, Path, Step},
    item::{Binary, Item, Value, invalid, item_size_bytes},
    key::{Key, KeyAttribute, KeyValue, Schema},
    rows::{Place, Rows},
};
use crate::error::AwsError;

/// The most that one page reads.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// What a key condition asks for: one partition, and a range of its sort keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyCondition {
    pub(crate) hash: KeyValue,
    pub(crate) range: (Bound<KeyValue>, Bound<KeyValue>),
}

impl KeyCondition {
    fn holds(&self, key: &Key) -> bool {
        key.hash == self.hash && key.range.as_ref().is_none_or(|range| self.range.contains(range))
    }

    /// The range of keys.
    fn places(&self) -> (Bound<Place>, Bound<Place>) {
        let place =
            |range: Option<KeyValue>| Place { key: Key { hash: self.hash.clone(), range }, table_key: None };
        let from = match &self.range.0 {
            Bound::Unbounded => Bound::Included(place(None)),
            bound => bound.as_ref().map(|value| place(Some(value.clone()))),
        };
        let to = match &self.range.1 {
            Bound::Unbounded => Bound::Excluded(place(Some(KeyValue::End))),
            bound => bound.as_ref().map(|value| place(Some(value.clone()))),
        };
        (from, to)
    }
}

/// A query (with a key condition) or a scan (without).
#[derive(Debug, Clone, Default)]
pub(crate) struct PageRequest {
    pub(crate) key_condition: Option<KeyCondition>,
    pub(crate) filter: Option<Condition>,
    /// The last place of the page before.
    pub(crate) start: Option<Place>,
    pub(crate) limit: Option<usize>,
    pub(crate) backward: bool,
    /// Segment and number of segments of a parallel scan.
    pub(crate) segment: Option<(usize, usize)>,
    pub(crate) consistent: bool,
}

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<Arc<Item>>,
    /// Items read, before the filter.
    pub(crate) scanned: usize,
    /// After which place the next page starts; none at the end.
    pub(crate) last: Option<Place>,
    pub(crate) consumed: Consumed,
}

/// Reads one page.
pub(crate) fn page(rows: Rows<'_>, request: &PageRequest) -> Page {
    let all = (Bound::Unbounded, Bound::Unbounded);
    let (mut from, mut to) = request.key_condition.as_ref().map_or(all, KeyCondition::places);
    if let Some(start) = request.start.clone() {
        // A start outside of the condition is held to it below.
        *(if request.backward { &mut to } else { &mut from }) = Bound::Excluded(start);
    }
    let found = rows.between((from, to));
    let found: Box<dyn Iterator<Item = _>> = if request.backward { Box::new(found.rev()) } else { found };
    let mut page = Page::default();
    let mut bytes = 0;
    let mut fetched = Units::default();
    for (place, item) in found {
        let in_segment = request.segment.is_none_or(|(segment, of)| place.key.part(of) == segment);
        if !in_segment || !request.key_condition.as_ref().is_none_or(|c| c.holds(place.key)) {
            continue;
        }
        page.scanned += 1;
        bytes += rows.size_bytes(item);
        if rows.fetches {
            fetched = fetched + Units::read(item_size_bytes(item), request.consistent);
        }
        let seen = rows.seen(item);
        if request.filter.as_ref().is_none_or(|f| f.holds(&seen)) {
            page.items.push(seen);
        }
        // As AWS does, a full page names its last key even when nothing comes after it.
        if request.limit.is_some_and(|limit| page.scanned >= limit) || bytes >= PAGE_BYTES_MAX {
            page.last = Some(place.owned());
            break;
        }
    }
    let units = Units::read(bytes, request.consistent);
    match rows.index {
        None => page.consumed.table = units,
        Some(index) => {
            let definition = &index.definition;
            page.consumed.table = fetched;
            page.consumed.indexes.insert((definition.kind, definition.name.clone()), units);
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
        match part {
            Condition::Compare(Operand::Path(path), Comparator::Equal, Operand::Value(value))
                if hash.is_none() && is_name(&path, &schema.hash.name) =>
            {
                hash = Some(typed(&schema.hash, value)?);
            }
            part if range.is_none() => range = Some(sort_range(schema, part)?),
            _ => return Err(unsupported()),
        }
    }
    let hash = hash
        .ok_or_else(|| invalid(format!("Query condition missed key schema element: {}", schema.hash.name)))?;
    Ok(KeyCondition { hash, range: range.unwrap_or((Bound::Unbounded, Bound::Unbounded)) })
}

fn unsupported() -> AwsError {
    invalid("Query key condition not supported")
}

/// The range of sort keys that a condition on the sort key leaves.
fn sort_range(schema: &Schema, condition: Condition) -> Result<(Bound<KeyValue>, Bound<KeyValue>), AwsError> {
    let attribute = schema.range.as_ref().ok_or_else(unsupported)?;
    let value = |path: &Path, operand: Operand| match operand {
        Operand::Value(value) if is_name(path, &attribute.name) => typed(attribute, value),
        _ => Err(unsupported()),
    };
    match condition {
        Condition::Compare(Operand::Path(path), comparator, operand) => {
            let value = value(&path, operand)?;
            match comparator {
                Comparator::Equal => Ok((Bound::Included(value.clone()), Bound::Included(value))),
                Comparator::Less => Ok((Bound::Unbounded, Bound::Excluded(value))),
                Comparator::LessOrEqual => Ok((Bound::Unbounded, Bound::Included(value))),
                Comparator::Greater => Ok((Bound::Excluded(value), Bound::Unbounded)),
                Comparator::GreaterOrEqual => Ok((Bound::Included(value), Bound::Unbounded)),
                Comparator::NotEqual => Err(unsupported()),
            }
        }
        Condition::Between(Operand::Path(path), low, high) => {
            let (low, high) = (value(&path, low)?, value(&path, high)?);
            if low > high {
                return Err(invalid(
                    "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or \
                     equal to lower bound",
                ));
            }
            Ok((Bound::Included(low), Bound::Included(high)))
        }
        Condition::BeginsWith(Operand::Path(path), prefix) => {
            let prefix = value(&path, prefix)?;
            let end = match &prefix {
                KeyValue::S(text) => text_after(text).map(KeyValue::S),
                KeyValue::B(bytes) => bytes_after(&bytes.0).map(|b| KeyValue::B(Binary(b))),
                _ => {
                    return Err(invalid(
                        "Invalid KeyConditionExpression: Incorrect operand type for begins_with",
                    ));
                }
            };
            Ok((Bound::Included(prefix), end.map_or(Bound::Unbounded, Bound::Excluded)))
        }
        _ => Err(unsupported()),
    }
}

/// The first text behind all that begin with this one; none if there is none.
fn text_after(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Between the two lie the surrogates, which are no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// The same of bytes.
fn bytes_after(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Some(bytes);
        }
    }
    None
}

fn flatten(condition: Condition, parts: &mut Vec<Condition>) {
    if let Condition::And(a, b) = condition {
        flatten(*a, parts);
        flatten(*b, parts);
    } else {
        parts.push(condition);
    }
}

fn is_name(path: &Path, name: &str) -> bool {
    matches!(path.as_slice(), [Step::Name(n)] if n == name)
}

fn typed(attribute: &KeyAttribute, value: Value) -> Result<KeyValue, AwsError> {
    KeyValue::of(value, &attribute.kind).ok_or_else(|| {
        invalid(
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        )
    })
}

#[cfg(test)]
mod tests;
