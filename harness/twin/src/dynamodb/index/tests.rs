//! An index against its definition: the table's items that have its keys.

use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::dynamodb::{
    item::Value,
    key::{KeyAttribute, KeyValue},
    table::Table,
};

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn attribute(name: &str, kind: &str) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), kind: kind.to_owned() }
}

fn definition(name: &str, projection: Projection) -> Definition {
    let schema = Schema { hash: attribute("action", "S"), range: Some(attribute("at", "N")) };
    Definition { name: name.to_owned(), kind: Kind::Global, schema, projection }
}

fn table() -> Table {
    let schema = Schema { hash: attribute("pk", "S"), range: None };
    Table::new("errors", "us-east-1", "123456789012", schema, NOW)
}

fn key(pk: u8) -> Key {
    Key { hash: KeyValue::S(pk.to_string()), range: None }
}

fn item(pk: u8, action: Option<u8>, at: Option<u8>, note: u8) -> Item {
    let text = |n: u8| Value::S(n.to_string());
    let mut item = Item::from([("pk".to_owned(), text(pk)), ("note".to_owned(), text(note))]);
    item.extend(action.map(|a| ("action".to_owned(), text(a))));
    item.extend(at.map(|a| ("at".to_owned(), Value::N(a.to_string().parse().unwrap()))));
    item
}

#[test]
fn a_key_of_another_type_is_refused_and_a_missing_one_is_not() {
    let index = Index::new(definition("action-index", Projection::All), &table().schema, NOW);
    assert!(index.check(&item(1, None, Some(1), 0)).is_ok());
    let mut wrong = item(1, Some(1), Some(1), 0);
    wrong.insert("at".to_owned(), Value::S("soon".to_owned()));
    assert!(index.check(&wrong).unwrap_err().message.contains("IndexName: action-index"));
    wrong.insert("at".to_owned(), Value::N("1".parse().unwrap()));
    wrong.insert("action".to_owned(), Value::S(String::new()));
    assert!(index.check(&wrong).is_err());
}

#[test]
fn a_write_costs_an_index_what_it_changes_there() {
    let keys_only = Index::new(definition("i", Projection::KeysOnly), &table().schema, NOW);
    let all = Index::new(definition("i", Projection::All), &table().schema, NOW);
    let (none, one) = (Units::default(), Units::write(1));
    let (a, noted, moved, bare) = (
        item(1, Some(1), Some(1), 0),
        item(1, Some(1), Some(1), 9),
        item(1, Some(2), Some(1), 0),
        item(1, None, None, 0),
    );
    for (old, new, in_keys, in_all) in [
        (None, Some(&a), one, one),
        (Some(&a), None, one, one),
        (Some(&a), Some(&a), none, none),
        (Some(&a), Some(&noted), none, one),
        (Some(&a), Some(&moved), one + one, one + one),
        (Some(&a), Some(&bare), one, one),
        (Some(&bare), None, none, none),
    ] {
        assert_eq!(keys_only.write_units(old, new), in_keys, "{old:?} {new:?}");
        assert_eq!(all.write_units(old, new), in_all, "{old:?} {new:?}");
    }
}

proptest! {
    /// Whatever is written in whatever order, and whenever the index is added: it holds the items that have its keys, in
    /// their order, and counts their bytes.
    #[test]
    fn an_index_is_the_table_filtered(
        writes in proptest::collection::vec(
            (0..8_u8, proptest::option::of((proptest::option::of(0..3_u8), proptest::option::of(0..3_u8), 0..3_u8))),
            0..60,
        ),
        added_after in 0..60_usize,
        projection in prop_oneof![
            Just(Projection::All),
            Just(Projection::KeysOnly),
            Just(Projection::Include(BTreeSet::from(["note".to_owned()]))),
        ],
    ) {
        let mut table = table();
        let index = || Index::new(definition("i", projection.clone()), &table_schema(), NOW);
        for (n, (pk, new)) in writes.iter().enumerate() {
            if n == added_after {
                table.add_index(index());
            }
            let new = new.map(|(action, at, note)| Arc::new(item(*pk, action, at, note)));
            table.write(&key(*pk), new, NOW, false);
        }
        if writes.len() <= added_after {
            table.add_index(index());
        }
        let everything = (Bound::Unbounded, Bound::Unbounded);
        let mut expected: Vec<(Key, Key, Arc<Item>)> = table
            .range(everything)
            .filter_map(|(key, item)| {
                let hash = KeyValue::of(item.get("action")?.clone(), "S")?;
                let range = KeyValue::of(item.get("at")?.clone(), "N")?;
                Some((Key { hash, range: Some(range) }, key.clone(), Arc::clone(item)))
            })
            .collect();
        expected.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        let index = &table.indexes[0];
        let found: Vec<_> = index
            .range((Bound::Unbounded, Bound::Unbounded))
            .map(|((key, table_key), item)| (key.clone(), table_key.clone(), Arc::clone(item)))
            .collect();
        prop_assert_eq!(&found, &expected);
        let bytes: usize = expected.iter().map(|(_, _, item)| item_size_bytes(&index.projected(item))).sum();
        prop_assert_eq!(index.bytes(), bytes);
        prop_assert_eq!(table.size().0, table.range((Bound::Unbounded, Bound::Unbounded)).count());
    }
}

fn table_schema() -> Schema {
    table().schema
}
