//! Which records are done, which come again, and what is in the error table.

use serde_json::json;

use super::*;
use crate::checks::at_every_end;
use crate::outcome::Class;
use crate::ports::ErrorRow;
use crate::settle::{EVENT_MS_MAX, RETRY_ROW_AGE_S};
use crate::simulation::{PRIMARY, SECONDARY, Twins, typed};

const DEADLINE_MS: u64 = u64::MAX;

/// A record of the stream, written at 1,000 seconds, when the world of a test begins.
pub(crate) fn record(sequence: &str, row: &Value) -> Value {
    let mut image = typed(row)["M"].take();
    if image.get("origin").is_none() {
        image["origin"] = json!({"S": PRIMARY});
    }
    json!({"eventID": format!("id-{sequence}"), "eventName": "INSERT", "dynamodb": {"SequenceNumber": sequence,
        "ApproximateCreationDateTime": 1_000, "Keys": {"device": image["device"], "event": image["event"]},
        "NewImage": image}})
}

/// The row of an update of a classic shadow.
pub(crate) fn shadow_row(device: &str, version: u64) -> Value {
    json!({"device": device, "event": format!("shadow##{version}"), "eventType": "SHADOW_EVENT",
        "operation": "UPDATED", "shadow": "", "version": version, "timestamp": 1_000,
        "state": {"reported": {"v": version}}, "metadata": {"reported": {"v": {"timestamp": 1_000}}}})
}

pub(crate) fn shadow(sequence: &str, device: &str, version: u64) -> Value {
    record(sequence, &shadow_row(device, version))
}

async fn run(twins: &Twins, records: &[Value]) -> Response {
    apply(twins.world(), &Policies::default(), &Crowd::new(DEVICES_AT_ONCE_MAX), records, DEADLINE_MS)
        .await
        .unwrap()
}

fn named(response: &Response) -> Vec<&str> {
    response.failures.iter().map(|failure| failure.sequence.as_str()).collect()
}

fn error_row(twins: &Twins, device: &str, event: &str) -> Option<ErrorRow> {
    twins.inner().errors.rows.get(&(device.to_owned(), event.to_owned())).cloned()
}

#[tokio::test]
async fn a_failure_that_may_pass_holds_back_its_own_device_only() {
    let twins = Twins::new();
    let records = [shadow("1", "a", 1), shadow("2", "b", 1), shadow("3", "a", 2), shadow("4", "b", 2)];
    // Devices are worked on in the order of their names.
    twins.fail_next("state.take", Class::Transient, 1);
    let response = run(&twins, &records).await;
    assert_eq!(named(&response), ["1", "3"]);
    assert_eq!((response.metrics.again, response.metrics.lag_ms.len()), (2, 2));
    assert_eq!(twins.shadow_state("b", ""), Some(json!({"reported": {"v": 2}})));
    assert!(twins.error_rows().is_empty(), "a first try has no row");
    assert!(run(&twins, &records).await.failures.is_empty());
    assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 2}})));
}

#[tokio::test]
async fn records_of_one_device_are_applied_in_their_order() {
    let twins = Twins::new();
    assert!(run(&twins, &[shadow("1", "a", 1), shadow("2", "a", 2)]).await.failures.is_empty());
    // Each was newer than the one before: two writes, none superseded.
    let writes = twins.calls().iter().filter(|call| *call == "secondary.update_shadow").count();
    assert_eq!((writes, twins.shadow_state("a", "")), (2, Some(json!({"reported": {"v": 2}}))));
}

#[tokio::test]
async fn what_fails_for_ten_minutes_is_left_to_its_row_and_holds_up_nobody() {
    let twins = Twins::new();
    let records = [shadow("1", "a", 1), shadow("2", "a", 2)];
    // Records that have waited long for another reason, such as a pause, are not failing long.
    twins.at_s(1_000 + 2 * HAND_OVER_S);
    twins.fail_next("state.take", Class::Transient, 1);
    assert_eq!(named(&run(&twins, &records).await), ["1", "2"]);
    twins.advance_ms(HAND_OVER_S * 1_000 + 1);
    twins.fail_next("state.take", Class::Transient, 1);
    let response = run(&twins, &records).await;
    assert_eq!((named(&response), response.metrics.error_rows), (vec![], 1));
    assert_eq!(error_row(&twins, "a", "shadow##1").unwrap().attempts, 2);
    assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 2}})));
    // Without its row it is nobody's: it comes again.
    twins.fail_next("state.take", Class::Transient, 1);
    twins.fail_next("errors.record", Class::Transient, 1);
    assert_eq!(named(&run(&twins, &[shadow("3", "a", 3)]).await), ["3"]);
}

#[tokio::test]
async fn an_old_failure_has_a_row_with_its_event_until_it_succeeds() {
    let twins = Twins::new();
    twins.at_s(1_000 + RETRY_ROW_AGE_S + 1);
    twins.fail_next("state.take", Class::Transient, 2);
    for attempts in 1..=2 {
        assert_eq!(named(&run(&twins, &[shadow("1", "a", 1)]).await), ["1"]);
        let row = error_row(&twins, "a", "shadow##1").unwrap();
        assert_eq!(row.attempts, attempts);
        assert_eq!(row.row.unwrap()["state"], json!({"reported": {"v": 1}}));
    }
    assert!(run(&twins, &[shadow("1", "a", 1)]).await.failures.is_empty());
    assert!(twins.error_rows().is_empty());
}

#[tokio::test]
async fn what_will_not_pass_is_done_and_has_a_row_with_its_event() {
    let twins = Twins::new();
    twins.fail_next("secondary.update_shadow", Class::Permanent, 2);
    let unknown = record("2", &json!({"device": "b", "event": "x#2", "eventType": "FLEET_EVENT"}));
    let mut broken = record("3", &json!({"device": "c", "event": "x#3"}));
    broken["dynamodb"]["NewImage"]["eventType"] = json!(1);
    let response = run(&twins, &[shadow("1", "a", 1), unknown, broken, json!({"eventID": "e"})]).await;
    assert!(response.failures.is_empty());
    assert_eq!(response.metrics.error_rows, 4);
    let rows: Vec<_> = twins.error_rows().into_iter().map(|(device, event, _)| (device, event)).collect();
    let expected = [("-", "e"), ("a", "shadow##1"), ("b", "x#2"), ("c", "x#3")];
    assert_eq!(rows, expected.map(|(device, event)| (device.to_owned(), event.to_owned())));
    assert_eq!(error_row(&twins, "b", "x#2").unwrap().row.unwrap()["eventType"], "FLEET_EVENT");
    assert_eq!(error_row(&twins, "c", "x#3").unwrap().row, None, "it could not be decoded");
}

#[tokio::test]
async fn a_record_is_not_done_without_its_row() {
    let twins = Twins::new();
    twins.fail_next("errors.record", Class::Transient, 1);
    let unknown = record("2", &json!({"device": "b", "event": "x#2", "eventType": "X"}));
    assert_eq!(named(&run(&twins, std::slice::from_ref(&unknown)).await), ["2"]);
    assert!(run(&twins, &[unknown]).await.failures.is_empty());
}

#[tokio::test]
async fn a_batch_whose_nameless_record_cannot_be_noted_is_delivered_again() {
    let twins = Twins::new();
    twins.fail_next("errors.record", Class::Transient, 1);
    let records = [shadow("1", "a", 1), json!({"eventID": "e"})];
    let failure =
        apply(twins.world(), &Policies::default(), &Crowd::new(DEVICES_AT_ONCE_MAX), &records, DEADLINE_MS)
            .await
            .unwrap_err();
    assert_eq!(failure.class, Class::Transient);
}

#[tokio::test]
async fn d16_rows_of_the_own_region_and_removals_do_not_end_the_batch() {
    let twins = Twins::new();
    let mut own = shadow_row("own", 1);
    own["origin"] = json!(SECONDARY);
    let mut removed = shadow("3", "gone", 1);
    removed["eventName"] = json!("REMOVE");
    removed["dynamodb"].as_object_mut().unwrap().remove("NewImage");
    let response = run(&twins, &[shadow("1", "a", 1), record("2", &own), removed, shadow("4", "b", 1)]).await;
    assert_eq!((named(&response).len(), response.metrics.skipped), (0, 2));
    assert!(twins.shadow_state("a", "").is_some() && twins.shadow_state("b", "").is_some());
    assert_eq!((twins.shadow_state("own", ""), twins.shadow_state("gone", "")), (None, None));
    assert!(twins.error_rows().is_empty());
}

#[tokio::test]
async fn d18_a_row_that_expires_replays_nothing() {
    let twins = Twins::new();
    run(&twins, &[shadow("1", "a", 1), shadow("2", "a", 2)]).await;
    twins.clear_calls();
    // As global tables delete: a mark on the row, then the removal.
    let mut marked = shadow("3", "a", 1);
    marked["eventName"] = json!("MODIFY");
    marked["dynamodb"]["OldImage"] = marked["dynamodb"]["NewImage"].clone();
    marked["dynamodb"]["NewImage"]["aws:rep:deleting"] = json!({"BOOL": true});
    let mut removed = shadow("4", "a", 1);
    removed["eventName"] = json!("REMOVE");
    let change = removed["dynamodb"].as_object_mut().unwrap();
    let image = change.remove("NewImage").unwrap();
    change.insert("OldImage".to_owned(), image);
    assert!(run(&twins, &[marked, removed]).await.failures.is_empty());
    assert_eq!((twins.region_calls(), twins.error_rows()), (vec![], vec![]));
    assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 2}})));
}

#[tokio::test]
async fn d24_a_failure_taints_no_later_event_of_the_same_function() {
    let (twins, policies) = (Twins::new(), Policies::default());
    let run = async |records: &[Value]| {
        apply(twins.world(), &policies, &Crowd::new(DEVICES_AT_ONCE_MAX), records, DEADLINE_MS).await.unwrap()
    };
    twins.fail_next("secondary.update_shadow", Class::Permanent, 2);
    assert_eq!(run(&[shadow("1", "a", 1)]).await.metrics.error_rows, 1);
    twins.fail_next("state.take", Class::Transient, 1);
    assert_eq!(named(&run(&[shadow("2", "b", 1)]).await), ["2"]);
    // What failed for good keeps its own key for its lease, and nothing else.
    twins.advance_ms(crate::order::LEASE_MS);
    let response = run(&[shadow("2", "b", 1), shadow("3", "c", 1), shadow("4", "a", 2)]).await;
    assert_eq!((named(&response).len(), response.metrics.error_rows), (0, 0));
    // The event before is not applied again after a newer one.
    assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 2}})));
}

#[tokio::test]
async fn whatever_fails_the_batch_ends_right() {
    let unknown = record("3", &json!({"device": "b", "event": "x#3", "eventType": "FLEET_EVENT"}));
    let records = [shadow("1", "a", 1), shadow("2", "a", 2), unknown, json!({"eventID": "e"})];
    at_every_end(
        async || Twins::new(),
        async |twins| {
            let policies = Policies::default();
            let applied =
                apply(twins.world(), &policies, &Crowd::new(DEVICES_AT_ONCE_MAX), &records, DEADLINE_MS)
                    .await;
            applied.is_ok_and(|response| response.failures.is_empty())
        },
        |twins, story| {
            assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 2}})), "{story}");
            assert_eq!(twins.error_rows().len(), 2, "{story}");
        },
    )
    .await;
}

#[tokio::test]
async fn nothing_is_begun_close_to_the_deadline() {
    let twins = Twins::new();
    let deadline_ms = twins.now_ms() + DEADLINE_MARGIN_MS - 1;
    let records = [shadow("1", "a", 1), shadow("2", "a", 2)];
    let response =
        apply(twins.world(), &Policies::default(), &Crowd::new(DEVICES_AT_ONCE_MAX), &records, deadline_ms)
            .await
            .unwrap();
    assert_eq!(named(&response), ["1", "2"]);
    assert_eq!(twins.calls().len(), 0);
}

#[tokio::test]
async fn an_event_that_takes_too_long_is_delivered_again() {
    let twins = Twins::new();
    let slow = Slow { world: twins.world(), clock: Stopped };
    let response = apply(
        &slow,
        &Policies::default(),
        &Crowd::new(DEVICES_AT_ONCE_MAX),
        &[shadow("1", "a", 1)],
        DEADLINE_MS,
    )
    .await
    .unwrap();
    assert_eq!(named(&response), ["1"]);
}

#[test]
fn the_answer_is_the_one_that_a_mapping_reads() {
    let failures = vec![ItemFailure { sequence: "7".into() }];
    let response = Response { failures, ..Response::default() };
    assert_eq!(
        serde_json::to_value(response).unwrap(),
        json!({"batchItemFailures": [{"itemIdentifier": "7"}]})
    );
}

/// A world whose clock says of everything that its time is over.
struct Slow<'a> {
    world: &'a crate::simulation::Function,
    clock: Stopped,
}

struct Stopped;

impl Clock for Stopped {
    fn now_ms(&self) -> u64 {
        1_000_000
    }
    async fn sleep_ms(&self, _ms: u64) {}
    async fn within<F>(&self, ms: u64, _work: F) -> Option<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        assert_eq!(ms, EVENT_MS_MAX);
        None
    }
}

impl World for Slow<'_> {
    type Region = <crate::simulation::Function as World>::Region;
    type State = crate::simulation::Function;
    type Errors = crate::simulation::Function;
    type Clock = Stopped;

    fn account(&self) -> &str {
        self.world.account()
    }
    fn primary_region(&self) -> &str {
        self.world.primary_region()
    }
    fn secondary_region(&self) -> &str {
        self.world.secondary_region()
    }
    fn region(&self) -> &Self::Region {
        self.world.region()
    }
    fn state(&self) -> &Self::State {
        self.world.state()
    }
    fn errors(&self) -> &Self::Errors {
        self.world.errors()
    }
    fn clock(&self) -> &Stopped {
        &self.clock
    }
}

/// The time of the other clock: work that is done counts, even at the last moment.
#[tokio::test]
async fn work_that_is_done_is_never_cut_off() {
    let twins = Twins::new();
    let clock = twins.world().clock();
    assert_eq!(clock.within(0, std::future::ready(7)).await, Some(7));
    assert_eq!(clock.within(5, std::future::pending::<u8>()).await, None);
    assert_eq!(twins.now_ms(), 1_000_005);
}
