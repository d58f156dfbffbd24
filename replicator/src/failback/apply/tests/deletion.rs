//! Deletions that do not come to their end give back what they cut.

use super::*;
use crate::failback::tests::carried_out_by;

/// Thing `t-1` and certificate `c-0` are deleted in the secondary; what is deleted at home of these.
async fn deleted_there(twins: &Twins) -> Plan {
    {
        let there = &mut twins.inner().secondary;
        there.detach_principal("t-1", &arn(SECONDARY, "c-1")).unwrap();
        there.delete_thing("t-1").unwrap();
        there.set_status("c-0", Status::Inactive).unwrap();
        there.detach_principal("t-0", &arn(SECONDARY, "c-0")).unwrap();
        there.delete_certificate("c-0").unwrap();
    }
    let mut plan = planned(twins, Options { deletions: true, ..Options::default() }).await;
    plan.items.retain(|item| matches!(item.action, Some(Action::DeleteThing | Action::DeleteCertificate)));
    assert_eq!(plan.items.len(), 2, "{plan}");
    plan
}

#[tokio::test]
async fn a_deletion_that_fails_gives_back_what_it_cut_and_comes_again() {
    for (call, class, times) in [
        ("delete_thing", Class::Transient, 100),
        ("delete_thing", Class::Permanent, 1),
        ("delete_certificate", Class::Transient, 100),
        ("delete_certificate", Class::Permanent, 1),
    ] {
        let twins = outage(2).await;
        let plan = deleted_there(&twins).await;
        let before = twins.inner().primary.clone();
        twins.fail_next(&format!("primary.{call}"), class, times);
        let applied = carried_out(&twins, &plan).await;
        assert_eq!(applied.totals(), [1, 0, 0, 1], "{call} {class:?}: {applied}");
        {
            let inner = twins.inner();
            if call == "delete_thing" {
                assert_eq!(inner.primary.things, before.things);
                assert_eq!(inner.primary.thing_principals("t-1"), [arn(PRIMARY, "c-1")]);
            } else {
                assert_eq!(inner.primary.certificates, before.certificates, "its status, too");
                assert_eq!(inner.primary.thing_principals("t-0"), [arn(PRIMARY, "c-0")]);
            }
        }
        twins.fail_next(&format!("primary.{call}"), class, 0);
        assert_eq!(carried_out(&twins, &plan).await.totals(), [1, 1, 0, 0]);
    }
}

#[tokio::test]
async fn a_thing_that_changed_between_two_tries_has_its_certificates_in_the_end() {
    let twins = outage(2).await;
    let plan = deleted_there(&twins).await;
    let item = plan.items.iter().find(|item| item.action == Some(Action::DeleteThing)).unwrap();
    let journal = Journal::default();
    let (regions, course) = (regions(&twins), Course::new(&journal));
    let (work, action) = (Work::new(&regions, item, &course), Action::DeleteThing);
    let Look::Fit(version) = work.look(&action).await.unwrap() else { panic!("{item:?}") };
    twins.fail_next("primary.delete_thing", Class::Transient, 1);
    assert_eq!(work.change(&action, version).await.unwrap_err().class, Class::Transient);
    {
        let here = &mut twins.inner().primary;
        assert!(here.thing_principals("t-1").is_empty(), "the first try detached it");
        let mut thing = here.things["t-1"].thing.clone();
        thing.attributes.insert("site".into(), "moved".into());
        here.update_thing(&thing).unwrap();
    }
    let failure = work.change(&action, version).await.unwrap_err();
    let ending = work.refused(&action, failure).await.unwrap();
    assert!(matches!(ending, Ending::Refused(_)), "{ending:?}");
    // The first answer gets lost on the way, too.
    twins.lose_next("primary.attach_principal", 1);
    assert_eq!(work.given_back(ending.clone()).await, ending);
    assert_eq!(twins.inner().primary.thing_principals("t-1"), [arn(PRIMARY, "c-1")]);
}

#[tokio::test]
async fn what_was_tied_between_two_tries_is_not_cut() {
    let twins = outage(2).await;
    let plan = deleted_there(&twins).await;
    let item = plan.items.iter().find(|item| item.action == Some(Action::DeleteCertificate)).unwrap();
    let journal = Journal::default();
    let (regions, course) = (regions(&twins), Course::new(&journal));
    let (work, action) = (Work::new(&regions, item, &course), Action::DeleteCertificate);
    twins.fail_next("primary.delete_certificate", Class::Transient, 1);
    work.change(&action, None).await.unwrap_err();
    twins.inner().primary.attach_principal("t-1", &arn(PRIMARY, "c-0")).unwrap();
    let failure = work.change(&action, None).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    let ending = work.refused(&action, failure).await.unwrap();
    assert!(matches!(work.given_back(ending).await, Ending::Refused(_)));
    let inner = twins.inner();
    assert_eq!(inner.primary.certificates["c-0"].status, Status::Active);
    assert_eq!(inner.primary.principal_things(&arn(PRIMARY, "c-0")), ["t-0", "t-1"]);
}

#[tokio::test]
async fn what_cannot_be_given_back_is_named_and_no_refusal() {
    let twins = outage(2).await;
    let plan = deleted_there(&twins).await;
    twins.fail_next("primary.delete_thing", Class::Permanent, 1);
    twins.fail_next("primary.delete_certificate", Class::Permanent, 1);
    twins.fail_next("primary.attach_principal", Class::Permanent, 2);
    let journal = Journal::default();
    let applied = carried_out_by(&twins, &plan, &journal).await;
    assert_eq!(applied.totals(), [0, 0, 0, 2], "{applied}");
    for expected in [
        "not given back: thing t-1, certificate c-1: ",
        "not given back: thing t-0, certificate c-0, certificate c-0 is not Active: ",
    ] {
        assert!(applied.to_string().contains(expected), "{expected}: {applied}");
    }
    let applied = carried_out_by(&twins, &plan, &journal).await;
    assert_eq!(applied.totals(), [2, 0, 0, 0], "the same plan finishes it: {applied}");
    assert!(journal.is_empty());
}

#[tokio::test]
async fn a_status_that_somebody_set_meanwhile_is_not_taken_back() {
    let twins = outage(2).await;
    let plan = deleted_there(&twins).await;
    let item = plan.items.iter().find(|item| item.action == Some(Action::DeleteCertificate)).unwrap();
    let journal = Journal::default();
    let (regions, course) = (regions(&twins), Course::new(&journal));
    let work = Work::new(&regions, item, &course);
    twins.fail_next("primary.delete_certificate", Class::Permanent, 1);
    work.change(&Action::DeleteCertificate, None).await.unwrap_err();
    twins.inner().primary.set_status("c-0", Status::Revoked).unwrap();
    work.give_back().await.unwrap();
    let inner = twins.inner();
    assert_eq!(inner.primary.certificates["c-0"].status, Status::Revoked);
    assert_eq!(inner.primary.thing_principals("t-0"), [arn(PRIMARY, "c-0")]);
}
