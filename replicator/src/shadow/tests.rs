//! Shadows: what they cost, which writes stay, and what a crash leaves.

mod ends;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::checks::{after_an_end, at_every_call, at_once, some_end};
use crate::order::LEASE_MS;
use crate::simulation::{Crash, Twins};

fn event(version: u64, timestamp_s: u64, reported: &Value, stamps: &Value) -> ShadowEvent {
    ShadowEvent {
        thing: "t".into(),
        shadow: String::new(),
        state: json!({ "reported": reported }),
        metadata: json!({ "reported": stamps }),
        mark: ShadowMark { version, timestamp_s, deleted: false },
    }
}

fn deleted(version: u64, timestamp_s: u64) -> ShadowEvent {
    let mark = ShadowMark { version, timestamp_s, deleted: true };
    ShadowEvent { state: json!({}), metadata: Value::Null, mark, ..event(0, 0, &json!({}), &json!({})) }
}

/// One leaf `a`, written at that time.
fn simple(version: u64, at_s: u64) -> ShadowEvent {
    event(version, at_s, &json!({"a": version}), &json!({"a": {"timestamp": at_s}}))
}

async fn run(twins: &Twins, event: &ShadowEvent) -> Outcome<Change> {
    apply(twins.world(), event, false).await.map(|applied| applied.change)
}

fn reported(twins: &Twins) -> Option<Value> {
    twins.shadow_state("t", "").map(|state| state["reported"].clone())
}

#[tokio::test]
async fn an_update_is_one_call_without_a_look() {
    let twins = Twins::new();
    for version in 1..4 {
        twins.clear_calls();
        assert_eq!(run(&twins, &simple(version, 90 + version)).await.unwrap(), Change::Changed);
        assert_eq!(twins.calls(), ["state.take", "secondary.update_shadow", "state.put"]);
    }
    assert_eq!(reported(&twins), Some(json!({"a": 3})));
}

#[tokio::test]
async fn d23_an_older_version_never_undoes_a_newer_one() {
    let twins = Twins::new();
    let older =
        event(1, 19, &json!({"a": 1, "b": 1}), &json!({"a": {"timestamp": 19}, "b": {"timestamp": 19}}));
    assert_eq!(run(&twins, &simple(2, 20)).await.unwrap(), Change::Changed);
    for old in [older, simple(2, 20)] {
        twins.clear_calls();
        assert_eq!(run(&twins, &old).await.unwrap(), Change::Superseded);
        assert_eq!(twins.region_calls(), Vec::<String>::new());
    }
    assert_eq!(reported(&twins), Some(json!({"a": 2})));
}

#[tokio::test]
async fn d26_keys_that_the_primary_lost_go_and_equal_documents_cost_no_call() {
    let twins = Twins::new();
    run(&twins, &event(1, 10, &json!({"a": 1, "o": {"x": 1}}), &json!({}))).await.unwrap();
    assert_eq!(run(&twins, &event(2, 11, &json!({"a": 1}), &json!({}))).await.unwrap(), Change::Changed);
    assert_eq!(reported(&twins), Some(json!({"a": 1})));
    twins.clear_calls();
    assert_eq!(run(&twins, &event(3, 12, &json!({"a": 1.0}), &json!({}))).await.unwrap(), Change::Unchanged);
    assert_eq!(twins.calls(), ["state.take", "state.put"]);
}

#[tokio::test]
async fn d26_a_shadow_from_before_the_replicator_is_completed() {
    let twins = Twins::new();
    twins.at_s(50);
    twins.device_writes("t", &json!({"reported": {"a": 0}}));
    let stamps = json!({"a": {"timestamp": 90}, "b": {"timestamp": 40}});
    run(&twins, &event(7, 90, &json!({"a": 1, "b": 2}), &stamps)).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": 1, "b": 2})));
    let calls = ["secondary.update_shadow", "secondary.shadow", "secondary.update_shadow"];
    assert_eq!(twins.region_calls(), calls);
}

#[tokio::test]
async fn d05_a_named_shadow_is_a_shadow_of_its_own() {
    let twins = Twins::new();
    let named = ShadowEvent { shadow: "config".into(), ..simple(9, 90) };
    run(&twins, &named).await.unwrap();
    run(&twins, &simple(1, 91)).await.unwrap();
    assert_eq!(twins.shadow_state("t", "config"), Some(json!({"reported": {"a": 9}})));
    assert_eq!(reported(&twins), Some(json!({"a": 1})));
}

#[tokio::test]
async fn d06_a_deletion_is_replicated_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let twins = Twins::new();
        let events = [simple(1, 90), simple(2, 91), deleted(2, 92)];
        for index in order {
            run(&twins, &events[index]).await.unwrap();
        }
        assert_eq!(reported(&twins), None, "{order:?}");
        // Made again, it counts on.
        run(&twins, &simple(3, 95)).await.unwrap();
        assert_eq!(reported(&twins), Some(json!({"a": 3})), "{order:?}");
    }
}

#[tokio::test]
async fn d13_a_deletion_that_was_throttled_is_done_by_its_repeat_though_the_thing_is_gone() {
    let twins = Twins::new();
    run(&twins, &simple(1, 90)).await.unwrap();
    twins.fail_next("secondary.delete_shadow", Class::Transient, 1);
    let gone = deleted(1, 91);
    assert!(run(&twins, &gone).await.unwrap_err().is_transient());
    twins.advance_ms(LEASE_MS);
    assert!(twins.inner().secondary.things.is_empty());
    assert_eq!(run(&twins, &gone).await.unwrap(), Change::Changed);
    assert_eq!(reported(&twins), None, "a thing made again inherits nothing");
}

#[tokio::test]
async fn a_deletion_leaves_what_a_device_wrote_after_it() {
    let twins = Twins::new();
    twins.at_s(100);
    let stamps = json!({"a": {"timestamp": 90}, "b": {"timestamp": 90}});
    run(&twins, &event(1, 90, &json!({"a": 1, "b": 1}), &stamps)).await.unwrap();
    twins.at_s(110);
    twins.device_writes("t", &json!({"reported": {"a": "device"}}));
    twins.at_s(120);
    assert_eq!(run(&twins, &deleted(1, 105)).await.unwrap(), Change::Changed);
    assert_eq!(reported(&twins), Some(json!({"a": "device"})));
    assert_eq!(run(&twins, &deleted(2, 106)).await.unwrap(), Change::Unchanged);
    assert_eq!(run(&twins, &deleted(3, 111)).await.unwrap(), Change::Changed);
    assert_eq!(reported(&twins), None);
}

/// Brings a state from the words of the stream.
async fn from_stream(state: &Value) -> Value {
    let row = json!({"device": "t", "event": "shadow##1", "eventType": "SHADOW_EVENT", "operation": "UPDATED",
        "shadow": "", "version": 1, "timestamp": 90, "state": {"desired": state}, "metadata": {}});
    let image = crate::simulation::typed(&row)["M"].clone();
    let keys = json!({"device": {"S": "t"}, "event": {"S": "shadow##1"}});
    let record = json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "Keys": keys,
        "NewImage": image}});
    let crate::record::Reading::Event(record) = crate::record::read(&record, "us-west-2") else {
        panic!("an event")
    };
    let event = crate::event::Event::read(&record.row.unwrap()).unwrap();
    let crate::event::What::Shadow(event) = event.what else { panic!("a shadow event") };
    let twins = Twins::new();
    run(&twins, &event).await.unwrap();
    twins.shadow_state("t", "").unwrap()["desired"].clone()
}

#[tokio::test]
async fn d25_a_time_in_a_shadow_stays_the_text_that_it_is() {
    let state = json!({"at": "2021-03-31T10:00:00.000"});
    assert_eq!(from_stream(&state).await, state);
}

#[tokio::test]
async fn d33_keys_that_look_like_types_stay_keys() {
    let state = json!({"color": {"R": 255, "S": "0.5", "B": 128}, "M": {"M": {"rpm": 3}}, "N": {"N": "5"}});
    assert_eq!(from_stream(&state).await, state);
}

#[tokio::test]
async fn d34_numbers_with_an_exponent_stay_numbers() {
    let state = json!({"tiny": 1e-7, "huge": 1e20});
    assert_eq!(from_stream(&state).await, state);
}

#[tokio::test]
async fn an_empty_document_makes_a_shadow() {
    let twins = Twins::new();
    let empty = ShadowEvent { state: json!({}), metadata: json!({}), ..simple(1, 90) };
    assert_eq!(run(&twins, &empty).await.unwrap(), Change::Changed);
    assert_eq!(twins.shadow_state("t", ""), Some(json!({})));
}

#[tokio::test]
async fn d36_a_devices_own_write_is_not_overwritten_by_any_number_of_older_ones() {
    let twins = Twins::new();
    twins.at_s(100);
    let stamps = json!({"a": {"timestamp": 90}, "b": {"timestamp": 90}});
    run(&twins, &event(1, 90, &json!({"a": 1, "b": 1}), &stamps)).await.unwrap();
    twins.at_s(110);
    twins.device_writes("t", &json!({"reported": {"a": "device"}}));
    twins.at_s(120);
    for version in 2..5 {
        // The primary goes on writing b; its a is the one from before the outage.
        let stamps = json!({"a": {"timestamp": 95}, "b": {"timestamp": 115 + version}});
        let late = event(version, 115 + version, &json!({"a": 2, "b": version}), &stamps);
        assert_eq!(run(&twins, &late).await.unwrap(), Change::Changed);
        assert_eq!(reported(&twins), Some(json!({"a": "device", "b": version})));
    }
    let stamps = json!({"a": {"timestamp": 130}, "b": {"timestamp": 119}});
    run(&twins, &event(9, 130, &json!({"a": 3, "b": 4}), &stamps)).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": 3, "b": 4})));
}

#[tokio::test]
async fn what_a_device_removed_stays_away_until_the_primary_writes_it_again() {
    let twins = Twins::new();
    twins.at_s(100);
    let stamps = |a_s: u64, b_s: u64| json!({"a": {"timestamp": a_s}, "b": {"timestamp": b_s}});
    run(&twins, &event(1, 90, &json!({"a": 1, "b": 1}), &stamps(90, 90))).await.unwrap();
    twins.at_s(110);
    twins.device_writes("t", &json!({"reported": {"a": null}}));
    for version in 2..5 {
        let late = event(version, 90 + version, &json!({"a": 1, "b": version}), &stamps(90, 90 + version));
        run(&twins, &late).await.unwrap();
        assert_eq!(reported(&twins), Some(json!({ "b": version })));
    }
    run(&twins, &event(9, 130, &json!({"a": 1, "b": 4}), &stamps(130, 94))).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": 1, "b": 4})));
}

#[tokio::test]
async fn what_a_device_added_stays_until_the_primary_had_it_and_removed_it() {
    let twins = Twins::new();
    twins.at_s(100);
    run(&twins, &simple(1, 90)).await.unwrap();
    twins.at_s(110);
    twins.device_writes("t", &json!({"reported": {"own": {"x": 1}}}));
    run(&twins, &simple(2, 120)).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": 2, "own": {"x": 1}})));
    let stamps = json!({"own": {"x": {"timestamp": 130}}});
    run(&twins, &event(3, 130, &json!({"own": {"x": 2}}), &stamps)).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"own": {"x": 2}})));
    run(&twins, &simple(4, 140)).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": 4})));
}

#[tokio::test]
async fn an_object_in_place_of_a_devices_newer_leaf_waits_and_so_does_the_other_way_round() {
    let twins = Twins::new();
    twins.at_s(100);
    run(&twins, &event(1, 90, &json!({"a": 1, "o": {"x": 1}}), &json!({}))).await.unwrap();
    twins.at_s(110);
    twins.device_writes("t", &json!({"reported": {"a": "device", "o": {"x": 5}}}));
    let stamps = |at_s: u64| json!({"a": {"y": {"timestamp": at_s}}, "o": {"timestamp": at_s}});
    run(&twins, &event(2, 105, &json!({"a": {"y": 1}, "o": 2}), &stamps(105))).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": "device", "o": {"x": 5}})));
    run(&twins, &event(3, 106, &json!({"a": {"y": 1}, "o": 2}), &stamps(106))).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": "device", "o": {"x": 5}})));
    run(&twins, &event(4, 111, &json!({"a": {"y": 1}, "o": 2}), &stamps(111))).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": {"y": 1}, "o": 2})));
}

#[tokio::test]
async fn a_late_event_wins_over_what_the_replicator_wrote_itself_even_beside_a_devices_write() {
    let twins = Twins::new();
    twins.at_s(200);
    // Applied long after it happened, so its stamp in the secondary is newer than the next event.
    run(&twins, &simple(1, 90)).await.unwrap();
    twins.device_writes("t", &json!({"reported": {"own": true}}));
    run(&twins, &simple(2, 91)).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": 2, "own": true})));
}

#[tokio::test]
async fn a_write_in_between_is_read_again() {
    let twins = Twins::new();
    run(&twins, &simple(1, 10)).await.unwrap();
    twins.fail_next("secondary.update_shadow", Class::Conflict, 2);
    assert_eq!(run(&twins, &simple(2, 11)).await.unwrap(), Change::Changed);
    twins.fail_next("secondary.update_shadow", Class::Conflict, WRITE_TRIES_MAX);
    assert!(run(&twins, &simple(3, 12)).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_service_that_insists_on_the_counter_of_a_deleted_shadow_is_served() {
    let twins = Twins::new();
    twins.fail_next("secondary.update_shadow", Class::Conflict, 1);
    assert_eq!(run(&twins, &simple(1, 10)).await.unwrap(), Change::Changed);
    assert_eq!(run(&twins, &simple(2, 11)).await.unwrap(), Change::Changed);
    assert_eq!(reported(&twins), Some(json!({"a": 2})));
}

/// Several functions end after their write and before they said so, each with another event: none of
/// their values is a device's.
#[tokio::test]
async fn what_functions_wrote_that_ended_is_not_taken_for_a_devices() {
    for at in [2, 3] {
        let twins = Twins::new();
        twins.at_s(500);
        run(&twins, &simple(1, 90)).await.unwrap();
        for version in [2, 3, 4] {
            twins.advance_ms(LEASE_MS);
            twins.crash(Some(Crash { at, after: at == 2 }));
            run(&twins, &simple(version, 90 + version)).await.unwrap_err();
            twins.crash(None);
        }
        twins.advance_ms(LEASE_MS);
        run(&twins, &simple(5, 95)).await.unwrap();
        assert_eq!(reported(&twins), Some(json!({"a": 5})));
    }
}

#[tokio::test]
async fn an_older_event_waits_for_a_newer_one_whose_function_ended_after_its_write() {
    for newer in [simple(3, 92), deleted(2, 92)] {
        let twins = Twins::new();
        run(&twins, &simple(1, 90)).await.unwrap();
        twins.fail_next("state.put", Class::Transient, 1);
        run(&twins, &newer).await.unwrap_err();
        let there = reported(&twins);
        assert_ne!(there, Some(json!({"a": 1})), "it was written");
        twins.advance_ms(LEASE_MS);
        // Of the deletion's own version, or of one before the update.
        let mark =
            ShadowMark { version: newer.mark.version - u64::from(!newer.mark.deleted), ..simple(1, 91).mark };
        let older = ShadowEvent { mark, ..simple(2, 91) };
        assert_eq!(run(&twins, &older).await.unwrap(), Change::Superseded);
        assert_eq!(reported(&twins), there);
        run(&twins, &newer).await.unwrap();
        assert_eq!((reported(&twins), twins.is_held(&tables::shadow_key("t", ""))), (there, false));
    }
}

#[tokio::test]
async fn an_event_that_mends_looks_and_puts_back_what_went() {
    let twins = Twins::new();
    run(&twins, &simple(1, 90)).await.unwrap();
    twins.inner().secondary.delete_shadow("t", "").unwrap();
    assert_eq!(run(&twins, &simple(1, 90)).await.unwrap(), Change::Superseded);
    apply(twins.world(), &simple(1, 90), true).await.unwrap();
    assert_eq!(reported(&twins), Some(json!({"a": 1})));
    twins.clear_calls();
    apply(twins.world(), &simple(1, 90), true).await.unwrap();
    assert_eq!(twins.region_calls(), ["secondary.shadow"]);
}
