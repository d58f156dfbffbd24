//! `gameday quota --measure` through the binary: what the twin enforces is what is found, and nothing is left of the finding.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the seed, and how far off each finding is")]

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use gameday_tests::site::Site;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Quotas are set at random between these, in calls a second.
const DRAWN_PER_S: std::ops::Range<f64> = 4.0..60.0;
/// How many are set.
const DRAWN: usize = 20;
/// The most that a finding may be off.
const ERROR_SHARE_MAX: f64 = 0.05;

/// Sets a quota of the twin in its secondary Region.
fn set(site: &Site, code: &str, value: f64) {
    let address = site.url().replace("http://", "");
    let body = json!({"region": "us-west-2", "code": code, "value": value}).to_string();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "PUT /_twin/quotas HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{code}: {answer}");
}

/// The operations that have a quota of their own, with its code.
const OPERATIONS: [(&str, &str); 23] = [
    ("CreateThing", "L-64CBACAC"),
    ("UpdateThing", "L-211F680E"),
    ("DescribeThing", "L-0EF0F5EE"),
    ("DeleteThing", "L-889800F7"),
    ("CreateCertificateFromCsr", "L-01BCDDCA"),
    ("RegisterCertificateWithoutCA", "L-4671C7C8"),
    ("DescribeCertificate", "L-FC864907"),
    ("UpdateCertificate", "L-77B523DC"),
    ("DeleteCertificate", "L-EEB8F0B1"),
    ("CreatePolicy", "L-1B2EEF52"),
    ("GetPolicy", "L-5CE9072D"),
    ("AttachPolicy", "L-CA7D4E3E"),
    ("DetachPolicy", "L-EC88D510"),
    ("ListAttachedPolicies", "L-B2DA2A45"),
    ("AttachThingPrincipal", "L-F64D1AA6"),
    ("DetachThingPrincipal", "L-B5EE4A16"),
    ("ListThingPrincipals", "L-FC3EF4D9"),
    ("ListPrincipalThings", "L-C481616A"),
    ("CreateThingGroup", "L-512F449C"),
    ("DescribeThingGroup", "L-52E1E197"),
    ("AddThingToThingGroup", "L-2904683A"),
    ("ListThingGroupsForThing", "L-75F129AD"),
    ("GetThingShadow", "L-6CC6395A"),
];

#[tokio::test(flavor = "multi_thread")]
async fn twenty_quotas_set_at_random_are_found_by_calling_and_nothing_is_left() {
    let site = Site::start(1).await.unwrap();
    let before = site.leftovers().await.unwrap();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = OPERATIONS;
    drawn.shuffle(&mut rng);
    let drawn: Vec<_> = drawn[..DRAWN].iter().map(|(o, c)| (*o, *c, rng.random_range(DRAWN_PER_S))).collect();
    let mut arguments = vec!["quota", "--measure", "--beyond", "--in", "secondary", "--json"];
    for (operation, code, per_s) in &drawn {
        set(&site, code, *per_s);
        arguments.extend(["--operation", *operation]);
    }
    let (exit, printed, said) = site.ends(&arguments).unwrap();
    assert_eq!(exit, Some(0), "{printed}{said}");
    let rows: Vec<Value> = serde_json::from_str(&printed).unwrap();
    assert_eq!(rows.len(), DRAWN);
    for row in &rows {
        let (operation, _, is) = drawn.iter().find(|(name, ..)| row["operation"] == *name).unwrap();
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
async fn a_share_of_the_quota_throttles_nobody_and_is_said_to_be_no_more_than_that() {
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
