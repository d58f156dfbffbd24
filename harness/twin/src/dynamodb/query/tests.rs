//! Pages against a plain list.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dynamodb::{
    expression::{Placeholders, parse_condition},
    index::{Definition, Index, Kind, Projection},
    table::Table,
};

const NOW: jiff::Timestamp = jiff::Timestamp::constant(1_700_000_000, 0);

fn attribute(name: &str) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), kind: "S".to_owned() }
}

/// A table `pk`, `sk` with an index on `g`, `s`, both of texts.
fn table(items: &[(String, String, String, String)]) -> Table {
    let schema = Schema { hash: attribute("pk"), range: Some(attribute("sk")) };
    let mut table = Table::new("t", "us-east-1", "123456789012", schema, NOW);
    let schema = Schema { hash: attribute("g"), range: Some(attribute("s")) };
    let definition =
        Definition { name: "gsi".to_owned(), kind: Kind::Global, schema, projection: Projection::All };
    table.add_index(Index::new(definition, &table.schema, NOW));
    for (pk, sk, g, s) in items {
        let names = ["pk", "sk", "g", "s"].map(str::to_owned);
        let values = [pk, sk, g, s].map(|t| Value::S(t.clone()));
        let item: Item = names.into_iter().zip(values).collect();
        let key = table.schema.key_of_item(&item).unwrap();
        table.write(&key, Some(Arc::new(item)), NOW, false);
    }
    table
}

fn text(item: &Item, name: &str) -> String {
    match &item[name] {
        Value::S(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn condition(schema: &Schema, sort: &str, values: (&str, &str, &str)) -> Result<KeyCondition, AwsError> {
    let mut all = json!({":h": {"S": values.0}, ":a": {"S": values.1}, ":b": {"S": values.2}});
    all.as_object_mut().unwrap().retain(|name, _| name == ":h" || sort.contains(name));
    let mut placeholders = Placeholders::new(None, Some(serde_json::from_value(all).unwrap()));
    let hash = &schema.hash.name;
    let sort = sort.replace("KEY", &schema.range.as_ref().unwrap().name);
    let text = if sort.is_empty() { format!("{hash} = :h") } else { format!("{hash} = :h AND {sort}") };
    key_condition(schema, parse_condition(&text, &mut placeholders)?)
}

fn holds(sort: &str, key: &str, a: &str, b: &str) -> bool {
    match sort {
        "" => true,
        "KEY = :a" => key == a,
        "KEY < :a" => key < a,
        "KEY <= :a" => key <= a,
        "KEY > :a" => key > a,
        "KEY >= :a" => key >= a,
        "KEY BETWEEN :a AND :b" => a <= key && key <= b,
        "begins_with(KEY, :a)" => key.starts_with(a),
        other => panic!("{other}"),
    }
}

const SORTS: [&str; 8] = [
    "",
    "KEY = :a",
    "KEY < :a",
    "KEY <= :a",
    "KEY > :a",
    "KEY >= :a",
    "KEY BETWEEN :a AND :b",
    "begins_with(KEY, :a)",
];

/// Texts that lie close together, with the last characters before gaps among them.
fn short_text() -> impl Strategy<Value = String> {
    "[ab\u{d7ff}\u{10ffff}]{1,3}"
}

proptest! {
    /// Pages of any size, forward and backward, of a table and of an index, together are what the condition asks for, in
    /// order and each item once.
    #[test]
    fn pages_are_the_condition(
        items in proptest::collection::vec((short_text(), short_text(), short_text(), short_text()), 0..40),
        sort in 0..SORTS.len(),
        values in (short_text(), short_text(), short_text()),
        limit in 1..5_usize,
        backward in any::<bool>(),
        of_index in any::<bool>(),
    ) {
        let table = table(&items);
        let rows = Rows { table: &table, index: of_index.then(|| &table.indexes[0]), fetches: false };
        let (h, a, b) = (values.0.as_str(), values.1.as_str(), values.2.as_str());
        let sort = SORTS[sort];
        let parsed = condition(rows.schema(), sort, (h, a, b));
        if sort.contains("BETWEEN") && a > b {
            prop_assert!(parsed.is_err());
            return Ok(());
        }
        let (hash, range) = if of_index { ("g", "s") } else { ("pk", "sk") };
        let all = rows.between((Bound::Unbounded, Bound::Unbounded));
        let mut expected: Vec<Arc<Item>> = all
            .map(|(_, item)| Arc::clone(item))
            .filter(|item| text(item, hash) == h && holds(sort, &text(item, range), a, b))
            .collect();
        prop_assert!(expected.is_sorted_by_key(|item| text(item, range)));
        if backward {
            expected.reverse();
        }
        let mut request =
            PageRequest { key_condition: Some(parsed.unwrap()), limit: Some(limit), backward, ..PageRequest::default() };
        let mut found = Vec::new();
        loop {
            let page = page(rows, &request);
            prop_assert!(page.scanned <= limit);
            found.extend(page.items);
            let Some(last) = page.last else { break };
            // As a client would: through the key that it is given.
            request.start = Some(rows.place_of(&rows.place_item(&last)).unwrap());
        }
        prop_assert_eq!(found, expected);
    }

    /// A start from anywhere, also outside of the condition, gives nothing that the condition does not ask for.
    #[test]
    fn any_start_is_held_to_the_condition(
        items in proptest::collection::vec((short_text(), short_text(), short_text(), short_text()), 0..20),
        start in (short_text(), short_text()),
        sort in 0..SORTS.len(),
        (a, b) in (short_text(), short_text()),
        backward in any::<bool>(),
    ) {
        let table = table(&items);
        let rows = Rows { table: &table, index: None, fetches: false };
        let sort = SORTS[sort];
        let Ok(condition) = condition(rows.schema(), sort, ("a", &a, &b)) else { return Ok(()) };
        let key = Key { hash: KeyValue::S(start.0), range: Some(KeyValue::S(start.1)) };
        let request = PageRequest {
            key_condition: Some(condition),
            start: Some(Place { key, table_key: None }),
            backward,
            ..PageRequest::default()
        };
        for item in page(rows, &request).items {
            prop_assert!(text(&item, "pk") == "a" && holds(sort, &text(&item, "sk"), &a, &b));
        }
    }
}

#[test]
fn key_conditions_that_are_refused() {
    let table = table(&[]);
    for sort in
        ["KEY <> :a", "KEY = :a AND KEY = :b", "attribute_exists(KEY)", "other = :a", "contains(KEY, :a)"]
    {
        assert!(condition(&table.schema, sort, ("h", "a", "b")).is_err(), "{sort}");
    }
}
