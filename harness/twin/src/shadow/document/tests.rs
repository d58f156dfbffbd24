//! The algebra of shadow documents, for all documents that a device could write.

use proptest::prelude::*;

use super::*;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-5i64..5).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        prop::collection::vec(0i64..3, 0..3).prop_map(Value::from),
    ]
}

/// An object up to three levels deep, over few names, so that updates meet. `null` only where it is asked for.
fn object(nulls: bool) -> BoxedStrategy<Value> {
    let leaf = if nulls { prop_oneof![3 => leaf(), 1 => Just(Value::Null)].boxed() } else { leaf().boxed() };
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        prop::collection::btree_map("[a-d]", inner, 1..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    });
    prop::collection::btree_map("[a-d]", tree, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
        .boxed()
}

fn update(section: &str, change: &Value) -> Map<String, Value> {
    Map::from_iter([(section.to_owned(), change.clone())])
}

fn has_null_or_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty() || map.values().any(has_null_or_empty),
        _ => false,
    }
}

/// The paths of a tree's leaves; a stamp is the leaf of a metadata tree.
fn leaves(value: &Value, path: &str, stamps: bool, into: &mut Vec<String>) {
    match value {
        Value::Object(map) if !(stamps && map.get("timestamp").is_some_and(Value::is_i64)) => {
            for (key, value) in map {
                leaves(value, &format!("{path}/{key}"), stamps, into);
            }
        }
        _ => into.push(path.to_owned()),
    }
}

fn paths(value: &Value, stamps: bool) -> Vec<String> {
    let mut into = Vec::new();
    leaves(value, "", stamps, &mut into);
    into
}

/// What a change without `null` says, `document` says too.
fn says(document: &Value, change: &Value) -> bool {
    match change {
        Value::Object(change) => change.iter().all(|(key, value)| says(&document[key], value)),
        leaf => document == leaf,
    }
}

proptest! {
    /// What was written last is what is read, and writing it again changes nothing.
    #[test]
    fn the_last_write_wins_and_repeats_are_harmless(
        before in object(false),
        change in object(false),
    ) {
        let mut document = Document::new(None);
        document.merge(&update("reported", &before), 1);
        document.merge(&update("reported", &change), 2);
        prop_assert!(says(&document.whole()["state"]["reported"], &change));
        let once = document.clone();
        document.merge(&update("reported", &change), 2);
        prop_assert_eq!(document, once);
    }

    /// `null` removes: no document holds one, nor an object that a removal left empty; and each leaf has its stamp.
    #[test]
    fn documents_hold_no_null_and_a_stamp_for_each_leaf(
        changes in prop::collection::vec(object(true), 1..5),
    ) {
        let mut document = Document::new(None);
        for (change, now_s) in changes.iter().zip(1..) {
            document.merge(&update("desired", change), now_s);
            let whole = document.whole();
            if let Some(state) = whole["state"].get("desired") {
                prop_assert!(!has_null_or_empty(state), "{}", state);
                prop_assert_eq!(paths(state, false), paths(&whole["metadata"]["desired"], true));
            } else {
                prop_assert_eq!(whole["metadata"].get("desired"), None);
            }
        }
    }

    /// A device that reports its delta has none afterwards, and what it had reported beside it stays.
    #[test]
    fn reporting_the_delta_ends_it(desired in object(false), reported in object(false)) {
        let mut document = Document::new(None);
        document.merge(&update("desired", &desired), 1);
        document.merge(&update("reported", &reported), 1);
        let Some((delta, _)) = document.delta() else {
            prop_assert!(says(&reported, &desired));
            return Ok(());
        };
        document.merge(&update("reported", &delta), 2);
        prop_assert_eq!(document.delta(), None);
        prop_assert!(says(&document.whole()["state"]["reported"], &desired));
    }

    /// Sections do not touch each other, and `null` for a section ends it alone.
    #[test]
    fn sections_are_apart(desired in object(false), reported in object(false)) {
        let mut document = Document::new(None);
        document.merge(&update("desired", &desired), 1);
        let alone = document.whole()["state"]["desired"].clone();
        document.merge(&update("reported", &reported), 1);
        prop_assert_eq!(&document.whole()["state"]["desired"], &alone);
        document.merge(&update("reported", &Value::Null), 2);
        prop_assert_eq!(&document.whole()["state"]["desired"], &alone);
        let whole = document.whole();
        prop_assert_eq!(whole["state"].get("reported"), None);
    }
}
