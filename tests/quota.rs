//! `gameday quota` through the binary. `--measure`: what the twin enforces is what is found, and nothing is left of the finding. With a
//! scenario: the tightest row is the one that a calculation by hand finds, and a storm that is refused is as long as was said.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the seed, and how far off each finding is")]

use std::fs;

use gameday_tests::{
    fixture, play, run,
    site::{PRIMARY, SECONDARY, Site},
    stopwatch::control,
};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::sync::RwLock;

/// Quotas are set at random between these, in calls a second.
const DRAWN_PER_S: std::ops::Range<f64> = 4.0..60.0;
/// How many are set.
const DRAWN: usize = 20;
/// The most that a finding may be off.
const ERROR_SHARE_MAX: f64 = 0.05;
/// And a storm beside its bound.
const STORM_SHARE_MAX: f64 = 0.1;
/// The code of the quota that all shadow requests share.
const SHADOWS: &str = "Device Shadow API requests/second per account";

/// The storm has the machine to itself: what it measures are times.
static ALONE: RwLock<()> = RwLock::const_new(());

/// Sets a quota of the twin, by AWS's code or its name.
fn set(site: &Site, region: &str, code: &str, value: f64) {
    let body = json!({"region": region, "code": code, "value": value}).to_string();
    control(&site.url(), "PUT", "/_twin/quotas", &body).unwrap();
}

/// The operations that have a quota of their own.
const OPERATIONS: [&str; 23] = [
    "CreateThing",
    "UpdateThing",
    "DescribeThing",
    "DeleteThing",
    "CreateCertificateFromCsr",
    "RegisterCertificateWithoutCA",
    "DescribeCertificate",
    "UpdateCertificate",
    "DeleteCertificate",
    "CreatePolicy",
    "GetPolicy",
    "AttachPolicy",
    "DetachPolicy",
    "ListAttachedPolicies",
    "AttachThingPrincipal",
    "DetachThingPrincipal",
    "ListThingPrincipals",
    "ListPrincipalThings",
    "CreateThingGroup",
    "DescribeThingGroup",
    "AddThingToThingGroup",
    "ListThingGroupsForThing",
    "GetThingShadow",
];

#[tokio::test(flavor = "multi_thread")]
async fn twenty_quotas_set_at_random_are_found_by_calling_and_nothing_is_left() {
    let _with_others = ALONE.read().await;
    let site = Site::start(1).await.unwrap();
    let before = site.leftovers().await.unwrap();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = OPERATIONS;
    drawn.shuffle(&mut rng);
    let drawn: Vec<_> = drawn[..DRAWN].iter().map(|name| (*name, rng.random_range(DRAWN_PER_S))).collect();
    let mut arguments = vec!["quota", "--measure", "--beyond", "--in", "secondary", "--json"];
    for (operation, per_s) in &drawn {
        let quota = if *operation == "GetThingShadow" { SHADOWS } else { &format!("{operation} API TPS") };
        set(&site, SECONDARY, quota, *per_s);
        arguments.extend(["--operation", *operation]);
    }
    let (exit, printed, said) = site.ends(&arguments).unwrap();
    assert_eq!(exit, Some(0), "{printed}{said}");
    let rows: Vec<Value> = serde_json::from_str(&printed).unwrap();
    assert_eq!(rows.len(), DRAWN);
    for row in &rows {
        let (operation, is) = drawn.iter().find(|(name, _)| row["operation"] == *name).unwrap();
        let number = |what: &str| row[what].as_f64();
        let found = number("sustained_per_s").unwrap_or_default();
        let off = found / is - 1.0;
        println!("{operation}: {is:.2}/s, found {found:.2}/s, {:+.1}%", off * 100.0);
        assert!(off.abs() <= ERROR_SHARE_MAX, "{operation} is {is}/s: {row}");
        assert!((number("applied_per_s").unwrap() - is).abs() < 1e-9, "Service Quotas says it: {row}");
        assert!(number("good_per_s").unwrap() < number("throttled_per_s").unwrap(), "{row}");
        // The twin's buckets hold a second of their rate.
        assert!((number("burst_calls").unwrap() - is).abs() <= (is * 0.15).max(2.0), "{operation}: {row}");
        // What each API says when it is too much.
        let shown = if *operation == "GetThingShadow" {
            "429 ThrottlingException"
        } else {
            "400 ThrottlingException"
        };
        assert!(row["shown_as"][shown].as_u64() > Some(0), "{row}");
    }
    assert_eq!(site.leftovers().await.unwrap(), before, "nothing is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_messages_are_measured_on_devices_and_how_each_is_throttled_is_said() {
    let _with_others = ALONE.read().await;
    let site = Site::start(1).await.unwrap();
    let before = site.leftovers().await.unwrap();
    let is = [("CONNECT", "L-AEA1E176", 14.0, "CONNACK 3"), ("PUBLISH", "L-083F3861", 22.0, "silence")];
    let mut arguments = vec!["quota", "--measure", "--beyond", "--in", "secondary", "--json"];
    for (operation, code, per_s, _) in is {
        set(&site, SECONDARY, code, per_s);
        arguments.extend(["--operation", operation]);
    }
    let out = tempfile::tempdir().unwrap();
    arguments.extend(["--out", out.path().to_str().unwrap()]);
    let (exit, printed, said) = site.ends(&arguments).unwrap();
    assert_eq!(exit, Some(0), "{printed}{said}");
    let rows: Vec<Value> = serde_json::from_str(&printed).unwrap();
    for (row, (operation, _, per_s, shown)) in rows.iter().zip(is) {
        let found = row["sustained_per_s"].as_f64().unwrap_or_default();
        println!("{operation}: {per_s}/s, found {found:.2}/s, as {}", row["shown_as"]);
        assert_eq!(row["operation"], operation, "{printed}");
        assert!((found / per_s - 1.0).abs() <= ERROR_SHARE_MAX, "{row}");
        assert!(row["shown_as"][shown].as_u64() > Some(0), "{row}");
    }
    assert_eq!(site.leftovers().await.unwrap(), before, "certificate and policy are deleted");
    assert_eq!(fs::read_dir(out.path()).map_or(0, Iterator::count), 0, "and so is the journal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_quota_throttles_nobody_and_is_said_to_be_no_more_than_that() {
    let _with_others = ALONE.read().await;
    let site = Site::start(1).await.unwrap();
    let arguments = ["quota", "--measure", "--in", "primary", "--json", "--operation", "AttachPolicy"];
    let (exit, printed, said) = site.ends(&arguments).unwrap();
    assert_eq!(exit, Some(0), "{printed}{said}");
    let rows: Vec<Value> = serde_json::from_str(&printed).unwrap();
    assert_eq!((&rows[0]["end"], &rows[0]["sustained_per_s"]), (&json!("cap-reached"), &Value::Null));
    assert!((rows[0]["good_per_s"].as_f64().unwrap() - 12.0).abs() < 1e-9, "{printed}");
    assert_eq!(rows[0]["shown_as"], json!({}), "{printed}");
    let (exit, _, said) = site.ends(&["quota", "--measure", "--operation", "AttachPolicies"]).unwrap();
    assert_eq!(exit, Some(2), "{said}");
    assert!(said.contains("did you mean AttachPolicy?"), "{said}");
}

/// What the fleet of `region-failover.toml` asks, counted by hand: 500 devices, a message each 5 s, a shadow update each 10 s, a TTL
/// of 10 s, 100 devices that connect in a second, and 16 health checkers every 10 s in each Region.
const ASKED: [(&str, &str, &str, f64); 8] = [
    (PRIMARY, "Connect requests per second per account", "CONNECT", 100.0 + 1.6),
    (SECONDARY, "Connect requests per second per account", "CONNECT", 50.0 + 1.6),
    // Messages and updates, a first message on each connection, two of each probe, two answers to each update.
    (
        PRIMARY,
        "Inbound publish requests per second per account",
        "inbound messages",
        100.0 + 50.0 + 100.0 + 3.2 + 100.0,
    ),
    // On the way home, at the worst: all that is said there as before, and what the replicator brings of those at home.
    (
        SECONDARY,
        "Inbound publish requests per second per account",
        "inbound messages",
        100.0 + 50.0 + 3.2 + 100.0 + 100.0,
    ),
    // The replicator's updates, and a look at each shadow before its first, twice at the worst.
    (SECONDARY, SHADOWS, "shadow requests", 50.0 + 2.0 * 50.0),
    (PRIMARY, "Rule evaluations per second per AWS account", "rule evaluations", 50.0),
    (PRIMARY, "Maximum concurrent client connections per account", "connections", 500.0),
    // Two filters each.
    (SECONDARY, "Subscriptions per second per account", "SUBSCRIBE", 2.0 * 50.0 + 1.6),
];

#[tokio::test(flavor = "multi_thread")]
async fn of_quotas_set_at_random_the_tightest_is_named_and_more_of_it_is_asked_for_once() {
    let _with_others = ALONE.read().await;
    let site = Site::start(1).await.unwrap();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/region-failover.toml");
    for _ in 0..5 {
        // What else there is takes less than half of its quota, but for what gameday paces.
        let shares = ASKED.map(|_| rng.random_range(0.5..1.5));
        for ((region, quota, _, asked), share) in ASKED.iter().zip(shares) {
            set(&site, region, quota, asked / share);
        }
        let (exit, printed, said) = site.ends(&["quota", scenario, "--json"]).unwrap();
        let report: Value = serde_json::from_str(&printed).unwrap();
        let tightest = &report["rows"][usize::try_from(report["tightest"].as_u64().unwrap()).unwrap()];
        let most = shares.iter().copied().fold(0.0, f64::max);
        let ((region, _, what, asked), _) =
            ASKED.iter().zip(shares).max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap();
        println!("{what} in {region} at {most:.2}: {} in {}", tightest["what"], tightest["region"]);
        assert_eq!(
            (&tightest["what"], &tightest["region"]),
            (&json!(what), &json!(region)),
            "{shares:?}: {said}"
        );
        assert!((tightest["peak"].as_f64().unwrap() / asked - 1.0).abs() < 1e-6, "{tightest}");
        assert!((tightest["share"].as_f64().unwrap() / most - 1.0).abs() < 1e-6, "{tightest}");
        assert_eq!(tightest["quota"]["source"], "Service Quotas");
        assert_eq!(exit, Some(if most > 1.0 { 14 } else { 0 }), "{most}: {said}");
    }

    // More of it is asked for, and not twice.
    set(&site, SECONDARY, "L-AEA1E176", 10.0);
    let asks = |arguments: &[&str]| site.ends(&[&["quota", scenario], arguments].concat()).unwrap();
    let (exit, printed, said) = asks(&["--request"]);
    assert_eq!(exit, Some(14), "{printed}{said}");
    assert!(printed.contains("--quota-code L-AEA1E176 --desired-value 65"), "{printed}");
    assert!(
        said.contains("asked for: Connect requests per second per account (L-AEA1E176) in us-west-2: 65"),
        "{said}"
    );
    assert!(said.contains("refused by quota: CONNECT, us-west-2, failover: 51.6 per second of 10"), "{said}");
    let (_, _, said) = asks(&["--request"]);
    assert!(
        said.contains("not asked for again: Connect requests") && !said.contains("\nasked for"),
        "{said}"
    );
    let (_, csv, _) = asks(&["--csv"]);
    let row = csv.lines().find(|line| line.starts_with("failover,CONNECT,us-west-2,per second,")).unwrap();
    assert!(row.contains(",51.6,false,10,") && row.contains(",exceeded,iotcore,L-AEA1E176,"), "{row}");
}

#[test]
fn a_fleet_that_exceeds_the_secondarys_connects_is_refused_and_its_storm_is_as_long_as_was_said() {
    let _alone = ALONE.blocking_write();
    let scenario = fixture("storm.toml");
    let sets = ["fleet.devices=160", "twin.quotas.us-west-2.L-AEA1E176=20", "fleet.backoff.max=900ms"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let refused = run(&[&["quota", scenario.to_str().unwrap(), "--json"], &*sets].concat()).unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(14), "{said}");
    // All of them see the answer within a TTL of a second.
    let row = "refused by quota: CONNECT, us-west-2, failover: 161.6 per second of 20";
    assert!(said.lines().any(|line| line == row), "{said}");
    let predicted: Value = serde_json::from_slice(&refused.stdout).unwrap();

    let (day, exit) = play(&scenario, &[&["--seed", "5"], &*sets].concat()).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 0, "{}", summary["reason"]);
    let folder = day.folder().unwrap();
    let kept: Value = serde_json::from_slice(&fs::read(folder.join("quota.json")).unwrap()).unwrap();
    let storm = &kept["storms"][0];
    assert_eq!(storm, &predicted["storms"][0], "what was said offline is what the run reads");
    let number = |value: &Value| value.as_f64().unwrap();
    let (mean_ms, bound_ms) =
        (number(&summary["storm"]["wait_mean_ms"]), number(&storm["wait_mean_s"]) * 1e3);
    let last_ms = number(&summary["storm"]["shares"].as_array().unwrap().last().unwrap()["took_ms"]);
    let (least_ms, most_ms) = (number(&storm["time_least_s"]) * 1e3, number(&storm["time_most_s"]) * 1e3);
    println!(
        "a device waited {mean_ms:.0} ms, by the bound {bound_ms:.0} ms ({:+.1}%); the last one {last_ms:.0} ms, predicted {least_ms:.0} to {most_ms:.0} ms",
        (mean_ms / bound_ms - 1.0) * 100.0
    );
    assert!((mean_ms / bound_ms - 1.0).abs() <= STORM_SHARE_MAX, "{storm}: {}", summary["storm"]);
    assert!((least_ms..=most_ms).contains(&last_ms), "{least_ms} to {most_ms}: {last_ms}");

    let report = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(report.contains("<section id=\"quotas\">") && report.contains("exceeded</b>"));
    let csv = fs::read_to_string(folder.join("quota.csv")).unwrap();
    assert_eq!(csv.lines().count(), kept["rows"].as_array().unwrap().len() + 1);
}
