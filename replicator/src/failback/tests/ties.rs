//! What only the secondary has deleted goes at home with what it was tied to when replication broke, and with
//! nothing else.

use super::*;
use crate::simulation::{RegionState, group_arn};

const DELETIONS: Options =
    Options { resurrect: false, deletions: true, identities: true, workers: crate::sync::WORKERS };

/// Certificate `c-0`, thing `t-1` and group `line` are deleted in the secondary.
async fn deleted_there() -> Twins {
    let twins = outage(3).await;
    {
        let there = &mut twins.inner().secondary;
        there.set_status("c-0", Status::Inactive).unwrap();
        there.detach_principal("t-0", &arn(SECONDARY, "c-0")).unwrap();
        there.delete_certificate("c-0").unwrap();
        there.detach_principal("t-1", &arn(SECONDARY, "c-1")).unwrap();
        there.delete_thing("t-1").unwrap();
        there.delete_group("line").unwrap();
    }
    twins
}

fn create(here: &mut RegionState, thing: &str) {
    here.create_thing(&Thing { name: thing.into(), ..Thing::default() }).unwrap();
}

fn create_policy(here: &mut RegionState, name: &str) {
    let document = policy_document(PRIMARY, name);
    here.create_policy(&Policy { name: name.into(), document }).unwrap();
}

type Tying = fn(&mut RegionState);

/// What is deleted, what somebody ties to it at home, and what a plan calls that.
const TYINGS: [(&str, Tying, &str); 7] = [
    ("certificate c-0", |here| here.attach_principal("t-2", &arn(PRIMARY, "c-0")).unwrap(), "thing t-2"),
    (
        "certificate c-0",
        |here| {
            create(here, "late");
            here.attach_principal("late", &arn(PRIMARY, "c-0")).unwrap();
        },
        "thing late",
    ),
    ("thing t-1", |here| here.attach_principal("t-1", &arn(PRIMARY, "c-2")).unwrap(), "certificate c-2"),
    (
        "thing t-1",
        |here| {
            here.register_certificate(&pem("late"), true).unwrap();
            here.attach_principal("t-1", &arn(PRIMARY, "late")).unwrap();
        },
        "certificate late",
    ),
    (
        "thing t-1",
        |here| {
            here.create_group(&Group { name: "late".into(), ..Group::default() }).unwrap();
            here.add_to_group("late", "t-1").unwrap();
        },
        "group late",
    ),
    ("group line", |here| here.attach_policy("p", &group_arn(PRIMARY, "line")).unwrap(), "policy p"),
    (
        "group line",
        |here| {
            create_policy(here, "late");
            here.attach_policy("late", &group_arn(PRIMARY, "line")).unwrap();
        },
        "policy late",
    ),
];

/// Ties to what was made again at home, under its name.
const TYINGS_AGAIN: [(&str, Tying, &str); 2] = [
    (
        "certificate c-0",
        |here| {
            here.detach_principal("t-0", &arn(PRIMARY, "c-0")).unwrap();
            here.delete_thing("t-0").unwrap();
            create(here, "t-0");
            here.attach_principal("t-0", &arn(PRIMARY, "c-0")).unwrap();
        },
        "thing t-0",
    ),
    (
        "thing t-1",
        |here| {
            let line = here.groups["line"].group.clone();
            here.delete_group("line").unwrap();
            here.create_group(&line).unwrap();
            here.add_to_group("line", "t-1").unwrap();
        },
        "group line",
    ),
];

fn item_of<'a>(plan: &'a Plan, subject: &str) -> &'a Item {
    let item = plan.items.iter().find(|item| item.subject.to_string() == subject);
    item.unwrap_or_else(|| panic!("{subject}: {plan}"))
}

#[tokio::test]
async fn what_was_tied_at_home_since_replication_broke_keeps_it() {
    for (subject, tie, name) in TYINGS.into_iter().chain(TYINGS_AGAIN) {
        let twins = deleted_there().await;
        tie(&mut twins.inner().primary);
        let plan = planned(&twins, DELETIONS).await;
        let item = item_of(&plan, subject);
        assert_eq!((item.verdict, &item.action), (Verdict::Resurrects, &None), "{name}: {plan}");
        assert!(item.why.contains(&format!("tied {name} to it since")), "{plan}");
    }
}

#[tokio::test]
async fn what_was_tied_at_home_since_the_plan_is_not_cut() {
    for (subject, tie, name) in TYINGS {
        let twins = deleted_there().await;
        let mut plan = planned(&twins, DELETIONS).await;
        assert_eq!(item_of(&plan, subject).verdict, Verdict::Removed, "{plan}");
        plan.items.retain(|item| item.subject.to_string() == subject);
        tie(&mut twins.inner().primary);
        let before = twins.inner().primary.clone();
        let applied = carried_out(&twins, &plan).await;
        assert_eq!(applied.totals(), [0, 0, 1, 0], "{name}: {applied}");
        assert!(applied.to_string().contains("it changed in the primary since"), "{applied}");
        assert!(twins.inner().primary == before, "{name}");
    }
}

#[tokio::test]
async fn an_inactive_certificate_with_more_ties_is_not_taken_for_a_beginning() {
    let twins = deleted_there().await;
    let plan = planned(&twins, DELETIONS).await;
    {
        let here = &mut twins.inner().primary;
        here.set_status("c-0", Status::Inactive).unwrap();
        here.attach_principal("t-2", &arn(PRIMARY, "c-0")).unwrap();
    }
    let applied = carried_out(&twins, &plan).await;
    assert_eq!(applied.totals(), [5, 0, 1, 0], "{applied}");
    assert!(applied.to_string().contains("refused: certificate c-0: it changed in the primary"), "{applied}");
    assert!(twins.inner().primary.things.contains_key("t-2"));
    assert_eq!(twins.inner().primary.thing_principals("t-2").len(), 2);
}

#[tokio::test]
async fn what_lost_ties_at_home_is_deleted_all_the_same() {
    let twins = deleted_there().await;
    {
        let here = &mut twins.inner().primary;
        here.detach_principal("t-0", &arn(PRIMARY, "c-0")).unwrap();
        here.remove_from_group("line", "t-1").unwrap();
        here.detach_policy("of-groups", &group_arn(PRIMARY, "line")).unwrap();
    }
    let plan = planned(&twins, DELETIONS).await;
    for subject in ["certificate c-0", "thing t-1", "group line"] {
        assert_eq!(item_of(&plan, subject).verdict, Verdict::Removed, "{plan}");
    }
    twins.inner().primary.detach_principal("t-1", &arn(PRIMARY, "c-1")).unwrap();
    assert!(carried_out(&twins, &plan).await.is_clean(), "{plan}");
    let inner = twins.inner();
    let here = &inner.primary;
    assert!(!here.certificates.contains_key("c-0") && !here.things.contains_key("t-1"));
    assert!(!here.groups.contains_key("line"));
}

#[tokio::test]
async fn just_in_time_certificates_which_nothing_is_known_of_are_no_ties_until_the_plan() {
    let twins = deleted_there().await;
    // Nothing of it is replicated there.
    for key in [crate::tables::identity_key("t-1"), crate::tables::group_policies_key("line")] {
        twins.inner().state.entries.remove(&key);
    }
    let options = Options { identities: false, ..DELETIONS };
    let plan = planned(&twins, options).await;
    for subject in ["thing t-1", "group line"] {
        assert_eq!(item_of(&plan, subject).verdict, Verdict::Removed, "{plan}");
    }
    twins.inner().primary.attach_principal("t-1", &arn(PRIMARY, "c-2")).unwrap();
    let applied = carried_out(&twins, &plan).await;
    assert!(applied.to_string().contains("refused: thing t-1: it changed in the primary"), "{applied}");
    assert_eq!(twins.inner().primary.thing_principals("t-1").len(), 2);
}

/// Thing `t-0` and its certificate `c-0` are deleted in the secondary.
async fn device_deleted_there() -> Twins {
    let twins = outage(2).await;
    {
        let there = &mut twins.inner().secondary;
        there.detach_principal("t-0", &arn(SECONDARY, "c-0")).unwrap();
        there.delete_thing("t-0").unwrap();
        there.set_status("c-0", Status::Inactive).unwrap();
        there.delete_certificate("c-0").unwrap();
    }
    twins
}

fn move_at_home(twins: &Twins, thing: &str) {
    let here = &mut twins.inner().primary;
    let mut moved = here.things[thing].thing.clone();
    moved.attributes.insert("site".into(), "moved".into());
    here.update_thing(&moved).unwrap();
}

#[tokio::test]
async fn a_certificate_goes_with_its_thing() {
    let twins = device_deleted_there().await;
    let plan = planned(&twins, DELETIONS).await;
    for subject in ["thing t-0", "certificate c-0"] {
        assert_eq!(item_of(&plan, subject).verdict, Verdict::Removed, "{plan}");
    }
    assert!(carried_out(&twins, &plan).await.is_clean(), "{plan}");
    let inner = twins.inner();
    assert!(!inner.primary.things.contains_key("t-0") && !inner.primary.certificates.contains_key("c-0"));
}

#[tokio::test]
async fn a_certificate_of_a_thing_that_stays_at_home_stays() {
    let twins = device_deleted_there().await;
    move_at_home(&twins, "t-0");
    let plan = planned(&twins, DELETIONS).await;
    for subject in ["thing t-0", "certificate c-0"] {
        let item = item_of(&plan, subject);
        assert_eq!((item.verdict, &item.action), (Verdict::Resurrects, &None), "{plan}");
    }
    assert!(plan.to_string().contains("thing t-0 has it, and stays in the primary"), "{plan}");
}

#[tokio::test]
async fn a_certificate_is_not_deleted_from_a_thing_whose_deletion_is_refused_or_fails() {
    for fails in [false, true] {
        let twins = device_deleted_there().await;
        let mut plan = planned(&twins, DELETIONS).await;
        plan.items
            .retain(|item| ["thing t-0", "certificate c-0"].contains(&item.subject.to_string().as_str()));
        if fails {
            twins.fail_next("primary.delete_thing", crate::outcome::Class::Permanent, 1);
        } else {
            move_at_home(&twins, "t-0");
        }
        let before = twins.inner().primary.clone();
        let applied = carried_out(&twins, &plan).await;
        assert_eq!(applied.totals(), if fails { [0, 0, 1, 1] } else { [0, 0, 2, 0] }, "{applied}");
        assert!(applied.to_string().contains("refused: certificate c-0: thing t-0 has it"), "{applied}");
        assert!(twins.inner().primary == before, "fails: {fails}");
    }
}

/// Somebody made the thing again in the secondary, without the certificate, after the plan.
#[tokio::test]
async fn a_thing_that_is_kept_because_it_was_made_again_there_keeps_its_certificate() {
    let twins = device_deleted_there().await;
    let mut plan = planned(&twins, DELETIONS).await;
    plan.items.retain(|item| ["thing t-0", "certificate c-0"].contains(&item.subject.to_string().as_str()));
    create(&mut twins.inner().secondary, "t-0");
    let applied = carried_out(&twins, &plan).await;
    assert_eq!(applied.totals(), [0, 0, 2, 0], "{applied}");
    assert_eq!(twins.inner().primary.thing_principals("t-0"), [arn(PRIMARY, "c-0")]);
}
