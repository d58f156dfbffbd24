//! The model refuses what AWS refuses, and fails as it is told to.

use serde_json::json;

use super::*;
use crate::order::LEASE_MS;
use crate::outcome::Outcome;
use crate::ports::{Clock, Identities, Shadows, State, ThingRow, Things, Types, World};

fn class<T>(outcome: Outcome<T>) -> Option<Class> {
    outcome.err().map(|failure| failure.class)
}

#[tokio::test]
async fn a_key_stays_taken_when_its_holder_is_ended() {
    let twins = Twins::new();
    let state = twins.world();
    let row = Row::Thing(ThingRow::default());
    let taken = state.take("k", &json!("first"), twins.now_ms()).await.unwrap();
    State::put(state, &taken, &row).await.unwrap();
    twins.crash(Some(Crash { at: 1, after: true }));
    assert_eq!(class(state.take("k", &json!("second"), twins.now_ms()).await), Some(Class::Transient));
    assert_eq!(class(state.read("k").await), Some(Class::Transient), "it has ended");
    twins.crash(None);
    assert!(twins.is_held("k"));
    assert_eq!(class(state.take("k", &json!("third"), twins.now_ms()).await), Some(Class::Conflict));
    twins.advance_ms(LEASE_MS);
    let third = state.take("k", &json!("third"), twins.now_ms()).await.unwrap();
    assert_eq!((third.unfinished.clone(), third.row.clone()), (Some(json!("second")), Some(row.clone())));
    state.release(&third).await.unwrap();
    assert_eq!(twins.intent("k"), Some(json!("second")), "what was unfinished stays so");
    let fourth = state.take("k", &json!("fourth"), twins.now_ms()).await.unwrap();
    assert_eq!(class(State::put(state, &third, &row).await), Some(Class::Conflict));
    State::put(state, &fourth, &row).await.unwrap();
    assert!(!twins.is_held("k") && twins.intent("k").is_none());
}

#[tokio::test]
async fn things_types_and_certificates_are_refused_as_by_aws() {
    let twins = Twins::new();
    let region = twins.world().region();
    let thing = Thing { name: "t".into(), thing_type: Some("k".into()), ..Thing::default() };
    assert_eq!(class(region.create_thing(&thing).await), Some(Class::NotFound));
    let kind = crate::model::ThingType { name: "k".into(), ..Default::default() };
    region.create_thing_type(&kind).await.unwrap();
    region.create_thing(&thing).await.unwrap();
    region.create_thing(&thing).await.unwrap();
    let other = Thing { thing_type: None, ..thing.clone() };
    assert_eq!(class(region.create_thing(&other).await), Some(Class::Exists));
    region.deprecate_thing_type("k", true).await.unwrap();
    twins.advance_ms(5 * 60 * 1_000);
    assert_eq!(class(region.delete_thing_type("k").await), Some(Class::Conflict));
    region.register_certificate(&pem("c"), true).await.unwrap();
    let arn = arn(SECONDARY, "c");
    region.attach_principal("t", &arn).await.unwrap();
    assert_eq!(class(region.delete_thing("t", None).await), Some(Class::Conflict));
    assert_eq!(class(region.delete_certificate("c").await), Some(Class::Conflict));
    region.set_status("c", Status::Revoked).await.unwrap();
    assert_eq!(class(region.delete_certificate("c").await), Some(Class::Conflict));
    region.detach_principal("t", &arn).await.unwrap();
    region.delete_certificate("c").await.unwrap();
    region.delete_thing("t", None).await.unwrap();
    region.delete_thing_type("k").await.unwrap();
}

#[tokio::test]
async fn a_shadow_counts_on_after_its_deletion_and_stamps_what_was_named() {
    let twins = Twins::new();
    let region = twins.world().region();
    let first = json!({"reported": {"a": 1, "o": {"b": [1, 2]}}});
    region.update_shadow("t", "", &first, Some(0)).await.unwrap();
    twins.at_s(2_000);
    let second = json!({"reported": {"a": null, "o": {"c": 1}}});
    assert_eq!(region.update_shadow("t", "", &second, Some(1)).await.unwrap().version, 2);
    assert_eq!(class(region.update_shadow("t", "", &second, Some(1)).await), Some(Class::Conflict));
    let shadow = region.shadow("t", "").await.unwrap().unwrap();
    assert_eq!(shadow.state, json!({"reported": {"o": {"b": [1, 2], "c": 1}}}));
    let stamps = json!([{"timestamp": 1_000}, {"timestamp": 1_000}]);
    assert_eq!(shadow.metadata, json!({"reported": {"o": {"b": stamps, "c": {"timestamp": 2_000}}}}));
    region.delete_shadow("t", "").await.unwrap();
    assert_eq!(class(region.delete_shadow("t", "").await), Some(Class::NotFound));
    assert_eq!(region.update_shadow("t", "", &first, None).await.unwrap().version, 3);
}

#[tokio::test]
async fn a_lost_answer_is_a_call_that_happened() {
    let twins = Twins::new();
    let region = twins.world().region();
    let thing = Thing { name: "t".into(), ..Thing::default() };
    twins.fail_next("secondary.create_thing", Class::Transient, 1);
    assert_eq!(class(region.create_thing(&thing).await), Some(Class::Transient));
    assert!(twins.inner().secondary.things.is_empty());
    twins.lose_next("secondary.create_thing", 1);
    assert_eq!(class(region.create_thing(&thing).await), Some(Class::Transient));
    assert!(twins.inner().secondary.things.contains_key("t"));
    assert_eq!(twins.calls(), ["secondary.create_thing", "secondary.create_thing"]);
    assert_eq!(twins.world().now_ms(), 1_000_000);
}

#[test]
fn what_is_typed_reads_as_it_was() {
    let plain = json!({"S": [1, null, {"N": "x"}], "b": true});
    assert_eq!(crate::typed::value(&typed(&plain)).unwrap(), plain);
}
