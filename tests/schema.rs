//! The schema of scenario files, held against every scenario there is by a validator that nobody here wrote, and `gameday init`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use gameday_tests::{run, skipped, tool};
use serde_json::Value;

const BASE: &str = r#"
title = "t"
proves = "p"
[fleet]
devices = 5
strategy = { cname = { every = "5s" } }
[[step]]
provision = { via = "api" }
[[step]]
connect = { rate_per_s = 20 }
[[step]]
break = { faults = ["primary-region-dark", { fault = "certificate-inactive", share = "20%" }] }
[[step]]
heal = {}
[objectives]
"writes.lost" = "== 0"
"failover.outage.p99" = "<= 90s"
[stop.when]
"devices.away" = "> 80%"
"#;

/// What is wrong by itself, wherever it stands: each is refused by gameday and by the schema.
const WRONG: [(&str, &str); 16] = [
    ("devices = 5", "devcies = 5"),
    ("devices = 5", "devices = 0"),
    ("devices = 5", "devices = \"5\""),
    ("title = \"t\"\n", ""),
    ("every = \"5s\"", "every = \"5 parsecs\""),
    ("every = \"5s\"", "every = 5"),
    ("cname = {", "by-name = {"),
    ("via = \"api\"", "via = \"hand\""),
    ("connect = {", "conect = {"),
    ("\"primary-region-dark\"", "\"primary-region-drak\""),
    ("share = \"20%\"", "share = 20"),
    ("share = \"20%\"", "part = \"20%\""),
    ("\"writes.lost\"", "\"writes.lots\""),
    ("\"<= 90s\"", "\"<= 90\""),
    ("\"failover.outage.p99\"", "\"failover.outage\""),
    ("\"> 80%\"", "\"< 80%\""),
];

/// Writes the schema; none without a validator, which is said.
fn schema(folder: &Path, test: &str) -> Option<(PathBuf, PathBuf)> {
    let Some(check) = tool("check-jsonschema") else {
        skipped(test, "no check-jsonschema; see .ci/tools");
        return None;
    };
    let path = folder.join("gameday.schema.json");
    fs::write(&path, run(&["schema"]).unwrap().stdout).unwrap();
    Some((check, path))
}

#[test]
fn every_scenario_is_as_the_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let Some((check, schema)) = schema(folder.path(), "every_scenario_is_as_the_schema_says") else { return };
    let output = Command::new(&check).arg("--check-metaschema").arg(&schema).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = ["../scenarios", "fixtures", "benches/stopwatch"]
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(files.len() > 20, "{files:?}");
    let part = folder.path().join("part.toml");
    fs::write(&part, "include = [\"base.toml\"]\n[fleet]\nkeep_alive = \"20s\"\n").unwrap();
    files.push(part);
    let base = folder.path().join("base.toml");
    fs::write(&base, BASE).unwrap();
    files.push(base);
    let output = Command::new(check).arg("--schemafile").arg(schema).args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let paths: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let output = run(&[&["validate"][..], &paths].concat()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_gameday_refuses_the_schema_refuses_too() {
    let folder = tempfile::tempdir().unwrap();
    let test = "what_gameday_refuses_the_schema_refuses_too";
    let Some((check, schema)) = schema(folder.path(), test) else { return };
    let mut files = Vec::new();
    for (place, (right, wrong)) in WRONG.iter().enumerate() {
        assert!(BASE.contains(right), "{right}");
        let path = folder.path().join(format!("wrong-{place}.toml"));
        fs::write(&path, BASE.replacen(right, wrong, 1)).unwrap();
        let output = run(&["validate", path.to_str().unwrap()]).unwrap();
        assert_eq!(output.status.code(), Some(2), "gameday takes {wrong}");
        files.push(path);
    }
    let output = Command::new(check)
        .args(["--output-format", "json", "--schemafile"])
        .arg(schema)
        .args(&files)
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let refused: Vec<&str> =
        said["errors"].as_array().unwrap().iter().map(|error| error["filename"].as_str().unwrap()).collect();
    for (path, (_, wrong)) in files.iter().zip(WRONG) {
        assert!(refused.contains(&path.to_str().unwrap()), "the schema takes {wrong}");
    }
}

#[test]
fn init_writes_what_runs_and_writes_over_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let ends = |arguments: &[&str]| {
        let output = run(arguments).unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = ends(&["init", &path("day.toml")]);
    assert_eq!(code, Some(0), "{said}");
    for command in ["validate", "plan"] {
        let (code, said) = ends(&[command, &path("day.toml")]);
        assert_eq!(code, Some(0), "{said}");
    }
    let schema: Value = serde_json::from_slice(&fs::read(path("gameday.schema.json")).unwrap()).unwrap();
    assert_eq!(schema, serde_json::from_slice::<Value>(&run(&["schema"]).unwrap().stdout).unwrap());
    let (code, said) = ends(&["init", &path("day.toml")]);
    assert!(code == Some(2) && said.contains("is not written over"), "{said}");

    let (code, list) = ends(&["init", "--list"]);
    assert!(code == Some(0) && list.contains("smoke ") && list.contains("full-rehearsal "), "{list}");
    let (code, said) = ends(&["init", &path("smoke.toml"), "--from", "smoke"]);
    assert_eq!(code, Some(0), "{said}");
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/smoke.toml");
    assert_eq!(fs::read(path("smoke.toml")).unwrap(), fs::read(library).unwrap());
    let (code, said) = ends(&["init", &path("x.toml"), "--from", "smok"]);
    assert!(code == Some(2) && said.contains("did you mean smoke?"), "{said}");
}
