//! Prediction through the binary: what 60 devices taught says how long 200 take, and a million are predicted in seconds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, time::Instant};

use gameday_tests::{fixture, play, run};
use serde_json::Value;

fn json(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(arguments).unwrap();
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_few_devices_teach_how_long_more_take() {
    let fixture = fixture("predicted.toml");
    // Both at once: each has a twin of its own, and most of the time is waited.
    let (few, many) = std::thread::scope(|scope| {
        let few = scope.spawn(|| play(&fixture, &["--seed", "3", "--set", "fleet.devices=60"]).unwrap());
        let many = play(&fixture, &["--seed", "4"]).unwrap();
        (few.join().unwrap(), many)
    });
    let [(few, few_exit), (many, many_exit)] = [few, many];
    // On a machine that is busy a verdict is unknown; the steps took what they took.
    assert!([few_exit, many_exit].iter().all(|exit| [0, 11].contains(exit)), "{few_exit} {many_exit}");
    let (few, many) = (few.folder().unwrap(), many.folder().unwrap());
    let (few, many) = (few.to_str().unwrap(), many.to_str().unwrap());

    let (exit, told) = json(&["predict", "--check", many, "--from", few, "--json"]);
    let rows = told["checked"].as_array().unwrap();
    let ratio = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {told}"));
        row["ratio"].as_f64().unwrap()
    };
    for name in ["provision.time", "connect.time", "failover.time", "failback.time"] {
        assert!((0.85..=1.15).contains(&ratio(name)), "{name}: {told}");
    }
    // The exit code is that of all rows; lags, of milliseconds, may be off on a machine that is busy.
    let off = rows.iter().filter(|row| (row["ratio"].as_f64().unwrap() - 1.0).abs() > 0.15).count();
    assert_eq!(exit, Some(if off == 0 { 0 } else { 10 }), "{told}");
    // What is predicted is not what the few took.
    let (_, itself) = json(&["predict", "--check", few, "--json"]);
    let provision = |told: &Value| told["checked"][0]["measured"].as_f64().unwrap();
    assert!(provision(&told) > provision(&itself) * 1.5, "{told}");
    let output = run(&["predict", "--check", many, "--from", many]).unwrap();
    assert_eq!(output.status.code(), Some(2), "nobody is checked by what it taught");
}

#[test]
fn a_million_devices_are_predicted_with_a_range_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let scenario = fixture("predicted.toml");
    let aws = ["--target", "aws", "--primary", "us-east-1", "--secondary", "us-west-2", "--days", "5"];
    let mut arguments = vec!["predict", scenario.to_str().unwrap(), "--devices", "1000000", "--json"];
    arguments.extend(aws);
    arguments.extend(["--page", page.to_str().unwrap()]);
    let began = Instant::now();
    let (exit, told) = json(&arguments);
    assert_eq!(exit, Some(0));
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    let figure = |name: &str| {
        let figures = told["figures"].as_array().unwrap();
        let found = figures.iter().find(|figure| figure["name"] == name).unwrap();
        ["p10", "p50", "p90"].map(|share| found[share].as_f64().unwrap())
    };
    // Eight devices a second; 500 CONNECTs a second.
    let [_, provision_s, _] = figure("provision.time");
    assert!((124_000.0..128_000.0).contains(&provision_s), "{provision_s}");
    let [least, failover_s, most] = figure("failover.time");
    assert!(least <= failover_s && failover_s <= most && (2_000.0..2_300.0).contains(&failover_s), "{told}");
    assert!(fs::read_to_string(page).unwrap().contains("<svg"));
}
