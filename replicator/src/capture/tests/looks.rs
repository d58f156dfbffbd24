//! What a look sees, and which events need none.

use super::*;
use crate::event::{Event, What};
use crate::policy::Policies;
use crate::record::{self, Reading};
use crate::replicate;
use crate::simulation::SECONDARY;

const DEVICE_CALLS: [&str; 3] = ["thing_principals", "certificate", "attached_policies"];

/// A bench whose function has read policy `p` for another device.
async fn in_steady_state() -> Bench {
    let bench = Bench::new();
    bench.twins.primary_device("other", "o", Status::Active);
    bench.cost(&[created("other", bench.twins.now_ms())]).await;
    bench.twins.advance_ms(20_000);
    bench
}

#[tokio::test]
async fn a_new_device_costs_three_calls_when_its_creation_is_seen() {
    let bench = in_steady_state().await;
    bench.twins.primary_device("t", "c", Status::Active);
    assert_eq!(bench.cost(&[created("t", bench.twins.now_ms())]).await, DEVICE_CALLS);
    let document = bench.document(&Key::Identity("t".into())).unwrap();
    assert_eq!(seen(&document), [("c".to_owned(), Status::Active, vec!["p".to_owned()])]);
    assert_eq!(document.looked_ms, bench.twins.now_ms());
    // The calls that made it come later, one by one.
    let made = json!({"certificateId": "c"});
    let now_s = bench.twins.now_ms() / 1_000;
    bench.twins.advance_ms(5_000);
    let answers = api_call("CreateKeysAndCertificate", &json!({}), &made, now_s);
    let attached = api_call("AttachThingPrincipal", &attaching("t", "c"), &Value::Null, now_s);
    let given = api_call("AttachPolicy", &giving("p", "c"), &Value::Null, now_s);
    for event in [answers, attached, given] {
        assert_eq!(bench.cost(&[event]).await, [""; 0]);
    }
}

#[tokio::test]
async fn d49_a_new_device_costs_seven_calls_in_both_regions_and_no_wait() {
    let bench = in_steady_state().await;
    let policies = Policies::default();
    let bring = async |thing: &str, id: &str| {
        bench.twins.primary_device(thing, id, Status::Active);
        bench.twins.clear_calls();
        let record = streamed(thing, bench.twins.now_ms());
        assert_eq!(bench.run(std::slice::from_ref(&record)).await, [""; 0]);
        let settled: Vec<Value> = bench.sent().iter().map(|(later, _)| of_queue(later)).collect();
        assert_eq!(bench.run(&settled).await, [""; 0]);
        let Reading::Event(record) = record::read(&record, "") else { panic!("an event") };
        let event = Event::read(&record.row.unwrap()).unwrap();
        let document = bench.document(&Key::Identity(thing.to_owned())).unwrap();
        for event in [event, Event { what: What::Document(document), again: false }] {
            let applied = replicate::apply(bench.twins.world(), &policies, &event).await.unwrap();
            assert_eq!(applied.remarks, []);
        }
        bench.twins.region_calls()
    };
    bring("first", "f").await;
    let calls = bring("t", "c").await;
    assert_eq!(calls.len(), 7, "{calls:?}");
    assert_eq!(bench.twins.inner().slept_ms, 0);
    assert_eq!(bench.twins.inner().secondary.thing_principals("t"), [arn(SECONDARY, "c")]);
}

#[tokio::test]
async fn a_new_device_costs_three_calls_when_all_that_made_it_comes_at_once() {
    let bench = in_steady_state().await;
    bench.twins.primary_device("t", "c", Status::Active);
    let made = json!({"certificateId": "c"});
    let events = [
        api_call("CreateKeysAndCertificate", &json!({}), &made, bench.twins.now_ms() / 1_000),
        bench.call("AttachPolicy", &giving("p", "c")),
        bench.call("AttachThingPrincipal", &attaching("t", "c")),
    ];
    assert_eq!(bench.cost(&events).await, DEVICE_CALLS);
    assert_eq!(bench.cost(&events).await, [""; 0]);
    assert_eq!(bench.cost(&[created("t", bench.twins.now_ms())]).await, [""; 0]);
}

#[tokio::test]
async fn another_instance_of_the_function_knows_what_was_looked_at() {
    let bench = in_steady_state().await;
    bench.twins.primary_device("t", "c", Status::Active);
    let now_s = bench.twins.now_ms() / 1_000;
    bench.twins.advance_ms(SETTLE_S * 1_000);
    bench.cost(&[created("t", now_s * 1_000)]).await;
    let other = Bench { capture: Capture::default(), ..bench };
    let answers = api_call("CreateKeysAndCertificate", &json!({}), &json!({"certificateId": "c"}), now_s);
    let attached = api_call("AttachThingPrincipal", &attaching("t", "c"), &Value::Null, now_s);
    let given = api_call("AttachPolicy", &giving("p", "c"), &Value::Null, now_s);
    assert_eq!(other.cost(&[answers, attached, given]).await, [""; 0]);
    // What comes after the look is looked at.
    let revoked = other.call("UpdateCertificate", &json!({"certificateId": "c"}));
    assert_eq!(other.cost(&[revoked]).await, ["certificate", "attached_policies", "policy"]);
}

#[tokio::test]
async fn a_registration_by_template_costs_three_calls() {
    let bench = in_steady_state().await;
    bench.twins.primary_device("t", "c", Status::Active);
    let arns = json!({"resourceArns": {"certificate": arn(PRIMARY, "c"),
        "thing": "arn:aws:iot:us-east-1:1:thing/t"}});
    let event = api_call("RegisterThing", &json!({}), &arns, bench.twins.now_ms() / 1_000);
    assert_eq!(bench.cost(&[event]).await, DEVICE_CALLS);
}

#[tokio::test]
async fn d07_a_change_of_a_certificate_is_looked_at_even_at_once() {
    let bench = in_steady_state().await;
    // Its event says the whole second, which began before the look.
    bench.twins.advance_ms(500);
    bench.twins.primary_device("t", "c", Status::Active);
    bench.cost(&[created("t", bench.twins.now_ms())]).await;
    bench.twins.advance_ms(100);
    bench.twins.inner().primary.set_status("c", Status::Revoked).unwrap();
    let revoked = bench.call("UpdateCertificate", &json!({"certificateId": "c"}));
    assert_eq!(bench.cost(std::slice::from_ref(&revoked)).await, ["certificate", "attached_policies"]);
    let Some(Seen::Certificate(Some(seen))) =
        bench.document(&Key::Certificate("c".into())).map(|document| document.seen)
    else {
        panic!("a certificate")
    };
    assert_eq!(seen.certificate.status, Status::Revoked);
    // Once a look is certainly younger than the event, the event needs none.
    bench.twins.advance_ms(10_000);
    bench.cost(std::slice::from_ref(&revoked)).await;
    bench.twins.advance_ms(10_000);
    assert_eq!(bench.cost(&[revoked]).await, [""; 0]);
}

#[tokio::test]
async fn d07_a_detachment_a_deletion_and_a_new_version_are_seen() {
    let bench = in_steady_state().await;
    bench.twins.primary_device("t", "c", Status::Active);
    bench.cost(&[created("t", bench.twins.now_ms())]).await;
    bench.twins.advance_ms(100);
    {
        let mut inner = bench.twins.inner();
        inner.primary.detach_principal("t", &arn(PRIMARY, "c")).unwrap();
        inner.primary.set_status("c", Status::Inactive).unwrap();
        inner.primary.delete_certificate("c").unwrap();
        let document = policy_document(PRIMARY, "v2");
        inner.primary.put_policy(&Policy { name: "p".into(), document }).unwrap();
    }
    let events = [
        bench.call("DetachThingPrincipal", &attaching("t", "c")),
        bench.call("DeleteCertificate", &json!({"certificateId": "c"})),
        bench.call("CreatePolicyVersion", &json!({"policyName": "p"})),
    ];
    assert_eq!(bench.cost(&events).await, ["policy", "thing_principals", "certificate"]);
    assert_eq!(seen(&bench.document(&Key::Identity("t".into())).unwrap()), []);
    let gone = bench.document(&Key::Certificate("c".into())).unwrap();
    assert_eq!(gone.seen, Seen::Certificate(None));
    let Some(Seen::Policy(Some(changed))) = bench.document(&Key::Policy("p".into())).map(|it| it.seen) else {
        panic!("a policy")
    };
    assert_eq!(changed.document, policy_document(PRIMARY, "v2"));
}

#[tokio::test]
async fn a_policy_is_read_anew_when_it_changed_and_when_it_is_old() {
    let bench = in_steady_state().await;
    let document = policy_document(PRIMARY, "v2");
    let changed = Policy { name: "p".into(), document: document.clone() };
    bench.twins.inner().primary.put_policy(&changed).unwrap();
    bench.twins.primary_device("t", "c", Status::Active);
    let events = [
        bench.call("AttachThingPrincipal", &attaching("t", "c")),
        bench.call("CreatePolicyVersion", &json!({"policyName": "p"})),
    ];
    let calls = bench.cost(&events).await;
    assert_eq!(calls.iter().filter(|call| *call == "policy").count(), 1, "{calls:?}");
    let Seen::Identity { certificates, .. } = bench.document(&Key::Identity("t".into())).unwrap().seen else {
        panic!("of a thing")
    };
    assert_eq!(certificates[0].policies[0].document, document);
    bench.twins.advance_ms(crate::look::POLICY_MS_MAX);
    bench.twins.primary_device("u", "d", Status::Active);
    let later = bench.cost(&[created("u", bench.twins.now_ms())]).await;
    assert!(later.contains(&"policy".to_owned()), "{later:?}");
}

#[tokio::test]
async fn an_attachment_that_was_undone_and_done_again_is_looked_at() {
    let bench = in_steady_state().await;
    bench.twins.primary_device("t", "c", Status::Active);
    bench.cost(&[created("t", bench.twins.now_ms())]).await;
    bench.twins.advance_ms(500);
    // Another instance of the function saw it detached: its document is newer than what this one knows.
    let seen_by_another = Document {
        key: Key::Identity("t".into()),
        looked_ms: bench.twins.now_ms(),
        seen: Seen::Identity { certificates: Vec::new(), others: Vec::new() },
    };
    bench.twins.source().documents().put(&seen_by_another).await.unwrap();
    bench.twins.advance_ms(500);
    let attached = bench.call("AttachThingPrincipal", &attaching("t", "c"));
    assert_eq!(bench.cost(&[attached]).await, DEVICE_CALLS);
    assert_eq!(seen(&bench.document(&Key::Identity("t".into())).unwrap()).len(), 1);
}

#[tokio::test]
async fn what_is_no_certificate_is_named() {
    let bench = in_steady_state().await;
    bench.twins.primary_device("t", "c", Status::Active);
    let cognito = "us-east-1:1234-cognito".to_owned();
    bench.twins.inner().primary.principals.insert(("t".to_owned(), cognito.clone()));
    bench.cost(&[created("t", bench.twins.now_ms())]).await;
    let document = bench.document(&Key::Identity("t".into())).unwrap();
    let Seen::Identity { others, certificates } = document.seen else { panic!("of a thing") };
    assert_eq!((others, certificates.len()), (vec![cognito], 1));
    assert_eq!(certificate_id("us-east-1:1234-cognito"), None);
}

#[tokio::test]
async fn d42_the_replicators_own_things_and_certificates_stay() {
    let bench = in_steady_state().await;
    let own = format!("{EXCLUDED_PREFIX}p");
    bench.twins.primary_device("t", "c", Status::Active);
    {
        let mut inner = bench.twins.inner();
        let document = policy_document(PRIMARY, "*");
        inner.primary.create_policy(&Policy { name: own.clone(), document }).unwrap();
        inner.primary.register_certificate("pem-own", true).unwrap();
        inner.primary.attach_policy(&own, &arn(PRIMARY, "own")).unwrap();
    }
    let before = bench.documents();
    let events = [
        bench.call("UpdateCertificate", &json!({"certificateId": "own"})),
        bench.call("AttachPolicy", &giving(&own, "own")),
    ];
    bench.cost(&events).await;
    bench.cost(&[streamed(&format!("{EXCLUDED_PREFIX}thing"), 1)]).await;
    assert_eq!((bench.documents(), bench.sent().len()), (before, 0));
    // One that became its own after it was brought is taken back.
    bench.cost(&[bench.call("UpdateCertificate", &json!({"certificateId": "c"}))]).await;
    bench.twins.inner().primary.attach_policy(&own, &arn(PRIMARY, "c")).unwrap();
    bench.twins.advance_ms(100);
    bench.cost(&[bench.call("AttachPolicy", &giving(&own, "c"))]).await;
    let document = bench.document(&Key::Certificate("c".into())).unwrap();
    assert_eq!(document.seen, Seen::Certificate(None));
}

#[tokio::test]
async fn a_groups_policies_are_seen() {
    let bench = in_steady_state().await;
    let group = crate::model::Group { name: "g".into(), ..Default::default() };
    let target = crate::simulation::group_arn(PRIMARY, "g");
    {
        let mut inner = bench.twins.inner();
        inner.primary.create_group(&group).unwrap();
        inner.primary.attach_policy("p", &target).unwrap();
    }
    let attached = json!({"policyName": "p", "target": target});
    let look = ["group_incarnation", "attached_policies"];
    assert_eq!(bench.cost(&[bench.call("AttachPolicy", &attached)]).await, look);
    let seen = || match bench.document(&Key::GroupPolicies("g".into())).unwrap().seen {
        Seen::GroupPolicies { group_id, policies } => (group_id.is_some(), policies.len()),
        other => panic!("of a group: {other:?}"),
    };
    assert_eq!(seen(), (true, 1));
    // With the group they are gone, and whoever waits for it is told.
    bench.twins.inner().primary.delete_group("g").unwrap();
    bench.twins.advance_ms(10_000);
    let gone = json!({"thingGroupName": "g"});
    assert_eq!(bench.cost(&[bench.call("DeleteThingGroup", &gone)]).await, look);
    assert_eq!(seen(), (false, 0));
}
