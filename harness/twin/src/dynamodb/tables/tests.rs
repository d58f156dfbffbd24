//! Streams and global tables: order, convergence, expiry.

use std::ops::Bound;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::dynamodb::{
    item::Value,
    key::{KeyAttribute, KeyValue, Schema},
    stream::{Event, SHARDS},
    ttl::expire_now,
};

const EAST: &str = "us-east-1";
const WEST: &str = "us-west-2";
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn later(ms: i64) -> Timestamp {
    NOW + SignedDuration::from_millis(ms)
}

fn key(name: &str) -> Key {
    Key { hash: KeyValue::S(name.to_owned()), range: None }
}

fn item(name: &str, value: &str) -> Item {
    Item::from([("pk".to_owned(), Value::S(name.to_owned())), ("v".to_owned(), Value::S(value.to_owned()))])
}

/// A table in both Regions, of the version 2017.11.29 or of the current one.
fn global_table_of(legacy: bool) -> Tables {
    let mut tables = global_table();
    for table in tables.in_regions(&[EAST, WEST].map(str::to_owned).into(), "things") {
        table.legacy = legacy;
    }
    tables
}

/// A table in both Regions.
fn global_table() -> Tables {
    let mut tables = Tables::default();
    let hash = KeyAttribute { name: "pk".to_owned(), kind: "S".to_owned() };
    let mut table = Table::new("things", EAST, "123456789012", Schema { hash, range: None }, NOW);
    table.enable_stream(View::NewAndOldImages, NOW);
    tables.create(table).unwrap();
    tables.add_replica((EAST, "things"), WEST, "123456789012", NOW).unwrap();
    tables
}

fn put(tables: &mut Tables, region: &str, name: &str, value: &str, at: Timestamp) {
    let new = item(name, value);
    tables.write((region, "things"), &key(name), at, false, |_| Ok(Some(new))).unwrap();
}

fn delete(tables: &mut Tables, region: &str, name: &str, at: Timestamp) {
    tables.write((region, "things"), &key(name), at, false, |_| Ok(None)).unwrap();
}

fn content(tables: &Tables, region: &str) -> Vec<Arc<Item>> {
    let table = tables.get(region, "things").unwrap();
    table.range((Bound::Unbounded, Bound::Unbounded)).map(|(_, item)| Arc::clone(item)).collect()
}

fn events(tables: &Tables, region: &str) -> Vec<(Event, bool)> {
    let stream = tables.get(region, "things").unwrap().stream.as_ref().unwrap();
    let mut records: Vec<_> = (0..SHARDS).flat_map(|s| stream.read(s, 0, 1000).unwrap().0).collect();
    records.sort_by_key(|r| r.sequence);
    records.iter().map(|r| (r.event, r.expired)).collect()
}

#[test]
fn a_write_arrives_after_the_delay_and_not_before() {
    let mut tables = global_table();
    put(&mut tables, EAST, "a", "1", NOW);
    let delay = Duration::from_secs(1);
    assert_eq!(tables.next_due(EAST, WEST, delay, later(400)), Some(Duration::from_millis(600)));
    assert_eq!(tables.deliver((EAST, WEST), delay, later(999), 10), 0);
    assert_eq!(tables.deliver((EAST, WEST), delay, later(1000), 10), 1);
    assert_eq!(content(&tables, WEST), vec![Arc::new(item("a", "1"))]);
    assert_eq!(tables.next_due(WEST, EAST, delay, later(9999)), None, "what has arrived is not sent back");
}

#[test]
fn a_write_that_changes_nothing_leaves_no_record() {
    let mut tables = global_table();
    put(&mut tables, EAST, "a", "1", NOW);
    put(&mut tables, EAST, "a", "1", later(1));
    delete(&mut tables, EAST, "b", later(2));
    put(&mut tables, EAST, "a", "2", later(3));
    delete(&mut tables, EAST, "a", later(4));
    let expected = [Event::Insert, Event::Modify, Event::Remove].map(|e| (e, false));
    assert_eq!(events(&tables, EAST), expected);
}

#[test]
fn a_late_write_does_not_bring_a_deleted_item_back() {
    let mut tables = global_table();
    put(&mut tables, WEST, "a", "old", NOW);
    delete(&mut tables, EAST, "a", later(5));
    tables.purge_tombstones();
    tables.deliver((WEST, EAST), Duration::ZERO, later(10), 10);
    tables.deliver((EAST, WEST), Duration::ZERO, later(10), 10);
    assert!(content(&tables, EAST).is_empty());
    assert!(content(&tables, WEST).is_empty());
    tables.purge_tombstones();
    assert_eq!(tables.get(EAST, "things").unwrap().rows().count(), 0);
}

#[test]
fn a_replica_starts_with_what_the_table_holds() {
    let mut tables = global_table();
    put(&mut tables, EAST, "a", "1", NOW);
    tables.delete(WEST, "things").unwrap();
    assert!(tables.get(EAST, "things").unwrap().replicas.is_empty());
    tables.add_replica((EAST, "things"), WEST, "123456789012", later(1)).unwrap();
    assert_eq!(content(&tables, WEST), content(&tables, EAST));
    assert_eq!(events(&tables, WEST), vec![(Event::Insert, false)]);
}

#[test]
fn what_expires_is_marked_in_the_writers_stream_alone() {
    let mut tables = global_table();
    for region in [EAST, WEST] {
        tables.get_mut(region, "things").unwrap().set_ttl_attribute(Some("ttl".to_owned()));
    }
    let mut new = item("a", "1");
    new.insert("ttl".to_owned(), Value::N("1700000000".parse().unwrap()));
    tables.write((EAST, "things"), &key("a"), NOW, false, |_| Ok(Some(new))).unwrap();
    tables.deliver((EAST, WEST), Duration::ZERO, NOW, 10);
    assert_eq!(expire_now(&mut tables, later(500)), 0);
    assert_eq!(expire_now(&mut tables, later(2000)), 1);
    tables.deliver((EAST, WEST), Duration::ZERO, later(2000), 10);
    assert_eq!(events(&tables, EAST), vec![(Event::Insert, false), (Event::Remove, true)]);
    assert_eq!(events(&tables, WEST), vec![(Event::Insert, false), (Event::Remove, false)]);
}

#[test]
fn coalescing_keeps_the_last_write_of_each_item_in_order() {
    let mut tables = global_table();
    for (name, value) in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("b", "2")] {
        put(&mut tables, EAST, name, value, NOW);
    }
    let link = tables.links.get_mut(&(EAST.to_owned(), WEST.to_owned())).unwrap();
    link.coalesce();
    let keys: Vec<_> = link.queue.iter().map(|w| w.key.clone()).collect();
    assert_eq!(keys, ["a", "c", "b"].map(key));
    tables.deliver((EAST, WEST), Duration::ZERO, NOW, 10);
    assert_eq!(content(&tables, WEST), content(&tables, EAST));
}

#[derive(Debug, Clone)]
enum Step {
    Put { east: bool, name: u8, value: u8, at_ms: i64 },
    Delete { east: bool, name: u8, at_ms: i64 },
    Deliver { eastward: bool, count: usize },
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), 0..4_u8, any::<u8>(), 0..50_i64).prop_map(|(east, name, value, at_ms)| Step::Put {
            east,
            name,
            value,
            at_ms
        }),
        (any::<bool>(), 0..4_u8, 0..50_i64).prop_map(|(east, name, at_ms)| Step::Delete {
            east,
            name,
            at_ms
        }),
        (any::<bool>(), 0..5_usize).prop_map(|(eastward, count)| Step::Deliver { eastward, count }),
        Just(Step::Purge),
    ]
}

proptest! {
    /// Whatever is written where, with clocks that disagree, and however writes are held up: once all have arrived,
    /// both Regions hold the same.
    #[test]
    fn replicas_converge(steps in proptest::collection::vec(step(), 0..60), legacy in any::<bool>()) {
        let mut tables = global_table_of(legacy);
        let end = later(1_000_000);
        for step in steps {
            match step {
                Step::Put { east, name, value, at_ms } => {
                    let region = if east { EAST } else { WEST };
                    put(&mut tables, region, &name.to_string(), &value.to_string(), later(at_ms));
                }
                Step::Delete { east, name, at_ms } => {
                    delete(&mut tables, if east { EAST } else { WEST }, &name.to_string(), later(at_ms));
                }
                Step::Deliver { eastward, count } => {
                    let link = if eastward { (WEST, EAST) } else { (EAST, WEST) };
                    tables.deliver(link, Duration::ZERO, end, count);
                }
                Step::Purge => tables.purge_tombstones(),
            }
        }
        tables.deliver((EAST, WEST), Duration::ZERO, end, usize::MAX);
        tables.deliver((WEST, EAST), Duration::ZERO, end, usize::MAX);
        prop_assert_eq!(content(&tables, EAST), content(&tables, WEST));
    }

    /// The records of one partition key are in one shard, each starting from the image that the one before left.
    #[test]
    fn a_streams_records_chain_up(
        writes in proptest::collection::vec((0..6_u8, 0..3_u8), 1..80),
        legacy in any::<bool>(),
    ) {
        let mut tables = global_table_of(legacy);
        for (name, value) in &writes {
            put(&mut tables, EAST, &name.to_string(), &value.to_string(), NOW);
        }
        let stream = tables.get(EAST, "things").unwrap().stream.as_ref().unwrap();
        let mut last: BTreeMap<String, (usize, u64, Option<Arc<Item>>)> = BTreeMap::new();
        for shard in 0..SHARDS {
            for record in stream.read(shard, 0, 1000).unwrap().0 {
                let name = format!("{:?}", record.keys);
                let before = last.insert(name, (shard, record.sequence, record.new.clone()));
                prop_assert_eq!(before.as_ref().and_then(|b| b.2.clone()), record.old.clone());
                prop_assert!(before.is_none_or(|b| b.0 == shard && b.1 < record.sequence));
            }
        }
    }
}

#[test]
fn the_records_of_all_tables_are_counted_until_their_streams_are_gone() {
    let mut tables = global_table();
    put(&mut tables, EAST, "a", "1", NOW);
    let one = tables.held.bytes();
    assert!(one > 0);
    assert_eq!(tables.deliver((EAST, WEST), Duration::ZERO, later(1), 9), 1);
    assert_eq!(tables.held.bytes(), 2 * one, "the replica's stream counts, too");
    put(&mut tables, EAST, "a", "2", later(2));
    tables.trim_streams(3 * one);
    let read = |region: &str| {
        let stream = tables.get(region, "things").unwrap().stream.as_ref().unwrap();
        stream.read(key("a").part(SHARDS), 0, 9).unwrap().0.len()
    };
    assert_eq!((read(EAST), read(WEST)), (1, 1), "the oldest one went");
    tables.get_mut(EAST, "things").unwrap().stream = None;
    tables.delete(WEST, "things").unwrap();
    assert_eq!(tables.held.bytes(), 0);
}
