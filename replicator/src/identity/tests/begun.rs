//! What failed halfway, or whose function ended, is not undone by an older look: it comes again.

use super::*;
use crate::model::Group;
use crate::order::LEASE_MS;
use crate::simulation::{Crash, group_arn};

fn of_p(looked_ms: u64, marker: &str) -> Document {
    of_policy(looked_ms, "p", Some(policy("p", marker)))
}

/// Ends the function that applies a document after so many calls; its keys are free again then.
async fn ended_after(twins: &Twins, calls: usize, document: &Document) {
    twins.crash(Some(Crash { at: calls, after: true }));
    assert!(apply_one(twins, document, false).await.is_err());
    twins.crash(None);
    twins.advance_ms(LEASE_MS);
}

async fn is_superseded(twins: &Twins, document: &Document) -> bool {
    apply_one(twins, document, true).await.unwrap().change == Change::Superseded
}

#[tokio::test]
async fn a_policys_document_stays_though_its_answer_was_lost_or_its_function_ended() {
    let (older, newer) = (of_p(15, "v2"), of_p(20, "v3"));
    for ends in [false, true] {
        let twins = Twins::new();
        all(&twins, &[of_p(10, "v1")]).await;
        if ends {
            ended_after(&twins, 2, &newer).await;
        } else {
            twins.lose_next("secondary.put_policy", 1);
            assert!(apply_one(&twins, &newer, false).await.is_err());
        }
        let v3 = Some(policy_document(SECONDARY, "v3"));
        assert_eq!(says(&twins, "p"), v3, "ends: {ends}");
        assert!(is_superseded(&twins, &older).await, "ends: {ends}");
        assert_eq!(says(&twins, "p"), v3, "ends: {ends}");
        all(&twins, &[newer.clone(), of_p(30, "v4")]).await;
        assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v4")), "ends: {ends}");
    }
}

#[tokio::test]
async fn a_policy_whose_deletion_was_half_done_is_not_made_again_by_an_older_document() {
    let twins = Twins::new();
    all(&twins, &[of_p(10, "v1")]).await;
    twins.lose_next("secondary.delete_policy", 1);
    assert!(apply_one(&twins, &of_policy(20, "p", None), false).await.is_err());
    assert!(is_superseded(&twins, &of_p(15, "v2")).await);
    assert_eq!(says(&twins, "p"), None);
}

#[tokio::test]
async fn what_was_begun_is_known_however_many_end_after_it() {
    let (first, newer, older) = (of_p(12, "v2"), of_p(20, "v3"), of_p(15, "v4"));
    let twins = Twins::new();
    all(&twins, &[of_p(10, "v1")]).await;
    ended_after(&twins, 1, &first).await;
    // Taken, known, taken again; then it is found out what is there, and put.
    ended_after(&twins, 6, &newer).await;
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v3")));
    // It has taken the key when it ends, and done nothing.
    ended_after(&twins, 1, &older).await;
    assert!(is_superseded(&twins, &older).await);
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v3")));
}

#[tokio::test]
async fn a_policy_that_is_only_made_from_a_certificate_is_no_look_of_its_own() {
    let twins = Twins::new();
    // Registered, refused to attach what is not there, and the policy was made when it ended.
    ended_after(&twins, 5, &of_certificate(20, "c", Some(device("c")))).await;
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v1")));
    all(&twins, &[of_p(15, "v2")]).await;
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v2")));
}

#[tokio::test]
async fn the_policies_of_a_group_stay_though_an_answer_was_lost_or_the_function_ended() {
    let target = group_arn(SECONDARY, "g");
    let both = [policy("p", "v1"), policy("q", "v1")];
    let (older, newer) = (of_group(15, &[]), of_group(20, &both));
    for ends in [false, true] {
        let twins = with_policy();
        {
            let there = &mut twins.inner().secondary;
            there.create_group(&Group { name: "g".to_owned(), ..Group::default() }).unwrap();
            there.create_policy(&Policy { name: "q".to_owned(), document: "{}".to_owned() }).unwrap();
        }
        all(&twins, &[of_group(10, &both[..1])]).await;
        if ends {
            // The key, the group's row, and the policy.
            ended_after(&twins, 3, &newer).await;
        } else {
            twins.lose_next("secondary.attach_policy", 1);
            assert!(apply_one(&twins, &newer, false).await.is_err());
        }
        let has = |twins: &Twins| twins.inner().secondary.attached_policies(&target);
        assert_eq!(has(&twins), ["p", "q"], "ends: {ends}");
        assert!(is_superseded(&twins, &older).await, "ends: {ends}");
        assert_eq!(has(&twins), ["p", "q"], "ends: {ends}");
        all(&twins, &[newer.clone(), of_group(30, &both[1..])]).await;
        assert_eq!(has(&twins), ["q"], "ends: {ends}");
    }
}

#[tokio::test]
async fn a_certificate_whose_registration_was_half_done_is_deleted() {
    let twins = with_policy();
    let gone = |looked_ms| of_certificate(looked_ms, "c", None);
    all(&twins, &[of_certificate(10, "c", Some(device("c"))), gone(20)]).await;
    twins.lose_next("secondary.register_certificate", 1);
    assert!(apply_one(&twins, &of_certificate(30, "c", Some(device("c"))), false).await.is_err());
    assert_eq!(status(&twins, "c"), Some(Status::Active));
    all(&twins, &[gone(40)]).await;
    assert_eq!(status(&twins, "c"), None);
}
