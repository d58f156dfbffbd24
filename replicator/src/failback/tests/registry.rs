//! Policies of groups, policies that name both Regions, and what is gone from the secondary.

use super::*;
use crate::simulation::group_arn;

const DELETIONS: Options =
    Options { resurrect: false, deletions: true, identities: true, workers: crate::sync::WORKERS };

#[tokio::test]
async fn a_policy_of_a_group_comes_home_and_one_that_it_lost_is_said() {
    let twins = outage(1).await;
    {
        let mut inner = twins.inner();
        inner.secondary.attach_policy("p", &group_arn(SECONDARY, "line")).unwrap();
        inner.secondary.detach_policy("of-groups", &group_arn(SECONDARY, "line")).unwrap();
        // This one only the primary changed.
        inner.primary.attach_policy("p", &group_arn(PRIMARY, "hall")).unwrap();
    }
    let plan = planned(&twins, Options::default()).await;
    let attached = ("group line, policy p".to_owned(), Verdict::TakenHome, true);
    let kept = ("group hall, policy p".to_owned(), Verdict::Kept, false);
    let mut lost = ("group line, policy of-groups".to_owned(), Verdict::Removed, false);
    assert_eq!(verdicts(&plan), [attached.clone(), kept.clone(), lost.clone()], "{plan}");
    let plan = planned(&twins, DELETIONS).await;
    lost.2 = true;
    assert_eq!(verdicts(&plan), [attached, lost, kept], "{plan}");
    assert!(carried_out(&twins, &plan).await.is_clean());
    assert_eq!(twins.inner().primary.attached_policies(&group_arn(PRIMARY, "line")), ["p"]);
    assert_eq!(planned(&twins, DELETIONS).await.actions(), 0);
}

/// A certificate, a group, a policy and a type that the secondary has no more.
fn delete_there(twins: &Twins) {
    let mut inner = twins.inner();
    let there = &mut inner.secondary;
    there.set_status("c-0", Status::Inactive).unwrap();
    there.detach_principal("t-0", &arn(SECONDARY, "c-0")).unwrap();
    there.delete_certificate("c-0").unwrap();
    there.delete_group("line").unwrap();
    there.delete_policy("of-groups").unwrap();
    for thing in there.things.values_mut() {
        thing.thing.thing_type = None;
    }
    there.types.clear();
}

#[tokio::test]
async fn what_is_gone_from_the_secondary_is_said_and_deleted_if_asked_for() {
    let twins = outage(1).await;
    delete_there(&twins);
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(plan.actions(), 0, "{plan}");
    for subject in ["certificate c-0", "group line", "policy of-groups", "type pump"] {
        let item = plan.items.iter().find(|item| item.subject.to_string() == subject);
        let item = item.unwrap_or_else(|| panic!("{subject}: {plan}"));
        assert_eq!(item.verdict, Verdict::Removed, "{plan}");
        assert!(item.why.contains("replication brings it back"), "{plan}");
    }
    let plan = planned(&twins, DELETIONS).await;
    // The group has the policy, and the thing the certificate, until they are taken from them.
    assert!(carried_out(&twins, &plan).await.is_clean(), "{plan}");
    let inner = twins.inner();
    let here = &inner.primary;
    assert!(!here.certificates.contains_key("c-0") && !here.groups.contains_key("line"), "{plan}");
    assert!(!here.policies.contains_key("of-groups") && here.groups.contains_key("hall"), "{plan}");
    assert!(here.types.contains_key("pump"), "types are not deleted at home");
}

#[tokio::test]
async fn what_changed_at_home_is_not_deleted_and_what_never_was_there_is_no_item() {
    let twins = outage(2).await;
    delete_there(&twins);
    {
        let mut inner = twins.inner();
        let here = &mut inner.primary;
        here.set_status("c-0", Status::Revoked).unwrap();
        let group = Group { description: Some("another".into()), ..here.groups["line"].group.clone() };
        here.update_group(&group).unwrap();
        let document = policy_document(PRIMARY, "another");
        here.put_policy(&Policy { name: "of-groups".into(), document: document.clone() }).unwrap();
        here.create_policy(&Policy { name: "late".into(), document }).unwrap();
        here.register_certificate(&pem("late"), true).unwrap();
        here.create_group(&Group { name: "late".into(), ..Group::default() }).unwrap();
        here.create_thing_type(&ThingType { name: "late".into(), ..ThingType::default() }).unwrap();
    }
    let plan = planned(&twins, DELETIONS).await;
    let found = verdicts(&plan);
    for subject in ["certificate c-0", "group line", "policy of-groups"] {
        assert!(found.contains(&(subject.to_owned(), Verdict::Resurrects, false)), "{subject}: {plan}");
    }
    assert!(!plan.to_string().contains("late"), "{plan}");
}

#[tokio::test]
async fn a_policy_that_something_got_at_home_is_not_deleted() {
    let twins = outage(1).await;
    {
        let there = &mut twins.inner().secondary;
        there.detach_policy("of-groups", &group_arn(SECONDARY, "line")).unwrap();
        there.delete_policy("of-groups").unwrap();
    }
    let plan = planned(&twins, DELETIONS).await;
    twins.inner().primary.attach_policy("of-groups", &arn(PRIMARY, "c-0")).unwrap();
    let applied = carried_out(&twins, &plan).await;
    assert!(applied.to_string().contains("refused: policy of-groups: 1 certificates or groups"), "{applied}");
    assert!(twins.inner().primary.policies.contains_key("of-groups"));
}

#[tokio::test]
async fn a_policy_that_names_both_regions_is_not_rewritten_at_home() {
    let twins = fleet(1);
    let of_both = |marker: &str| {
        let [here, there] = [PRIMARY, SECONDARY].map(|region| policy_document(region, marker));
        Policy { name: "p".into(), document: format!("[{here},{there}]") }
    };
    twins.inner().primary.put_policy(&of_both("a")).unwrap();
    assert!(direct(&twins, Mode::Smart).await.is_clean());
    twins.advance_ms(3_600_000);
    assert_eq!(planned(&twins, Options::default()).await.items, [], "nobody changed it");
    let document = format!("[{}]", policy_document(SECONDARY, "tighter"));
    twins.inner().secondary.put_policy(&Policy { name: "p".into(), document }).unwrap();
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(verdicts(&plan), [("policy p".to_owned(), Verdict::Overwritten, false)], "{plan}");
    assert!(plan.to_string().contains("names the other Region"), "{plan}");
}

#[tokio::test]
async fn a_plan_says_that_a_policy_may_lose_a_version() {
    let twins = outage(1).await;
    let document = policy_document(SECONDARY, "tighter");
    twins.inner().secondary.put_policy(&Policy { name: "p".into(), document }).unwrap();
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(verdicts(&plan), [("policy p".to_owned(), Verdict::TakenHome, true)]);
    assert!(plan.to_string().contains("five versions"), "{plan}");
}
