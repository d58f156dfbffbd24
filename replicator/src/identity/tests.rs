//! The four documents, one by one, in any order, and interrupted anywhere.

mod begun;
mod certificates;
mod orders;
mod policies;
mod steps;

use serde_json::json;

use super::*;
use crate::model::{Certificate, Policy, Status, Thing};
use crate::order::LifeMark;
use crate::ports::{GroupRow, Row, ThingRow};
use crate::replicate;
use crate::simulation::{PRIMARY, SECONDARY, Twins, arn, pem, policy_document};

fn policy(name: &str, marker: &str) -> Policy {
    Policy { name: name.to_owned(), document: policy_document(PRIMARY, marker) }
}

fn identity(id: &str, status: Status, policies: &[Policy]) -> Identity {
    let certificate = Certificate { pem: pem(id), status };
    Identity { id: id.to_owned(), certificate, policies: policies.to_vec() }
}

fn of_thing(looked_ms: u64, certificates: Vec<Identity>) -> Document {
    let seen = Seen::Identity { certificates, others: Vec::new() };
    Document { key: Key::Identity("t".to_owned()), looked_ms, seen }
}

fn of_certificate(looked_ms: u64, id: &str, seen: Option<Identity>) -> Document {
    Document { key: Key::Certificate(id.to_owned()), looked_ms, seen: Seen::Certificate(seen) }
}

fn of_policy(looked_ms: u64, name: &str, seen: Option<Policy>) -> Document {
    Document { key: Key::Policy(name.to_owned()), looked_ms, seen: Seen::Policy(seen) }
}

fn of_group(looked_ms: u64, policies: &[Policy]) -> Document {
    let key = Key::GroupPolicies("g".to_owned());
    Document { key, looked_ms, seen: Seen::GroupPolicies { group_id: None, policies: policies.to_vec() } }
}

/// An active certificate with policy `p`, which says `v1`.
fn device(id: &str) -> Identity {
    identity(id, Status::Active, &[policy("p", "v1")])
}

fn make_thing(twins: &Twins, id: &str) {
    let thing = Thing { name: "t".to_owned(), ..Thing::default() };
    twins.inner().secondary.create_thing(&thing).unwrap();
    let mark = LifeMark { id: id.to_owned(), version: 1, timestamp_ms: 1, deleted: false };
    twins.put_row(&tables::thing_key("t"), Row::Thing(ThingRow { mark: Some(mark), ..ThingRow::default() }));
}

/// The secondary has thing `t`, made by the handler of things.
fn with_thing() -> Twins {
    let twins = Twins::new();
    make_thing(&twins, "thing-1");
    twins
}

/// And policy `p`, which says `v1`.
fn with_policy() -> Twins {
    let twins = with_thing();
    let policy = Policy { name: "p".to_owned(), document: policy_document(SECONDARY, "v1") };
    twins.inner().secondary.create_policy(&policy).unwrap();
    twins
}

async fn apply_one(twins: &Twins, document: &Document, again: bool) -> Outcome<Applied> {
    let policies = Policies::default();
    let event = crate::event::Event { what: crate::event::What::Document(document.clone()), again };
    replicate::apply(twins.world(), &policies, &event).await
}

/// Applies documents and expects nothing to be left undone.
async fn all(twins: &Twins, documents: &[Document]) {
    for document in documents {
        let applied = apply_one(twins, document, false).await.unwrap();
        assert_eq!(applied.remarks, [], "{document:?}");
    }
}

/// The calls of the Region that a document costs.
async fn cost(twins: &Twins, document: &Document) -> Vec<String> {
    twins.clear_calls();
    all(twins, std::slice::from_ref(document)).await;
    twins.region_calls().iter().map(|call| call.trim_start_matches("secondary.").to_owned()).collect()
}

fn status(twins: &Twins, id: &str) -> Option<Status> {
    twins.inner().secondary.certificates.get(id).map(|there| there.status)
}

fn principals(twins: &Twins) -> Vec<String> {
    let principals = twins.inner().secondary.thing_principals("t");
    principals.iter().map(|arn| certificate_id(arn).unwrap().to_owned()).collect()
}

fn attached(twins: &Twins, id: &str) -> Vec<String> {
    twins.inner().secondary.attached_policies(&arn(SECONDARY, id))
}

fn says(twins: &Twins, name: &str) -> Option<String> {
    twins.inner().secondary.policy(name).map(|policy| policy.document)
}

#[tokio::test]
async fn a_new_device_costs_three_calls_and_the_same_look_again_none() {
    let twins = with_policy();
    let first = of_thing(10, vec![device("c")]);
    assert_eq!(cost(&twins, &first).await, ["register_certificate", "attach_policy", "attach_principal"]);
    assert_eq!((principals(&twins), attached(&twins, "c")), (vec!["c".to_owned()], vec!["p".to_owned()]));
    assert_eq!(status(&twins, "c"), Some(Status::Active));
    assert_eq!(cost(&twins, &first).await, [""; 0]);
    assert_eq!(cost(&twins, &of_thing(20, vec![device("c")])).await, [""; 0]);
    assert_eq!(cost(&twins, &of_certificate(30, "c", Some(device("c")))).await, [""; 0]);
}

#[tokio::test]
async fn d35_what_is_not_in_the_secondary_comes_without_the_primary() {
    let twins = with_thing();
    let new_policy = cost(&twins, &of_thing(10, vec![device("c")])).await;
    let expected =
        ["register_certificate", "attach_policy", "create_policy", "attach_policy", "attach_principal"];
    assert_eq!(new_policy, expected);
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v1")));
    assert!(twins.calls().iter().all(|call| !call.starts_with("primary.")));
}

#[tokio::test]
async fn d14_one_bad_certificate_does_not_keep_the_others_from_coming() {
    let twins = with_policy();
    let broken = Policy { name: "broken".to_owned(), document: "<no json>".to_owned() };
    let bad = identity("a", Status::Active, &[broken]);
    let bare = identity("b", Status::Active, &[]);
    let mut document = of_thing(10, vec![bad, bare, device("c")]);
    if let Seen::Identity { others, .. } = &mut document.seen {
        others.push("us-east-1:1234-cognito".to_owned());
    }
    let applied = apply_one(&twins, &document, false).await.unwrap();
    assert_eq!(principals(&twins), ["a", "b", "c"]);
    assert_eq!(attached(&twins, "c"), ["p"]);
    let why: Vec<&str> = applied.remarks.iter().map(|remark| remark.why.as_str()).collect();
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(why.iter().any(|why| why.contains("cognito")), "{why:?}");
}

#[tokio::test]
async fn d14_a_certificate_that_is_refused_is_said_and_the_others_come() {
    let twins = with_policy();
    twins.fail_next("secondary.register_certificate", Class::Permanent, 1);
    let document = of_thing(10, vec![device("a"), device("c")]);
    let applied = apply_one(&twins, &document, false).await.unwrap();
    assert_eq!((applied.remarks.len(), principals(&twins)), (1, vec!["c".to_owned()]));
    let applied = apply_one(&twins, &document, true).await.unwrap();
    assert_eq!((applied.remarks.len(), principals(&twins).len()), (0, 2));
}

#[tokio::test]
async fn d14_a_certificate_that_is_throttled_holds_up_nobody_but_is_tried_again() {
    let twins = with_policy();
    twins.fail_next("secondary.register_certificate", Class::Transient, 1);
    let document = of_thing(10, vec![device("a"), device("c")]);
    let failure = apply_one(&twins, &document, false).await.unwrap_err();
    assert!(failure.is_transient());
    assert_eq!(principals(&twins), ["c"]);
    all(&twins, std::slice::from_ref(&document)).await;
    assert_eq!(principals(&twins), ["a", "c"]);
    assert_eq!(cost(&twins, &document).await, [""; 0]);
}

#[tokio::test]
async fn d07_a_rotated_certificate_comes_and_the_old_one_goes_from_the_thing() {
    let twins = with_policy();
    all(&twins, &[of_thing(10, vec![device("old")])]).await;
    let rotated = cost(&twins, &of_thing(20, vec![device("new")])).await;
    assert_eq!(rotated, ["register_certificate", "attach_policy", "detach_principal", "attach_principal"]);
    assert_eq!(principals(&twins), ["new"]);
    assert_eq!(status(&twins, "old"), Some(Status::Active), "d11: it is deleted when the primary deletes it");
}

#[tokio::test]
async fn a_thing_that_comes_later_finds_what_it_is_to_have() {
    let twins = Twins::new();
    all(&twins, &[of_thing(10, vec![device("c")])]).await;
    let Some(Row::Identity(row)) = twins.row(&tables::identity_key("t")) else { panic!("a row") };
    assert_eq!(row.principals.into_iter().collect::<Vec<_>>(), [arn(SECONDARY, "c")]);
    assert!(!row.pending);
}

#[tokio::test]
async fn what_the_thing_is_to_have_is_known_before_it_is_attached() {
    let twins = with_policy();
    all(&twins, &[of_thing(10, vec![device("c")])]).await;
    let calls = twins.calls();
    let at = |name: &str| calls.iter().position(|call| call == name).unwrap();
    let puts =
        calls.iter().take(at("secondary.attach_principal")).filter(|call| *call == "state.put").count();
    assert_eq!(puts, 2, "of the certificate and of the thing: {calls:?}");
}

#[tokio::test]
async fn a_thing_made_again_gets_its_certificate_again() {
    let twins = with_policy();
    all(&twins, &[of_thing(10, vec![device("c")])]).await;
    {
        let mut inner = twins.inner();
        inner.secondary.detach_principal("t", &arn(SECONDARY, "c")).unwrap();
        inner.secondary.delete_thing("t").unwrap();
    }
    make_thing(&twins, "thing-2");
    assert_eq!(cost(&twins, &of_thing(20, vec![device("c")])).await, ["attach_principal"]);
    assert_eq!(principals(&twins), ["c"]);
}

#[tokio::test]
async fn a_certificate_registered_again_is_attached_again_whichever_document_comes_first() {
    for own_first in [true, false] {
        let twins = with_policy();
        all(&twins, &[of_thing(10, vec![device("c")]), of_certificate(20, "c", None)]).await;
        assert_eq!((principals(&twins), status(&twins, "c")), (Vec::new(), None));
        let (own, things) = (of_certificate(30, "c", Some(device("c"))), of_thing(31, vec![device("c")]));
        all(&twins, &if own_first { [own, things] } else { [things, own] }).await;
        assert_eq!(principals(&twins), ["c"], "{own_first}");
        assert_eq!(attached(&twins, "c"), ["p"]);
    }
}

#[tokio::test]
async fn who_mends_brings_back_what_went_away_and_removes_what_is_not_the_primarys() {
    let twins = with_policy();
    let document = of_thing(10, vec![device("c")]);
    all(&twins, std::slice::from_ref(&document)).await;
    {
        let mut inner = twins.inner();
        inner.secondary.register_certificate(&pem("stranger"), true).unwrap();
        inner.secondary.attach_principal("t", &arn(SECONDARY, "stranger")).unwrap();
        inner.secondary.detach_policy("p", &arn(SECONDARY, "c")).unwrap();
        inner.secondary.detach_principal("t", &arn(SECONDARY, "c")).unwrap();
        inner.secondary.set_status("c", Status::Inactive).unwrap();
    }
    apply_one(&twins, &document, true).await.unwrap();
    assert_eq!((principals(&twins), attached(&twins, "c")), (vec!["c".to_owned()], vec!["p".to_owned()]));
    assert_eq!(status(&twins, "c"), Some(Status::Active));
}

#[tokio::test]
async fn a_certificate_that_went_away_unnoticed_is_registered_again_when_a_thing_gets_it() {
    let twins = with_policy();
    all(&twins, &[of_certificate(10, "c", Some(device("c")))]).await;
    twins.inner().secondary.set_status("c", Status::Inactive).unwrap();
    twins.inner().secondary.delete_certificate("c").unwrap();
    all(&twins, &[of_thing(20, vec![device("c")])]).await;
    assert_eq!((principals(&twins), attached(&twins, "c")), (vec!["c".to_owned()], vec!["p".to_owned()]));
}

#[test]
fn rows_of_earlier_versions_can_be_read() {
    let row: Row = serde_json::from_value(json!({"Identity": {"looked_ms": 1, "principals": []}})).unwrap();
    assert!(matches!(row, Row::Identity(row) if !row.pending));
}
