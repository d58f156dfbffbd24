//! Strategies of devices through the binary: a mixed fleet loses its primary Region, and each device does what its strategy
//! says; and of those that come late or never, the report says what held them up.

use std::{collections::BTreeMap, fs};

use aws_sdk_iot::types::CertificateStatus;
use gameday_tests::{GameDay, TwinProcess, fixture, play, run, site::Site, stopwatch::control};
use serde_json::Value;

/// What each device did: its strategy, its directions in order, and its moves.
#[derive(Debug, Default)]
struct Done {
    strategy: String,
    directions: Vec<String>,
    failover: Value,
    failback: Value,
}

#[test]
fn a_mixed_fleet_does_what_its_strategies_say() {
    let (day, exit) = play(&fixture("strategies.toml"), &["--seed", "11"]).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 0, "{}", summary["reason"]);

    // Shares are exact, and the record says who has which.
    let shares: Vec<(&str, u64, bool)> = summary["run"]["strategies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| {
            let name = each["name"].as_str().unwrap();
            (name, each["devices"].as_u64().unwrap(), each["fails_back"].as_bool().unwrap())
        })
        .collect();
    let expected =
        [("cname", 12, true), ("dual-endpoint", 9, true), ("sticky 3", 6, false), ("sticky 4", 3, false)];
    assert_eq!(shares, expected);
    let mut devices: BTreeMap<String, Done> = BTreeMap::new();
    for way in day.events("moved").unwrap() {
        let done = devices.entry(way["device"].as_str().unwrap().to_owned()).or_default();
        way["strategy"].as_str().unwrap().clone_into(&mut done.strategy);
        let direction = way["direction"].as_str().unwrap();
        done.directions.push(direction.to_owned());
        match direction {
            "failover" => done.failover = way,
            "failback" => done.failback = way,
            _ => {}
        }
    }
    for (name, count, fails_back) in expected {
        let its: Vec<&Done> = devices.values().filter(|done| done.strategy == name).collect();
        assert_eq!(its.len() as u64, count, "{name}");
        for done in its {
            let moves = |direction: &str| done.directions.iter().filter(|each| *each == direction).count();
            assert_eq!((moves("first"), moves("failover")), (1, 1), "{done:?}");
            assert_eq!(moves("failback"), usize::from(fails_back), "{done:?}");
        }
    }

    // What knows both endpoints finds out by its keep-alive (6 s and half of that, after what it last heard) and by two
    // attempts, and not by DNS.
    let us = |way: &Value, key: &str| way[key].as_u64().unwrap();
    for done in devices.values().filter(|done| done.strategy == "dual-endpoint") {
        let way = &done.failover;
        let silent_us = us(way, "left_us") - us(way, "last_ack_us");
        assert!((9_000_000..13_000_000).contains(&silent_us), "{silent_us} us until it let go: {way}");
        assert!(us(way, "resolved_us") > us(way, "left_us"), "{way}");
        assert!(way["attempts"].as_u64().unwrap() >= 3, "two in the primary, and the one that worked: {way}");
        // It came home because its probes were answered, after it had waited for AWS to take its next CONNECT.
        let home = &done.failback;
        assert!(us(home, "first_ack_us") - us(home, "left_us") < 10_000_000, "{home}");
    }
    let left = |reason: &str| day.events("left").unwrap().iter().filter(|e| e["reason"] == reason).count();
    assert_eq!(left("primary-answers"), 9);
    assert!(left("keep-alive") >= 12, "what knows both endpoints had nothing else to go by");

    // The judge tells them apart, and expects home who is to come home.
    let devices = &summary["devices"];
    assert_eq!((&devices["expected_back"], &devices["failed_back"]), (&21.into(), &21.into()));
    assert_eq!(summary["failback"]["missing"], 0);
    for (row, (name, count, fails_back)) in summary["strategies"].as_array().unwrap().iter().zip(expected) {
        assert_eq!(row["name"], name);
        assert_eq!(
            (&row["failed_over"], &row["failover"]["devices"]),
            (&count.into(), &count.into()),
            "{row}"
        );
        let home = if fails_back { count } else { 0 };
        assert_eq!((&row["failed_back"], &row["failback"]["devices"]), (&home.into(), &home.into()), "{row}");
        let first = &row["failover"]["stages"][0]["stage"];
        let by_name = name == "cname" || name == "sticky 3";
        assert_eq!(first, if by_name { "detection" } else { "notice" }, "{name}");
    }

    // All of it is in the folder.
    let folder = day.folder().unwrap();
    let report = fs::read(folder.join("report.html")).unwrap();
    assert!(String::from_utf8_lossy(&report).contains("Strategies compared"));
    fs::remove_file(folder.join("report.html")).unwrap();
    assert_eq!(run(&["report", folder.to_str().unwrap()]).unwrap().status.code(), Some(0));
    assert!(fs::read(folder.join("report.html")).unwrap() == report, "recomputed byte for byte");
}

#[test]
fn devices_that_the_secondary_does_not_let_in_are_told_apart() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let site = runtime.block_on(Site::start(20)).unwrap();
    let more = ["fleet.devices=6", "step.3.hold.for=8s", "step.4.break.at_most=40s"]
        .into_iter()
        .flat_map(|set| ["--set", set]);
    let url = site.url();
    let more: Vec<&str> = more.chain(["--target", url.as_str()]).collect();
    let mut day = GameDay::start(&fixture("quick.toml"), &more).unwrap();
    day.until_it_says("Hold").unwrap();
    let [inactive, unruled] = runtime.block_on(async {
        let iot = &site.secondary.iot;
        let things = iot.list_things().send().await.unwrap().things.unwrap_or_default();
        let [first, second] = [&things[0], &things[1]].map(|thing| thing.thing_name.clone().unwrap());
        let certificate = async |thing: &str| {
            let principals = iot.list_thing_principals().thing_name(thing).send().await.unwrap();
            principals.principals()[0].clone()
        };
        site.secondary.status(&certificate(&first).await, CertificateStatus::Inactive).await.unwrap();
        let arn = certificate(&second).await;
        let policies = iot.list_attached_policies().target(&arn).send().await.unwrap();
        let policy = policies.policies()[0].policy_name().unwrap().to_owned();
        iot.detach_policy().policy_name(policy).target(&arn).send().await.unwrap();
        [first, second]
    });
    let exit = day.exit().unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 10, "{}", summary["reason"]);
    assert_eq!((&summary["devices"]["failed_over"], &summary["failover"]["missing"]), (&4.into(), &2.into()));
    let stragglers = &summary["stragglers"];
    assert_eq!(stragglers["devices"], 2, "{stragglers}");
    let cause = |device: &str| {
        let slowest = stragglers["slowest"].as_array().unwrap();
        let found = slowest.iter().find(|each| each["device"] == device).unwrap();
        assert_eq!(found["took_ms"], Value::Null, "{found}");
        found["cause"].as_str().unwrap().to_owned()
    };
    let failed = day.events("connect-failed").unwrap();
    let last = failed.iter().rfind(|failed| failed["device"] == *inactive);
    assert_eq!(cause(&inactive), "certificate-missing", "{stragglers}: {last:?}");
    assert_eq!(cause(&unruled), "policy-missing", "{stragglers}");
    let report = fs::read_to_string(day.folder().unwrap().join("report.html")).unwrap();
    assert!(report.contains("Certificate missing in the secondary") && report.contains(&inactive));
}

#[test]
fn a_storm_is_held_against_the_quota_that_the_twin_enforces() {
    let twin = TwinProcess::start().unwrap();
    let url = twin.variable("AWS_ENDPOINT_URL");
    let quota = r#"{"region":"us-west-2","code":"L-AEA1E176","value":10}"#;
    control(url, "PUT", "/_twin/quotas", quota).unwrap();
    let more = ["--seed", "5", "--target", url, "--set", "twin.quotas={}"];
    let (day, exit) = play(&fixture("storm.toml"), &more).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 0, "{}", summary["reason"]);
    let storm = &summary["storm"];
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!((number(&storm["quota"]["value"]), number(&storm["burst"])), (10.0, 10.0), "{storm}");
    assert_eq!((&storm["devices"], &storm["missing"]), (&60.into(), &0.into()));

    // Nobody was in before the bound allows it, and the fleet did not let the quota lie idle for long.
    let shares = storm["shares"].as_array().unwrap();
    let (last, ratio) = (shares.last().unwrap(), number(&storm["ratio"]));
    assert!((number(&last["bound_ms"]) - 5_000.0).abs() < 1e-6, "50 beyond the bucket, 10 a second: {last}");
    for share in shares {
        assert!(number(&share["took_ms"]) >= number(&share["bound_ms"]), "{share}");
    }
    assert!((1.0..2.0).contains(&ratio), "{storm}");

    // The twin counts what it throttles, too: devices, and health checks, of which each asks once in ten seconds.
    let (_, refused) = control(url, "GET", "/_twin/quotas", "").unwrap();
    let refused: Vec<Value> = serde_json::from_str(&refused).unwrap();
    let its = refused.iter().find(|q| q["code"] == "L-AEA1E176" && q["region"] == "us-west-2").unwrap();
    let (its, ours) = (its["refused"].as_u64().unwrap(), storm["throttled"].as_u64().unwrap());
    assert!(ours > 40 && (ours..ours + 60).contains(&its), "{ours} of devices, {its} in all");
    let failed = day.events("connect-failed").unwrap();
    let throttled = failed.iter().filter(|event| event["connack"] == 3).count();
    assert_eq!(throttled as u64, ours, "the record has each of them");

    // All of it is in the folder, and drawn.
    let folder = day.folder().unwrap();
    let report = fs::read(folder.join("report.html")).unwrap();
    assert!(String::from_utf8_lossy(&report).contains("Devices let in, by the time since the first CONNECT"));
    fs::remove_file(folder.join("report.html")).unwrap();
    assert_eq!(run(&["report", folder.to_str().unwrap()]).unwrap().status.code(), Some(0));
    assert!(fs::read(folder.join("report.html")).unwrap() == report, "recomputed byte for byte");
}

#[test]
fn shares_that_are_wrong_are_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mix.toml");
    let text = fs::read_to_string(fixture("strategies.toml")).unwrap().replace("share = 0.4", "share = 0.5");
    fs::write(&path, text).unwrap();
    let output = run(&["validate", path.to_str().unwrap()]).unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("mix.toml:7:12: fleet.strategy: shares add up to 1.1, and must add up to 1"),
        "{error}"
    );
}
