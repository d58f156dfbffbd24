//! Bulk registration: keys, input, task, reports, certificates on disk, beside the pace at which the task itself goes.

use std::time::Instant;

use anyhow::{Result, ensure};
use gameday_tests::TwinProcess;

use crate::create;

/// What the twin multiplies AWS's quotas with, and the pace of a task.
const SCALE: u32 = 200;
/// Lines a second of a task on AWS, as the guide measured.
const TASK_PER_S: f64 = 5.0;
/// The archived solution's own figures for 30,000 devices: keys and CSRs, and registration.
const ARCHIVED_S: [f64; 2] = [11_086.0, 6_146.0];

pub(crate) fn register(devices: u32) -> Result<()> {
    let (twin, folder) = (TwinProcess::start_scaled(SCALE)?, tempfile::tempdir()?);
    let url = twin.variable("AWS_ENDPOINT_URL");
    let began = Instant::now();
    let made = create(
        folder.path(),
        "bench",
        &["--devices", &devices.to_string(), "--by", "bulk", "--target", url],
    )?;
    let whole_s = began.elapsed().as_secs_f64();
    ensure!(made["made"] == devices, "{made}");
    let pace_s = f64::from(devices) / (TASK_PER_S * f64::from(SCALE));
    println!("bulk registration: {devices} devices with keys, CSRs and certificates on disk: {whole_s:.1} s");
    println!("    the task's own pace ({SCALE} times AWS's): {pace_s:.1} s; ours {:.2}x", whole_s / pace_s);
    let aws_s = f64::from(devices) / TASK_PER_S + (whole_s - pace_s).max(0.0);
    let archived_s = ARCHIVED_S.iter().sum::<f64>() * f64::from(devices) / 30_000.0;
    println!(
        "    at AWS's pace: {aws_s:.0} s; the archived solution: {archived_s:.0} s, {:.1}x",
        archived_s / aws_s
    );
    Ok(())
}
