//! What the streams of version 2017.11.29 show, write by write.

use std::time::Duration;

use super::*;
use crate::dynamodb::{
    key::{Key, KeyAttribute, KeyValue, Schema},
    stream::{Event, Record, SHARDS, View},
    table::Table,
    tables::Tables,
    ttl::expire_now,
};

const EAST: &str = "us-east-1";
const WEST: &str = "us-west-2";
const NOW: Timestamp = Timestamp::constant(1_602_518_560, 314_001_000);

fn key() -> Key {
    Key { hash: KeyValue::S("a".to_owned()), range: None }
}

fn item(value: &str) -> Item {
    let text = |t: &str| Value::S(t.to_owned());
    Item::from([("pk".to_owned(), text("a")), ("v".to_owned(), text(value))])
}

fn tables() -> Tables {
    let mut tables = Tables::default();
    for (region, other) in [(EAST, WEST), (WEST, EAST)] {
        let hash = KeyAttribute { name: "pk".to_owned(), kind: "S".to_owned() };
        let mut table = Table::new("t", region, "123456789012", Schema { hash, range: None }, NOW);
        table.enable_stream(View::NewAndOldImages, NOW);
        table.legacy = true;
        table.replicas = BTreeSet::from([other.to_owned()]);
        tables.create(table).unwrap();
    }
    tables
}

fn write(tables: &mut Tables, region: &str, new: Option<Item>) {
    tables.write((region, "t"), &key(), NOW, false, |_| Ok(new)).unwrap();
    let other = if region == EAST { WEST } else { EAST };
    tables.deliver((region, other), Duration::ZERO, NOW, 10);
}

/// Each record as the event, the writer's Region in the new image, and whether that is being deleted.
fn records(tables: &Tables, region: &str) -> Vec<(Event, Option<String>, bool)> {
    let stream = tables.get(region, "t").unwrap().stream.as_ref().unwrap();
    let records = (0..SHARDS).flat_map(|s| stream.read(s, 0, 1000).unwrap().0);
    let seen = |record: Arc<Record>| {
        let image = record.new.as_ref();
        let origin = image.and_then(|i| i.get(UPDATE_REGION)).map(|v| match v {
            Value::S(region) => region.clone(),
            _ => panic!("a text"),
        });
        (record.event, origin, image.is_some_and(|i| i.get(DELETING) == Some(&Value::Bool(true))))
    };
    records.map(seen).collect()
}

fn of(event: Event, origin: Option<&str>) -> (Event, Option<String>, bool) {
    (event, origin.map(str::to_owned), false)
}

#[test]
fn a_put_adds_the_three_attributes_with_a_second_write() {
    let mut tables = tables();
    write(&mut tables, EAST, Some(item("1")));
    let expected = [of(Event::Insert, None), of(Event::Modify, Some(EAST))];
    assert_eq!(records(&tables, EAST), expected);
    assert_eq!(records(&tables, WEST), expected);
    let stored = tables.get(WEST, "t").unwrap().get(&key()).unwrap();
    assert_eq!(stored[UPDATE_TIME], Value::N("1602518560.314001".parse().unwrap()));
    assert_eq!(stored[DELETING], Value::Bool(false));
    assert_eq!(tables.get(EAST, "t").unwrap().get(&key()), Some(stored));
}

#[test]
fn an_update_is_two_writes_here_and_one_there() {
    let mut tables = tables();
    write(&mut tables, EAST, Some(item("1")));
    let update = |old: Option<&Item>| {
        let mut new = old.unwrap().clone();
        new.insert("v".to_owned(), Value::S("2".to_owned()));
        Ok(Some(new))
    };
    tables.write((WEST, "t"), &key(), NOW, false, update).unwrap();
    tables.deliver((WEST, EAST), Duration::ZERO, NOW, 10);
    // The first of the two still names who wrote the item before.
    assert_eq!(records(&tables, WEST)[2..], [of(Event::Modify, Some(EAST)), of(Event::Modify, Some(WEST))]);
    assert_eq!(records(&tables, EAST)[2..], [of(Event::Modify, Some(WEST))]);
}

#[test]
fn a_deletion_is_marked_first_where_it_arrives() {
    let mut tables = tables();
    write(&mut tables, EAST, Some(item("1")));
    write(&mut tables, WEST, None);
    assert_eq!(records(&tables, WEST)[2..], [of(Event::Remove, None)]);
    let marked = (Event::Modify, Some(WEST.to_owned()), true);
    assert_eq!(records(&tables, EAST)[2..], [marked, of(Event::Remove, None)]);
    write(&mut tables, WEST, None);
    assert_eq!(records(&tables, EAST).len(), 4, "what changes nothing is not replicated");
}

#[test]
fn time_to_live_is_each_regions_own() {
    let mut tables = tables();
    tables.get_mut(WEST, "t").unwrap().set_ttl_attribute(Some("ttl".to_owned()));
    let mut new = item("1");
    new.insert("ttl".to_owned(), Value::N("1602518500".parse().unwrap()));
    write(&mut tables, EAST, Some(new));
    assert_eq!(expire_now(&mut tables, NOW), 1, "though the other Region wrote it");
    tables.deliver((WEST, EAST), Duration::ZERO, NOW, 10);
    assert!(tables.get(EAST, "t").unwrap().get(&key()).is_none());
}
