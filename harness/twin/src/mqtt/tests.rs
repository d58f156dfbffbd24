//! The broker from outside: a twin, devices registered through the API, real clients.

mod limits;
mod rules;
pub(crate) mod site;

use std::time::Duration;

use bytes::Bytes;
use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{
        ConnectAckReason, Disconnect, DisconnectReasonCode, LastWill, Packet, PublishAck, PublishProperties,
        SubscribeAckReason, SubscriptionOptions,
    },
};
use serde_json::{Value, json};
use site::{ALLOW_ALL, Bare, SOON, Site, hello};
use tokio::time::{sleep, timeout};

const QOS_1: SubscriptionOptions = SubscriptionOptions {
    qos: QoS::AtLeastOnce,
    no_local: false,
    retain_as_published: false,
    retain_handling: rmqtt_codec::v5::RetainHandling::AtSubscribe,
};

fn message(topic: &str, payload: &'static str, packet_id: Option<std::num::NonZeroU16>) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos: if packet_id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        topic: topic.into(),
        packet_id,
        payload: Bytes::from_static(payload.as_bytes()),
        properties: None,
    }))
}

async fn publish(client: &mut Bare, topic: &str, payload: &'static str) {
    let packet_id = client.packet_id();
    client.send(message(topic, payload, Some(packet_id))).await;
    match client.next().await {
        Some(Packet::PublishAck(ack)) => {
            assert_eq!(ack.reason_code, rmqtt_codec::v5::PublishAckReason::Success);
        }
        other => panic!("expected PUBACK, got {other:?}"),
    }
}

async fn received(client: &mut Bare) -> Publish {
    match client.next().await {
        Some(Packet::Publish(publish)) => {
            if let Some(packet_id) = publish.packet_id {
                client.send(Packet::PublishAck(PublishAck { packet_id, ..PublishAck::default() })).await;
            }
            *publish
        }
        other => panic!("expected PUBLISH, got {other:?}"),
    }
}

/// A will on the topic `will`.
fn will(will_delay_interval_sec: Option<u32>) -> LastWill {
    LastWill {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "will".into(),
        message: Bytes::from_static(b"gone"),
        will_delay_interval_sec,
        correlation_data: None,
        message_expiry_interval: None,
        content_type: None,
        user_properties: Vec::new(),
        is_utf8_payload: None,
        response_topic: None,
    }
}

async fn event(client: &mut Bare) -> Value {
    serde_json::from_slice(&received(client).await.payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rumqttc_of_both_versions_talk_to_each_other() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let (v4, mut v4_events) = rumqttc::AsyncClient::builder(device.v4("old")).capacity(8).build();
    let (v5, mut v5_events) = rumqttc_v5::AsyncClient::builder(device.v5("new")).capacity(8).build();
    v4.subscribe("to/old", rumqttc::QoS::AtLeastOnce).await.unwrap();
    v5.subscribe("to/new", rumqttc_v5::QoS::AtLeastOnce).await.unwrap();
    // Each polls for itself: a poll that is dropped while it connects would connect a second time.
    let (got, mut all_got) = tokio::sync::mpsc::unbounded_channel();
    let old = async {
        loop {
            match v4_events.poll().await.unwrap() {
                rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_)) => {
                    let options = rumqttc_v5::PublishOptions::new(rumqttc_v5::QoS::AtLeastOnce);
                    v5.publish("to/old", "hello", options).await.unwrap();
                }
                rumqttc::Event::Incoming(rumqttc::Packet::Publish(p)) => got.send(p.payload).unwrap(),
                _ => {}
            }
        }
    };
    let new = async {
        loop {
            match v5_events.poll().await.unwrap() {
                rumqttc_v5::Event::Incoming(rumqttc_v5::Incoming::SubAck(_)) => {
                    let options = rumqttc::PublishOptions::new(rumqttc::QoS::AtLeastOnce);
                    v4.publish("to/new", "hello", options).await.unwrap();
                }
                rumqttc_v5::Event::Incoming(rumqttc_v5::Incoming::Publish(p)) => got.send(p.payload).unwrap(),
                _ => {}
            }
        }
    };
    let both = async { (all_got.recv().await, all_got.recv().await) };
    let both = timeout(SOON, async {
        tokio::select! {
            () = old => None,
            () = new => None,
            both = both => Some(both),
        }
    });
    let hello = Some(Bytes::from_static(b"hello"));
    assert_eq!(both.await.unwrap(), Some((hello.clone(), hello)));
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connack_tells_the_limits_of_aws() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut connect = hello("");
    connect.keep_alive = 5;
    connect.session_expiry_interval_secs = u32::MAX;
    let ack = device.bare(connect).await.accepted().await;
    assert_eq!(ack.reason_code, ConnectAckReason::Success);
    assert_eq!((ack.receive_max.get(), ack.max_qos, ack.topic_alias_max), (100, QoS::AtLeastOnce, 8));
    assert_eq!(ack.max_packet_size, Some(149_504));
    assert_eq!(ack.server_keepalive_sec, Some(30));
    assert_eq!(ack.session_expiry_interval_secs, Some(7 * 86_400));
    assert!(ack.assigned_client_id.unwrap().starts_with("$GEN/"));
    assert!(ack.shared_subscription_available && ack.retain_available);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_5_properties_aliases_and_no_local_work() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut client = device.bare(hello("c")).await;
    client.accepted().await;
    client.subscribe(&[("echo", QOS_1), ("other", SubscriptionOptions { no_local: true, ..QOS_1 })]).await;
    let given = PublishProperties {
        topic_alias: std::num::NonZeroU16::new(3),
        correlation_data: Some(Bytes::from_static(b"c")),
        message_expiry_interval: std::num::NonZeroU32::new(60),
        content_type: Some("text/plain".into()),
        user_properties: vec![("k".into(), "v".into())],
        is_utf8_payload: true,
        response_topic: Some("answer".into()),
        subscription_ids: Vec::new(),
    };
    for topic in ["other", "echo", ""] {
        let Packet::Publish(mut publish) = message(topic, "x", None) else { unreachable!() };
        publish.properties = Some(given.clone());
        client.send(Packet::Publish(publish)).await;
    }
    for _ in 0..2 {
        let got = received(&mut client).await;
        assert_eq!(got.topic, "echo", "no-local spared it its own, and the alias stands for the last topic");
        let got = got.properties.unwrap();
        assert!(got.message_expiry_interval.unwrap().get() <= 60);
        assert_eq!(got.topic_alias, None);
        assert_eq!(
            PublishProperties {
                topic_alias: given.topic_alias,
                message_expiry_interval: given.message_expiry_interval,
                ..got
            },
            given
        );
    }
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_keeps_its_messages_while_its_client_is_away() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut connect = hello("away");
    connect.clean_start = false;
    connect.session_expiry_interval_secs = 600;
    let mut away = device.bare(connect.clone()).await;
    assert!(!away.accepted().await.session_present);
    away.subscribe(&[("t", QOS_1)]).await;
    let mut sender = device.bare(hello("sender")).await;
    sender.accepted().await;
    publish(&mut sender, "t", "unacknowledged").await;
    assert!(matches!(away.next().await, Some(Packet::Publish(p)) if !p.dup));
    drop(away);
    sleep(Duration::from_millis(1_100)).await;
    for _ in 0..15 {
        publish(&mut sender, "t", "stored").await;
    }
    let mut back = device.bare(connect).await;
    assert!(back.accepted().await.session_present);
    let again = received(&mut back).await;
    assert!(again.dup && again.payload == "unacknowledged");
    let began = tokio::time::Instant::now();
    for _ in 0..15 {
        assert_eq!(received(&mut back).await.payload, "stored");
    }
    assert!(began.elapsed() >= Duration::from_millis(400), "ten a second: the last five take half a second");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rumqttc_resumes_a_session_of_mqtt_3() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut options = device.v4("c");
    options.set_clean_session(false);
    let (client, mut events) = rumqttc::AsyncClient::builder(options).capacity(8).build();
    client.subscribe("t", rumqttc::QoS::AtLeastOnce).await.unwrap();
    let mut sender = device.bare(hello("sender")).await;
    sender.accepted().await;
    let story = async {
        let mut sessions = Vec::new();
        loop {
            match events.poll().await {
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(ack))) => {
                    sessions.push(ack.session_present);
                }
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_))) => {
                    sleep(Duration::from_millis(1_100)).await;
                    // Another connection takes the client id, and leaves without ending the session.
                    let mut other = hello("c");
                    other.clean_start = false;
                    other.session_expiry_interval_secs = 600;
                    assert!(device.bare(other).await.accepted().await.session_present);
                    publish(&mut sender, "t", "while away").await;
                    sleep(Duration::from_millis(1_100)).await;
                }
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::Publish(p))) => {
                    assert_eq!(&p.payload[..], b"while away");
                    return sessions;
                }
                Ok(_) => {}
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        }
    };
    let sessions = timeout(Duration::from_secs(20), story).await.unwrap();
    assert_eq!(sessions, [false, true]);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lifecycle_events_and_wills_tell_how_a_client_went() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut watcher = device.bare(hello("watcher")).await;
    watcher.accepted().await;
    let filters = ["$aws/events/presence/+/c", "$aws/events/subscriptions/+/c", "will"].map(|f| (f, QOS_1));
    watcher.subscribe(&filters).await;
    let mut connect = hello("c");
    connect.last_will = Some(will(None));
    let mut client = device.bare(connect.clone()).await;
    client.accepted().await;
    let connected = event(&mut watcher).await;
    assert_eq!(connected["eventType"], "connected");
    assert_eq!(connected["principalIdentifier"], json!(device.certificate));
    assert_eq!((&connected["versionNumber"], &connected["ipAddress"]), (&json!(0), &json!("127.0.0.1")));
    client.subscribe(&[("a", QOS_1)]).await;
    assert_eq!(event(&mut watcher).await["topics"], json!(["a"]));
    drop(client);
    assert_eq!(received(&mut watcher).await.payload, "gone");
    let lost = event(&mut watcher).await;
    assert_eq!(
        (&lost["disconnectReason"], &lost["clientInitiatedDisconnect"]),
        (&json!("CONNECTION_LOST"), &json!(false))
    );
    assert_eq!(lost["sessionIdentifier"], connected["sessionIdentifier"]);
    sleep(Duration::from_secs(1)).await;
    let mut client = device.bare(connect).await;
    client.accepted().await;
    assert_eq!(event(&mut watcher).await["versionNumber"], 1);
    client.send(Packet::Disconnect(Disconnect::default())).await;
    let left = event(&mut watcher).await;
    assert_eq!(left["disconnectReason"], "CLIENT_INITIATED_DISCONNECT", "and no will before it");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_will_is_spared_those_who_come_back() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut watcher = device.bare(hello("watcher")).await;
    watcher.accepted().await;
    watcher.subscribe(&[("will", QOS_1)]).await;
    let mut connect = hello("c");
    connect.clean_start = false;
    connect.session_expiry_interval_secs = 60;
    connect.last_will = Some(will(Some(2)));
    let mut client = device.bare(connect.clone()).await;
    client.accepted().await;
    drop(client);
    sleep(Duration::from_secs(1)).await;
    let mut client = device.bare(connect).await;
    assert!(client.accepted().await.session_present);
    assert!(watcher.drain(Duration::from_millis(1_500)).await.is_empty(), "it came back in time");
    drop(client);
    assert!(watcher.drain(Duration::from_millis(1_500)).await.is_empty(), "not yet");
    assert_eq!(received(&mut watcher).await.payload, "gone");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dark_region_is_silent_and_sends_no_will() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut connect = hello("c");
    connect.last_will = Some(will(None));
    let mut client = device.bare(connect).await;
    client.accepted().await;
    client.subscribe(&[("will", QOS_1)]).await;
    let dark = json!({"fault": "region-dark", "region": "us-east-1"});
    site.api("PUT", "/_twin/faults", None, &dark).await;
    client.send(Packet::PingRequest).await;
    assert!(timeout(Duration::from_millis(500), client.next()).await.is_err(), "nothing goes out");
    site.api("DELETE", "/_twin/faults", None, &dark).await;
    assert_eq!(client.next().await, None, "the connection is gone when the Region is back");
    let mut watcher = device.bare(hello("watcher")).await;
    watcher.accepted().await;
    watcher.subscribe(&[("will", QOS_1)]).await;
    assert!(watcher.drain(Duration::from_millis(300)).await.is_empty());
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_tells_the_older_connection() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut old = device.bare(hello("c")).await;
    old.accepted().await;
    let throttled = device.bare(hello("c")).await.accepted().await;
    assert_eq!(throttled.reason_code, ConnectAckReason::QuotaExceeded, "one CONNECT a second of a client id");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(device.bare(hello("c")).await.accepted().await.reason_code, ConnectAckReason::Success);
    let Some(Packet::Disconnect(told)) = old.next().await else { panic!("no DISCONNECT") };
    assert_eq!(told.reason_code, DisconnectReasonCode::SessionTakenOver);
    assert_eq!(old.next().await, None);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alpn_on_the_https_port_speaks_mqtt() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    for (client_id, alpn) in [("a", "x-amzn-mqtt-ca"), ("b", "mqtt")] {
        let ack = device.bare_by_alpn(alpn, hello(client_id)).await.accepted().await;
        assert_eq!(ack.reason_code, ConnectAckReason::Success, "{alpn}");
    }
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_messages_and_shared_subscriptions() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut clients = Vec::new();
    for client_id in ["a", "b"] {
        let mut client = device.bare(hello(client_id)).await;
        client.accepted().await;
        client.subscribe(&[("$share/g/tasks/#", QOS_1)]).await;
        clients.push(client);
    }
    let Packet::Publish(mut kept) = message("tasks/1", "kept", None) else { unreachable!() };
    kept.retain = true;
    clients[0].send(Packet::Publish(kept)).await;
    clients[0].send(message("tasks/2", "x", None)).await;
    for client in &mut clients {
        assert_eq!(
            client.drain(Duration::from_millis(300)).await.len(),
            1,
            "each of the group got its share"
        );
    }
    assert_eq!(clients[0].subscribe(&[("tasks/+", QOS_1)]).await, [SubscribeAckReason::GrantedQos1]);
    let got = received(&mut clients[0]).await;
    assert!(got.retain && got.payload == "kept");
    site.twin.stop().await;
}
