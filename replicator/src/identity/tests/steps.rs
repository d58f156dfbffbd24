//! Every handler, interrupted at every call, before it takes effect and after, ends right when it is
//! run again; and run once more it calls nobody.

use super::*;
use crate::model::Group;
use crate::order::LEASE_MS;
use crate::simulation::Crash;

/// `history` is applied undisturbed, then `document` with a failure at each call.
async fn at_every_step(history: &[Document], document: &Document, check: impl Fn(&Twins) -> bool) {
    let start = async || {
        let twins = with_thing();
        twins.inner().secondary.create_group(&Group { name: "g".into(), ..Group::default() }).unwrap();
        all(&twins, history).await;
        twins.clear_calls();
        twins
    };
    let settled = async |twins: &Twins, how: &str| {
        twins.crash(None);
        twins.advance_ms(LEASE_MS);
        all(twins, std::slice::from_ref(document)).await;
        assert!(check(twins), "{how}: {:?}", twins.inner().secondary);
        assert_eq!(cost(twins, document).await, [""; 0], "{how}");
    };
    let twins = start().await;
    all(&twins, std::slice::from_ref(document)).await;
    let calls = twins.calls();
    assert!(!twins.region_calls().is_empty(), "it does nothing: {document:?}");
    settled(&twins, "undisturbed").await;
    for at in 1..=calls.len() {
        for after in [false, true] {
            let twins = start().await;
            twins.crash(Some(Crash { at, after }));
            assert!(apply_one(&twins, document, false).await.is_err());
            settled(&twins, &format!("ended at {at} ({}), after: {after}", calls[at - 1])).await;
        }
    }
    for call in &calls {
        for is_lost in [false, true] {
            let twins = start().await;
            if is_lost {
                twins.lose_next(call, 1);
            } else {
                twins.fail_next(call, Class::Transient, 1);
            }
            let how = format!("{call} failed once, lost: {is_lost}");
            let failed = apply_one(&twins, document, false).await;
            assert!(failed.is_err_and(|failure| failure.is_transient()), "{how}");
            settled(&twins, &how).await;
        }
    }
}

#[tokio::test]
async fn of_a_new_device() {
    at_every_step(&[], &of_thing(10, vec![device("c"), device("d")]), |twins| {
        principals(twins) == ["c", "d"]
            && (attached(twins, "c"), attached(twins, "d")) == (vec!["p".to_owned()], vec!["p".to_owned()])
            && status(twins, "c") == Some(Status::Active)
    })
    .await;
}

#[tokio::test]
async fn of_a_rotation() {
    let history = [of_thing(10, vec![device("old")])];
    at_every_step(&history, &of_thing(20, vec![device("new")]), |twins| {
        principals(twins) == ["new"] && attached(twins, "new") == ["p"]
    })
    .await;
}

#[tokio::test]
async fn of_a_change_of_a_certificate() {
    let history = [of_thing(10, vec![device("c")])];
    let changed = identity("c", Status::Revoked, &[policy("q", "v1")]);
    at_every_step(&history, &of_certificate(20, "c", Some(changed)), |twins| {
        status(twins, "c") == Some(Status::Revoked)
            && attached(twins, "c") == ["q"]
            && principals(twins) == ["c"]
    })
    .await;
}

#[tokio::test]
async fn d12_of_the_deletion_of_a_certificate() {
    let history = [of_thing(10, vec![device("c")])];
    at_every_step(&history, &of_certificate(20, "c", None), |twins| {
        status(twins, "c").is_none() && principals(twins).is_empty()
    })
    .await;
}

#[tokio::test]
async fn of_a_policy_made_changed_and_deleted() {
    let first = of_policy(10, "p", Some(policy("p", "v1")));
    at_every_step(&[], &first, |twins| says(twins, "p") == Some(policy_document(SECONDARY, "v1"))).await;
    let second = of_policy(20, "p", Some(policy("p", "v2")));
    let history = [first];
    at_every_step(&history, &second, |twins| says(twins, "p") == Some(policy_document(SECONDARY, "v2")))
        .await;
    at_every_step(&history, &of_policy(20, "p", None), |twins| says(twins, "p").is_none()).await;
}

#[tokio::test]
async fn of_the_policies_of_a_group() {
    let target = crate::simulation::group_arn(SECONDARY, "g");
    let has = |twins: &Twins| twins.inner().secondary.attached_policies(&target);
    let first = of_group(10, &[policy("p", "v1")]);
    at_every_step(&[], &first, |twins| has(twins) == ["p"]).await;
    at_every_step(&[first], &of_group(20, &[policy("q", "v1")]), |twins| has(twins) == ["q"]).await;
}
