//! Ground truth over the control API.

use serde_json::{Value, json};

use super::{
    lab::{EAST, WEST},
    site::{ALLOW_ALL, Site, hello},
};

async fn truth(site: &Site, query: &str) -> (Vec<Value>, u64) {
    let answer = site.control(&format!("GET /_twin/truth?{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let through = answer.head.lines().find_map(|l| l.strip_prefix("x-twin-through: ")).unwrap();
    let entries = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (entries, through.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_visible_is_stamped_in_its_order_once_it_is_on() {
    let site = Site::start().await;
    site.table(true).await;
    let device = site.device("d", ALLOW_ALL).await;
    site.put("before").await.unwrap();
    site.until_has(WEST, "before").await;
    assert_eq!(truth(&site, "").await, (Vec::new(), 0), "it is off");
    assert_eq!(site.control("PUT /_twin/truth", &json!({"on": true})).await.status, 204);
    site.put("a").await.unwrap();
    site.until_has(WEST, "a").await;
    let mut client = device.bare(hello("c")).await;
    client.accepted().await;
    let shadow = r#"{"state":{"reported":{"on":1}},"clientToken":"t-1"}"#;
    site.send((EAST, "iotdata"), "POST /things/d/shadow", &[], shadow).await.unwrap();
    site.send((EAST, "iotdata"), "POST /topics/a%2Fb?qos=1", &[], "x").await.unwrap();
    let (entries, through) = truth(&site, "").await;
    let kinds: Vec<&str> = entries.iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["table-write", "replication", "tcp", "tls", "mqtt", "shadow", "publish"]);
    assert_eq!(entries[0]["key"], entries[1]["key"]);
    assert_eq!((&entries[1]["from"], &entries[1]["applied"]), (&json!(EAST), &json!(true)));
    assert_eq!((&entries[4]["client"], &entries[4]["connected"]), (&json!("c"), &json!(true)));
    let peers: Vec<&Value> = entries[2..5].iter().map(|entry| &entry["peer"]).collect();
    assert!(peers[0].is_string() && peers.iter().all(|peer| *peer == peers[0]), "one connection: {peers:?}");
    assert_eq!((&entries[5]["thing"], &entries[5]["version"]), (&json!("d"), &json!(1)));
    assert_eq!(entries[5]["token"], json!("t-1"));
    assert_eq!((&entries[6]["topic"], &entries[6]["qos"]), (&json!("a/b"), &json!(1)));
    for pair in entries.windows(2) {
        assert!(pair[0]["mono_ns"].as_u64() <= pair[1]["mono_ns"].as_u64());
        assert_eq!(pair[0]["seq"].as_u64().unwrap() + 1, pair[1]["seq"].as_u64().unwrap());
    }
    let delay_ns = entries[1]["mono_ns"].as_u64().unwrap() - entries[0]["mono_ns"].as_u64().unwrap();
    assert!(delay_ns >= 190_000_000, "{delay_ns}");

    let (one, at) = truth(&site, "max=1&after=1").await;
    assert_eq!((one.len(), &one[0]["kind"], at), (1, &json!("replication"), 2));
    assert_eq!(truth(&site, "kind=shadow").await.0.len(), 1);
    assert_eq!(truth(&site, &format!("after={through}")).await, (Vec::new(), through));
    for query in ["kind=x", "after=x", "y=1"] {
        let refused = site.control(&format!("GET /_twin/truth?{query}"), &Value::Null).await;
        assert_eq!(refused.status, 400, "{query}");
    }
    assert_eq!(site.control("PUT /_twin/truth", &json!({"off": true})).await.status, 400);

    for state in [r#"{"state":{"reported":{"on":2}}}"#, shadow] {
        site.send((WEST, "iotdata"), "POST /things/d/shadow", &[], state).await.unwrap();
    }
    let (shadows, _) = truth(&site, "kind=shadow").await;
    assert_eq!(shadows[2]["version"], 2);
    assert_eq!(shadows[2]["state"], shadows[0]["state"], "equal in both Regions, whatever the version");
    assert_ne!(shadows[2]["state"], shadows[1]["state"]);
    site.twin.stop().await;
}
