//! The whole catalogue of faults, in a few game days: each fault is seen to act and the verdict is a pass; and when somebody else
//! cures each as soon as it was applied and says nothing, none is seen to act and the verdict is Unknown, never a pass.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    sync::{Mutex, PoisonError},
};

use gameday_tests::{GameDay, play, run, skipped};
use serde_json::Value;

/// Breaks that need no more than the replicator: one after the other, so that none hides another.
const REPLICATION: &[&[&str]] = &[
    &[r#""replication-paused""#],
    &[r#"{ fault = "replication-slow", delay = "2s" }"#],
    &[r#""stream-mapping-disabled""#],
    &[r#""rule-disabled""#],
    &[r#"{ fault = "rule-disabled", rule = "thing-events" }"#],
    &[r#""function-throttled""#],
    &[r#"{ fault = "function-throttled", function = "health" }"#],
    &[r#""function-killed""#],
    &[r#"{ fault = "api-throttled", region = "secondary", service = "iotdata", share = "50%" }"#],
    &[r#"{ fault = "api-slow", region = "secondary", service = "iotdata", delay = "300ms" }"#],
];

/// Breaks that devices feel.
const DEVICES: &[&[&str]] = &[
    &[r#"{ fault = "broker-loses-messages", topic = "dt/#" }"#],
    &[r#"{ fault = "broker-never-acknowledges", share = "50%" }"#],
    &[r#"{ fault = "devices-cut-off", share = "60%" }"#],
    &[r#"{ fault = "certificate-inactive", share = "20%" }"#],
    &[r#"{ fault = "policy-detached", share = "20%" }"#],
    &[r#"{ fault = "dns-failing", how = "silent" }"#],
    &[r#""dns-failing""#],
    &[r#""primary-region-half-dark""#],
    &[r#""primary-region-dark""#],
];

/// Breaks of what the health checks say, which takes the time of their probes.
const DETECTION: &[&[&str]] = &[
    &[r#"{ fault = "secondary-too-small", connects_per_s = 2 }"#, r#""primary-health-check-inverted""#],
    &[r#""health-checks-stuck""#],
    &[r#""dns-stale""#, r#""primary-health-check""#],
    &[r#""primary-health-secret""#],
];

/// A game day of these breaks; each is given up after `at_most`.
fn scenario(breaks: &[&[&str]], at_most: &str, heal: &str) -> String {
    let mut text = String::from(
        r#"title = "Faults"
proves = "Each fault is seen to act"
[fleet]
devices = 10
strategy = { cname = { every = "1s" } }
connect_timeout = "2s"
[load]
telemetry = { every = "1s" }
shadow = { every = "1s" }
[dns]
ttl = "1s"
health_check = { interval = "10s", failures = 1 }
[twin]
quota_scale = 20
[[step]]
provision = { via = "api" }
[[step]]
connect = { rate_per_s = 50 }
[objectives]
"writes.rejected" = ">= 0"
"#,
    );
    let objectives = text.split_off(text.find("[objectives]").unwrap());
    for faults in breaks {
        let faults = faults.join(", ");
        let _ = write!(
            text,
            "[[step]]\nbreak = {{ faults = [{faults}], at_most = \"{at_most}\" }}\n[[step]]\nheal = {heal}\n"
        );
    }
    text + &objectives
}

/// Plays the breaks: each fault acts and all is well; then again with every fault undone at once.
fn each_acts_or_is_unknown(breaks: &[&[&str]], at_most: [&str; 2], heal: &str) -> GameDay {
    // One after the other: what is measured is not how they crowd each other.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faults.toml");
    fs::write(&path, scenario(breaks, at_most[0], heal)).unwrap();
    let (day, exit) = play(&path, &["--seed", "7"]).unwrap();
    let summary = day.summary().unwrap();
    for row in summary["checks"].as_array().unwrap().iter().filter(|row| row["name"] != "harness") {
        assert_eq!(row["verdict"], "pass", "{row}");
    }
    if check(&summary, "harness")["verdict"] == "pass" {
        assert_eq!(exit, 0, "{}", summary["reason"]);
    } else {
        skipped("the verdict of faults that act", "this machine was too busy to measure");
    }
    assert_eq!(summary["undo"]["left"], 0);

    fs::write(&path, scenario(breaks, at_most[1], heal)).unwrap();
    let (spoilt, exit) = play(&path, &["--seed", "7", "--spoil-faults"]).unwrap();
    let summary = spoilt.summary().unwrap();
    let rows = checks(&summary);
    assert_eq!(rows.len(), breaks.iter().map(|faults| faults.len()).sum::<usize>());
    for row in rows {
        assert_eq!(row["verdict"], "unknown", "{row}");
        assert!(row["why"].as_str().unwrap().contains("was not seen to act"), "{row}");
    }
    assert_eq!(exit, 11, "{}", summary["reason"]);
    day
}

fn check<'a>(summary: &'a Value, name: &str) -> &'a Value {
    summary["checks"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()
}

/// The checks whether faults acted.
fn checks(summary: &Value) -> Vec<&Value> {
    let rows = summary["checks"].as_array().unwrap();
    rows.iter().filter(|row| row["name"].as_str().unwrap().starts_with("fault:")).collect()
}

fn fault<'a>(summary: &'a Value, name: &str) -> &'a Value {
    summary["faults"].as_array().unwrap().iter().find(|row| row["fault"] == name).unwrap()
}

#[test]
fn faults_of_replication_act_or_are_unknown() {
    let day = each_acts_or_is_unknown(REPLICATION, ["20s", "4s"], "{}");
    let summary = day.summary().unwrap();
    // What waits in the stream is a debt, and is paid.
    let debt = &fault(&summary, "stream-mapping-disabled")["debt"];
    assert!(debt["writes"].as_u64().unwrap() >= 10, "{debt}");
    assert!(debt["oldest_ms"].as_f64().unwrap() > 1_500.0, "{debt}");
    assert!(debt["drained_ms"].as_f64().unwrap() > 0.0, "{debt}");
}

#[test]
fn faults_of_devices_act_or_are_unknown() {
    let day = each_acts_or_is_unknown(DEVICES, ["20s", "4s"], "{}");
    let summary = day.summary().unwrap();
    // The guide's own caveat: devices are cut off, and nobody notices.
    for grey in ["devices-cut-off", "certificate-inactive", "policy-detached"] {
        assert_eq!(fault(&summary, grey)["noticed"], "no", "{grey}");
    }
}

#[test]
fn faults_of_detection_act_or_are_unknown() {
    let day =
        each_acts_or_is_unknown(DETECTION, ["25s", "13s"], r#"{ until = "failed-back", at_most = "30s" }"#);
    let summary = day.summary().unwrap();
    let noticed = fault(&summary, "primary-health-check");
    assert_eq!(noticed["noticed"], "yes", "{noticed}");
    let after_ms = noticed["noticed_ms"].as_f64().unwrap();
    assert!((0.0..=12_000.0).contains(&after_ms), "probes are 10 s apart: {noticed}");
    let report = fs::read_to_string(day.folder().unwrap().join("report.html")).unwrap();
    assert!(report.contains("health check noticed") && report.contains("DNS stale"));
}

#[test]
fn the_catalogue_is_played_as_a_whole() {
    let output = run(&["faults", "--json"]).unwrap();
    let faults: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let played: String = [REPLICATION, DEVICES, DETECTION].concat().concat().concat();
    let not_played: BTreeSet<&str> = faults
        .iter()
        .map(|fault| fault["name"].as_str().unwrap())
        .filter(|name| !played.contains(&format!("\"{name}\"")))
        .collect();
    assert_eq!(not_played, BTreeSet::new());
}

#[test]
fn what_a_scenario_says_of_a_fault_is_checked_and_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.toml");
    for (fault, place, said) in [
        (r#""primary-helth-check""#, "step.2.break.faults.0", "did you mean `primary-health-check`?"),
        (r#"{ fault = "dns-failin" }"#, "step.2.break.faults.0.fault", "did you mean `dns-failing`?"),
        (
            r#"{ fault = "dns-stale", share = "20%" }"#,
            "faults.0.share",
            "dns-stale has no `share`; it takes none",
        ),
        (
            r#"{ fault = "certificate-inactive", share = "120%" }"#,
            "step.2.break.faults.0.share (step 3)",
            "must be a share, as \"20%\" or 0.2; not \"120%\"",
        ),
        (r#"{ share = "20%" }"#, "step.2.break.faults.0", "missing field `fault`"),
        (r#""dns-stale", "dns-stale""#, "step.2.break.faults.1", "dns-stale is named twice"),
    ] {
        fs::write(&path, scenario(&[&[fault]], "5s", "{}")).unwrap();
        let output = run(&["validate", path.to_str().unwrap()]).unwrap();
        assert_eq!(output.status.code(), Some(2), "{fault}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(place) && error.contains(said), "{fault}: {error}");
        assert!(error.contains("f.toml:20:"), "{fault}: {error}");
    }
    let text = scenario(&[&[r#""certificate-inactive""#]], "5s", "{}")
        .replace("devices = 10", "devices = 10\npool = \"p\"")
        .replace("\"api\"", "\"pool\"");
    fs::write(&path, &text).unwrap();
    let error = String::from_utf8(run(&["validate", path.to_str().unwrap()]).unwrap().stderr).unwrap();
    assert!(error.contains("may_touch = [\"fleet\"]"), "{error}");
    fs::write(&path, format!("may_touch = [\"fleet\"]\n{text}")).unwrap();
    assert_eq!(run(&["validate", path.to_str().unwrap()]).unwrap().status.code(), Some(0));
}
