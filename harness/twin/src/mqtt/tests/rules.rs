//! Rules as devices meet them: basic ingest, and what republish actions publish.

use std::time::Duration;

use rmqtt_codec::{
    types::QoS,
    v5::{Packet, PublishAckReason, SubscribeAckReason},
};
use serde_json::{Value, json};

use super::{
    QOS_1, event, message, publish, received,
    site::{ALLOW_ALL, Site, hello},
};
use crate::mqtt;

fn republish(sql: &str, topic: &str) -> Value {
    json!({"sql": sql, "awsIotSqlVersion": "2016-03-23", "actions": [{"republish": {
        "roleArn": "arn:r", "topic": topic, "qos": 1, "headers": {
            "contentType": "application/${topic(1)}", "payloadFormatIndicator": "UTF8_DATA", "messageExpiry": "60",
            "correlationData": "aGk=", "userProperties": [{"key": "from", "value": "${clientid()}"}],
        },
    }}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_ingest_reaches_its_rule_alone() {
    let site = Site::start().await;
    let who = "SELECT topic() AS topic, clientid() AS client, principal() AS principal";
    site.api("POST", "/rules/one", None, &republish(who, "out/${topic(2)}")).await;
    let statements = r#"{"Effect":"Allow","Action":["iot:Connect","iot:Subscribe","iot:Receive"],"Resource":"*"},
        {"Effect":"Allow","Action":"iot:Publish","Resource":"*:topic/$aws/rules/one/*"}"#;
    let device = site.device("d", statements).await;
    let mut client = device.bare(hello("d")).await;
    client.accepted().await;
    let granted =
        client.subscribe(&[("#", QOS_1), ("$aws/rules/#", QOS_1), ("$aws/rules/one/+", QOS_1)]).await;
    let refused = SubscribeAckReason::TopicFilterInvalid;
    assert_eq!(granted, [SubscribeAckReason::GrantedQos1, refused, refused]);

    client.send(message("$aws/rules/one/dt/x/c/d/e/f/g/h", "{}", None)).await;
    let got = received(&mut client).await;
    assert_eq!((&*got.topic, got.qos), ("out/x", QoS::AtLeastOnce));
    assert_eq!(
        serde_json::from_slice::<Value>(&got.payload).unwrap(),
        json!({"topic": "dt/x/c/d/e/f/g/h", "client": "d", "principal": device.certificate})
    );
    let properties = got.properties.unwrap();
    assert_eq!(properties.content_type.as_deref(), Some("application/dt"));
    assert_eq!(properties.correlation_data.as_deref(), Some(&b"hi"[..]));
    assert_eq!(properties.user_properties, [("from".into(), "d".into())]);
    assert!(properties.message_expiry_interval.is_some_and(|expiry| expiry.get() <= 60));
    assert!(properties.is_utf8_payload);

    // Known or not, a rule's topic is taken, and nobody but the rule gets it.
    publish(&mut client, "$aws/rules/one/quiet", "{}").await;
    received(&mut client).await;
    let packet_id = client.packet_id();
    client.send(message("$aws/rules/two/x", "{}", Some(packet_id))).await;
    assert!(
        matches!(client.next().await, Some(Packet::PublishAck(a)) if a.reason_code == PublishAckReason::NotAuthorized)
    );
    assert!(client.drain(Duration::from_millis(100)).await.is_empty());
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_see_who_publishes_and_reach_shadows() {
    let site = Site::start().await;
    let to_shadow = "SELECT {'reported': {'by': clientid(), 'principal': principal()}} AS state FROM 'up/+'";
    site.api("POST", "/rules/shadow", None, &republish(to_shadow, "$$aws/things/${topic(2)}/shadow/update"))
        .await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut client = device.bare(hello("d")).await;
    client.accepted().await;
    client.subscribe(&[("$aws/things/lamp/shadow/update/accepted", QOS_1)]).await;
    client.send(message("up/lamp", "{}", None)).await;
    let accepted = event(&mut client).await;
    assert_eq!(accepted["state"]["reported"], json!({"by": "d", "principal": device.certificate}));

    let (world, region) = (site.twin.world(), &site.twin.world().regions[0]);
    let over_https = |topic: &str| {
        mqtt::publish_over_https(world, region, topic, &"{}".into(), QoS::AtLeastOnce, "user").is_ok()
    };
    assert!(over_https("up/lamp"));
    let accepted = event(&mut client).await;
    assert_eq!(accepted["state"]["reported"], json!({"by": "n/a", "principal": "user"}));
    assert!(over_https("$aws/rules/shadow/up/lamp"));
    assert_eq!(event(&mut client).await["version"], json!(3));
    assert!(!over_https("$aws/other/shadow"));
    site.twin.stop().await;
}
