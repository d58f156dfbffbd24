//! Whole game days through the binary: that they pass, that they fail when they should, that they say when they do not know,
//! and that nothing stays behind when they are stopped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, time::Duration};

use aws_sdk_iot::types::CertificateStatus;
use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckType, Tag, TagResourceType};
use gameday_tests::{GameDay, fixture, play, run, site::Site};
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
    let look = &summary["readiness"][0];
    assert_eq!(
        (&look["fleet"], &look["sample"], &look["ready"]),
        (&12.into(), &6.into(), &6.into()),
        "{look}"
    );
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

/// Stopped and let go on again, as `cpulimit` does it, it gets a fifth of its time: acknowledgements wait for it, not it for them.
#[test]
fn a_harness_that_is_kept_from_its_processors_blames_nobody_else() {
    let mut day = GameDay::start(&fixture("starved.toml"), &[]).unwrap();
    day.until_it_says("Hold").unwrap();
    for _ in 0..12 {
        day.signal("-STOP").unwrap();
        std::thread::sleep(Duration::from_millis(400));
        day.signal("-CONT").unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    let exit = day.exit().unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 11, "{}", summary["reason"]);
    let check = summary["checks"].as_array().unwrap().iter().find(|row| row["name"] == "harness").unwrap();
    assert_eq!(check["verdict"], "unknown");
    assert!(check["why"].as_str().unwrap().contains("itself the bottleneck"), "{check}");
    assert!(summary["harness"]["timer_delay_p99_ms"].as_f64().unwrap() > 350.0, "{}", summary["harness"]);
    let late = objective(&summary, "publish.ack.p99");
    assert!(late["value"].as_f64().unwrap() > 100.0, "it was measured as too long: {late}");
    assert_eq!(late["verdict"], "unknown", "and nobody is blamed: {late}");
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
fn a_refused_run_says_what_to_do_and_leaves_no_folder() {
    let twin = gameday_tests::TwinProcess::start_scaled(2).unwrap();
    let out = tempfile::tempdir().unwrap();
    let path = fixture("quick.toml");
    let refused = |more: &[&str]| {
        let target = twin.variable("AWS_ENDPOINT_URL");
        let mut arguments = vec!["run", path.to_str().unwrap(), "--target", target, "--out"];
        arguments.push(out.path().to_str().unwrap());
        let output = run(&[arguments.as_slice(), more].concat()).unwrap();
        assert_eq!(output.status.code(), Some(14), "{more:?}");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
        assert_eq!(output.stdout, b"");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&[]);
    assert!(said.contains("quotas 20 times AWS's") && said.contains("--set twin.quota_scale=2"), "{said}");
    let mut gameday = twin.command(&gameday_tests::gameday().unwrap());
    let dark =
        gameday.args(["twin", "fault", "set", "region-dark", "--region", "us-east-1"]).output().unwrap();
    assert!(dark.status.success());
    let said = refused(&["--set", "twin.quota_scale=2"]);
    let (_, command) = said.split_once("region-dark is on in us-east-1; `gameday ").unwrap();
    let command: Vec<&str> = command.split('`').next().unwrap().split(' ').collect();
    let cleared = run(&command).unwrap();
    assert_eq!(String::from_utf8(cleared.stderr).unwrap(), "fault 1 is off\n");
}

#[test]
fn an_interrupt_in_each_phase_leaves_nothing_behind() {
    let site = block_on(Site::start(20)).unwrap();
    for phase in [
        "deploy: replicator",
        "Provision",
        "Look whether",
        "Connect",
        "Hold",
        "broken: primary Region dark",
        "Heal",
        "converge",
    ] {
        let mut day = GameDay::start(&fixture("quick.toml"), &["--target", &site.url()]).unwrap();
        day.until_it_says(phase).unwrap();
        day.signal("-INT").unwrap();
        let exit = day.exit().unwrap();
        let summary = day.summary().unwrap();
        assert_eq!(exit, 13, "interrupted at {phase}: {}", summary["reason"]);
        assert_eq!(day.events("run-ended").unwrap().last().unwrap()["reason"], "operator", "at {phase}");
        assert_swept(&day);
        assert!(day.folder().unwrap().join("report.html").is_file(), "at {phase}");
    }
    assert_empty(&site);
}

/// With 16 devices a second, an interrupt comes while devices are half made and their copies are under way.
#[test]
fn a_lost_terminal_in_the_middle_of_provisioning_leaves_nothing_behind() {
    let site = block_on(Site::start(2)).unwrap();
    let more = ["--target", &site.url(), "--set", "fleet.devices=180", "--set", "twin.quota_scale=2"];
    let mut day = GameDay::start(&fixture("quick.toml"), &more).unwrap();
    day.until(|line| line.contains("devices connectable") && !line.trim().starts_with("0 ")).unwrap();
    day.signal("-HUP").unwrap();
    let exit = day.exit().unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 13, "{}", summary["reason"]);
    let connectable = day.events("connectable").unwrap().len();
    assert!(connectable > 0 && connectable < 180, "it was in the middle: {connectable}");
    assert_empty(&site);
}

/// What was never told by an id is found by its tag: here a health check that the run's deployment would have made.
#[test]
fn what_a_half_made_deployment_leaves_is_found_by_its_tag() {
    let site = block_on(Site::start(20)).unwrap();
    let mut day = GameDay::start(&fixture("quick.toml"), &["--target", &site.url()]).unwrap();
    let said = day.until_it_says("      run ").unwrap();
    let run = said.trim().split([' ', ',']).nth(1).unwrap();
    let check = block_on(tagged_check(&site, run));
    let of_another = block_on(tagged_check(&site, "another"));
    day.until_it_says("deploy: replicator").unwrap();
    day.signal("-INT").unwrap();
    let exit = day.exit().unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 20, "{}", summary["reason"]);
    let swept = day.events("swept").unwrap();
    let left = serde_json::json!([{"kind": "health check", "name": check}]);
    assert_eq!(swept.last().unwrap()["leftovers"], left, "and not {of_another}");
}

async fn tagged_check(site: &Site, run: &str) -> String {
    let config = HealthCheckConfig::builder()
        .r#type(HealthCheckType::Https)
        .fully_qualified_domain_name("health.example")
        .build()
        .unwrap();
    let make = site.names.create_health_check().caller_reference(run).health_check_config(config);
    let check = make.send().await.unwrap().health_check.unwrap().id;
    let tag = Tag::builder().key("gameday").value(run).build();
    let tagging = site.names.change_tags_for_resource().resource_type(TagResourceType::Healthcheck);
    tagging.resource_id(&check).add_tags(tag).send().await.unwrap();
    check
}

#[test]
fn a_run_leaves_on_the_registry_events_that_another_deployment_needs() {
    let site = block_on(Site::start(20)).unwrap();
    let events = || block_on(site.primary.events_on()).unwrap();
    let before = events();
    let mut day = GameDay::start(&fixture("quick.toml"), &["--target", &site.url()]).unwrap();
    day.until_it_says("Provision").unwrap();
    let on = events();
    assert!(on.contains("THING") && on.len() == 4, "{on:?}");
    site.does(&["deploy", "--postfix", "green"]).unwrap();
    day.signal("-INT").unwrap();
    assert_eq!(day.exit().unwrap(), 13);
    assert_swept(&day);
    assert_eq!(events(), on, "green has rules that take them");
    site.does(&["destroy", "--postfix", "green"]).unwrap();
    assert_eq!(events(), before, "the last one that goes switches them off");
    assert_empty(&site);
}

/// The other way round: the run is the last that goes, and undoes what the deployment before it switched on.
#[test]
fn a_run_that_is_the_last_to_go_switches_registry_events_off() {
    let site = block_on(Site::start(20)).unwrap();
    let events = || block_on(site.primary.events_on()).unwrap();
    let before = events();
    site.does(&["deploy", "--postfix", "green"]).unwrap();
    let mut day = GameDay::start(&fixture("quick.toml"), &["--target", &site.url()]).unwrap();
    day.until_it_says("Provision").unwrap();
    let (_, said) = site.does(&["destroy", "--postfix", "green"]).unwrap();
    assert!(said.contains("another deployment"), "{said}");
    assert_ne!(events(), before);
    day.signal("-INT").unwrap();
    assert_eq!(day.exit().unwrap(), 13);
    assert_eq!(events(), before);
    assert_empty(&site);
}

#[test]
fn a_certificate_that_is_not_active_in_the_secondary_is_found_before_the_break() {
    let site = block_on(Site::start(20)).unwrap();
    let mut day = GameDay::start(&fixture("ready.toml"), &["--target", &site.url()]).unwrap();
    day.until_it_says("Hold").unwrap();
    let device = block_on(async {
        let things = site.secondary.iot.list_things().send().await.unwrap().things.unwrap_or_default();
        let device = things[0].thing_name.clone().unwrap();
        let principals = site.secondary.iot.list_thing_principals().thing_name(&device).send().await.unwrap();
        site.secondary.status(&principals.principals()[0], CertificateStatus::Inactive).await.unwrap();
        device
    });
    let exit = day.exit().unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 10, "{}", summary["reason"]);
    let row = objective(&summary, "devices.not_ready");
    assert_eq!((&row["verdict"], &row["value"]), (&"fail".into(), &1.0.into()), "{row}");
    let look = &summary["readiness"][0];
    assert_eq!((&look["ready"], &look["not_ready"], &look["unknown"]), (&4.into(), &1.into(), &0.into()));
    assert_eq!(look["devices"][0]["device"], *device);
    let why = look["devices"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("certificate ") && why.ends_with(" is not Active there"), "{why}");
    let report = fs::read_to_string(day.folder().unwrap().join("report.html")).unwrap();
    assert!(report.contains(&device) && report.contains("is not Active there"));
    assert_swept(&day);
}

#[test]
fn devices_that_cannot_be_looked_at_are_unknown() {
    let (day, exit) = play(&fixture("dark.toml"), &[]).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 11, "{}", summary["reason"]);
    assert_eq!(objective(&summary, "devices.not_ready")["verdict"], "unknown");
    let look = &summary["readiness"][0];
    assert_eq!((&look["ready"], &look["unknown"]), (&0.into(), &3.into()), "{look}");
    assert_swept(&day);
}

/// Nothing of any run is in the twin, by AWS's SDKs.
fn assert_empty(site: &Site) {
    assert_eq!(block_on(site.leftovers()).unwrap(), [""; 0]);
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
