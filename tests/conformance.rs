//! The twin by clients that nobody here wrote, case for case: `conformance/` holds the cases, by client, and their runner.
//!
//! Each client is a test with a twin of its own. A client that is not installed is skipped, and says so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use gameday_tests::{TwinProcess, skipped, tool};
use serde_json::Value;

fn runner() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/run.py")
}

/// Runs the cases of one client; the count goes to the terminal, past the test's capture.
fn conforms(client: &str) {
    let Some(python) = tool("python3") else {
        return skipped(client, "needs Python; see .ci/tools");
    };
    let twin = TwinProcess::start().unwrap();
    let output = twin.command(&python).arg(runner()).args(["--client", client, "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let mut failed = Vec::new();
    for line in lines.iter().filter(|line| line["case"].is_string()) {
        let (case, why) = (text(line, "case"), text(line, "why"));
        match text(line, "outcome").as_str() {
            "passed" => {}
            "skipped" => skipped(&format!("{client}: {case}"), &why),
            _ => failed.push(format!("{case}: {why}")),
        }
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!lines.is_empty(), "{client}: nothing ran: {errors}");
    let _ = writeln!(std::io::stderr(), "CONFORMANCE: {client}: {}", lines[lines.len() - 1]["count"]);
    assert!(failed.is_empty() && output.status.success(), "{client}:\n{}\n{errors}", failed.join("\n"));
}

#[test]
fn boto3() {
    conforms("boto3");
}

#[test]
fn the_aws_cli() {
    conforms("aws-cli");
}

#[test]
fn paho() {
    conforms("paho");
}

#[test]
fn the_device_sdk() {
    conforms("device-sdk");
}

#[test]
fn mosquitto() {
    conforms("mosquitto");
}

#[test]
fn curl_with_a_device_certificate() {
    conforms("curl");
}

#[test]
fn functions_of_awslambdaric() {
    conforms("awslambdaric");
}

/// `twenty_steps.py`, step by step.
#[test]
fn twenty_ordinary_steps() {
    conforms("twenty-steps");
}

#[test]
fn every_operation_of_the_readme_has_a_case() {
    let Some(python) = tool("python3") else {
        return skipped("every_operation_of_the_readme_has_a_case", "needs Python; see .ci/tools");
    };
    let output = std::process::Command::new(python).arg(runner()).arg("--coverage").output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    if said["unknown"].is_object() {
        return skipped("every_operation_of_the_readme_has_a_case", &said["unknown"].to_string());
    }
    assert!(output.status.success(), "without a case: {said}");
}
