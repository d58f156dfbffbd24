//! How right a run's numbers are: a game day of a fleet against a twin with its ground truth on, through the binary, and what is
//! in the run folder held against the truth. Figures with their ratio to the goals; a ratio up to 1 is a goal that is met.
//!
//! `cargo bench --workspace --bench stopwatch [-- --devices 2000 --delay-ms 500]`
//!
//! What neither side can match makes the bench fail: a figure of a part would be none.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::{path::Path, time::Duration};

use anyhow::{Result, bail, ensure};
use gameday_tests::{
    GameDay, TwinProcess,
    stopwatch::{self, Errors},
};

/// Of the scenario.
const QUOTA_SCALE: u32 = 100;
const RUN_MAX: Duration = Duration::from_mins(30);
/// 99 of 100 lags may be wrong by this,
const LAG_ERROR_MS_MAX: f64 = 2.0;
/// and 99 of 100 moments of devices.
const MOMENT_ERROR_MS_MAX: f64 = 20.0;
const LISTED: usize = 10;

fn main() -> Result<()> {
    let (mut devices, mut delay_ms) = (2_000_u32, 500_u32);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let field = match word.as_str() {
            "--bench" => continue,
            "--devices" => &mut devices,
            "--delay-ms" => &mut delay_ms,
            other => bail!("{other}: not an option; there are --devices and --delay-ms"),
        };
        *field = words.next().unwrap_or_default().parse()?;
    }
    let twin = TwinProcess::start_with(QUOTA_SCALE, &["--replication-delay-ms", &delay_ms.to_string()])?;
    let url = twin.variable("AWS_ENDPOINT_URL").to_owned();
    stopwatch::switch_on(&url)?;
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/stopwatch/day.toml");
    let sets = [format!("fleet.devices={devices}"), format!("twin.replication_delay={delay_ms}ms")];
    let more = ["--target", &url, "--set", &sets[0], "--set", &sets[1]];
    let mut day = GameDay::start(&scenario, &more)?;
    let exit = day.exit_within(RUN_MAX)?;
    let summary = day.summary()?;
    println!(
        "{devices} devices, replication slow by {delay_ms} ms; the run ended with {exit}: {}",
        summary["reason"]
    );
    println!("    the harness of itself: {}", summary["harness"]);
    let found = stopwatch::compare(&day.folder()?, &url)?;
    let lag = &summary["latencies"]["replication.shadow"]["total"];
    println!(
        "replication lag as measured: p50 {} ms, p99 {} ms; its error, write by write:",
        lag["p50_ms"], lag["p99_ms"]
    );
    show(&found.lag, LAG_ERROR_MS_MAX);
    for errors in &found.lag_moments {
        println!("    {errors}");
    }
    println!("moments of the whole fleet, and their errors:");
    for errors in &found.common {
        show(errors, MOMENT_ERROR_MS_MAX);
    }
    println!("moments of each device, and their errors (of resolver and address: at the most):");
    for errors in &found.devices {
        show(errors, MOMENT_ERROR_MS_MAX);
    }
    for what in found.unmatched.iter().take(LISTED) {
        println!("UNMATCHED: {what}");
    }
    let checks = summary["checks"].as_array();
    let kept_up =
        checks.into_iter().flatten().any(|row| row["name"] == "harness" && row["verdict"] == "pass");
    ensure!(kept_up, "the harness says that it did not keep up: these are figures of a busy machine");
    ensure!(found.unmatched.is_empty(), "{} could not be matched", found.unmatched.len());
    Ok(())
}

fn show(errors: &Errors, goal_ms: f64) {
    println!("    {errors}  {:.2} of the goal ({goal_ms} ms at p99)", errors.percentile_ms(99) / goal_ms);
}
