//! The harness watching itself: CPU, memory, descriptors, and how late timers of the runtime fire.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use gameday_report::record::HarnessSample;

/// How often the lateness of timers is probed.
const PROBE_MS: u64 = 10;
/// Linux counts CPU time in hundredths of a second for every process.
const TICKS_PER_S: f64 = 100.0;
const PAGE_BYTES: u64 = 4_096;

/// This process's vital signs.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    timer_delay_us_max: AtomicU64,
}

impl Vitals {
    /// Probes timers until dropped.
    pub(crate) async fn probe(&self) {
        let pause = Duration::from_millis(PROBE_MS);
        loop {
            let began = Instant::now();
            tokio::time::sleep(pause).await;
            let late = began.elapsed().saturating_sub(pause);
            self.timer_delay_us_max.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// The signs since the last call, `elapsed` ago. `cpu_before_s` is what it returned then.
    pub(crate) fn take(&self, cpu_before_s: f64, elapsed: Duration, late_sends: u32) -> (HarnessSample, f64) {
        let cpu_s = cpu_seconds().unwrap_or(cpu_before_s);
        let share = (cpu_s - cpu_before_s) / elapsed.as_secs_f64().max(1e-3);
        let sample = HarnessSample {
            cpu_percent: (share * 1_000.0).round() / 10.0,
            timer_delay_us_max: self.timer_delay_us_max.swap(0, Relaxed),
            late_sends,
            rss_bytes: resident_bytes().unwrap_or(0),
            descriptors: descriptors(),
        };
        (sample, cpu_s)
    }
}

/// User and system time of this process, without its children.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in brackets, may hold anything; fields are counted behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * PAGE_BYTES)
}

fn descriptors() -> u32 {
    fs::read_dir("/proc/self/fd").map_or(0, |fds| u32::try_from(fds.count()).unwrap_or(u32::MAX))
}
