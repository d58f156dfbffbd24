//! A certificate's own document.

use super::*;
use crate::order::LEASE_MS;
use crate::simulation::Crash;

#[tokio::test]
async fn d08_a_certificate_is_never_active_unless_it_is_in_the_primary() {
    for (there, calls) in [
        (Status::Active, vec!["register_certificate"]),
        (Status::Inactive, vec!["register_certificate"]),
        (Status::Revoked, vec!["register_certificate", "set_status"]),
    ] {
        let twins = Twins::new();
        let document = of_certificate(10, "c", Some(identity("c", there, &[])));
        assert_eq!(cost(&twins, &document).await, calls);
        assert_eq!(status(&twins, "c"), Some(there));
    }
}

#[tokio::test]
async fn d07_a_revocation_and_a_policy_that_is_taken_away_come() {
    let twins = with_policy();
    all(&twins, &[of_thing(10, vec![device("c")])]).await;
    let revoked = of_certificate(20, "c", Some(identity("c", Status::Revoked, &[policy("p", "v1")])));
    assert_eq!(cost(&twins, &revoked).await, ["set_status"]);
    let bare = of_certificate(30, "c", Some(identity("c", Status::Revoked, &[])));
    assert_eq!(cost(&twins, &bare).await, ["detach_policy"]);
    assert_eq!((status(&twins, "c"), attached(&twins, "c")), (Some(Status::Revoked), Vec::new()));
    // An older look, of whichever document, takes nothing back.
    assert_eq!(cost(&twins, &of_thing(15, vec![device("c")])).await, [""; 0]);
    assert_eq!((status(&twins, "c"), attached(&twins, "c")), (Some(Status::Revoked), Vec::new()));
}

#[tokio::test]
async fn d08_a_revocation_that_failed_half_way_is_not_taken_back_by_an_older_look() {
    let revoked = of_certificate(20, "c", Some(identity("c", Status::Revoked, &[])));
    for ends in [false, true] {
        let twins = with_policy();
        all(&twins, &[of_thing(10, vec![device("c")])]).await;
        // Revoked, and then its policy cannot be taken away; or the function ends there.
        if ends {
            twins.crash(Some(Crash { at: 2, after: true }));
        } else {
            twins.fail_next("secondary.detach_policy", Class::Transient, 1);
        }
        assert!(apply_one(&twins, &revoked, false).await.is_err());
        twins.crash(None);
        twins.advance_ms(LEASE_MS);
        assert_eq!(status(&twins, "c"), Some(Status::Revoked), "ends: {ends}");
        apply_one(&twins, &of_thing(15, vec![device("c")]), false).await.unwrap();
        assert_eq!(status(&twins, "c"), Some(Status::Revoked), "ends: {ends}");
        apply_one(&twins, &revoked, false).await.unwrap();
        assert_eq!((status(&twins, "c"), attached(&twins, "c")), (Some(Status::Revoked), Vec::new()));
        let newer = of_certificate(30, "c", Some(device("c")));
        apply_one(&twins, &newer, false).await.unwrap();
        assert_eq!(attached(&twins, "c"), ["p"]);
    }
}

#[tokio::test]
async fn one_that_is_there_already_is_made_what_it_should_be() {
    let twins = with_policy();
    {
        let mut inner = twins.inner();
        inner.secondary.register_certificate(&pem("c"), false).unwrap();
        let other = Policy { name: "other".to_owned(), document: policy_document(SECONDARY, "o") };
        inner.secondary.create_policy(&other).unwrap();
        inner.secondary.attach_policy("other", &arn(SECONDARY, "c")).unwrap();
    }
    all(&twins, &[of_certificate(10, "c", Some(device("c")))]).await;
    assert_eq!((status(&twins, "c"), attached(&twins, "c")), (Some(Status::Active), vec!["p".to_owned()]));
}

#[tokio::test]
async fn one_that_is_gone_is_taken_from_its_things_and_deleted() {
    let twins = with_policy();
    all(&twins, &[of_thing(10, vec![device("c")])]).await;
    let gone = of_certificate(20, "c", None);
    let calls = cost(&twins, &gone).await;
    assert_eq!(calls, ["set_status", "principal_things", "detach_principal", "delete_certificate"]);
    assert_eq!((status(&twins, "c"), principals(&twins)), (None, Vec::new()));
    assert!(says(&twins, "p").is_some(), "d11: the policy is the primary's to delete");
    assert_eq!(cost(&twins, &gone).await, [""; 0]);
    assert_eq!(cost(&twins, &of_certificate(30, "c", None)).await, [""; 0]);
    // A look at the thing from before does not bring it back.
    assert_eq!(cost(&twins, &of_thing(15, vec![device("c")])).await, ["detach_principal"]);
    assert_eq!(status(&twins, "c"), None);
}

#[tokio::test]
async fn d11_a_certificate_that_another_thing_got_later_stays() {
    let twins = with_policy();
    all(&twins, &[of_thing(10, vec![device("c")])]).await;
    let other = Thing { name: "other".to_owned(), ..Thing::default() };
    twins.inner().secondary.create_thing(&other).unwrap();
    let seen = Seen::Identity { certificates: vec![device("c")], others: Vec::new() };
    let its = Document { key: Key::Identity("other".to_owned()), looked_ms: 20, seen };
    all(&twins, &[its, of_thing(30, Vec::new())]).await;
    let things = twins.inner().secondary.principal_things(&arn(SECONDARY, "c"));
    assert_eq!((things, status(&twins, "c")), (vec!["other".to_owned()], Some(Status::Active)));
}

#[tokio::test]
async fn d12_a_half_done_deletion_leaves_nothing_that_blocks_the_device() {
    let twins = with_policy();
    all(&twins, &[of_thing(10, vec![device("c")])]).await;
    twins.fail_next("secondary.delete_certificate", Class::Transient, 1);
    let gone = of_certificate(20, "c", None);
    assert!(apply_one(&twins, &gone, false).await.unwrap_err().is_transient());
    assert_eq!(status(&twins, "c"), Some(Status::Inactive));
    // It is made again before the deletion was tried again.
    all(&twins, &[of_thing(30, vec![device("c")]), gone]).await;
    assert_eq!((status(&twins, "c"), principals(&twins)), (Some(Status::Active), vec!["c".to_owned()]));
}

#[tokio::test]
async fn a_policy_that_cannot_be_had_is_said_and_the_others_come() {
    let twins = with_policy();
    let broken = Policy { name: "broken".to_owned(), document: "<no json>".to_owned() };
    let wanted = identity("c", Status::Active, &[broken, policy("p", "v1")]);
    let document = of_certificate(10, "c", Some(wanted));
    let applied = apply_one(&twins, &document, false).await.unwrap();
    assert_eq!((applied.remarks.len(), attached(&twins, "c")), (1, vec!["p".to_owned()]));
    // Applied again it says so again, and nothing when it can be had.
    let applied = apply_one(&twins, &document, true).await.unwrap();
    assert_eq!(applied.remarks.len(), 1);
    let mended = Policy { name: "broken".to_owned(), document: "{}".to_owned() };
    twins.inner().secondary.create_policy(&mended).unwrap();
    let applied = apply_one(&twins, &document, true).await.unwrap();
    assert_eq!((applied.remarks.len(), attached(&twins, "c").len()), (0, 2));
}

#[tokio::test]
async fn a_certificate_that_came_back_stays_wanted_while_the_look_that_brings_it_is_unfinished() {
    let twins = with_policy();
    all(&twins, &[of_certificate(10, "c", None)]).await;
    let back = of_certificate(30, "c", Some(device("c")));
    twins.fail_next("secondary.register_certificate", Class::Transient, 1);
    assert!(apply_one(&twins, &back, false).await.is_err());
    // It was gone before this look, and is not there yet: that is left undone, and not forgotten.
    let applied = apply_one(&twins, &of_thing(20, vec![device("c")]), false).await.unwrap();
    assert_eq!(applied.remarks.len(), 1, "{applied:?}");
    all(&twins, &[back, of_thing(20, vec![device("c")])]).await;
    assert_eq!(principals(&twins), ["c"]);
}
