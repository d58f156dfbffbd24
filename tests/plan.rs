//! The plan beside what is done: a game day against a twin of its own that counts every call, held against the plan that was
//! printed before it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs};

use gameday_tests::{
    TwinProcess, fixture, play, run,
    site::{PRIMARY, SECONDARY},
    stopwatch::control,
};
use serde_json::Value;

/// The plan may be wrong by this share of a count and by this many calls: a call that is made again.
const SHARE: f64 = 0.1;
const CALLS: f64 = 3.0;
/// Of these services no call may be made that the plan does not have.
const WHOLE: [&str; 2] = ["iot", "iotdata"];
/// Of these some are CloudFormation's own, which the plan leaves out.
const PARTS: [&str; 3] = ["route53", "dynamodb", "sqs"];

type Kind = (String, String, String);

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// Least and most of each kind of call, by Region.
fn planned(plan: &Value, callers: &[&str]) -> BTreeMap<Kind, (f64, f64)> {
    let mut all: BTreeMap<Kind, (f64, f64)> = BTreeMap::new();
    for quantity in plan["quantities"].as_array().unwrap() {
        if !callers.is_empty() && !callers.contains(&quantity["caller"].as_str().unwrap()) {
            continue;
        }
        let region = match quantity["place"].as_str().unwrap() {
            "primary" => PRIMARY,
            "secondary" => SECONDARY,
            _ => "global",
        };
        let kind = (region.to_owned(), text(quantity, "service"), text(quantity, "unit"));
        let sum = all.entry(kind).or_default();
        *sum = (sum.0 + quantity["least"].as_f64().unwrap(), sum.1 + quantity["most"].as_f64().unwrap());
    }
    all
}

/// What the twin counted; Route 53 has no Regions.
fn counted(url: &str) -> BTreeMap<Kind, f64> {
    let (_, body) = control(url, "GET", "/_twin/calls", "").unwrap();
    let calls: Vec<Value> = serde_json::from_str(&body).unwrap();
    let mut all = BTreeMap::new();
    for call in calls {
        let region = if call["service"] == "route53" { "global".to_owned() } else { text(&call, "region") };
        let kind = (region, text(&call, "service"), text(&call, "operation"));
        *all.entry(kind).or_default() += call["answered"].as_f64().unwrap();
    }
    all
}

fn truth(url: &str, kind: &str) -> Vec<Value> {
    let (_, body) = control(url, "GET", &format!("/_twin/truth?kind={kind}&max=1000000"), "").unwrap();
    body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_within(count: f64, (least, most): (f64, f64)) -> bool {
    count >= least * (1.0 - SHARE) - CALLS && count <= most * (1.0 + SHARE) + CALLS
}

#[test]
fn what_is_called_is_what_was_planned_and_the_run_keeps_the_plan_that_was_printed() {
    let twin = TwinProcess::start_scaled(20).unwrap();
    let url = twin.variable("AWS_ENDPOINT_URL").to_owned();
    for what in ["calls", "truth"] {
        control(&url, "PUT", &format!("/_twin/{what}"), r#"{"on":true}"#).unwrap();
    }
    let scenario = fixture("quick.toml");
    let printed = run(&["plan", scenario.to_str().unwrap(), "--json", "--target", &url]).unwrap();
    assert_eq!(printed.status.code(), Some(0));
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(counted(&url).len(), 0, "a plan calls nothing");

    let (day, exit) = play(&scenario, &["--target", &url, "--seed", "7"]).unwrap();
    assert_eq!(exit, 0, "{}", day.summary().unwrap()["reason"]);
    let kept = fs::read_to_string(day.folder().unwrap().join("plan.json")).unwrap();
    assert_eq!(printed.trim_end(), kept, "the run carries out what was printed");

    let plan: Value = serde_json::from_str(&kept).unwrap();
    let (planned_all, counted) = (planned(&plan, &[]), counted(&url));
    let mut wrong = Vec::new();
    for (kind, count) in &counted {
        match planned_all.get(kind) {
            Some(bounds)
                if (WHOLE.contains(&kind.1.as_str()) || PARTS.contains(&kind.1.as_str()))
                    && !is_within(*count, *bounds) =>
            {
                wrong.push(format!("{kind:?}: {count} calls, planned {bounds:?}"));
            }
            None if WHOLE.contains(&kind.1.as_str()) => {
                wrong.push(format!("{kind:?}: {count} calls, not planned"));
            }
            _ => {}
        }
    }
    for (kind, bounds) in planned_all.iter().filter(|(kind, _)| WHOLE.contains(&kind.1.as_str())) {
        if !counted.contains_key(kind) && !is_within(0.0, *bounds) {
            wrong.push(format!("{kind:?}: planned {bounds:?}, never called"));
        }
    }
    // What devices said, by Region.
    let devices = planned(&plan, &["devices"]);
    let publishes = truth(&url, "publish");
    let connects = truth(&url, "mqtt");
    for region in [PRIMARY, SECONDARY] {
        let bounds = |unit: &str| devices[&(region.to_owned(), "mqtt".to_owned(), unit.to_owned())];
        let of_devices = |fact: &&Value| fact["region"] == region && !text(fact, "topic").starts_with("dr/");
        let said = publishes.iter().filter(of_devices).count() as f64;
        if !is_within(said, bounds("publish")) {
            wrong.push(format!("{region}: {said} publishes, planned {:?}", bounds("publish")));
        }
        let came = connects.iter().filter(|fact| {
            let client = text(fact, "client");
            fact["region"] == region
                && fact["connected"] == true
                && client.starts_with("gd-")
                && !client.contains("observer")
        });
        let came = came.count() as f64;
        if !is_within(came, bounds("connect")) {
            wrong.push(format!("{region}: {came} CONNECTs of devices, planned {:?}", bounds("connect")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_plan_beyond_what_is_allowed_is_refused_before_anything_is_done() {
    let (scenario, out) = (fixture("quick.toml"), tempfile::tempdir().unwrap());
    let (scenario, folder) = (scenario.to_str().unwrap(), out.path().join("runs"));
    for limit in [["--max-devices", "11"], ["--max-cost", "0.0000001"]] {
        let refused = run(&["plan", scenario, limit[0], limit[1]]).unwrap();
        assert_eq!(refused.status.code(), Some(14), "{limit:?}");
        assert!(!refused.stdout.is_empty(), "the plan is printed all the same");
        let refused = run(&["run", scenario, limit[0], limit[1], "--out", folder.to_str().unwrap()]).unwrap();
        assert_eq!(refused.status.code(), Some(14), "{limit:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("nothing was changed") && said.contains(limit[0]), "{said}");
        assert!(!folder.exists(), "{limit:?}: a run folder was made");
    }
    let allowed = run(&["plan", scenario, "--max-devices", "12", "--max-cost", "1000"]).unwrap();
    assert_eq!(allowed.status.code(), Some(0));
}

#[test]
fn a_recorded_run_costs_no_more_than_its_plan_said_and_the_examples_are_the_guides() {
    let usd = |value: &Value| (value["usd_min"].as_f64().unwrap(), value["usd_max"].as_f64().unwrap());
    let cost = |arguments: &[&str]| -> Value {
        let said = run(&[&["cost", "--json"], arguments].concat()).unwrap();
        assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
        serde_json::from_slice(&said.stdout).unwrap()
    };
    let short = ["--set", "fleet.devices=3", "--seed", "7"];
    let (day, exit) = play(&fixture("quick.toml"), &short).unwrap();
    assert_eq!(exit, 0, "{}", day.summary().unwrap()["reason"]);
    let recorded = cost(&[day.folder().unwrap().to_str().unwrap()]);
    let planned = cost(&[fixture("quick.toml").to_str().unwrap(), "--set", "fleet.devices=3"]);
    let (recorded, planned) = (usd(&recorded["run"]), usd(&planned["run"]));
    assert!(recorded.0 >= planned.0 * 0.9 && recorded.1 <= planned.1, "{recorded:?} within {planned:?}");
    assert!(recorded.1 - recorded.0 < planned.1 - planned.0, "what was recorded is known better");

    let examples = cost(&["--examples"]);
    let guide = examples["examples"].as_array().unwrap().iter().map(|example| &example["guide_usd"]);
    assert_eq!(guide.collect::<Vec<_>>(), [&Value::from(70.14), &Value::from(276.08)]);
}
