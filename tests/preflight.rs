//! What a run looks at before it changes anything: what refuses it, that nothing was changed then, and the ways to go on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path, process::Output};

use aws_sdk_iot::types::{AttributePayload, ThingGroupProperties};
use gameday_tests::{GameDay, TwinProcess, fixture, play, run, site::Site, stopwatch::control};
use serde_json::Value;

/// The thing group that is the lease.
const LEASE: &str = "gameday-health-lease";
const RUN: &str = "gameday-run";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn attributes(pairs: &[(&str, &str)]) -> AttributePayload {
    let all = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    AttributePayload::builder().set_attributes(Some(all)).build()
}

/// A run that is not to go on: it ends with 14, and leaves no folder. The answer is what it said.
fn refused(target: &str, more: &[&str]) -> String {
    let out = tempfile::tempdir().unwrap();
    let runs = out.path().join("runs");
    let scenario = fixture("silent.toml");
    let arguments = ["run", scenario.to_str().unwrap(), "--target", target, "--out", runs.to_str().unwrap()];
    let output = run(&[&arguments[..], more].concat()).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(14), "{said}");
    assert!(said.contains("refused, nothing was changed"), "{said}");
    assert!(!runs.exists(), "a refused run leaves no folder");
    said
}

fn doctor(target: &str, more: &[&str]) -> Output {
    let scenario = fixture("silent.toml");
    run(&[&["doctor", scenario.to_str().unwrap(), "--target", target], more].concat()).unwrap()
}

/// How a check of `gameday doctor --json` ended, and why.
fn check(output: &Output, name: &str) -> (String, String) {
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = said["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    let text = |key: &str| check[key].as_str().unwrap().to_owned();
    (text("outcome"), text("why"))
}

/// Who has the lease.
async fn leased(site: &Site) -> Option<String> {
    let group = site.secondary.iot.describe_thing_group().thing_group_name(LEASE).send().await.ok()?;
    let attributes = group.thing_group_properties?.attribute_payload?.attributes?;
    attributes.get(RUN).cloned()
}

fn id_of(said: &str) -> String {
    said.trim().split([' ', ',']).nth(1).unwrap().to_owned()
}

#[test]
fn a_second_run_is_refused_while_one_lives_and_a_lease_that_has_ended_is_taken_over() {
    let site = block_on(Site::start(20)).unwrap();
    let url = site.url();
    let mut first =
        GameDay::start(&fixture("silent.toml"), &["--target", &url, "--set", "step.2.hold.for=2m"]).unwrap();
    let run = id_of(&first.until_it_says("      run ").unwrap());
    first.until_it_says("Hold").unwrap();
    assert_eq!(block_on(leased(&site)), Some(run.clone()));
    let things = block_on(site.primary.leftovers()).unwrap();
    let said = refused(&url, &[]);
    assert!(said.contains(&format!("another game day is under way: run {run} ")), "{said}");
    assert!(!said.contains("gameday cleanup"), "what a run that goes on has made is no leftover: {said}");
    assert_eq!(block_on(site.primary.leftovers()).unwrap(), things);
    assert_eq!(block_on(leased(&site)), Some(run.clone()));

    // A run that is killed keeps others out until its lease ends; then it is what it left.
    first.signal("-KILL").unwrap();
    assert!(first.exit().is_err());
    assert!(refused(&url, &[]).contains("another game day is under way"));
    block_on(lease_ended(&site, &run));
    let said = refused(&url, &[]);
    assert!(said.contains(&format!("run {run} left ")) && !said.contains("under way"), "{said}");
    assert!(said.contains(&format!("gameday cleanup {run} --target {url}")), "{said}");
    site.does(&["cleanup", &run]).unwrap();
    assert_eq!(block_on(leased(&site)), None, "its lease goes with it");

    // One that has ended is taken over, beside something that an operator says to overlook.
    let mark = attributes(&[(RUN, "k2x81mqa")]);
    let thing = "gd-k2x81mqa-00001";
    block_on(site.primary.iot.create_thing().thing_name(thing).attribute_payload(mark).send()).unwrap();
    block_on(lease_ended(&site, "k2x81mqa"));
    let (day, exit) = play(&fixture("silent.toml"), &["--target", &url, "--ignore", "leftovers"]).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 11, "{}", summary["reason"]);
    assert_eq!((&summary["ended"], &summary["undo"]["left"]), (&"completed".into(), &0.into()));
    let looked = summary["preflight"].as_array().unwrap();
    let row = looked.iter().find(|row| row["name"] == "leftovers").unwrap();
    assert_eq!((&row["outcome"], &row["ignored"]), (&"refused".into(), &true.into()), "{row}");
    let undo = journal(&day.folder().unwrap());
    assert!(undo.lines().next().unwrap().contains("\"lease\""), "it is written down before anything else");
    let report = fs::read_to_string(day.folder().unwrap().join("report.html")).unwrap();
    assert!(report.contains("Before anything was changed") && report.contains("An operator said to go on"));
    assert_eq!(block_on(leased(&site)), None, "it is given back");
    assert!(block_on(site.primary.has_thing(thing)), "what was overlooked was not touched");
}

/// A lease that ended long ago.
async fn lease_ended(site: &Site, run: &str) {
    let past =
        attributes(&[(RUN, run), ("gameday-host", "elsewhere"), ("gameday-until", "2026-01-01T00:00:00Z")]);
    let properties = ThingGroupProperties::builder().attribute_payload(past).build();
    let iot = &site.secondary.iot;
    if leased(site).await.is_some() {
        let update = iot.update_thing_group().thing_group_name(LEASE).thing_group_properties(properties);
        update.send().await.unwrap();
    } else {
        let create = iot.create_thing_group().thing_group_name(LEASE).thing_group_properties(properties);
        create.send().await.unwrap();
    }
}

#[test]
fn a_refusal_changes_nothing_by_the_count_of_calls() {
    let site = block_on(Site::start(20)).unwrap();
    let url = site.url();
    let mark = attributes(&[("gameday-run", "k2x81mqa")]);
    let leave = site.primary.iot.create_thing().thing_name("gd-k2x81mqa-00001").attribute_payload(mark);
    block_on(leave.send()).unwrap();
    control(&url, "PUT", "/_twin/calls", r#"{"on":true}"#).unwrap();
    let said = refused(&url, &[]);
    assert!(said.contains("run k2x81mqa left 1 things in us-east-1"), "{said}");
    let looked = doctor(&url, &["--json"]);
    assert_eq!(looked.status.code(), Some(14));
    assert_eq!(check(&looked, "leftovers").0, "refused");
    assert_eq!(check(&looked, "lease").0, "passed");
    assert_eq!(doctor(&url, &["--ignore", "leftovers"]).status.code(), Some(0));

    let (_, body) = control(&url, "GET", "/_twin/calls", "").unwrap();
    let calls: Vec<Value> = serde_json::from_str(&body).unwrap();
    let operations: Vec<&str> = calls.iter().map(|call| call["operation"].as_str().unwrap()).collect();
    assert!(
        operations.contains(&"ListThings") && operations.contains(&"GetCallerIdentity"),
        "{operations:?}"
    );
    let reads = ["Describe", "List", "Get"];
    for operation in operations {
        assert!(reads.iter().any(|read| operation.starts_with(read)), "{operation} changes something");
    }
}

#[test]
fn an_account_that_is_not_on_the_list_is_refused() {
    let twin = TwinProcess::start().unwrap();
    let url = twin.variable("AWS_ENDPOINT_URL");
    let file = |accounts: &str| {
        let path = twin.folder.path().join("target.toml");
        fs::write(&path, format!("target = \"{url}\"\naccounts = [{accounts}]\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let said = refused(&file("\"999999999999\""), &[]);
    assert!(said.contains("123456789012 is not on the list") && said.contains("999999999999"), "{said}");
    let looked = doctor(&file("\"999999999999\""), &["--json"]);
    assert_eq!(looked.status.code(), Some(14));
    assert_eq!(check(&looked, "account").0, "refused");
    let (outcome, why) = check(&looked, "leftovers");
    assert!(outcome == "unknown" && why.contains("account"), "nothing was looked at in it: {why}");

    let looked = doctor(&file("\"999999999999\", \"123456789012\""), &[]);
    let said = String::from_utf8(looked.stdout).unwrap();
    assert_eq!(looked.status.code(), Some(0), "{said}");
    assert!(said.lines().count() > 10 && said.lines().all(|line| line.starts_with("passed ")), "{said}");
}

#[test]
fn what_is_not_steady_ends_with_11_and_nothing_is_broken() {
    let more = [
        "steady.at_most=4s",
        "steady.when={ \"devices.missing\" = \"== 0\", \"publish.ack.p99\" = \"<= 0s\" }",
    ];
    let more: Vec<&str> = more.into_iter().flat_map(|set| ["--set", set]).collect();
    let (day, exit) = play(&fixture("killed.toml"), &more).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!((exit, &summary["ended"]), (11, &"not-steady".into()), "{}", summary["reason"]);
    assert_eq!(summary["verdict"], "unknown");
    assert!(summary["reason"].as_str().unwrap().contains("publish.ack.p99 was "), "{}", summary["reason"]);
    assert!(!summary["reason"].as_str().unwrap().contains("devices.missing"), "that one holds");
    assert_eq!(summary["faults"].as_array().unwrap().len(), 0, "nothing was broken");
    assert_eq!((&summary["undo"]["complete"], &summary["undo"]["left"]), (&true.into(), &0.into()));
    let folder = day.folder().unwrap();
    assert!(!journal(&folder).contains("\"kind\":\"fault\""), "nor was it about to be");
    let report = fs::read_to_string(folder.join("report.html")).unwrap();
    let head = report.split("</header>").next().unwrap();
    assert!(
        head.contains("nothing was broken") && head.contains("publish.ack.p99 was "),
        "where the verdict is"
    );
}

fn journal(folder: &Path) -> String {
    fs::read_to_string(folder.join("undo.ndjson")).unwrap()
}
