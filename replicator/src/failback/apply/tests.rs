//! Items of several calls, and what happens between a look and a change.

mod deletion;
mod ended;

use super::work::Look;
use super::*;
use crate::failback::tests::{carried_out, outage, planned, write};
use crate::failback::{Action, Item, Options};
use crate::model::{Group, Policy, Status, ThingType};
use crate::outcome::Class;
use crate::simulation::{PRIMARY, SECONDARY, Twins, arn, group_arn, pem, policy_document};
use crate::sync::tests::regions;

/// A certificate with a policy, a group with one and a type that is deprecated, all made in the secondary.
fn make_there(twins: &Twins) {
    let there = &mut twins.inner().secondary;
    there.register_certificate(&pem("new"), true).unwrap();
    there.attach_policy("p", &arn(SECONDARY, "new")).unwrap();
    there.attach_policy("of-groups", &arn(SECONDARY, "new")).unwrap();
    there.create_group(&Group { name: "new".into(), ..Group::default() }).unwrap();
    there.attach_policy("p", &group_arn(SECONDARY, "new")).unwrap();
    there.create_thing_type(&ThingType { name: "new".into(), ..ThingType::default() }).unwrap();
    there.deprecate_thing_type("new", true, 1).unwrap();
}

fn is_whole(twins: &Twins) -> bool {
    let inner = twins.inner();
    let here = &inner.primary;
    here.certificates.get("new").is_some_and(|there| there.status == Status::Active)
        && here.attached_policies(&arn(PRIMARY, "new")).len() == 2
        && here.attached_policies(&group_arn(PRIMARY, "new")).len() == 1
        && here.types.get("new").is_some_and(|there| there.thing_type.deprecated)
}

#[tokio::test]
async fn a_call_that_fails_for_a_while_is_made_again_and_the_item_is_done() {
    for lost in [false, true] {
        let twins = outage(1).await;
        make_there(&twins);
        let plan = planned(&twins, Options::default()).await;
        for call in ["register_certificate", "attach_policy", "set_status", "deprecate_thing_type"] {
            let faults = &mut twins.inner().faults.failing;
            faults.insert(format!("primary.{call}"), (Class::Transient, 1, lost));
        }
        let applied = carried_out(&twins, &plan).await;
        assert_eq!(applied.totals(), [3, 0, 0, 0], "{applied}");
        assert!(is_whole(&twins));
    }
}

#[tokio::test]
async fn what_ended_halfway_is_finished_by_the_same_plan() {
    let twins = outage(1).await;
    make_there(&twins);
    let plan = planned(&twins, Options::default()).await;
    // Each of them ends after its first call.
    twins.fail_next("primary.attach_policy", Class::Permanent, 2);
    twins.fail_next("primary.deprecate_thing_type", Class::Permanent, 1);
    let applied = carried_out(&twins, &plan).await;
    assert_eq!(applied.totals(), [0, 0, 0, 3], "{applied}");
    assert!(applied.to_string().contains("what was begun is finished by the same plan"), "{applied}");
    assert_eq!(twins.inner().primary.certificates["new"].status, Status::Inactive);
    let applied = carried_out(&twins, &plan).await;
    assert_eq!(applied.totals(), [3, 0, 0, 0], "{applied}");
    assert!(is_whole(&twins));
    assert_eq!(carried_out(&twins, &plan).await.totals(), [0, 3, 0, 0]);
}

#[tokio::test]
async fn what_somebody_else_made_at_home_is_not_taken_for_a_beginning() {
    let twins = outage(1).await;
    make_there(&twins);
    let plan = planned(&twins, Options::default()).await;
    {
        let here = &mut twins.inner().primary;
        here.register_certificate(&pem("new"), true).unwrap();
        here.create_group(&Group {
            name: "new".into(),
            description: Some("another".into()),
            ..Group::default()
        })
        .unwrap();
        let description = Some("another".to_owned());
        here.create_thing_type(&ThingType { name: "new".into(), description, ..ThingType::default() })
            .unwrap();
    }
    let applied = carried_out(&twins, &plan).await;
    assert_eq!(applied.totals(), [0, 0, 3, 0], "{applied}");
    assert!(applied.to_string().contains("it changed in the primary since"), "{applied}");
}

#[tokio::test]
async fn a_certificate_is_not_registered_before_its_policies_are_there() {
    let twins = outage(1).await;
    {
        let there = &mut twins.inner().secondary;
        let document = policy_document(SECONDARY, "x");
        there.create_policy(&Policy { name: "x".into(), document }).unwrap();
        there.register_certificate(&pem("new"), true).unwrap();
        there.attach_policy("x", &arn(SECONDARY, "new")).unwrap();
    }
    let plan = planned(&twins, Options::default()).await;
    twins.fail_next("primary.create_policy", Class::Permanent, 1);
    let applied = carried_out(&twins, &plan).await;
    assert_eq!(applied.totals(), [0, 0, 1, 1], "{applied}");
    assert!(applied.to_string().contains("policy x is not in the primary"), "{applied}");
    assert!(!twins.inner().primary.certificates.contains_key("new"), "nothing was begun");
    assert_eq!(carried_out(&twins, &plan).await.totals(), [2, 0, 0, 0]);
}

/// A thing and a group that changed in the secondary, a thing and a group that were deleted there.
async fn changes(twins: &Twins) -> Vec<Item> {
    {
        let there = &mut twins.inner().secondary;
        let mut thing = there.things["t-0"].thing.clone();
        thing.attributes.insert("site".into(), "moved".into());
        there.update_thing(&thing).unwrap();
        let group = Group { description: Some("another".into()), ..there.groups["hall"].group.clone() };
        there.update_group(&group).unwrap();
        there.detach_principal("t-1", &arn(SECONDARY, "c-1")).unwrap();
        there.delete_thing("t-1").unwrap();
        there.delete_group("line").unwrap();
    }
    let plan = planned(twins, Options { deletions: true, ..Options::default() }).await;
    let versioned = |action: &Action| {
        matches!(
            action,
            Action::UpdateThing(_) | Action::UpdateGroup(_) | Action::DeleteThing | Action::DeleteGroup
        )
    };
    let items: Vec<_> =
        plan.items.into_iter().filter(|item| item.action.as_ref().is_some_and(versioned)).collect();
    assert_eq!(items.len(), 4, "{items:?}");
    items
}

#[tokio::test]
async fn a_change_is_of_the_version_that_was_looked_at_or_changes_nothing() {
    let twins = outage(2).await;
    let journal = Journal::default();
    let (items, course) = (changes(&twins).await, Course::new(&journal));
    let (regions, before) = (regions(&twins), twins.inner().primary.clone());
    for item in &items {
        let (work, action) = (Work::new(&regions, item, &course), item.action.as_ref().unwrap());
        let Look::Fit(Some(version)) = work.look(action).await.unwrap() else { panic!("{item:?}") };
        // Somebody is faster.
        let refused = work.change(action, Some(version - 1)).await.unwrap_err();
        assert_eq!(refused.class, Class::Conflict, "{item:?}");
        work.give_back().await.unwrap();
        assert!(twins.inner().primary == before, "{item:?}");
        work.change(action, Some(version)).await.unwrap();
        twins.inner().primary.clone_from(&before);
    }
}

#[tokio::test]
async fn a_refusal_by_ones_own_change_is_no_refusal() {
    let twins = outage(2).await;
    changes(&twins).await;
    write(&twins, SECONDARY, "t-0", &serde_json::json!({"reported": {"N": 50}}));
    let plan = planned(&twins, Options { deletions: true, ..Options::default() }).await;
    // An SDK repeats a call whose answer was lost, and hands on what the second is answered.
    for call in ["update_shadow", "update_thing", "update_group"] {
        let faults = &mut twins.inner().faults.failing;
        faults.insert(format!("primary.{call}"), (Class::Conflict, 1, true));
    }
    let applied = carried_out(&twins, &plan).await;
    assert_eq!(applied.totals()[1..], [0, 0, 0], "{applied}");
}
