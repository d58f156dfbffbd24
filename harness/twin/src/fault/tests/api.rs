//! Calls of the AWS API.

use std::{io, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};

use super::{
    lab::{EAST, WEST},
    site::{ALLOW_ALL, Device, SOON, Site},
};

fn puts(how: &Value) -> Value {
    json!({"fault": "api", "region": EAST, "service": "dynamodb", "operation": "Put*", "how": how})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_operation_gets_its_services_own_error_and_others_go_on() {
    let site = Site::start().await;
    site.table(false).await;
    let id = site.set(&puts(&json!("throttle"))).await;
    let put = site.put("a").await.unwrap();
    assert_eq!(put.status, 400);
    let kind = put.json()["__type"].as_str().unwrap().to_owned();
    assert_eq!(kind, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException");
    assert!(!site.has(EAST, "a").await, "other operations go on, and nothing was written");
    assert_eq!(site.clear(id).await, 1);
    assert_eq!(site.put("a").await.unwrap().status, 200);

    let all = site.set(&json!({"fault": "api", "how": "throttle"})).await;
    for (service, line, body, status, name) in [
        ("iot", "GET /things", "", 400, "ThrottlingException"),
        ("iotdata", "GET /things/t/shadow", "", 429, "ThrottlingException"),
        ("lambda", "GET /2015-03-31/functions", "", 429, "TooManyRequestsException"),
        ("route53", "GET /2013-04-01/healthcheck", "", 400, "<Code>Throttling</Code>"),
        ("states", "POST /", "{}", 400, "ThrottlingException"),
        ("servicequotas", "POST /", "{}", 400, "TooManyRequestsException"),
        ("sts", "POST /", "Action=GetCallerIdentity", 400, "<Code>Throttling</Code>"),
    ] {
        let answer = site.send((WEST, service), line, &[], body).await.unwrap();
        assert_eq!(answer.status, status, "{service}");
        assert!(answer.head.contains(name) || answer.text.contains(name), "{service}: {}", answer.text);
    }
    assert_eq!(site.clear(all).await, 7);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_fails_before_or_after_it_is_carried_out() {
    let site = Site::start().await;
    site.table(false).await;
    let error = json!({"error": {"status": 500, "code": "InternalServerError", "message": "oh"}});
    let mut after = puts(&error);
    after["when"] = json!("after");
    for (fault, key, is_written) in [(puts(&error), "before", false), (after, "after", true)] {
        let id = site.set(&fault).await;
        let put = site.put(key).await.unwrap();
        assert_eq!((put.status, &put.json()["message"]), (500, &json!("oh")));
        assert!(put.text.contains("#InternalServerError"), "{}", put.text);
        site.clear(id).await;
        assert_eq!(site.has(EAST, key).await, is_written);
    }
    let mut after = puts(&json!("reset"));
    after["when"] = json!("after");
    for (fault, key, is_written) in [(puts(&json!("reset")), "r", false), (after, "s", true)] {
        let id = site.set(&fault).await;
        assert_eq!(site.put(key).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        site.clear(id).await;
        assert_eq!(site.has(EAST, key).await, is_written);
    }
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_counts_by_what_its_caller_was_told() {
    let site = Site::start().await;
    site.table(false).await;
    site.twin.world().calls.set(true);
    assert_eq!(site.put("a").await.unwrap().status, 200);
    let error = json!({"error": {"status": 500, "code": "InternalServerError", "message": "oh"}});
    for (how, when) in [
        (json!("throttle"), "before"),
        (json!("throttle"), "after"),
        (error, "after"),
        (json!("reset"), "after"),
    ] {
        let mut fault = puts(&how);
        fault["when"] = json!(when);
        let id = site.set(&fault).await;
        assert_eq!(site.put("a").await.is_err(), how == "reset");
        site.clear(id).await;
    }
    let listed = serde_json::to_value(site.twin.world().calls.list()).unwrap();
    let put = json!({"region": EAST, "service": "dynamodb", "operation": "PutItem",
        "answered": 4, "throttled": 2, "refused": 1});
    assert_eq!(listed, json!([put]), "nobody was told of the one that was reset");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_late_or_hangs_until_the_fault_is_gone() {
    let site = Site::start().await;
    site.table(false).await;
    let id = site.set(&puts(&json!({"delay-ms": 80}))).await;
    let start = Instant::now();
    assert_eq!(site.put("a").await.unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_millis(80));
    site.clear(id).await;
    let id = site.set(&puts(&json!("hang"))).await;
    let (put, ()) = tokio::join!(timeout(SOON, site.put("b")), async {
        while site.hits(id).await == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(site.clear(id).await, 1);
    });
    assert_eq!(put.unwrap().unwrap().status, 503);
    assert!(!site.has(EAST, "b").await);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_calls_is_hit_and_the_same_each_time() {
    let hit = async || {
        let site = Site::start().await;
        let mut fault = json!({"fault": "api", "service": "iot", "how": "throttle", "share": 0.5});
        fault["operation"] = json!("DescribeThing");
        let id = site.set(&fault).await;
        let mut statuses = Vec::new();
        for _ in 0..40 {
            let answer = site.send((EAST, "iot"), "GET /things/t", &[], "").await.unwrap();
            statuses.push(answer.status);
        }
        let hits = site.clear(id).await;
        assert_eq!(statuses.iter().filter(|s| **s == 400).count() as u64, hits);
        assert!((5..=35).contains(&hits), "{hits} of 40");
        site.twin.stop().await;
        statuses
    };
    assert_eq!(hit().await, hit().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_half_dark_region_is_asked_it_does_and_does_not_say() {
    let site = Site::start().await;
    site.table(true).await;
    let id = site.set(&json!({"fault": "region-half-dark", "region": EAST})).await;
    let (put, ()) = tokio::join!(timeout(SOON, site.put("a")), async {
        while site.hits(id).await == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        let world = site.twin.world();
        sleep(world.dynamodb.replication_delay() + Duration::from_millis(100)).await;
        assert!(!site.has(WEST, "a").await, "its tables' writes stay there");
        site.clear(id).await;
    });
    assert_eq!(put.unwrap().unwrap().status, 503, "nobody was told");
    assert!(site.has(EAST, "a").await, "and it was done");
    site.until_has(WEST, "a").await;
    site.twin.stop().await;
}

/// Publishes over the data endpoint's HTTPS port; the status.
async fn publish(site: &Site, device: &Device) -> io::Result<u16> {
    let mut stream = device.dial_port(site.endpoints.regions[0].https_port, None).await?;
    let request =
        "POST /topics/a/b?qos=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1";
    stream.write_all(request.as_bytes()).await?;
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).await?;
    Ok(String::from_utf8_lossy(&reply[9..]).parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_endpoint_over_https_meets_the_same() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let data = |how: &str| json!({"fault": "api", "service": "iotdata", "operation": "Publish", "how": how});
    let id = site.set(&data("throttle")).await;
    assert_eq!(publish(&site, &device).await.unwrap(), 429);
    site.clear(id).await;
    let id = site.set(&data("reset")).await;
    assert!(publish(&site, &device).await.is_err());
    site.clear(id).await;
    assert_eq!(publish(&site, &device).await.unwrap(), 200);
    site.twin.stop().await;
}
