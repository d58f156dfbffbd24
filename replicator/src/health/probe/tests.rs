//! The probe against a small broker over mutual TLS, healthy and in every way unhealthy.

mod broker;

use super::*;
use broker::{Broker as TestBroker, Mood};

/// Probes a broker of that mood and says what the broker saw last.
async fn probe(mood: Mood, alter: impl FnOnce(&mut Settings)) -> (Result<u64, Unhealthy>, Option<u8>) {
    let broker = TestBroker::start(mood).await;
    let mut settings = broker.settings();
    alter(&mut settings);
    let result = Probe::new(&settings).unwrap().run().await;
    (result, broker.last_packet().await)
}

#[tokio::test]
async fn a_region_is_healthy_when_every_message_is_back() {
    let (result, last) = probe(Mood::Well, |_| {}).await;
    assert!(result.unwrap() < BUDGET_MS);
    assert_eq!(last, Some(broker::DISCONNECT), "it says goodbye");
}

#[tokio::test]
async fn d39_a_broker_that_swallows_messages_is_unhealthy_in_time_and_every_time() {
    let broker = TestBroker::start(Mood::Swallows).await;
    let probe = Probe::new(&broker.settings()).unwrap();
    for _warm in 0..2 {
        let started = Instant::now();
        let why = probe.run().await.unwrap_err();
        assert!(started.elapsed() < Duration::from_millis(BUDGET_MS + 100));
        assert!(matches!(why, Unhealthy::Late { missing: 2, .. }), "{why}");
        assert_eq!(broker.last_packet().await, Some(broker::DISCONNECT), "it says goodbye");
    }
}

#[tokio::test]
async fn d39_a_broker_that_does_not_answer_is_unhealthy_in_time() {
    let broker = TestBroker::start(Mood::Dark).await;
    let probe = Probe::new(&broker.settings()).unwrap();
    let started = Instant::now();
    let why = probe.run().await.unwrap_err();
    assert!(started.elapsed() < Duration::from_millis(BUDGET_MS + 100));
    assert!(matches!(why, Unhealthy::Late { stage: "connecting", .. }), "{why}");
}

#[tokio::test]
async fn d38_a_warm_function_that_was_healthy_sees_that_messages_are_swallowed() {
    let broker = TestBroker::start(Mood::Well).await;
    let probe = Probe::new(&broker.settings()).unwrap();
    probe.run().await.unwrap();
    broker.becomes(Mood::Swallows);
    for _ in 0..2 {
        let why = probe.run().await.unwrap_err();
        assert!(matches!(why, Unhealthy::Late { missing: 2, .. }), "{why}");
    }
    broker.becomes(Mood::Well);
    probe.run().await.unwrap();
}

#[tokio::test]
async fn d40_a_probe_that_fails_leaves_neither_a_connection_nor_a_session() {
    for mood in [Mood::Swallows, Mood::Refuses] {
        let broker = TestBroker::start(mood).await;
        Probe::new(&broker.settings()).unwrap().run().await.unwrap_err();
        assert_eq!(broker.last_packet().await, Some(broker::DISCONNECT), "{mood:?}");
        assert_eq!(broker.sessions(), 0, "{mood:?}");
    }
}

#[tokio::test]
async fn a_refused_subscription_is_unhealthy() {
    let (result, _) = probe(Mood::Refuses, |_| {}).await;
    assert!(matches!(result, Err(Unhealthy::Subscription)), "{result:?}");
}

#[tokio::test]
async fn an_endpoint_with_another_name_is_unhealthy() {
    let (result, _) = probe(Mood::Well, |settings| settings.endpoint = "other.example".into()).await;
    assert!(matches!(result, Err(Unhealthy::Connection { stage: "connecting", .. })), "{result:?}");
}

#[tokio::test]
async fn the_answer_is_what_route_53_reads() {
    let broker = TestBroker::start(Mood::Well).await;
    let probe = Probe::new(&broker.settings()).unwrap();
    let request = json!({"rawPath": "/r53/health-check", "rawQueryString": "hashme=secret"});
    let answer = super::super::answer(&probe, "secret", &request).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["body"], "{\"mqtt_status\":\"healthy\"}");
    let answer = super::super::answer(&probe, "another", &request).await;
    assert_eq!(answer["statusCode"], 503);
    assert_eq!(answer["body"], "{\"message\":\"internal server error\"}");
}

#[test]
fn what_is_no_pem_is_refused_by_name() {
    let settings = Settings::from_environment(|name| match name {
        "ENDPOINT" => Some("localhost".into()),
        "CA" | "CERT" | "KEY" | "QUERY_STRING" => Some("nothing".into()),
        _ => None,
    })
    .unwrap();
    assert!(matches!(Probe::new(&settings), Err(BadIdentity::Pem("KEY"))));
}

#[test]
fn no_two_runs_share_a_topic_or_a_message() {
    let (first, second) = (Trip::new(&random_hex(), 2), Trip::new(&random_hex(), 2));
    assert_ne!(first.topic, second.topic);
    assert!(first.messages.is_disjoint(&second.messages));
    assert_eq!(first.messages.len(), 2);
}
