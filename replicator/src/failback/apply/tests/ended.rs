//! Processes that are ended in the middle of a deletion, and what the next one makes of that.

use super::*;
use crate::failback::tests::carried_out_by;
use crate::simulation::Crash;

const DELETIONS: Options =
    Options { resurrect: false, deletions: true, identities: true, workers: crate::sync::WORKERS };

/// Thing `t-1` and certificate `c-0` are deleted in the secondary.
async fn deleted_there() -> (Twins, Plan) {
    let twins = outage(2).await;
    {
        let there = &mut twins.inner().secondary;
        there.detach_principal("t-1", &arn(SECONDARY, "c-1")).unwrap();
        there.delete_thing("t-1").unwrap();
        there.set_status("c-0", Status::Inactive).unwrap();
        there.detach_principal("t-0", &arn(SECONDARY, "c-0")).unwrap();
        there.delete_certificate("c-0").unwrap();
    }
    let plan = planned(&twins, DELETIONS).await;
    (twins, plan)
}

/// The same, with only the item of that name; its process ended after its first call of that kind.
async fn ended_after(subject: &str, call: &str) -> (Twins, Plan, Journal) {
    let only = |mut plan: Plan| {
        plan.items.retain(|item| item.subject.to_string() == subject);
        plan
    };
    let (twins, plan) = deleted_there().await;
    let plan = only(plan);
    twins.clear_calls();
    assert!(carried_out(&twins, &plan).await.is_clean());
    let at = twins.calls().iter().position(|made| made == call).unwrap() + 1;

    let (twins, plan) = deleted_there().await;
    let (plan, journal) = (only(plan), Journal::default());
    twins.crash(Some(Crash { at, after: true }));
    // A process that is ended says nothing; this one is told that it could not give back anything.
    assert_eq!(carried_out_by(&twins, &plan, &journal).await.totals(), [0, 0, 0, 1]);
    twins.crash(None);
    assert!(!journal.is_empty());
    (twins, plan, journal)
}

const CALLS: [(&str, &str); 3] = [
    ("thing t-1", "primary.detach_principal"),
    ("certificate c-0", "primary.set_status"),
    ("certificate c-0", "primary.detach_principal"),
];

#[tokio::test]
async fn the_same_plan_finishes_what_an_ended_process_began() {
    for (subject, call) in CALLS {
        let (twins, plan, journal) = ended_after(subject, call).await;
        let applied = carried_out_by(&twins, &plan, &journal).await;
        assert_eq!(applied.totals(), [1, 0, 0, 0], "{subject} {call}: {applied}");
        assert!(journal.is_empty(), "{subject} {call}");
    }
}

#[tokio::test]
async fn what_changed_at_home_since_gets_back_what_an_ended_process_cut() {
    for (subject, call) in CALLS {
        let (twins, plan, journal) = ended_after(subject, call).await;
        {
            let here = &mut twins.inner().primary;
            // The thing changes, and the certificate gets another one.
            let mut thing = here.things["t-1"].thing.clone();
            thing.attributes.insert("site".into(), "moved".into());
            here.update_thing(&thing).unwrap();
            here.attach_principal("t-1", &arn(PRIMARY, "c-0")).unwrap();
        }
        let applied = carried_out_by(&twins, &plan, &journal).await;
        assert_eq!(applied.totals(), [0, 0, 1, 0], "{subject} {call}: {applied}");
        assert!(journal.is_empty(), "{subject} {call}");
        let inner = twins.inner();
        assert_eq!(inner.primary.certificates["c-0"].status, Status::Active, "{subject} {call}");
        assert_eq!(inner.primary.thing_principals("t-0"), [arn(PRIMARY, "c-0")], "{subject} {call}");
        let both = [arn(PRIMARY, "c-0"), arn(PRIMARY, "c-1")];
        assert_eq!(inner.primary.thing_principals("t-1"), both, "{subject} {call}");
    }
}

#[tokio::test]
async fn a_certificate_that_was_put_to_use_again_since_is_not_deleted() {
    let (twins, plan, journal) = ended_after("certificate c-0", "primary.detach_principal").await;
    twins.inner().primary.set_status("c-0", Status::Active).unwrap();
    let applied = carried_out_by(&twins, &plan, &journal).await;
    assert_eq!(applied.totals(), [0, 0, 1, 0], "{applied}");
    assert_eq!(twins.inner().primary.thing_principals("t-0"), [arn(PRIMARY, "c-0")]);
}

#[tokio::test]
async fn a_thing_that_was_made_again_since_does_not_get_the_certificate_of_the_one_before() {
    let (twins, plan, journal) = ended_after("thing t-1", "primary.detach_principal").await;
    {
        let here = &mut twins.inner().primary;
        let thing = here.things["t-1"].thing.clone();
        here.delete_thing("t-1").unwrap();
        here.create_thing(&thing).unwrap();
    }
    let applied = carried_out_by(&twins, &plan, &journal).await;
    assert_eq!(applied.totals(), [0, 0, 1, 0], "{applied}");
    assert!(journal.is_empty() && twins.inner().primary.thing_principals("t-1").is_empty());
}

#[tokio::test]
async fn a_certificate_that_somebody_took_out_of_use_is_not_taken_for_a_beginning() {
    let (twins, mut plan) = deleted_there().await;
    plan.items.retain(|item| item.action == Some(Action::DeleteCertificate));
    twins.inner().primary.set_status("c-0", Status::Inactive).unwrap();
    let applied = carried_out(&twins, &plan).await;
    assert_eq!(applied.totals(), [0, 0, 1, 0], "{applied}");
    assert!(applied.to_string().contains("refused: certificate c-0: it changed in the primary"), "{applied}");
    let inner = twins.inner();
    assert_eq!(inner.primary.certificates["c-0"].status, Status::Inactive);
    assert_eq!(inner.primary.thing_principals("t-0"), [arn(PRIMARY, "c-0")]);
}

/// Whoever lost the journal, or makes a plan of another name, is told what is missing at home.
#[tokio::test]
async fn another_plan_names_what_an_ended_process_cut() {
    let (twins, ..) = ended_after("thing t-1", "primary.detach_principal").await;
    {
        let here = &mut twins.inner().primary;
        let mut thing = here.things["t-1"].thing.clone();
        thing.attributes.insert("site".into(), "moved".into());
        here.update_thing(&thing).unwrap();
    }
    let plan = planned(&twins, DELETIONS).await;
    assert!(plan.to_string().contains("certificates that it has no more at home: c-1"), "{plan}");
    let (twins, ..) = ended_after("certificate c-0", "primary.detach_principal").await;
    let plan = planned(&twins, DELETIONS).await;
    assert!(plan.to_string().contains("it was Active, and is Inactive at home"), "{plan}");
}

#[tokio::test]
async fn a_plan_of_which_something_is_cut_goes_before_another() {
    let (twins, plan, journal) = ended_after("thing t-1", "primary.detach_principal").await;
    let other = Plan { made_ms: plan.made_ms + 1, ..plan };
    let refused = apply(&regions(&twins), &other, &journal, &|_, _| {}, &|| false).await.unwrap_err();
    assert!(refused.why.contains("another plan"), "{refused}");
}

#[tokio::test]
async fn who_is_to_end_begins_no_other_item_and_leaves_none_half_done() {
    let (twins, plan) = deleted_there().await;
    let ended = std::sync::atomic::AtomicUsize::new(0);
    let count = |_: &Subject, _: &Ending| _ = ended.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let is_over = || ended.load(std::sync::atomic::Ordering::Relaxed) > 0;
    let journal = Journal::default();
    let applied = apply(&regions(&twins), &plan, &journal, &count, &is_over).await.unwrap();
    assert_eq!(
        (applied.totals(), applied.left, applied.is_clean()),
        ([1, 0, 0, 0], plan.actions() - 1, false)
    );
    assert!(applied.to_string().contains("carry the same plan out again"), "{applied}");
    let rest = carried_out_by(&twins, &plan, &journal).await;
    assert_eq!((rest.totals(), rest.is_clean()), ([plan.actions() - 1, 1, 0, 0], true), "{rest}");
}
