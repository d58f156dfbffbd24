//! What is known of the secondary's document: what it was after the last write or look, and which of its
//! leaves are someone else's.

use serde_json::{Map, Value, json};

use super::diff::{self, Kept};
use crate::model::{Shadow, Written};
use crate::ports::ShadowRow;

/// Takes over what was found. A leaf is the replicator's if it is as it was left, or has a value that
/// was about to be written (`begun`) and a time since the last write; all others are someone else's.
pub(super) fn see(row: &mut ShadowRow, found: Option<Shadow>, begun: Option<&Value>) {
    let Some(found) = found else {
        (row.target_version, row.kept) = (None, Kept::new());
        (row.target_state, row.target_metadata) = (Value::Null, Value::Null);
        return;
    };
    let mut kept = Kept::new();
    leaves("", &found.state, &found.metadata, &mut |pointer, value, stamp_s| {
        if !is_own(row, pointer, value, stamp_s, begun) {
            kept.insert(pointer.to_owned(), stamp_s);
        }
    });
    row.kept = kept;
    row.target_version = Some(found.version);
    (row.target_state, row.target_metadata) = (found.state, found.metadata);
}

fn is_own(row: &ShadowRow, pointer: &str, value: &Value, stamp_s: u64, begun: Option<&Value>) -> bool {
    let same = |there: Option<&Value>| there.is_some_and(|there| diff::same(there, value));
    if row.kept.get(pointer).is_some_and(|kept_s| *kept_s == stamp_s)
        && same(row.target_state.pointer(pointer))
    {
        return false;
    }
    let left_s = row.target_metadata.pointer(pointer).and_then(diff::newest_s);
    let is_as_left =
        same(row.target_state.pointer(pointer)) && left_s.is_some_and(|left_s| stamp_s <= left_s);
    let is_begun = same(begun.and_then(|begun| begun.pointer(pointer))) && stamp_s >= row.target_timestamp_s;
    is_as_left || is_begun
}

/// Whether the primary wrote a leaf since it was brought last, be it with the same value.
pub(super) fn is_restated(row: &ShadowRow, state: &Value, metadata: &Value) -> bool {
    let mut any = false;
    leaves("", state, metadata, &mut |pointer, _, stamp_s| {
        let brought_s = row.metadata.pointer(pointer).and_then(diff::newest_s);
        any |= brought_s.is_none_or(|brought_s| stamp_s > brought_s);
    });
    any
}

/// Visits the leaves that have a time.
fn leaves(pointer: &str, state: &Value, metadata: &Value, visit: &mut impl FnMut(&str, &Value, u64)) {
    if let Value::Object(map) = state {
        for (key, value) in map {
            leaves(&diff::child(pointer, key), value, &metadata[key], visit);
        }
    } else if let Some(stamp_s) = diff::newest_s(metadata) {
        visit(pointer, state, stamp_s);
    }
}

/// Takes over what was written. `is_bound`: to the version that was known; else someone else may have
/// written too, and the next write will look.
pub(super) fn wrote(row: &mut ShadowRow, update: &Value, written: Written, is_bound: bool) {
    if row.target_version.is_none() {
        (row.target_state, row.target_metadata) = (json!({}), json!({}));
    }
    stamp(update, &row.target_state, &mut row.target_metadata, written.timestamp_s);
    diff::merge(update, &mut row.target_state);
    if let Value::Object(sections) = &mut row.target_state {
        // AWS leaves them out.
        sections.retain(|_, section| section.as_object().is_none_or(|section| !section.is_empty()));
    }
    row.target_version = is_bound.then_some(written.version);
    row.target_timestamp_s = written.timestamp_s;
}

/// Stamps the leaves that an update names as AWS does.
fn stamp(update: &Value, before: &Value, metadata: &mut Value, now_s: u64) {
    let Value::Object(update) = update else {
        *metadata = json!({ "timestamp": now_s });
        return;
    };
    if !before.is_object() || !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    let Value::Object(metadata) = metadata else { return };
    for (key, value) in update {
        if value.is_null() {
            metadata.remove(key);
        } else {
            stamp(value, &before[key], metadata.entry(key).or_insert(Value::Null), now_s);
        }
    }
}

/// The newest time of what is someone else's at a place or under it.
pub(super) fn kept_s(row: &ShadowRow, pointer: &str) -> Option<u64> {
    let of = row.kept.iter().filter(|(kept, _)| is_at_or_under(kept, pointer));
    of.map(|(_, stamp_s)| *stamp_s).max()
}

/// Only what was left alone is someone else's still: the rest is as new in the primary, or was replaced.
pub(super) fn keep_only(row: &mut ShadowRow, left_alone: &Kept) {
    row.kept.retain(|kept, _| left_alone.keys().any(|place| is_at_or_under(kept, place)));
}

fn is_at_or_under(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_known_without_a_look() {
        let mut row = ShadowRow::default();
        let written = |version, timestamp_s| Written { version, timestamp_s };
        wrote(&mut row, &json!({"reported": {"a": 1, "o": {"x": [1]}}}), written(4, 10), true);
        wrote(
            &mut row,
            &json!({"reported": {"a": {"b": 2}, "o": null}, "desired": null}),
            written(5, 11),
            true,
        );
        assert_eq!(row.target_state, json!({"reported": {"a": {"b": 2}}}));
        assert_eq!(row.target_metadata, json!({"reported": {"a": {"b": {"timestamp": 11}}}}));
        wrote(&mut row, &json!({"reported": {"a": null}}), written(6, 12), false);
        assert_eq!((row.target_version, row.target_state), (None, json!({})));
    }

    #[test]
    fn a_leaf_is_someone_elses_unless_it_is_as_left_or_as_begun() {
        let mut row = ShadowRow::default();
        wrote(
            &mut row,
            &json!({"reported": {"a": 1, "b": 1}}),
            Written { version: 1, timestamp_s: 10 },
            true,
        );
        let found = Shadow {
            state: json!({"reported": {"a": 1, "b": 2, "c": 3, "d": 4}}),
            metadata: json!({"reported": {"a": {"timestamp": 10}, "b": {"timestamp": 11},
                "c": {"timestamp": 12}, "d": {"timestamp": 9}}}),
            version: 3,
        };
        let begun = json!({"reported": {"c": 3, "d": 4}});
        see(&mut row, Some(found.clone()), Some(&begun));
        let kept = Kept::from([("/reported/b".to_owned(), 11), ("/reported/d".to_owned(), 9)]);
        assert_eq!(row.kept, kept);
        see(&mut row, Some(found), None);
        assert_eq!(row.kept, kept, "what is someone else's stays so");
    }

    #[test]
    fn only_what_is_at_a_place_or_under_it_is_kept_there() {
        let kept = ["/r/a", "/r/ab", "/r/o/x"].map(|place| (place.to_owned(), 1));
        let mut row = ShadowRow { kept: kept.into(), ..ShadowRow::default() };
        assert_eq!(
            (kept_s(&row, "/r/a"), kept_s(&row, "/r/o"), kept_s(&row, "/r/b")),
            (Some(1), Some(1), None)
        );
        keep_only(&mut row, &Kept::from([("/r/o".to_owned(), 1), ("/r/a".to_owned(), 1)]));
        assert_eq!(row.kept.keys().collect::<Vec<_>>(), ["/r/a", "/r/o/x"]);
    }
}
