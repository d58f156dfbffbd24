//! Pacing, end to end on a twin that enforces quotas: of the tightest quota what share was used, and of all calls what share was
//! throttled, by the twin's own counts. A fleet by the API, taking all of the quota and leaving a fifth, a bulk registration, a
//! deletion, and the Region syncer, which has to learn the quotas.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use gameday_tests::{TwinProcess, gameday, site::Site, stopwatch::control};
use serde_json::Value;

use crate::create;

/// What the twin multiplies AWS's quotas with: fifteen certificates a second become thirty.
const SCALE: u32 = 2;
/// A bucket is full at the beginning, and holds a second of its rate.
const BURST_S: f64 = 1.0;
/// What is reached at the least of what may be used, and throttled at the most.
const GOAL: (f64, f64) = (0.95, 0.01);
/// The replicator is quiet if nothing was called for so long.
const QUIET: Duration = Duration::from_secs(10);
const QUIET_MAX: Duration = Duration::from_mins(10);

/// The twin's counts of one operation in a Region.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    went: f64,
    throttled: f64,
}

type Counts = BTreeMap<(String, String), Count>;

pub(crate) fn quotas(devices: u32) -> Result<()> {
    println!(
        "{:<40}{:<36}{:>8}{:>10}{:>12}{:>8}",
        "calls", "tightest", "quota/s", "may use, %", "of that, %", "429, %"
    );
    let (twin, folder) = (TwinProcess::start_scaled(SCALE)?, tempfile::tempdir()?);
    let url = twin.variable("AWS_ENDPOINT_URL");
    let count = devices.to_string();
    for (name, leave) in [("all", "0%"), ("most", "20%")] {
        begin(url)?;
        let made = create(folder.path(), name, &["--devices", &count, "--leave", leave, "--target", url])?;
        ensure!(made["made"] == devices, "{made}");
        let took_s = made["devices_seconds"].as_f64().context("how long it took")?;
        let share = if leave == "0%" { 1.0 } else { 0.8 };
        tell(url, &format!("fleet create by api, leaves {leave}"), took_s, share)?;
    }
    begin(url)?;
    let made = create(folder.path(), "bulk", &["--devices", &count, "--by", "bulk", "--target", url])?;
    ensure!(made["made"] == devices, "{made}");
    throttled_only(url, "fleet create by bulk")?;
    begin(url)?;
    let began = Instant::now();
    let output = Command::new(gameday()?)
        .args(["fleet", "delete", "all", "--yes", "--leave", "0%", "--target", url, "--fleets"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    tell(url, "fleet delete, leaves 0%", began.elapsed().as_secs_f64(), 1.0)?;
    tokio::runtime::Runtime::new()?.block_on(syncer(devices))
}

/// Straight into the secondary, while the replicator's own functions rest.
async fn syncer(devices: u32) -> Result<()> {
    let program = gameday()?.with_file_name("replicator");
    if !program.is_file() {
        bail!("{} is not built: cargo build --release -p replicator", program.display());
    }
    let site = Site::deploy(SCALE, &[]).await?;
    let (url, folder) = (site.url(), tempfile::tempdir()?);
    site.pause(true).await?;
    let made = create(
        folder.path(),
        "synced",
        &["--devices", &devices.to_string(), "--leave", "0%", "--target", &url],
    )?;
    ensure!(made["made"] == devices, "{made}");
    quiet(&url).await?;
    for share in ["1", "0.8"] {
        begin(&url)?;
        let began = Instant::now();
        let mut command = site.twin.command(&program);
        command.args([
            "sync",
            "--sync-mode",
            "all",
            "--primary-region",
            "us-east-1",
            "--secondary-region",
            "us-west-2",
        ]);
        command.args([
            "--state-table",
            "gameday-main-state",
            "--error-table",
            "gameday-main-errors",
            "--max-workers",
            "50",
        ]);
        let output = command.env("QUOTA_SHARE", share).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let share: f64 = share.parse()?;
        tell(
            &url,
            &format!("replicator sync, takes {share} of what it learns"),
            began.elapsed().as_secs_f64(),
            share,
        )?;
    }
    Ok(())
}

/// Waits until nobody calls any more.
async fn quiet(url: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        begin(url)?;
        tokio::time::sleep(QUIET).await;
        let busy = counts(url)?.into_iter().filter(|((_, operation), _)| operation.ends_with("Policies"));
        if busy.map(|(_, count)| count.went + count.throttled).sum::<f64>() < 1.0 {
            return Ok(());
        }
        ensure!(began.elapsed() < QUIET_MAX, "the replicator is still busy");
    }
}

/// Counts anew.
fn begin(url: &str) -> Result<()> {
    control(url, "PUT", "/_twin/calls", r#"{"on":true}"#).map(drop)
}

/// Calls of AWS IoT since then.
fn counts(url: &str) -> Result<Counts> {
    let calls: Vec<Value> = serde_json::from_str(&control(url, "GET", "/_twin/calls", "")?.1)?;
    let mut all = Counts::new();
    for call in calls.iter().filter(|call| call["service"] == "iot") {
        let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| call[name].as_f64().unwrap_or_default();
        let throttled = number("throttled");
        all.insert(
            (text("region"), text("operation")),
            Count { went: number("answered") - throttled, throttled },
        );
    }
    Ok(all)
}

fn throttled_share(counts: &Counts) -> f64 {
    let sum = |of: fn(&Count) -> f64| counts.values().map(of).sum::<f64>();
    let throttled = sum(|count| count.throttled);
    throttled / (sum(|count| count.went) + throttled).max(1.0)
}

/// A line: the operation that came nearest to its quota, how near, and what was throttled of all calls.
fn tell(url: &str, what: &str, took_s: f64, share: f64) -> Result<()> {
    let counts = counts(url)?;
    let mut tightest: Option<(String, f64, f64)> = None;
    for ((region, operation), count) in &counts {
        let Some(quota_per_s) = quota(url, region, operation) else { continue };
        let used = (count.went - quota_per_s * share * BURST_S).max(0.0) / (took_s * quota_per_s);
        if tightest.as_ref().is_none_or(|(_, _, most)| used > *most) {
            tightest = Some((format!("{operation} in {region}"), quota_per_s, used));
        }
    }
    let (operation, quota_per_s, used) = tightest.context("nothing of a quota was called")?;
    let (of_share, throttled) = (used / share, throttled_share(&counts));
    let reached = if of_share >= GOAL.0 && throttled < GOAL.1 { "" } else { "  MISSED" };
    println!(
        "{what:<40}{operation:<36}{quota_per_s:>8.0}{:>10.0}{:>12.1}{:>8.2}{reached}",
        share * 100.0,
        of_share * 100.0,
        throttled * 100.0
    );
    Ok(())
}

/// The same of calls whose pace is AWS's own.
fn throttled_only(url: &str, what: &str) -> Result<()> {
    let throttled = throttled_share(&counts(url)?);
    let reached = if throttled < GOAL.1 { "" } else { "  MISSED" };
    println!(
        "{what:<40}{:<36}{:>8}{:>10}{:>12}{:>8.2}{reached}",
        "the task's own pace",
        "",
        "",
        "",
        throttled * 100.0
    );
    Ok(())
}

/// The calls a second of an operation that the twin lets pass; none if it has no quota.
fn quota(url: &str, region: &str, operation: &str) -> Option<f64> {
    let path = format!("/_twin/quotas/{region}/{operation}%20API%20TPS");
    let (_, body) = control(url, "GET", &path, "").ok()?;
    let quota: Value = serde_json::from_str(&body).ok()?;
    quota["value"].as_f64()
}
