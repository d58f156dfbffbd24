//! The control API: what it answers.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    lab::EAST,
    site::{SOON, Site},
};
use crate::fault::{Fault, FaultError};

const NONE: Value = Value::Null;

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_set_listed_and_removed_in_every_way() {
    let site = Site::start().await;
    let paused = json!({"fault": "replication-paused", "region": EAST});
    let slow = json!({"fault": "replication-slow", "region": EAST, "delay_ms": 5});
    let set = site.control("PUT /_twin/faults", &paused).await;
    assert_eq!((set.status, &set.json()), (201, &json!({"id": 1, "hits": 0})));
    let again = site.control("PUT /_twin/faults", &paused).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &json!(1)), "it is on already");
    assert_eq!(site.set(&slow).await, 2);
    let list = site.control("GET /_twin/faults", &NONE).await.json();
    let listed: Vec<_> = list.as_array().unwrap().iter().map(|f| (&f["id"], &f["fault"])).collect();
    assert_eq!(listed, [(&json!(1), &paused), (&json!(2), &slow)]);
    assert!(list[0]["age_ms"].is_u64() && list[0]["since"].is_string());

    assert_eq!(site.control("DELETE /_twin/faults/2", &NONE).await.status, 204);
    assert_eq!(site.control("DELETE /_twin/faults/2", &NONE).await.status, 404);
    assert_eq!(site.control("GET /_twin/faults/2", &NONE).await.status, 404);
    for _ in 0..2 {
        assert_eq!(site.control("DELETE /_twin/faults", &paused).await.status, 200, "off is off");
    }
    site.set(&paused).await;
    site.set(&slow).await;
    let removed = site.control("DELETE /_twin/faults", &NONE).await;
    assert_eq!((removed.status, removed.json()), (200, json!({"removed": 2})));
    assert_eq!(site.control("GET /_twin/faults", &NONE).await.json(), json!([]));
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused() {
    let site = Site::start().await;
    for (status, fault, says) in [
        (400, json!({"fault": "nothing"}), "fault: there is no nothing"),
        (
            400,
            json!({"fault": "api", "how": "hang", "service": "iott"}),
            "service: one of apigateway, cloudformation, ",
        ),
        (400, json!({"fault": "api", "how": "throttle", "share": 2}), "share: "),
        (400, json!({"fault": "api", "how": {"error": {"status": 200, "code": "X"}}}), "how.error.status"),
        (
            400,
            json!({"fault": "connections", "region": EAST, "port": "mqtt", "how": "refuse", "share": 0.5}),
            "share: ",
        ),
        (400, json!({"fault": "broker-grey", "region": EAST, "topic": "a/#/b"}), "topic: "),
        (404, json!({"fault": "region-dark", "region": "eu-west-1"}), "Region: eu-west-1"),
        (404, json!({"fault": "api", "region": "us-est-1", "how": "hang"}), "Region: us-est-1"),
        (
            404,
            json!({"fault": "function-kill", "region": EAST, "function": "f", "after_ms": 0}),
            "function: f",
        ),
        (404, json!({"fault": "stream-poison", "region": EAST, "table": "t"}), "table: t"),
        (404, json!({"fault": "rules-silent", "region": EAST, "rule": "r"}), "topic rule: r"),
        (404, json!({"fault": "health-checks-stuck", "check": "h"}), "health check: h"),
    ] {
        let answer = site.control("PUT /_twin/faults", &fault).await;
        assert_eq!(answer.status, status, "{fault}: {}", answer.text);
        assert!(answer.json()["message"].as_str().unwrap().contains(says), "{}", answer.text);
    }
    let unknown = json!({"fault": "region-dark", "region": "eu-west-1"});
    assert_eq!(site.control("DELETE /_twin/faults", &unknown).await.status, 404);
    // A pattern may fit what comes later.
    site.set(&json!({"fault": "function-kill", "region": EAST, "function": "f*", "after_ms": 0})).await;
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_the_list_and_to_what_lasts_a_time() {
    let site = Site::start().await;
    site.set(&json!({"fault": "region-dark", "region": EAST, "for_ms": 30})).await;
    let region = site.twin.world().region(EAST).unwrap();
    timeout(SOON, region.dark.wait(false)).await.unwrap();
    assert_eq!(site.control("GET /_twin/faults", &NONE).await.json(), json!([]));
    for n in 0..256 {
        site.twin.world().faults.put(Fault::ReplicationSlow { region: EAST.to_owned(), delay_ms: n });
    }
    let more = site.control("PUT /_twin/faults", &json!({"fault": "region-dark", "region": EAST})).await;
    assert_eq!(more.status, 409);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_is_renewed_has_one_end() {
    let site = Site::start().await;
    let tasks = &site.twin.world().tasks;
    let fault = Fault::RegionDark { region: EAST.to_owned() };
    let set = |s| site.twin.world().set_fault(fault.clone(), Some(Duration::from_secs(s))).unwrap();
    let before = tasks.len();
    for s in 100..200 {
        set(s);
    }
    let settled = async {
        while tasks.len() > before + 1 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, settled).await.unwrap();
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_removes_its_fault() {
    let site = Site::start().await;
    let dark = Fault::RegionDark { region: EAST.to_owned() };
    let region = site.twin.world().region(EAST).unwrap();
    {
        let guard = site.twin.inject(dark.clone()).unwrap();
        assert!(region.dark.is_on());
        assert_eq!(guard.hits(), Some(0));
        let hangs = site.put("k");
        assert!(timeout(Duration::from_millis(50), hangs).await.is_err());
        assert_eq!(guard.hits(), Some(1));
    }
    assert!(!region.dark.is_on());
    sleep(Duration::from_millis(1)).await;
    let none = site.twin.inject(Fault::RegionDark { region: "x".to_owned() });
    assert_eq!(none.unwrap_err(), FaultError::Unknown("Region: x".to_owned()));
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_set_again_says_how_long_it_lasts() {
    let site = Site::start().await;
    let timed = |ms: Value| json!({"fault": "region-dark", "region": EAST, "for_ms": ms});
    let set = async |fault: Value| {
        let answer = site.control("PUT /_twin/faults", &fault).await;
        (answer.status, answer.json()["ends_in_ms"].as_u64())
    };
    let (status, ends) = set(timed(json!(60_000))).await;
    assert!(status == 201 && ends.is_some_and(|ms| (50_000..=60_000).contains(&ms)), "{ends:?}");
    let (status, ends) = set(timed(json!(90_000))).await;
    assert!(status == 200 && ends.is_some_and(|ms| (80_000..=90_000).contains(&ms)), "{ends:?}");
    assert_eq!(set(timed(NONE)).await, (200, None), "until it is removed, and the answer says so");
    let drop = site.control("PUT /_twin/faults", &json!({"fault": "connections-drop", "region": EAST})).await;
    assert_eq!((drop.status, drop.json()), (201, json!({"hits": 0})), "no id that could not be listed");
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_json_and_says_what_to_do() {
    let site = Site::start().await;
    let quota = json!({"region": EAST, "code": "L-64CBACAC", "value": 7});
    let with = |name: &str, value: Value| {
        let mut setting = quota.clone();
        setting[name] = value;
        setting
    };
    assert_eq!(site.control("PUT /_twin/quotas", &quota).await.status, 204, "whatever its content type");
    for (line, body, status, says) in [
        ("GET /_twin/nothere", NONE, 404, "there is no /_twin/nothere; there are GET /_twin/endpoints"),
        ("GET /_twin", NONE, 404, "there are GET /_twin/endpoints"),
        ("GET /_twin/", NONE, 404, "there are GET /_twin/endpoints"),
        ("POST /_twin/faults", NONE, 405, "/_twin/faults does not take POST"),
        ("GET /_twin/faults/x", NONE, 404, "no fault x"),
        ("DELETE /_twin/faults/x", NONE, 404, "no fault x"),
        ("PUT /_twin/faults", json!("x".repeat(3 << 20)), 413, "too large"),
        ("PUT /_twin/quotas", NONE, 400, "the body is empty; it has to be a JSON object, as {\"region\""),
        ("PUT /_twin/quotas", with("code", json!("L-64CBACAX")), 400, "\"L-64CBACAX\" is no quota"),
        ("PUT /_twin/quotas", with("value", json!("7")), 400, "value: a number"),
        ("PUT /_twin/quotas", with("value", json!(-7)), 400, "0 or more, and not -7"),
        ("PUT /_twin/quotas", with("region", NONE), 400, "region: a text"),
        ("PUT /_twin/quotas", with("scale", json!(1)), 400, "scale: there is no such member"),
        ("PUT /_twin/quotas", with("region", json!("eu-west-1")), 404, "us-west-2 and not eu-west-1"),
        ("PUT /_twin/truth", json!({"on": 1}), 400, "on: true or false"),
        ("GET /_twin/truth?after=x", NONE, 400, "after: a whole number; not x"),
        ("PUT /_twin/cloudformation/x", json!({}), 404, "no custom resource waits"),
    ] {
        let answer = site.control(line, &body).await;
        assert_eq!(answer.status, status, "{line}: {}", answer.text);
        let message = answer.json()["message"].as_str().map(str::to_owned);
        assert!(message.is_some_and(|message| message.contains(says)), "{line}: {}", answer.text);
    }
    site.twin.stop().await;
}
