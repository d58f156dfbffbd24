//! The broker: connections dropped, restarts, grey failure, silent rules.

use std::time::Duration;

use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{Packet, RetainHandling, SubscriptionOptions},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    lab::EAST,
    site::{ALLOW_ALL, Bare, Device, SOON, Site, hello},
};

const QOS_1: SubscriptionOptions = SubscriptionOptions {
    qos: QoS::AtLeastOnce,
    no_local: false,
    retain_as_published: false,
    retain_handling: RetainHandling::AtSubscribe,
};

async fn connected(device: &Device, client: &str) -> Bare {
    let mut client = device.bare(hello(client)).await;
    client.accepted().await;
    client
}

/// Publishes and waits for PUBACK.
async fn publish(client: &mut Bare, topic: &str) {
    let packet_id = client.packet_id();
    let message = Publish {
        dup: false,
        retain: false,
        qos: QoS::AtLeastOnce,
        topic: topic.to_owned().into(),
        packet_id: Some(packet_id),
        payload: bytes::Bytes::from_static(br#"{"k":"x"}"#),
        properties: None,
    };
    client.send(Packet::Publish(Box::new(message))).await;
    assert!(matches!(client.next().await, Some(Packet::PublishAck(_))));
}

async fn received(client: &mut Bare) -> String {
    match client.next().await {
        Some(Packet::Publish(publish)) => publish.topic.to_string(),
        other => panic!("expected PUBLISH, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_dropped_once() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let (mut one, mut two) = (connected(&device, "one").await, connected(&device, "two").await);
    let mut watcher = connected(&device, "watcher").await;
    watcher.subscribe(&[("$aws/events/presence/disconnected/+", QOS_1)]).await;
    let none = json!({"fault": "connections-drop", "region": EAST, "share": 0});
    assert_eq!(site.control("PUT /_twin/faults", &none).await.json()["hits"], 0);
    let drop = json!({"fault": "connections-drop", "region": EAST, "client": "on*"});
    let dropped = site.control("PUT /_twin/faults", &drop).await;
    assert_eq!((dropped.status, &dropped.json()["hits"]), (201, &json!(1)));
    assert_eq!(one.next().await, None);
    let Some(Packet::Publish(event)) = watcher.next().await else { panic!("no event") };
    let event: Value = serde_json::from_slice(&event.payload).unwrap();
    assert_eq!((&event["clientId"], &event["disconnectReason"]), (&json!("one"), &json!("CONNECTION_LOST")));
    two.send(Packet::PingRequest).await;
    assert_eq!(two.next().await, Some(Packet::PingResponse));
    assert_eq!(site.control("GET /_twin/faults", &Value::Null).await.json(), json!([]), "it is over");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_resets_all_and_keeps_sessions() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut hello = hello("c");
    (hello.clean_start, hello.session_expiry_interval_secs) = (false, 600);
    let mut client = device.bare(hello.clone()).await;
    client.accepted().await;
    client.subscribe(&[("t", QOS_1)]).await;
    // The limit of a client id, one connection a second, is not what is tried here.
    sleep(Duration::from_secs(1)).await;
    let id = site.set(&json!({"fault": "broker-restart", "region": EAST, "down_ms": 600_000})).await;
    assert_eq!(site.hits(id).await, 1);
    assert_eq!(client.next().await, None);
    assert!(device.dial().await.is_err(), "down");
    assert_eq!(site.clear(id).await, 2);
    let mut again = device.bare(hello).await;
    assert!(again.accepted().await.session_present);
    let down = json!({"fault": "broker-restart", "region": EAST, "down_ms": 20});
    site.set(&down).await;
    let over = async {
        while site.control("GET /_twin/faults", &Value::Null).await.json() != json!([]) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, over).await.unwrap();
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grey_broker_accepts_and_does_not_deliver() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut publisher = connected(&device, "p").await;
    let grey = json!({"fault": "broker-grey", "region": EAST, "topic": "lost/#", "rules": false});
    let id = site.set(&grey).await;
    let mut subscriber = connected(&device, "s").await;
    subscriber.subscribe(&[("lost/a", QOS_1), ("b", QOS_1)]).await;
    publish(&mut publisher, "lost/a").await;
    publish(&mut publisher, "b").await;
    assert_eq!(received(&mut subscriber).await, "b", "the first one is lost");
    assert_eq!(site.clear(id).await, 1);
    publish(&mut publisher, "lost/a").await;
    assert_eq!(received(&mut subscriber).await, "lost/a");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_silent_by_name_or_with_the_broker() {
    let site = Site::start().await;
    site.table(false).await;
    let device = site.device("d", ALLOW_ALL).await;
    let rule = |topic: &str| {
        json!({"sql": format!("SELECT topic() AS k FROM '{topic}'"), "actions": [
            {"dynamoDBv2": {"roleArn": "arn:aws:iam::1:role/r", "putItem": {"tableName": "tab"}}}]})
    };
    for name in ["one", "two"] {
        site.api("POST", &format!("/rules/{name}"), None, &rule(&format!("{name}/+"))).await;
    }
    let mut publisher = connected(&device, "p").await;
    let id = site.set(&json!({"fault": "rules-silent", "region": EAST, "rule": "one"})).await;
    publish(&mut publisher, "one/a").await;
    publish(&mut publisher, "two/a").await;
    assert_eq!((site.has(EAST, "one/a").await, site.has(EAST, "two/a").await), (false, true));
    assert_eq!(site.clear(id).await, 1);
    let id = site.set(&json!({"fault": "broker-grey", "region": EAST, "subscribers": false})).await;
    publish(&mut publisher, "two/b").await;
    assert!(!site.has(EAST, "two/b").await);
    assert_eq!(site.clear(id).await, 1);
    publish(&mut publisher, "one/c").await;
    publish(&mut publisher, "two/c").await;
    assert!(site.has(EAST, "one/c").await && site.has(EAST, "two/c").await);
    site.twin.stop().await;
}
