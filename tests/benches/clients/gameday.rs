//! gameday's own devices: two game days without a fault against a twin in a process of its own. In the first nobody sends, for
//! what a connect and a device cost; in the second everybody does.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use gameday_tests::process::Usage;
use serde_json::Value;

use crate::{Cost, Settings};

/// What a step begins with on a pipe, in the order of the scenario: "  2/3 Connect".
const STEPS: [&str; 3] = ["1/3", "2/3", "3/3"];
/// gameday's exit code for it.
const INCONCLUSIVE: i32 = 11;
/// What comes behind the last of them.
const AFTER: &str = "converge";

pub(crate) fn cost(settings: Settings, target: &str) -> Result<Cost> {
    let idle = play(settings, target, "")?;
    let busy = play(settings, target, "[load]\ntelemetry = { every = \"1s\", bytes = 128 }\n")?;
    let [before, connected, _] = idle.moments;
    let [_, began, ended] = busy.moments;
    Ok(Cost { before, connected, sending: ended.since(began), messages: busy.acknowledged })
}

/// A game day's costs: before its devices connect, when they are connected, and when the hold is over.
struct Day {
    moments: [Usage; 3],
    /// While it held.
    acknowledged: f64,
}

fn play(settings: Settings, target: &str, load: &str) -> Result<Day> {
    let Settings { devices, per_s, seconds } = settings;
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("clients.toml");
    let text = format!(
        "title = \"What a device costs\"\nproves = \"nothing: it is measured\"\n\
         [fleet]\ndevices = {devices}\nstrategy = {{ cname = {{ every = \"5s\" }} }}\n{load}\
         [twin]\nquota_scale = 10000\n\
         [[step]]\nprovision = {{ via = \"api\", at_most = \"10m\" }}\n\
         [[step]]\nconnect = {{ rate_per_s = {per_s}, at_most = \"5m\" }}\n\
         [[step]]\nhold = {{ for = \"{seconds}s\" }}\n"
    );
    fs::write(&scenario, text)?;
    let mut child = Command::new(gameday_tests::gameday()?)
        .arg("run")
        .arg(&scenario)
        .args(["--target", target, "--out"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let (mut moments, mut told) = (Vec::new(), String::new());
    for line in BufReader::new(child.stderr.take().context("its output")?).lines() {
        let line = line?;
        let word = line.split_whitespace().next().unwrap_or_default();
        if STEPS[1..].contains(&word) || (word == AFTER && moments.len() == 2) {
            moments.push(Usage::of(child.id())?);
        }
        told.push_str(&line);
        told.push('\n');
    }
    let status = child.wait()?;
    // Without an objective, or on a busy machine, its verdict is unknown; what it cost is measured here.
    ensure!(matches!(status.code(), Some(0 | INCONCLUSIVE)), "it ended with {status}:\n{told}");
    let Ok(moments) = moments.try_into() else { bail!("its steps were not to be seen:\n{told}") };
    Ok(Day { moments, acknowledged: acknowledged(folder.path())? })
}

/// What was acknowledged while it held, as its record says.
fn acknowledged(out: &Path) -> Result<f64> {
    let record = fs::read_to_string(out.join("clients/latest/events.ndjson"))?;
    let (mut holds, mut count) = (false, 0);
    for line in record.lines() {
        let event: Value = serde_json::from_str(line)?;
        match event["event"].as_str() {
            Some("step") => holds = event["name"] == "hold",
            Some("sample") if holds => {
                let regions = event["telemetry_acked"].as_object().context("counts by Region")?;
                count += regions.values().filter_map(Value::as_u64).sum::<u64>();
            }
            _ => {}
        }
    }
    Ok(count as f64)
}
