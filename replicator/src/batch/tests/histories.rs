//! Whole histories of a device in any order, any number of times, ended at any call: the secondary
//! ends where the primary is.

use proptest::prelude::*;

use super::*;
use crate::fakes::{Crash, arn};
use crate::order;
use crate::ports::Status;

/// A history as the primary made it, and what is true at its end.
#[derive(Debug, Clone)]
struct History {
    records: Vec<Value>,
    /// The attribute of the thing that lives at the end.
    thing: Option<String>,
    /// The value of the shadow, if it did not die with its thing.
    shadow: Option<u64>,
}

fn thing(operation: &str, id: u64, version: u64, now_s: u64) -> Value {
    let event = format!("thing#{id}-{version}-{operation}");
    let image = json!({"device": {"S": "a"}, "eventType": {"S": "THING_EVENT"}, "operation": {"S": operation},
        "thingName": {"S": "a"}, "thingId": {"S": format!("id-{id}")}, "thingTypeName": {"NULL": true},
        "versionNumber": {"N": version.to_string()}, "timestamp": {"N": (now_s * 1_000).to_string()},
        "attributes": {"M": {"v": {"S": event.clone()}}}});
    record("0", "a", &event, image)
}

fn shadow_at(version: u64, now_s: u64) -> Value {
    let mut record = shadow("0", "a", version);
    record["dynamodb"]["NewImage"]["timestamp"] = json!({"N": now_s.to_string()});
    record
}

/// Draws what happens second by second: 0 and 1 write the shadow, 2 changes the thing, 3 ends or
/// begins a life of it.
fn history(steps: &[u8]) -> History {
    let (mut life, mut version, mut alive, mut now_s) = (0, 0, false, 100);
    let (mut shadow, mut deleted_at_ms) = (None, None);
    let mut attribute = None;
    let mut records = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        now_s += 1;
        let number = index as u64 + 1;
        match step {
            0 | 1 => {
                records.push(shadow_at(number, now_s));
                shadow = Some((number, now_s));
            }
            2 if alive => {
                version += 1;
                records.push(thing("UPDATED", life, version, now_s));
                attribute = Some(format!("thing#{life}-{version}-UPDATED"));
            }
            _ if alive => {
                alive = false;
                records.push(thing("DELETED", life, version, now_s));
                deleted_at_ms = Some(now_s * 1_000);
            }
            _ => {
                (life, version, alive) = (life + 1, 1, true);
                records.push(thing("CREATED", life, version, now_s));
                attribute = Some(format!("thing#{life}-{version}-CREATED"));
            }
        }
    }
    let shadow = shadow.filter(|(_, at_s)| !order::shadow_died_with_thing(*at_s, deleted_at_ms));
    History { records, thing: attribute.filter(|_| alive), shadow: shadow.map(|(number, _)| number) }
}

/// Delivers batches as a mapping does: what is named in the answer comes again, a few times. Answers
/// with how many records were done in their order.
pub(super) async fn deliver(
    twins: &Twins,
    records: &[Value],
    crashes: &[Option<Crash>],
    tries: u32,
) -> usize {
    let (mut crashes, mut done) = (crashes.iter().copied(), 0);
    for chunk in records.chunks(3) {
        let mut batch: Vec<Value> = chunk.to_vec();
        for (index, record) in batch.iter_mut().enumerate() {
            record["dynamodb"]["SequenceNumber"] = json!(index.to_string());
        }
        let mut from = 0;
        for _ in 0..tries {
            twins.crash(crashes.next().flatten());
            let response = apply(twins, &Policies::default(), &batch[from..], DEADLINE_MS).await.unwrap();
            let first = response.failures.first().map(|failure| failure.sequence.parse::<usize>());
            from = first.map_or(batch.len(), Result::unwrap);
            if from == batch.len() {
                break;
            }
        }
        done += from;
    }
    twins.crash(None);
    done
}

pub(super) fn crash() -> impl Strategy<Value = Option<Crash>> {
    prop::option::of((1_usize..25, any::<bool>()).prop_map(|(at, after)| Crash { at, after }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_history_ends_where_the_primary_is(
        (steps, order) in prop::collection::vec(0_u8..4, 1..12).prop_flat_map(|steps| {
            let count = history(&steps).records.len();
            let twice: Vec<usize> = (0..count).chain(0..count).collect();
            (Just(steps), Just(twice).prop_shuffle())
        }),
        crashes in prop::collection::vec(crash(), 0..8),
    ) {
        let history = history(&steps);
        let records: Vec<Value> = order.iter().map(|index| history.records[*index].clone()).collect();
        let twins = Twins::new();
        if history.thing.is_some() {
            twins.primary_device("a", "c1", Status::Active);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(deliver(&twins, &records, &crashes, 10));

        let shadow = history.shadow.map(|value| json!({"reported": {"v": value}}));
        prop_assert_eq!(twins.shadow_state("a", ""), shadow);
        let inner = twins.inner();
        let there = inner.secondary.things.get("a");
        prop_assert_eq!(there.map(|thing| thing.attributes["v"].clone()), history.thing.clone());
        prop_assert_eq!(inner.secondary.certificates.len(), usize::from(history.thing.is_some()));
        if let Some(thing) = there {
            prop_assert!(thing.principals.contains(&arn(SECONDARY, "c1")));
        }
    }
}
