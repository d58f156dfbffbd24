//! The harness watching itself: processors, memory, descriptors, sockets, steps of the wall clock, and how late timers of the
//! runtime fire.

mod machine;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use gameday_report::record::HarnessSample;

use crate::{clock::RunClock, descriptors};

/// How often the lateness of timers is probed.
const PROBE_MS: u64 = 10;
/// In less time the kernel's hundredths of a second make no share.
const SHARE_S_MIN: f64 = 0.2;

/// Probes how late timers fire.
#[derive(Debug, Default)]
pub(super) struct TimerProbe {
    delay_us_max: AtomicU64,
}

impl TimerProbe {
    /// Probes until dropped.
    pub(super) async fn run(&self) {
        let pause = Duration::from_millis(PROBE_MS);
        loop {
            let began = Instant::now();
            tokio::time::sleep(pause).await;
            let late = began.elapsed().saturating_sub(pause);
            self.delay_us_max.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// The longest delay since the last call.
    pub(super) fn take(&self) -> u64 {
        self.delay_us_max.swap(0, Relaxed)
    }
}

/// This process's vital signs, from sample to sample.
#[derive(Debug)]
pub(super) struct Vitals {
    clock: RunClock,
    cpu_limit_percent: Option<f64>,
    descriptors_limit: Option<u64>,
    taken: Instant,
    cpu_s: Option<f64>,
    machine_cpu_s: Option<f64>,
    wall_ahead_us: i64,
}

impl Vitals {
    pub(super) fn start(clock: RunClock) -> Self {
        let cores = available_parallelism().ok().and_then(|cores| u32::try_from(cores.get()).ok());
        Self {
            clock,
            cpu_limit_percent: cores.map(|cores| f64::from(cores) * 100.0),
            descriptors_limit: descriptors::limit(),
            taken: Instant::now(),
            cpu_s: machine::own_cpu_s(),
            machine_cpu_s: machine::cpu_s(),
            wall_ahead_us: clock.wall_ahead_us(),
        }
    }

    /// The signs since the last call.
    pub(super) fn take(&mut self, timer_delay_us_max: u64, late_sends: u32) -> HarnessSample {
        let elapsed_s = self.taken.elapsed().as_secs_f64();
        let (mut cpu, mut machine_cpu) = (None, None);
        if elapsed_s >= SHARE_S_MIN {
            self.taken = Instant::now();
            cpu = percent(&mut self.cpu_s, machine::own_cpu_s(), elapsed_s);
            machine_cpu = percent(&mut self.machine_cpu_s, machine::cpu_s(), elapsed_s);
        }
        let ahead_us = self.clock.wall_ahead_us();
        let clock_step_us = ahead_us - std::mem::replace(&mut self.wall_ahead_us, ahead_us);
        HarnessSample {
            cpu_percent: cpu.unwrap_or(0.0),
            cpu_limit_percent: self.cpu_limit_percent,
            machine_cpu_percent: machine_cpu,
            timer_delay_us_max,
            late_sends,
            rss_bytes: machine::resident_bytes().unwrap_or(0),
            descriptors: machine::descriptors(),
            descriptors_limit: self.descriptors_limit,
            sockets: machine::sockets().unwrap_or(0),
            clock_step_us,
        }
    }
}

/// Processor time since the last reading, in percent of one core, to a tenth.
fn percent(before_s: &mut Option<f64>, now_s: Option<f64>, elapsed_s: f64) -> Option<f64> {
    let spent_s = now_s? - std::mem::replace(before_s, now_s)?;
    Some((spent_s.max(0.0) / elapsed_s * 1_000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_processors_and_its_limit_is_known() {
        let mut vitals = Vitals::start(RunClock::start());
        let began = Instant::now();
        let mut spun = 0_u64;
        while began.elapsed() < Duration::from_millis(300) {
            spun = std::hint::black_box(spun + 1);
        }
        let _kept = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let sample = vitals.take(7, 3);
        // Others share the processors, and ticks are hundredths of a second.
        assert!(sample.cpu_percent >= 5.0, "{sample:?}");
        assert!(sample.machine_cpu_percent.unwrap() + 15.0 >= sample.cpu_percent.min(100.0), "{sample:?}");
        assert!(sample.cpu_limit_percent.unwrap() >= 100.0);
        assert!(u64::from(sample.descriptors) >= 3 && sample.descriptors_limit.unwrap() > 3, "{sample:?}");
        assert!(sample.rss_bytes > 1 << 20);
        assert!(sample.clock_step_us.abs() < 50_000, "nobody sets the clock here: {sample:?}");
        assert_eq!((sample.timer_delay_us_max, sample.late_sends), (7, 3));
    }

    #[tokio::test]
    async fn a_runtime_that_is_held_up_shows_in_its_timers() {
        let probe = TimerProbe::default();
        let hold = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            // What no task should do: this runtime has one thread, which is the probe's too.
            std::thread::sleep(Duration::from_millis(120));
            tokio::time::sleep(Duration::from_millis(30)).await;
        };
        tokio::select! {
            () = probe.run() => {}
            () = hold => {}
        }
        let delay_us = probe.take();
        assert!(delay_us >= 100_000, "{delay_us}");
        assert_eq!(probe.take(), 0);
    }
}
