//! Once a second: counts, latencies and vital signs into the record.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use gameday_report::record::{Event, Folder};
use tokio_util::sync::CancellationToken;

use super::{
    Recorder,
    meter::LatencyLogs,
    vitals::{Vitals, cpu_seconds},
};

const PERIOD: Duration = Duration::from_secs(1);

/// Samples until cancelled, and once more then.
pub(crate) async fn sample(recorder: Recorder, folder: Folder, stop: CancellationToken) {
    let mut logs = match LatencyLogs::create(&folder, recorder.clock().began_wall) {
        Ok(logs) => logs,
        Err(error) => {
            tracing::error!(%error, "latencies cannot be recorded");
            return;
        }
    };
    let vitals = Vitals::default();
    let mut cpu_s = cpu_seconds().unwrap_or(0.0);
    let mut last_us = recorder.now_us();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.tick().await;
    let take = async {
        loop {
            let stopped = tokio::select! {
                _ = ticks.tick() => false,
                () = stop.cancelled() => true,
            };
            let now_us = recorder.now_us();
            let elapsed_us = now_us.saturating_sub(last_us);
            if let Err(error) = logs.append(recorder.meter(), last_us, elapsed_us) {
                tracing::error!(%error, "latencies cannot be recorded");
            }
            recorder.event(Event::Sample(recorder.meter().take_sample()));
            let late_sends = recorder.meter().late_sends.swap(0, Relaxed);
            let (signs, now_s) = vitals.take(cpu_s, Duration::from_micros(elapsed_us), late_sends);
            recorder.event(Event::Harness(signs));
            (cpu_s, last_us) = (now_s, now_us);
            if stopped {
                return;
            }
        }
    };
    tokio::select! {
        () = take => {}
        () = vitals.probe() => {}
    }
}
