//! Which records are done, which come again, and what is in the error table.

use serde_json::json;

use super::*;
use crate::fakes::{PRIMARY, SECONDARY, Twins};
use crate::outcome::Class;

const DEADLINE_MS: u64 = u64::MAX;

fn record(sequence: &str, device: &str, event: &str, image: Value) -> Value {
    let mut image = image;
    image["origin"] = json!({"S": PRIMARY});
    json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": sequence, "NewImage": image,
        "ApproximateCreationDateTime": 1_000, "Keys": {"device": {"S": device}, "event": {"S": event}}}})
}

fn shadow(sequence: &str, device: &str, version: u64) -> Value {
    record(
        sequence,
        device,
        &format!("shadow##{version}"),
        json!({"device": {"S": device}, "eventType": {"S": "SHADOW_EVENT"}, "operation": {"S": "UPDATED"},
            "shadow": {"S": ""}, "version": {"N": version.to_string()}, "timestamp": {"N": "1000"},
            "state": {"M": {"reported": {"M": {"v": {"N": version.to_string()}}}}}}),
    )
}

async fn run(twins: &Twins, records: &[Value]) -> Vec<String> {
    let response = apply(twins, &Policies::default(), records, DEADLINE_MS).await.unwrap();
    response.failures.into_iter().map(|failure| failure.sequence).collect()
}

#[tokio::test]
async fn a_failure_that_may_pass_holds_back_its_own_device_only() {
    let twins = Twins::new();
    let records = [shadow("1", "a", 1), shadow("2", "b", 1), shadow("3", "a", 2), shadow("4", "b", 2)];
    // Devices are worked on in the order of their names.
    twins.fail_next("shadow", Class::Transient, 1);
    assert_eq!(run(&twins, &records).await, ["1", "3"]);
    assert_eq!(twins.shadow_state("b", ""), Some(json!({"reported": {"v": 2}})));
    assert!(twins.inner().errors.is_empty(), "a first try has no row");
    assert!(run(&twins, &records).await.is_empty());
    assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 2}})));
}

#[tokio::test]
async fn an_old_failure_has_a_row_until_it_succeeds() {
    let twins = Twins::new();
    twins.at_s(1_000 + RETRY_ROW_AGE_S + 1);
    twins.fail_next("shadow", Class::Transient, 2);
    for attempts in 1..=2 {
        assert_eq!(run(&twins, &[shadow("1", "a", 1)]).await, ["1"]);
        assert_eq!(twins.inner().errors[&("a".into(), "shadow##1".into())].1, attempts);
    }
    assert!(run(&twins, &[shadow("1", "a", 1)]).await.is_empty());
    assert!(twins.inner().errors.is_empty());
}

#[tokio::test]
async fn what_will_not_pass_is_done_and_has_a_row() {
    let twins = Twins::new();
    twins.fail_next("update_shadow", Class::Permanent, 2);
    let unknown = record("2", "b", "thing#2", json!({"eventType": {"S": "THING_GROUP_EVENT"}}));
    let broken = record("3", "c", "thing#3", json!({"eventType": 1}));
    assert!(run(&twins, &[shadow("1", "a", 1), unknown, broken, json!({"eventID": "e"})]).await.is_empty());
    let rows: Vec<_> = twins.inner().errors.keys().map(|(device, _)| device.clone()).collect();
    assert_eq!(rows, ["-", "a", "b", "c"]);
}

#[tokio::test]
async fn a_record_is_not_done_without_its_row() {
    let twins = Twins::new();
    twins.fail_next("record", Class::Transient, 1);
    let unknown = record("2", "b", "thing#2", json!({"eventType": {"S": "X"}}));
    assert_eq!(run(&twins, std::slice::from_ref(&unknown)).await, ["2"]);
    assert!(run(&twins, &[unknown]).await.is_empty());
}

#[tokio::test]
async fn rows_of_the_own_region_do_not_end_the_batch() {
    let twins = Twins::new();
    let mut own = shadow("2", "own", 1);
    own["dynamodb"]["NewImage"]["origin"] = json!({"S": SECONDARY});
    assert!(run(&twins, &[shadow("1", "a", 1), own, shadow("3", "b", 1)]).await.is_empty());
    assert!(twins.shadow_state("a", "").is_some() && twins.shadow_state("b", "").is_some());
    assert_eq!(twins.shadow_state("own", ""), None);
}

#[tokio::test]
async fn nothing_is_begun_close_to_the_deadline() {
    let twins = Twins::new();
    let deadline_ms = twins.clock().now_ms() + DEADLINE_MARGIN_MS - 1;
    let records = [shadow("1", "a", 1), shadow("2", "a", 2)];
    let response = apply(&twins, &Policies::default(), &records, deadline_ms).await.unwrap();
    assert_eq!(response.failures.len(), 2);
    assert_eq!(twins.inner().calls.len(), 0);
}

#[test]
fn the_answer_is_the_one_that_a_mapping_reads() {
    let response = Response { failures: vec![ItemFailure { sequence: "7".into() }] };
    assert_eq!(
        serde_json::to_value(response).unwrap(),
        json!({"batchItemFailures": [{"itemIdentifier": "7"}]})
    );
}

mod histories;
mod two_writers;
