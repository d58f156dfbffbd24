//! Tables and functions.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    lab::{EAST, WEST},
    site::Site,
};

#[tokio::test(flavor = "multi_thread")]
async fn replication_is_paused_or_slow_in_one_direction_and_counts_its_writes() {
    let site = Site::start().await;
    site.table(true).await;
    let id = site.set(&json!({"fault": "replication-paused", "region": EAST})).await;
    site.put("a").await.unwrap();
    site.put("b").await.unwrap();
    let item = json!({"TableName": "tab", "Item": {"k": {"S": "west"}}});
    site.dynamodb(WEST, "PutItem", &item).await.unwrap();
    site.until_has(EAST, "west").await;
    assert!(!site.has(WEST, "a").await);
    assert_eq!(site.clear(id).await, 2);
    site.until_has(WEST, "b").await;

    let id = site.set(&json!({"fault": "replication-slow", "region": EAST, "delay_ms": 400})).await;
    let start = Instant::now();
    site.put("c").await.unwrap();
    site.until_has(WEST, "c").await;
    assert!(start.elapsed() >= Duration::from_millis(600), "{:?}", start.elapsed());
    assert_eq!(site.clear(id).await, 1);
    let id = site.set(&json!({"fault": "replication-slow", "region": EAST, "delay_ms": 3_600_000})).await;
    site.put("d").await.unwrap();
    sleep(Duration::from_millis(300)).await;
    assert!(!site.has(WEST, "d").await);
    site.control(&format!("DELETE /_twin/faults/{id}"), &Value::Null).await;
    site.until_has(WEST, "d").await;
    site.twin.stop().await;
}

/// The images of all records of the table's stream, by key.
async fn images(site: &Site) -> Vec<Value> {
    let described = site.dynamodb(EAST, "DescribeTable", &json!({"TableName": "tab"})).await.unwrap().json();
    let arn = &described["Table"]["LatestStreamArn"];
    let stream = site.dynamodb(EAST, "Streams_DescribeStream", &json!({"StreamArn": arn})).await.unwrap();
    let mut images = Vec::new();
    for shard in stream.json()["StreamDescription"]["Shards"].as_array().unwrap() {
        let from =
            json!({"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
        let iterator = site.dynamodb(EAST, "Streams_GetShardIterator", &from).await.unwrap().json();
        let page = json!({"ShardIterator": iterator["ShardIterator"]});
        let records = site.dynamodb(EAST, "Streams_GetRecords", &page).await.unwrap().json();
        images
            .extend(records["Records"].as_array().unwrap().iter().map(|r| r["dynamodb"]["NewImage"].clone()));
    }
    images.sort_by_key(ToString::to_string);
    images
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_poisoned_for_readers_and_whole_again() {
    let site = Site::start().await;
    site.table(false).await;
    for key in ["a", "b"] {
        site.put(key).await.unwrap();
    }
    let whole = images(&site).await;
    assert_eq!(whole[0], json!({"k": {"S": "a"}, "n": {"N": "1"}}));
    let mut fault = json!({"fault": "stream-poison", "region": EAST, "table": "tab"});
    let id = site.set(&fault).await;
    assert_eq!(images(&site).await, [json!({"k": {"S": "a"}}), json!({"k": {"S": "b"}})]);
    assert_eq!(site.clear(id).await, 2);
    fault["how"] = json!("null");
    let id = site.set(&fault).await;
    assert_eq!(images(&site).await[0], json!({"k": {"S": "a"}, "n": {"NULL": true}}));
    site.clear(id).await;
    assert_eq!(images(&site).await, whole);
    for key in 0..40 {
        site.put(&format!("k{key}")).await.unwrap();
    }
    fault["share"] = json!(0.5);
    let id = site.set(&fault).await;
    let some = images(&site).await;
    assert_eq!(images(&site).await, some, "the same ones at each reading");
    let poisoned = some.iter().filter(|image| image["n"]["NULL"] == true).count() as u64;
    assert_eq!(site.clear(id).await, poisoned * 2);
    assert!((5..=37).contains(&poisoned), "{poisoned} of 42");
    site.twin.stop().await;
}
