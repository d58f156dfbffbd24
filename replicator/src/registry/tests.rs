//! Things and certificates: what a new device costs, what a failure at any step leaves.

use std::collections::BTreeMap;

use super::*;
use crate::fakes::{Crash, PRIMARY, SECONDARY, Twins, arn};
use crate::ports::Status;

fn event(operation: Operation, id: &str, version: u64, timestamp_s: u64) -> ThingEvent {
    let attributes = BTreeMap::from([("version".to_owned(), format!("{id} {version}"))]);
    ThingEvent {
        operation,
        thing: Thing { name: "t".into(), thing_type: None, attributes },
        thing_id: id.into(),
        version,
        timestamp_ms: timestamp_s * 1_000,
    }
}

fn created() -> ThingEvent {
    event(Operation::Created, "a", 1, 1_000)
}

fn deleted() -> ThingEvent {
    event(Operation::Deleted, "a", 1, 1_001)
}

async fn run(twins: &Twins, event: &ThingEvent) -> Outcome<(Applied, Remarks)> {
    apply(twins, &Policies::default(), event).await
}

#[tokio::test]
async fn a_new_device_costs_seven_calls_once_its_policy_is_known() {
    let (twins, policies) = (Twins::new(), Policies::default());
    twins.primary_device("first", "c0", Status::Active);
    twins.primary_device("t", "c1", Status::Active);
    let mut first = created();
    first.thing.name = "first".into();
    apply(&twins, &policies, &first).await.unwrap();
    twins.crash(None);
    apply(&twins, &policies, &created()).await.unwrap();
    let calls: Vec<_> =
        twins.inner().calls.iter().copied().filter(|call| !["get", "put"].contains(call)).collect();
    assert_eq!(
        calls,
        [
            "create_thing",
            "primary.thing_principals",
            "primary.certificate",
            "register_certificate",
            "primary.attached_policies",
            "attach_policy",
            "attach_principal",
        ]
    );
    let inner = twins.inner();
    assert_eq!(inner.secondary.certificates["c1"], Status::Active);
    assert!(inner.secondary.things["t"].principals.contains(&arn(SECONDARY, "c1")));
    assert!(inner.secondary.policies["p"].contains(SECONDARY));
}

#[tokio::test]
async fn a_status_is_never_widened() {
    for status in [Status::Inactive, Status::Revoked, Status::Active] {
        let twins = Twins::new();
        twins.primary_device("t", "c1", status);
        run(&twins, &created()).await.unwrap();
        assert_eq!(twins.inner().secondary.certificates["c1"], status);
        // A later event brings a change of it.
        twins.primary_device("t", "c1", Status::Revoked);
        run(&twins, &event(Operation::Updated, "a", 2, 1_000)).await.unwrap();
        assert_eq!(twins.inner().secondary.certificates["c1"], Status::Revoked);
    }
}

#[tokio::test]
async fn a_missing_principal_is_waited_for_then_retried_then_an_error() {
    let twins = Twins::new();
    twins.inner().primary.things.entry("t".into()).or_default();
    let failure = run(&twins, &created()).await.unwrap_err();
    assert!(failure.is_transient());
    assert_eq!(twins.inner().slept_ms, PRINCIPAL_WAITS_MS.iter().sum::<u64>());
    assert!(twins.inner().secondary.things.contains_key("t"));

    twins.at_s(1_000 + PRINCIPAL_WAIT_S_MAX + 1);
    let (_, remarks) = run(&twins, &created()).await.unwrap();
    assert_eq!(remarks[0].why, "no principal");
    // The event is done; whatever comes next brings the principal.
    twins.primary_device("t", "c1", Status::Active);
    assert_eq!(run(&twins, &created()).await.unwrap().0, Applied::Superseded);
    run(&twins, &event(Operation::Updated, "a", 2, 1_002)).await.unwrap();
    assert_eq!(twins.inner().secondary.things["t"].principals.len(), 1);
}

#[tokio::test]
async fn an_update_that_overtakes_the_creation_waits_for_the_principal_too() {
    let twins = Twins::new();
    twins.inner().primary.things.entry("t".into()).or_default();
    assert!(run(&twins, &event(Operation::Updated, "a", 2, 1_000)).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn attributes_are_replaced_and_not_merged() {
    let twins = Twins::new();
    twins.primary_device("t", "c1", Status::Active);
    run(&twins, &created()).await.unwrap();
    let mut update = event(Operation::Updated, "a", 2, 1_001);
    update.thing.attributes.clear();
    run(&twins, &update).await.unwrap();
    assert!(twins.inner().secondary.things["t"].attributes.is_empty());
}

#[tokio::test]
async fn a_type_that_is_not_there_costs_the_type_and_not_the_device() {
    let twins = Twins::new();
    twins.primary_device("t", "c1", Status::Active);
    let mut typed = created();
    typed.thing.thing_type = Some("Sensor".into());
    let (_, remarks) = run(&twins, &typed).await.unwrap();
    assert_eq!(remarks[0].step, "thing type");
    assert_eq!(twins.inner().secondary.things["t"].principals.len(), 1);
}

#[tokio::test]
async fn one_bad_principal_does_not_keep_the_others_from_coming() {
    let twins = Twins::new();
    twins.primary_device("t", "c1", Status::Active);
    let other = format!("{PRIMARY}:11111111-2222-3333-4444-555555555555");
    twins.inner().primary.things.entry("t".into()).or_default().principals.insert(other);
    let (_, remarks) = run(&twins, &created()).await.unwrap();
    assert_eq!(remarks[0].step, "principal");
    assert_eq!(twins.inner().secondary.things["t"].principals.len(), 1);
}

#[tokio::test]
async fn a_deletion_takes_what_belongs_to_the_thing_alone() {
    let twins = Twins::new();
    for id in ["own", "shared", "elsewhere"] {
        twins.primary_device("t", id, Status::Active);
    }
    run(&twins, &created()).await.unwrap();
    // One is shared in the secondary, one only in the primary so far.
    twins
        .inner()
        .secondary
        .things
        .entry("other".into())
        .or_default()
        .principals
        .insert(arn(SECONDARY, "shared"));
    twins.primary_device("third", "elsewhere", Status::Active);
    twins.inner().primary.things.remove("t");
    run(&twins, &deleted()).await.unwrap();
    let inner = twins.inner();
    let left: Vec<_> = inner.secondary.certificates.keys().map(String::as_str).collect();
    assert_eq!(left, ["elsewhere", "shared"]);
    assert!(!inner.secondary.things.contains_key("t"));
    assert!(inner.secondary.policies.contains_key("p"));
}

#[tokio::test]
async fn another_incarnation_inherits_no_certificate() {
    let twins = Twins::new();
    twins.primary_device("t", "old", Status::Active);
    run(&twins, &created()).await.unwrap();
    twins.inner().primary.things.remove("t");
    twins.primary_device("t", "new", Status::Active);
    // The deletion in between comes late.
    run(&twins, &event(Operation::Created, "b", 1, 1_002)).await.unwrap();
    run(&twins, &deleted()).await.unwrap();
    let inner = twins.inner();
    assert_eq!(inner.secondary.thing_principals("t"), [arn(SECONDARY, "new")]);
    assert!(!inner.secondary.certificates.contains_key("old"));
}

/// Ends the function at every call, before and after its effect, then delivers the event again
/// until it is done, and once more. The end must be the one of a run without failures.
async fn converges(prepare: impl Fn(&Twins), events: &[ThingEvent]) {
    let smooth = Twins::new();
    prepare(&smooth);
    for event in events {
        run(&smooth, event).await.unwrap();
    }
    let expected = smooth.inner().secondary.clone();
    let steps = smooth.inner().calls.len();
    for at in 1..=steps {
        for after in [false, true] {
            let twins = Twins::new();
            prepare(&twins);
            twins.crash(Some(Crash { at, after }));
            for event in events {
                for _delivery in 0..2 {
                    if let Err(failure) = run(&twins, event).await {
                        assert!(failure.is_transient(), "{failure} at {at}");
                        run(&twins, event).await.unwrap();
                    }
                }
            }
            assert_eq!(twins.inner().secondary, expected, "at call {at}, after its effect: {after}");
        }
    }
}

#[tokio::test]
async fn a_creation_that_ends_at_any_step_converges() {
    converges(|twins| twins.primary_device("t", "c1", Status::Active), &[created()]).await;
    converges(|twins| twins.primary_device("t", "c1", Status::Revoked), &[created()]).await;
}

#[tokio::test]
async fn a_deletion_that_ends_at_any_step_leaves_nothing_behind() {
    let prepare = |twins: &Twins| {
        twins.primary_device("t", "c1", Status::Active);
        twins.primary_device("t", "c2", Status::Active);
        twins.device_writes("t", &serde_json::json!({"reported": {"a": 1}}));
    };
    converges(prepare, &[created(), deleted()]).await;
    let again = [created(), deleted(), event(Operation::Created, "b", 1, 1_002)];
    converges(prepare, &again).await;
    // The deletion comes last, or not at its place.
    let late = [created(), event(Operation::Created, "b", 1, 1_002), deleted()];
    converges(prepare, &late).await;
}
