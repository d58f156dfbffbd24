//! Rows go when their cause is gone, and only then.

use serde_json::{Value, json};

use super::*;
use crate::batch::tests::{record, shadow, shadow_row};
use crate::batch::{self, DEVICES_AT_ONCE_MAX};
use crate::checks::at_every_end;
use crate::crowd::Crowd;
use crate::outcome::Class;
use crate::simulation::Twins;

const DEADLINE_MS: u64 = u64::MAX;

async fn run(twins: &Twins) -> Report {
    super::run(twins.world(), &Policies::default(), &Crowd::new(DEVICES_AT_ONCE_MAX), None, DEADLINE_MS)
        .await
        .unwrap()
}

fn refuse_writes(twins: &Twins, refuses: bool) {
    let times = if refuses { u32::MAX } else { 0 };
    twins.fail_next("secondary.update_shadow", Class::Permanent, times);
}

/// Lets the application of records fail for good.
async fn fail(twins: &Twins, records: &[Value]) {
    refuse_writes(twins, true);
    batch::apply(twins.world(), &Policies::default(), &Crowd::new(1), records, DEADLINE_MS).await.unwrap();
    refuse_writes(twins, false);
    assert_eq!(twins.error_rows().len(), records.len());
}

#[tokio::test]
async fn d02_a_row_goes_when_its_event_is_applied_in_full() {
    let twins = Twins::new();
    fail(&twins, &[shadow("1", "a", 1), shadow("2", "b", 1)]).await;
    twins.advance_ms(60_000);
    let report = run(&twins).await;
    assert_eq!((report.rows, report.cleared, report.left), (2, 2, 0));
    assert!(twins.error_rows().is_empty());
    assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 1}})));
    assert_eq!(run(&twins).await, Report::default());
}

#[tokio::test]
async fn a_row_that_fails_again_stays_with_one_more_attempt_and_its_event() {
    let twins = Twins::new();
    fail(&twins, &[shadow("1", "a", 1)]).await;
    for attempts in 2..=3 {
        twins.advance_ms(60_000);
        refuse_writes(&twins, true);
        let report = run(&twins).await;
        refuse_writes(&twins, false);
        assert_eq!((report.rows, report.cleared, report.left), (1, 0, 1));
        let row = twins.inner().errors.rows.values().next().unwrap().clone();
        assert_eq!((row.attempts, row.seen_ms), (attempts, twins.now_ms()));
        assert_eq!(row.row.unwrap()["version"], 1);
    }
    twins.advance_ms(60_000);
    assert_eq!(run(&twins).await.cleared, 1);
}

#[tokio::test]
async fn a_row_of_something_that_newer_events_replaced_goes_without_a_write() {
    let twins = Twins::new();
    fail(&twins, &[shadow("1", "a", 1)]).await;
    twins.advance_ms(60_000);
    let records = [shadow("2", "a", 2)];
    batch::apply(twins.world(), &Policies::default(), &Crowd::new(1), &records, DEADLINE_MS).await.unwrap();
    twins.clear_calls();
    let report = run(&twins).await;
    assert_eq!((report.cleared, report.superseded), (1, 1));
    assert!(twins.region_calls().is_empty(), "{:?}", twins.region_calls());
    assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 2}})));
}

#[tokio::test]
async fn what_cannot_be_read_stays_and_is_counted() {
    let twins = Twins::new();
    let unknown = record("1", &json!({"device": "b", "event": "x#2", "eventType": "FLEET_EVENT"}));
    let records = [unknown, json!({"eventID": "e"})];
    batch::apply(twins.world(), &Policies::default(), &Crowd::new(1), &records, DEADLINE_MS).await.unwrap();
    let report = run(&twins).await;
    assert_eq!((report.rows, report.unreadable, report.cleared), (2, 2, 0));
    assert_eq!(twins.error_rows().len(), 2);
}

#[tokio::test]
async fn an_event_that_failed_since_keeps_its_row() {
    let twins = Twins::new();
    fail(&twins, &[shadow("1", "a", 1)]).await;
    let read = twins.inner().errors.rows.values().next().unwrap().clone();
    twins.world().errors().record(&ErrorRow { row: None, ..read.clone() }).await.unwrap();
    twins.world().errors().clear_unchanged(&read).await.unwrap();
    assert_eq!(twins.error_rows().len(), 1);
}

#[tokio::test]
async fn an_event_that_was_applied_while_it_was_tried_again_gets_no_row_without_it() {
    let twins = Twins::new();
    fail(&twins, &[shadow("1", "a", 1)]).await;
    let read = twins.inner().errors.rows.values().next().unwrap().clone();
    twins.world().errors().clear(&read.device, &read.event).await.unwrap();
    refuse_writes(&twins, true);
    one(twins.world(), &Policies::default(), &read, &readable(&read).unwrap()).await.unwrap_err();
    assert!(twins.error_rows().is_empty());
}

#[tokio::test]
async fn a_run_that_has_no_time_left_says_where_the_next_begins() {
    let twins = Twins::new();
    let records: Vec<Value> =
        (0..30).map(|index| shadow(&index.to_string(), &format!("d{index:02}"), 1)).collect();
    fail(&twins, &records).await;
    let deadline_ms = twins.now_ms() + DEADLINE_MARGIN_MS - 1;
    let policies = Policies::default();
    let crowd = Crowd::new(DEVICES_AT_ONCE_MAX);
    let late = super::run(twins.world(), &policies, &crowd, None, deadline_ms).await.unwrap();
    assert_eq!((late.cleared, late.next.clone()), (0, None));
    assert!(late.not_tried > 0);
    twins.fail_next("errors.rows", Class::Transient, 1);
    assert!(super::run(twins.world(), &policies, &crowd, None, DEADLINE_MS).await.is_err());
    twins.advance_ms(60_000);
    assert_eq!(run(&twins).await.cleared, 30, "over all pages");
}

#[tokio::test]
async fn d47_rows_of_all_pages_are_tried_and_those_of_what_was_deleted_go() {
    let twins = Twins::new();
    let records: Vec<Value> =
        (0..30).map(|index| shadow(&index.to_string(), &format!("d{index:02}"), 1)).collect();
    fail(&twins, &records).await;
    twins.advance_ms(60_000);
    let mut deleted = shadow_row("d29", 1);
    deleted["operation"] = json!("DELETED");
    deleted["event"] = json!("shadow##1#deleted");
    let policies = Policies::default();
    batch::apply(
        twins.world(),
        &policies,
        &Crowd::new(batch::DEVICES_AT_ONCE_MAX),
        &[record("30", &deleted)],
        DEADLINE_MS,
    )
    .await
    .unwrap();
    let report = run(&twins).await;
    assert_eq!((report.cleared, report.superseded), (30, 1));
    assert!(twins.error_rows().is_empty());
    assert!(twins.shadow_state("d28", "").is_some() && twins.shadow_state("d29", "").is_none());
}

#[tokio::test]
async fn whatever_fails_the_repair_ends_right() {
    at_every_end(
        async || {
            let twins = Twins::new();
            fail(&twins, &[shadow("1", "a", 1), shadow("2", "b", 1)]).await;
            twins.advance_ms(60_000);
            twins
        },
        async |twins| {
            let report = super::run(
                twins.world(),
                &Policies::default(),
                &Crowd::new(DEVICES_AT_ONCE_MAX),
                None,
                DEADLINE_MS,
            )
            .await;
            report.is_ok_and(|report| report.left == 0)
        },
        |twins, story| {
            assert_eq!(twins.error_rows(), [], "{story}");
            for device in ["a", "b"] {
                let state = twins.shadow_state(device, "");
                assert_eq!(state, Some(json!({"reported": {"v": 1}})), "{story}");
            }
        },
    )
    .await;
}

#[test]
fn the_row_that_waited_longest_is_first_and_a_device_stays_together() {
    let row = |device: &str, event: &str, seen_ms| ErrorRow {
        device: device.into(),
        event: event.into(),
        seen_ms,
        row: shadow_row(device, 1).as_object().cloned(),
        ..ErrorRow::default()
    };
    let devices = by_device(vec![row("a", "3", 30), row("b", "1", 10), row("a", "2", 20), row("b", "4", 40)]);
    let order: Vec<Vec<_>> =
        devices.iter().map(|rows| rows.iter().map(|row| row.event.as_str()).collect()).collect();
    assert_eq!(order, [["1", "4"], ["2", "3"]]);
}
