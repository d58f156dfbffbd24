//! What is not to be seen yet, what fails, and what is delivered again.

use super::*;

#[tokio::test]
async fn d19_a_thing_without_principals_is_looked_at_again_and_not_for_ever() {
    let bench = Bench::new();
    let thing = crate::model::Thing { name: "t".into(), ..Default::default() };
    bench.twins.inner().primary.create_thing(&thing).unwrap();
    assert_eq!(bench.cost(&[created("t", bench.twins.now_ms())]).await, ["thing_principals"]);
    let mut delays_s = Vec::new();
    loop {
        let sent = bench.sent();
        let [(later, delay_s)] = sent.as_slice() else { break };
        delays_s.push(*delay_s);
        bench.twins.advance_ms(delay_s * 1_000);
        let message = of_queue(later);
        assert_eq!(bench.cost(&[message]).await, ["thing_principals"]);
    }
    assert_eq!(delays_s, AGAIN_S);
    assert_eq!(bench.documents(), 0, "there was nothing to say");
}

#[tokio::test]
async fn d19_the_principal_that_comes_in_the_meantime_is_found() {
    let bench = Bench::new();
    let thing = crate::model::Thing { name: "t".into(), ..Default::default() };
    bench.twins.inner().primary.create_thing(&thing).unwrap();
    bench.cost(&[created("t", bench.twins.now_ms())]).await;
    bench.twins.primary_device("t", "c", Status::Active);
    let (later, delay_s) = bench.sent().remove(0);
    bench.twins.advance_ms(delay_s * 1_000);
    let message = of_queue(&later);
    bench.cost(std::slice::from_ref(&message)).await;
    assert_eq!(seen(&bench.document(&Key::Identity("t".into())).unwrap()).len(), 1);
    assert_eq!(bench.sent(), []);
    // Delivered twice it costs nothing.
    assert_eq!(bench.cost(&[message]).await, [""; 0]);
}

#[tokio::test]
async fn an_attachment_that_is_not_listed_yet_is_looked_at_again() {
    let bench = Bench::new();
    bench.twins.primary_device("t", "old", Status::Active);
    bench.cost(&[bench.call("AttachThingPrincipal", &attaching("t", "new"))]).await;
    let (later, delay_s) = bench.sent().remove(0);
    assert_eq!((later.shows, delay_s), (Shows::Entry("new".into()), AGAIN_S[0]));
    assert_eq!(seen(&bench.document(&Key::Identity("t".into())).unwrap()).len(), 1);
}

#[tokio::test]
async fn each_change_that_is_not_to_be_seen_is_looked_for_until_its_own_tries_are_over() {
    let bench = Bench::new();
    bench.twins.primary_device("t", "old", Status::Active);
    let (look, since_ms) = (Key::Identity("t".into()), bench.twins.now_ms());
    let shows = Shows::Entry("long".into());
    let last = Later { look, since_ms, shows, tries: AGAIN_S.len(), failures: 0 };
    let fresh = ["one", "two"].map(|id| bench.call("AttachThingPrincipal", &attaching("t", id)));
    bench.cost(&[vec![of_queue(&last)], fresh.to_vec()].concat()).await;
    let sent: Vec<_> = bench.sent().into_iter().map(|(later, s)| (later.shows, later.tries, s)).collect();
    let again = |id: &str| (Shows::Entry(id.into()), 1, AGAIN_S[0]);
    assert_eq!(sent, [again("one"), again("two")], "the old one is given up, and takes nothing with it");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_delivered_again_and_no_other() {
    let bench = Bench::new();
    bench.twins.primary_device("t", "c", Status::Active);
    let good = bench.call("AttachThingPrincipal", &attaching("t", "c"));
    let broken = json!({"messageId": "broken", "eventSource": "aws:sqs", "body": "{"});
    let strange = queued("strange", &json!({"hello": 1}));
    assert_eq!(bench.run(&[broken, good, strange]).await, ["broken", "strange"]);
    assert!(bench.document(&Key::Identity("t".into())).is_some());
}

#[tokio::test]
async fn what_could_not_be_looked_at_is_asked_for_again_and_no_other() {
    for call in ["primary.certificate", "primary.policy", "documents.put", "documents.looked_ms"] {
        for is_lost in [false, true] {
            let bench = Bench::new();
            bench.twins.primary_device("t", "c", Status::Active);
            if is_lost {
                bench.twins.lose_next(call, 1);
            } else {
                bench.twins.fail_next(call, Class::Transient, 1);
            }
            let events = [
                bench.call("AttachThingPrincipal", &attaching("t", "c")),
                bench.call("AttachPolicy", &json!({"policyName": "p", "target": "us-east-1:cognito"})),
            ];
            assert_eq!(bench.run(&events).await, [""; 0], "{call}");
            bench.twins.advance_ms(RETRY_S * 1_000);
            let again = asked_again(&bench);
            assert!(!again.is_empty(), "{call}");
            assert_eq!(bench.run(&again).await, [""; 0], "{call}");
            assert_eq!(seen(&bench.document(&Key::Identity("t".into())).unwrap()).len(), 1);
        }
    }
}

/// The function ends at any call, with all that it remembers. What told it to look comes again, from the
/// queue of its own too.
#[tokio::test]
async fn whatever_fails_the_looks_are_made() {
    at_every_end(
        async || {
            let bench = Bench::new();
            let group = crate::model::Group { name: "g".into(), ..Default::default() };
            bench.twins.primary_device("t", "c", Status::Active);
            let mut inner = bench.twins.inner();
            inner.primary.create_group(&group).unwrap();
            inner.primary.attach_policy("p", &crate::simulation::group_arn(PRIMARY, "g")).unwrap();
            drop(inner);
            bench
        },
        async |bench| {
            let target = crate::simulation::group_arn(PRIMARY, "g");
            let mut records = vec![
                bench.call("AttachThingPrincipal", &attaching("t", "c")),
                bench.call("UpdateCertificate", &json!({"certificateId": "c"})),
                bench.call("CreatePolicyVersion", &json!({"policyName": "p"})),
                bench.call("AttachPolicy", &json!({"policyName": "p", "target": target})),
            ];
            // Whoever ended may have asked itself to look again.
            records.extend(asked_again(bench));
            let (capture, event) = (Capture::default(), json!({ "Records": records }));
            let response = capture.batch(bench.twins.source(), &bench.queue, &event, NEVER_MS).await;
            response.failures.is_empty()
        },
        |bench, story| {
            let document = |key: Key| bench.document(&key).map(|document| document.seen);
            let Some(Seen::Identity { certificates, .. }) = document(Key::Identity("t".into())) else {
                panic!("{story}")
            };
            assert_eq!(certificates[0].policies.len(), 1, "{story}");
            let certificate = document(Key::Certificate("c".into()));
            assert!(matches!(certificate, Some(Seen::Certificate(Some(_)))), "{story}");
            let policy = document(Key::Policy("p".into()));
            assert!(matches!(policy, Some(Seen::Policy(Some(_)))), "{story}");
            let group = document(Key::GroupPolicies("g".into()));
            assert!(
                matches!(group, Some(Seen::GroupPolicies { policies, .. }) if policies.len() == 1),
                "{story}"
            );
        },
    )
    .await;
}

/// The messages that capture sent to itself.
fn asked_again(bench: &Bench) -> Vec<Value> {
    bench.sent().iter().map(|(later, _)| of_queue(later)).collect()
}

#[tokio::test]
async fn failure_after_failure_the_wait_grows_and_in_the_end_the_queue_takes_over() {
    let bench = Bench::new();
    bench.twins.primary_device("t", "c", Status::Active);
    bench.twins.fail_next("primary.thing_principals", Class::Transient, u32::MAX);
    let mut messages = vec![bench.call("AttachThingPrincipal", &attaching("t", "c"))];
    let mut delays_s = Vec::new();
    while bench.run(&messages).await.is_empty() {
        let sent = bench.sent();
        delays_s.extend(sent.iter().map(|(_, delay_s)| *delay_s).max());
        messages = sent.iter().map(|(later, _)| of_queue(later)).collect();
        assert!(delays_s.len() <= FAILURES_MAX as usize, "it ends");
    }
    assert_eq!(delays_s[..6], [2, 4, 8, 16, 32, 60]);
    assert_eq!(delays_s.len(), FAILURES_MAX as usize);
}

#[tokio::test]
async fn a_record_of_the_stream_goes_to_the_queue_until_all_calls_that_make_a_device_were_made() {
    let mut bench = Bench::new();
    bench.twins.primary_device("t", "c", Status::Active);
    let record = streamed("t", bench.twins.now_ms());
    assert_eq!(bench.cost(std::slice::from_ref(&record)).await, [""; 0]);
    let (later, delay_s) = bench.sent().remove(0);
    assert_eq!((delay_s, of_queue(&later)), (SETTLE_S, created("t", bench.twins.now_ms())));
    // Without the queue the record itself comes again.
    bench.queue.fails = true;
    assert_eq!(bench.run(&[record]).await, ["1"]);
}

#[tokio::test]
async fn two_looks_in_one_millisecond_do_not_hide_a_change() {
    let bench = Bench::new();
    bench.twins.primary_device("t", "c", Status::Active);
    bench.cost(&[created("t", bench.twins.now_ms())]).await;
    bench.twins.inner().primary.detach_principal("t", &arn(PRIMARY, "c")).unwrap();
    let detached = bench.call("DetachThingPrincipal", &attaching("t", "c"));
    assert_eq!(bench.run(&[detached]).await, [""; 0]);
    bench.twins.advance_ms(1);
    let again = asked_again(&bench);
    assert_eq!(again.len(), 1);
    assert_eq!(bench.run(&again).await, [""; 0]);
    assert_eq!(seen(&bench.document(&Key::Identity("t".into())).unwrap()), []);
}

#[tokio::test]
async fn what_no_time_is_left_for_is_asked_for_again() {
    let bench = Bench::new();
    let event = json!({"Records": [bench.call("AttachThingPrincipal", &attaching("t", "c"))]});
    let soon_ms = bench.twins.now_ms() + DEADLINE_MARGIN_MS - 1;
    let response = bench.capture.batch(bench.twins.source(), &bench.queue, &event, soon_ms).await;
    assert_eq!(response.failures, []);
    assert!(!asked_again(&bench).is_empty());
    assert_eq!(bench.twins.region_calls(), [""; 0]);
}

#[tokio::test]
async fn rows_that_say_nothing_of_a_new_thing_are_no_reason_to_look() {
    let bench = Bench::new();
    let row = |key: &str, value: &str| {
        let mut row = json!({"device": "t", "event": "thing#e", "origin": PRIMARY, "eventType": "THING_EVENT",
            "operation": "CREATED", "thingName": "t", "thingId": "i", "versionNumber": 1, "timestamp": 1});
        row[key] = json!(value);
        of_stream(&row)
    };
    let rows = [row("operation", "UPDATED"), row("origin", "us-west-2"), row("eventType", "DOCUMENT")];
    assert_eq!(bench.cost(&rows).await, [""; 0]);
    assert_eq!(bench.sent(), []);
}
