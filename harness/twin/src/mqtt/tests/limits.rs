//! What happens when a limit or a policy is passed.

use std::time::Duration;

use rmqtt_codec::{
    types::QoS,
    v5::{ConnectAckReason, DisconnectReasonCode, Packet, PublishAckReason, SubscribeAckReason},
};
use serde_json::json;
use tokio::time::timeout;

use super::{
    QOS_1, message, publish, received,
    site::{ALLOW_ALL, Bare, SOON, Site, hello},
};

async fn disconnected(client: &mut Bare) -> DisconnectReasonCode {
    loop {
        match client.next().await {
            Some(Packet::Disconnect(told)) => return told.reason_code,
            Some(_) => {}
            None => panic!("closed without a word"),
        }
    }
}

async fn connected(site: &Site, name: &str, statements: &str) -> Bare {
    let device = site.device(name, statements).await;
    let mut client = device.bare(hello(name)).await;
    assert_eq!(client.accepted().await.reason_code, ConnectAckReason::Success);
    client
}

/// Everything but what follows.
fn but(deny: &str) -> String {
    format!("{ALLOW_ALL},{deny}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_not_connect_is_told_so() {
    let site = Site::start().await;
    let device =
        site.device("d", r#"{"Effect":"Allow","Action":"iot:Connect","Resource":"*:client/other"}"#).await;
    let refused = device.bare(hello("d")).await.accepted().await;
    assert_eq!(refused.reason_code, ConnectAckReason::NotAuthorized);
    let (_client, mut events) = rumqttc::AsyncClient::builder(device.v4("d")).capacity(8).build();
    assert!(timeout(SOON, events.poll()).await.unwrap().is_err(), "3.1.1: return code 7");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_decide_over_publish_subscribe_and_receive() {
    let site = Site::start().await;
    let deny = r#"{"Effect":"Deny","Action":"iot:Publish","Resource":"*:topic/no/publish"},
        {"Effect":"Deny","Action":"iot:Subscribe","Resource":"*:topicfilter/no/subscribe"},
        {"Effect":"Deny","Action":"iot:Receive","Resource":"*:topic/no/receive"}"#;
    let mut client = connected(&site, "d", &but(deny)).await;
    let granted = client.subscribe(&[("no/subscribe", QOS_1), ("no/+", QOS_1), ("$SYS/#", QOS_1)]).await;
    assert_eq!(
        granted,
        [
            SubscribeAckReason::NotAuthorized,
            SubscribeAckReason::GrantedQos1,
            SubscribeAckReason::TopicFilterInvalid
        ]
    );
    publish(&mut client, "no/receive", "discarded").await;
    client.send(message("no/matter", "delivered", None)).await;
    assert_eq!(received(&mut client).await.topic, "no/matter");
    let packet_id = client.packet_id();
    client.send(message("no/publish", "x", Some(packet_id))).await;
    assert!(
        matches!(client.next().await, Some(Packet::PublishAck(a)) if a.reason_code == PublishAckReason::NotAuthorized)
    );
    client.send(message("no/publish", "x", None)).await;
    assert_eq!(disconnected(&mut client).await, DisconnectReasonCode::NotAuthorized);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_a_hundred_publishes_a_second_is_discarded() {
    let site = Site::start().await;
    let mut client = connected(&site, "d", ALLOW_ALL).await;
    for _ in 0..150 {
        let packet_id = client.packet_id();
        client.send(message("t", "x", Some(packet_id))).await;
    }
    let mut refused = 0;
    for _ in 0..150 {
        match client.next().await {
            Some(Packet::PublishAck(ack)) => {
                refused += usize::from(ack.reason_code == PublishAckReason::QuotaExceeded);
            }
            other => panic!("expected PUBACK, got {other:?}"),
        }
    }
    assert!((1..=50).contains(&refused), "{refused}");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_bounded() {
    let site = Site::start().await;
    let mut client = connected(&site, "d", ALLOW_ALL).await;
    let names: Vec<String> = (0..51).map(|n| format!("t/{n}")).collect();
    let mut results = Vec::new();
    for chunk in names.chunks(8) {
        let filters: Vec<_> = chunk.iter().map(|name| (name.as_str(), QOS_1)).collect();
        results.extend(client.subscribe(&filters).await);
    }
    assert_eq!(results.iter().filter(|r| **r == SubscribeAckReason::GrantedQos1).count(), 50);
    assert_eq!(results.last(), Some(&SubscribeAckReason::QuotaExceeded));
    let topic_filters = names[..9].iter().map(|name| (name.as_str().into(), QOS_1)).collect();
    let packet_id = client.packet_id();
    let subscribe =
        rmqtt_codec::v5::Subscribe { packet_id, id: None, user_properties: Vec::new(), topic_filters };
    client.send(Packet::Subscribe(subscribe)).await;
    assert_eq!(disconnected(&mut client).await, DisconnectReasonCode::QuotaExceeded);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_do_not_fit_end_the_connection() {
    let site = Site::start().await;
    let long = "x".repeat(130 * 1024).leak();
    let longer = "x".repeat(150 * 1024).leak();
    for (n, (topic, payload, code)) in [
        ("t", &*long, DisconnectReasonCode::PacketTooLarge),
        ("t", &*longer, DisconnectReasonCode::PacketTooLarge),
        ("a/b/c/d/e/f/g/h/i", "x", DisconnectReasonCode::TopicNameInvalid),
        ("a/+", "x", DisconnectReasonCode::TopicNameInvalid),
        ("$aws/nothing", "x", DisconnectReasonCode::TopicNameInvalid),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = connected(&site, &format!("d{n}"), ALLOW_ALL).await;
        client.send(message(topic, payload, None)).await;
        assert_eq!(disconnected(&mut client).await, code, "{n}");
    }
    let mut client = connected(&site, "qos2", ALLOW_ALL).await;
    let packet_id = client.packet_id();
    let Packet::Publish(mut publish) = message("t", "x", Some(packet_id)) else { unreachable!() };
    publish.qos = QoS::ExactlyOnce;
    client.send(Packet::Publish(publish)).await;
    assert_eq!(disconnected(&mut client).await, DisconnectReasonCode::QosNotSupported);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_certificate_disconnects_its_device() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut client = device.bare(hello("d")).await;
    client.accepted().await;
    let path = format!("/certificates/{}?newStatus=INACTIVE", device.certificate);
    site.api("PUT", &path, None, &json!({})).await;
    assert_eq!(disconnected(&mut client).await, DisconnectReasonCode::NotAuthorized);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_does_not_acknowledge_gets_a_hundred() {
    let site = Site::start().await;
    let mut slow = connected(&site, "slow", ALLOW_ALL).await;
    slow.subscribe(&[("t", QOS_1)]).await;
    let mut sender = connected(&site, "sender", ALLOW_ALL).await;
    for _ in 0..60 {
        publish(&mut sender, "t", "x").await;
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for _ in 0..60 {
        publish(&mut sender, "t", "x").await;
    }
    let got = slow.drain(Duration::from_millis(500)).await;
    assert_eq!(got.len(), 100);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_512_kilobytes_a_second_waits() {
    let site = Site::start().await;
    let mut client = connected(&site, "d", ALLOW_ALL).await;
    let payload = "x".repeat(120 * 1024).leak();
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        publish(&mut client, "t", payload).await;
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1), "1.2 MB, of which 0.5 MB at once: {took:?}");
    site.twin.stop().await;
}
