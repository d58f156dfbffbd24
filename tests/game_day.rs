//! Whole game days through the binary: that they pass, that they fail when they should, that they say when they do not know,
//! and that nothing stays behind when they are stopped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use gameday_tests::{GameDay, TwinProcess, fixture, play, run, skipped, tool};
use serde_json::Value;

fn objective<'a>(summary: &'a Value, metric: &str) -> &'a Value {
    summary["objectives"].as_array().unwrap().iter().find(|row| row["metric"] == metric).unwrap()
}

/// Nothing of the run is left, by its own last sweep of both Regions and of what is global. One before it may have found what
/// the replicator had under way when it was stopped.
fn assert_swept(day: &GameDay) {
    let swept = day.events("swept").unwrap();
    assert!(!swept.is_empty() && swept.len().is_multiple_of(3), "both Regions and global: {swept:?}");
    for sweep in &swept[swept.len() - 3..] {
        assert_eq!(sweep["leftovers"], serde_json::json!([]), "{sweep}");
    }
}

#[test]
fn a_lost_region_is_survived_and_the_report_is_recomputed_byte_for_byte() {
    let (day, exit) = play(&fixture("quick.toml"), &["--seed", "7"]).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 0, "{}", summary["reason"]);
    assert_eq!(summary["verdict"], "pass");
    assert_eq!(summary["devices"]["failed_over"], 12);
    assert_eq!(summary["devices"]["failed_back"], 12);
    assert_eq!(summary["failover"]["devices"], 12);
    assert_eq!(summary["failback"]["devices"], 12);
    assert_eq!(summary["ledger"]["lost"], 0);
    assert!(summary["ledger"]["visible"].as_u64().unwrap() > 50, "{}", summary["ledger"]);
    assert_swept(&day);
    let last = day.events("sample").unwrap().pop().unwrap();
    assert_eq!(last["connected"], serde_json::json!({"us-east-1": 0, "us-west-2": 0}), "all said goodbye");

    let folder = day.folder().unwrap();
    let files = ["summary.json", "junit.xml", "report.html"];
    let before: Vec<Vec<u8>> = files.iter().map(|f| fs::read(folder.join(f)).unwrap()).collect();
    for file in files {
        fs::remove_file(folder.join(file)).unwrap();
    }
    let again = run(&["report", folder.to_str().unwrap()]).unwrap();
    assert_eq!(again.status.code(), Some(0));
    for (file, before) in files.iter().zip(before) {
        assert!(fs::read(folder.join(file)).unwrap() == before, "{file} differs");
    }

    for entry in fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        let text = fs::read_to_string(&entry).unwrap();
        assert!(!text.contains("PRIVATE KEY"), "a key in {}", entry.display());
        assert!(!text.contains("hashme="), "the health check's secret in {}", entry.display());
    }
}

#[test]
fn paused_replication_fails_with_the_lag_that_was_injected() {
    let (day, exit) = play(&fixture("paused.toml"), &[]).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 10, "{}", summary["reason"]);
    let lag = objective(&summary, "replication.shadow.max");
    assert_eq!(lag["verdict"], "fail");
    let fault = &summary["faults"][0];
    let paused_ms = fault["cured_ms"].as_f64().unwrap() - fault["applied_ms"].as_f64().unwrap();
    let lag_ms = summary["latencies"]["replication.shadow"]["total"]["max_ms"].as_f64().unwrap();
    // The write that waited longest came within one period of the schedule after the pause began.
    assert!(
        lag_ms <= paused_ms + 2_000.0 && lag_ms >= paused_ms - 1_500.0,
        "lag {lag_ms} ms of a pause of {paused_ms} ms"
    );
    assert_eq!(objective(&summary, "writes.lost")["verdict"], "pass", "what waited came through");
    assert_swept(&day);
}

#[test]
fn without_shadow_writes_the_lag_is_unknown() {
    let (day, exit) = play(&fixture("silent.toml"), &[]).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 11, "{}", summary["reason"]);
    assert_eq!(objective(&summary, "replication.shadow.p99")["verdict"], "unknown");
    assert_eq!(objective(&summary, "publish.ack.p99")["verdict"], "pass");
}

#[test]
fn a_typo_ends_with_2_and_is_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("typo.toml");
    let text = fs::read_to_string(fixture("quick.toml")).unwrap().replace("devices = 12", "devcies = 12");
    fs::write(&path, text).unwrap();
    for command in ["run", "validate"] {
        let output = run(&[command, path.to_str().unwrap()]).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("typo.toml:6:1: fleet.devcies"), "{error}");
        assert!(error.contains("^^^^^^^"), "{error}");
    }
}

#[test]
fn an_unknown_target_is_refused_in_words() {
    let output =
        run(&["run", fixture("quick.toml").to_str().unwrap(), "--target", "mars", "--out", "/dev/null/x"]);
    assert_ne!(output.unwrap().status.code(), Some(0));
}

#[test]
fn an_interrupt_in_each_phase_leaves_nothing_behind() {
    let twin = TwinProcess::start().unwrap();
    let target = twin.variable("AWS_ENDPOINT_URL").to_owned();
    for phase in [
        "deploy: replicator",
        "Provision",
        "Connect",
        "Hold",
        "broken: primary Region dark",
        "Heal",
        "converge",
    ] {
        let mut day = GameDay::start(&fixture("quick.toml"), &["--target", &target]).unwrap();
        day.signal_at(Some(phase), "-INT").unwrap();
        let exit = day.exit().unwrap();
        let summary = day.summary().unwrap();
        assert_eq!(exit, 13, "interrupted at {phase}: {}", summary["reason"]);
        assert_eq!(day.events("run-ended").unwrap().last().unwrap()["reason"], "operator", "at {phase}");
        assert_swept(&day);
        assert!(day.folder().unwrap().join("report.html").is_file(), "at {phase}");
    }
    assert_empty(&twin, "an_interrupt_in_each_phase_leaves_nothing_behind");
}

/// With 16 devices a second, an interrupt comes while devices are half made and their copies are under way.
#[test]
fn a_lost_terminal_in_the_middle_of_provisioning_leaves_nothing_behind() {
    let twin = TwinProcess::start_scaled(2).unwrap();
    let target = twin.variable("AWS_ENDPOINT_URL").to_owned();
    let more = ["--target", &target, "--set", "fleet.devices=180"];
    let mut day = GameDay::start(&fixture("quick.toml"), &more).unwrap();
    let is_begun = |line: &str| line.contains("devices connectable") && !line.trim().starts_with("0 ");
    day.signal_when(is_begun, "-HUP").unwrap();
    let exit = day.exit().unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 13, "{}", summary["reason"]);
    let connectable = day.events("connectable").unwrap().len();
    assert!(connectable > 0 && connectable < 180, "it was in the middle: {connectable}");
    assert_empty(&twin, "a_lost_terminal_in_the_middle_of_provisioning_leaves_nothing_behind");
}

/// Nothing of any run is in the twin, by a client that is not ours.
fn assert_empty(twin: &TwinProcess, test: &str) {
    let Some(aws) = tool("aws") else {
        return skipped(test, "no AWS CLI to look with; see .ci/tools");
    };
    for region in ["us-east-1", "us-west-2"] {
        for (call, list) in [
            (["iot", "list-things"], "things"),
            (["iot", "list-certificates"], "certificates"),
            (["iot", "list-policies"], "policies"),
            (["iot", "list-topic-rules"], "rules"),
            (["dynamodb", "list-tables"], "TableNames"),
            (["lambda", "list-functions"], "Functions"),
        ] {
            let answer = twin.aws(&aws, &[call[0], call[1], "--region", region]).unwrap();
            assert_eq!(answer[list], serde_json::json!([]), "{} in {region}", call[1]);
        }
    }
    for (call, list) in [("list-hosted-zones", "HostedZones"), ("list-health-checks", "HealthChecks")] {
        assert_eq!(twin.aws(&aws, &["route53", call]).unwrap()[list], serde_json::json!([]), "{call}");
    }
}
