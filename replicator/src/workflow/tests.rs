//! Dispatch loses nothing, starts nothing twice, and the definition names what the functions answer.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::*;
use crate::batch::tests::{record, shadow, shadow_row};
use crate::checks::at_every_end;
use crate::outcome::Class;
use crate::simulation::{SECONDARY, Twins};

/// A state machine that refuses on demand.
#[derive(Default)]
struct Machine {
    started: Mutex<BTreeSet<String>>,
    inputs: Mutex<Vec<Value>>,
    refusals: Mutex<Vec<Failure>>,
}

impl AsRef<Twins> for (Machine, Twins) {
    fn as_ref(&self) -> &Twins {
        &self.1
    }
}

impl Executions for Machine {
    async fn start(&self, identity: &str, input: &Value) -> Outcome<bool> {
        if let Some(refusal) = self.refusals.lock().unwrap().pop() {
            return Err(refusal);
        }
        let is_new = self.started.lock().unwrap().insert(identity.to_owned());
        if is_new {
            self.inputs.lock().unwrap().push(input.clone());
        }
        Ok(is_new)
    }
}

async fn run(machine: &Machine, twins: &Twins, records: &[Value]) -> Response {
    dispatch(machine, twins.world(), twins.world(), SECONDARY, records).await.unwrap()
}

#[tokio::test]
async fn d15_what_could_not_be_started_is_delivered_again() {
    let (machine, twins) = (Machine::default(), Twins::new());
    machine.refusals.lock().unwrap().push(Failure::transient("start execution", "throttled"));
    let response = run(&machine, &twins, &[shadow("1", "a", 1), shadow("2", "b", 1)]).await;
    let named: Vec<_> = response.failures.iter().map(|failure| failure.sequence.as_str()).collect();
    assert_eq!((named, machine.inputs.lock().unwrap().len()), (vec!["1"], 1));
    assert!(twins.error_rows().is_empty());
}

#[tokio::test]
async fn d16_neither_the_own_region_nor_a_removal_ends_the_batch() {
    let (machine, twins) = (Machine::default(), Twins::new());
    let mut own = shadow_row("own", 1);
    own["origin"] = json!(SECONDARY);
    let mut removed = shadow("2", "gone", 1);
    removed["eventName"] = json!("REMOVE");
    let response = run(&machine, &twins, &[record("1", &own), removed, shadow("3", "a", 1)]).await;
    assert_eq!((response.failures.len(), response.metrics.skipped), (0, 2));
    assert_eq!(machine.inputs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_record_or_event_that_comes_twice_starts_once_and_one_that_mends_each_time() {
    let (machine, twins) = (Machine::default(), Twins::new());
    let mut told_twice = shadow("2", "a", 1);
    told_twice["dynamodb"]["NewImage"]["expires"] = json!({"N": "9"});
    run(&machine, &twins, &[shadow("1", "a", 1), shadow("1", "a", 1), told_twice]).await;
    assert_eq!(machine.inputs.lock().unwrap().len(), 1);
    let mut mends = shadow_row("a", 1);
    mends[AGAIN] = json!(true);
    run(&machine, &twins, &[record("3", &mends), record("4", &mends), record("4", &mends)]).await;
    assert_eq!(machine.inputs.lock().unwrap().len(), 3);
    let document = json!({"device": "a", "event": "document", "eventType": DOCUMENT});
    run(&machine, &twins, &[record("5", &document), record("6", &document)]).await;
    assert_eq!(machine.inputs.lock().unwrap().len(), 5);
    // A shadow that was deleted and made again has the version that it had.
    let mut made_again = shadow_row("a", 1);
    made_again["timestamp"] = json!(200_000);
    run(&machine, &twins, &[record("7", &made_again)]).await;
    assert_eq!(machine.inputs.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn an_input_leaves_out_the_old_image_and_one_that_is_too_large_has_a_row() {
    let (machine, twins) = (Machine::default(), Twins::new());
    let mut changed = shadow("1", "a", 1);
    changed["eventName"] = json!("MODIFY");
    changed["dynamodb"]["OldImage"] = json!({"a": {"S": "x".repeat(INPUT_BYTES_MAX)}});
    let mut large = shadow_row("b", 1);
    large["state"] = json!({"reported": "x".repeat(INPUT_BYTES_MAX)});
    let response = run(&machine, &twins, &[changed, record("2", &large)]).await;
    assert_eq!((response.failures.len(), response.metrics.error_rows), (0, 1));
    let inputs = machine.inputs.lock().unwrap();
    assert!(inputs.len() == 1 && inputs[0]["dynamodb"].get("OldImage").is_none());
    let rows = twins.error_rows();
    assert!(rows.len() == 1 && rows[0].0 == "b" && rows[0].2.contains("bytes"), "{rows:?}");
}

#[tokio::test]
async fn the_task_fails_for_what_may_pass_and_only_for_that() {
    let (twins, policies) = (Twins::new(), Policies::default());
    twins.fail_next("state.take", Class::Conflict, 1);
    let input = shadow("1", "a", 1);
    assert!(apply(twins.world(), &policies, &input).await.unwrap_err().is_transient());
    twins.fail_next("secondary.update_shadow", Class::Permanent, u32::MAX);
    apply(twins.world(), &policies, &input).await.unwrap();
    twins.fail_next("secondary.update_shadow", Class::Permanent, 0);
    assert_eq!(twins.error_rows().len(), 1);
    twins.advance_ms(60_000);
    apply(twins.world(), &policies, &shadow("2", "a", 2)).await.unwrap();
    assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 2}})));
}

#[tokio::test]
async fn d20_d22_what_is_given_up_has_a_row_with_the_error_and_the_event() {
    let twins = Twins::new();
    let mut input = shadow("1", "a", 1);
    input["failure"] = json!({"Error": "Sandbox.Timedout", "Cause": "after 60 s"});
    give_up(twins.world(), &input).await.unwrap();
    let row = twins.inner().errors.rows.values().next().unwrap().clone();
    assert_eq!((row.what.as_str(), row.why.as_str()), ("workflow", "Sandbox.Timedout: after 60 s"));
    assert_eq!(row.row.unwrap()["version"], 1);
    twins.fail_next("errors.record", Class::Transient, 1);
    assert!(give_up(twins.world(), &input).await.is_err());
}

#[tokio::test]
async fn whatever_fails_the_dispatch_loses_nothing_and_starts_nothing_twice() {
    let mut large = shadow_row("b", 1);
    large["state"] = json!({"reported": "x".repeat(INPUT_BYTES_MAX)});
    let records = [shadow("1", "a", 1), record("2", &large), json!({"eventID": "e"})];
    at_every_end(
        async || (Machine::default(), Twins::new()),
        async |(machine, twins)| {
            let done = dispatch(machine, twins.world(), twins.world(), SECONDARY, &records).await;
            done.is_ok_and(|response| response.failures.is_empty())
        },
        |(machine, twins), story| {
            assert_eq!(machine.inputs.lock().unwrap().len(), 1, "{story}");
            assert_eq!(twins.error_rows().len(), 2, "{story}");
        },
    )
    .await;
}

#[tokio::test]
async fn whatever_fails_the_task_and_its_end_are_done() {
    let input = shadow("1", "a", 1);
    at_every_end(
        async || Twins::new(),
        async |twins| apply(twins.world(), &Policies::default(), &input).await.is_ok(),
        |twins, story| {
            assert_eq!(twins.shadow_state("a", ""), Some(json!({"reported": {"v": 1}})), "{story}");
            assert_eq!(twins.error_rows(), [], "{story}");
        },
    )
    .await;
    let mut failed = input;
    failed["failure"] = json!({"Error": "Sandbox.Timedout", "Cause": "after 60 s"});
    at_every_end(
        async || Twins::new(),
        async |twins| give_up(twins.world(), &failed).await.is_ok(),
        |twins, story| assert_eq!(twins.error_rows().len(), 1, "{story}"),
    )
    .await;
}

#[test]
fn the_definition_is_whole_and_knows_every_event_type() {
    let text = definition(&Retry::default().substitutions("arn:apply", "arn:give-up"));
    let machine: Value = serde_json::from_str(&text).unwrap();
    let apply = &machine["States"]["Apply"];
    assert_eq!(apply["Resource"], "arn:apply");
    let quick = &apply["Retry"][0];
    assert_eq!(quick["ErrorEquals"], json!([TURN_ERROR, "Lambda.TooManyRequestsException"]));
    assert_eq!((&quick["IntervalSeconds"], &quick["MaxDelaySeconds"]), (&json!(1), &json!(30)));
    let retry = &apply["Retry"][1];
    assert_eq!(
        (&retry["IntervalSeconds"], &retry["BackoffRate"], &retry["MaxAttempts"]),
        (&json!(30), &json!(3.0), &json!(10))
    );
    let errors = retry["ErrorEquals"].as_array().unwrap();
    assert!(errors.contains(&json!(AGAIN_ERROR)) && errors.contains(&json!("Sandbox.Timedout")));
    assert_eq!(apply["Catch"][0]["Next"], "GiveUp");
    assert_eq!(machine["States"]["GiveUp"]["Resource"], "arn:give-up");
    let known = machine["States"]["EventType"]["Choices"][0]["And"][1]["Or"].as_array().unwrap();
    for kind in [
        "THING_EVENT",
        "THING_TYPE_EVENT",
        "THING_GROUP_EVENT",
        "THING_GROUP_MEMBERSHIP_EVENT",
        "SHADOW_EVENT",
        DOCUMENT,
    ] {
        assert!(known.iter().any(|rule| rule["StringEquals"] == kind), "{kind}");
    }
    assert!(!text.contains("${"));
}
