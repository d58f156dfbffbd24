//! Once a second: counts, latencies and vital signs into the record.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use gameday_report::record::{Event, Folder, Sample};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    Recorder,
    meter::LatencyLogs,
    vitals::{TimerProbe, Vitals},
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
    let probe = TimerProbe::default();
    let mut vitals = Vitals::start(recorder.clock());
    let mut last_us = recorder.now_us();
    let mut ticks = tokio::time::interval(PERIOD);
    // Samples that are made up for would be of no time, and seem to be of good seconds.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    let take = async {
        loop {
            let stopped = tokio::select! {
                _ = ticks.tick() => false,
                () = stop.cancelled() => true,
            };
            let now_us = recorder.now_us();
            let latencies = recorder.meter().take_latencies();
            if let Err(error) = logs.append(&latencies, last_us, now_us.saturating_sub(last_us)) {
                tracing::error!(%error, "latencies cannot be recorded");
            }
            let sample = Sample {
                behind: u32::try_from(recorder.ledger().behind()).ok(),
                ..recorder.meter().take_sample()
            };
            recorder.event(Event::Sample(sample.clone()));
            recorder.window(|window| window.push(now_us, sample, latencies));
            let late_sends = recorder.meter().late_sends.swap(0, Relaxed);
            recorder.event(Event::Harness(vitals.take(probe.take(), late_sends)));
            last_us = now_us;
            if stopped {
                return;
            }
        }
    };
    tokio::select! {
        () = take => {}
        () = probe.run() => {}
    }
}
