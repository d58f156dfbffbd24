//! What a process costs: processor time, memory, descriptors, as the kernel counts them.

use std::{fs, process};

use anyhow::{Context, Result};

/// The kernel's clock ticks a second (`USER_HZ`), the same on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Processor time of all threads, user and system, in seconds; the kernel counts hundredths.
    pub cpu_s: f64,
    /// Resident memory in KiB.
    pub rss_kib: f64,
}

impl Usage {
    /// Reads the counters of process `pid`.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid} is gone"))?;
        // The name, in parentheses, may hold spaces: fields count from behind it; utime and stime are the 14th and 15th.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss_kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse().ok())
            .context("no VmRSS")?;
        Ok(Self { cpu_s: (ticks(11) + ticks(12)) / TICKS_PER_S, rss_kib })
    }

    /// This process's own.
    pub fn own() -> Result<Self> {
        Self::of(process::id())
    }

    /// What was used since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self { cpu_s: self.cpu_s - before.cpu_s, rss_kib: self.rss_kib - before.rss_kib }
    }
}
