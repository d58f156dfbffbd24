//! Latencies and counts between two samples.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use gameday_report::record::{Folder, HistogramLog, Sample, new_histogram};
use hdrhistogram::Histogram;
use jiff::Timestamp;
use parking_lot::Mutex;

/// A latency that is measured, by its name in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// Intended send of a message to its PUBACK.
    PublishAck,
    /// Intended send of a shadow update to `accepted`.
    ShadowAck,
    /// Acknowledgement in the primary to visibility in the secondary.
    ShadowReplication,
    /// Last acknowledged call of provisioning to connectable in the secondary.
    RegistryReplication,
}

impl Metric {
    const ALL: [Self; 4] =
        [Self::PublishAck, Self::ShadowAck, Self::ShadowReplication, Self::RegistryReplication];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PublishAck => "publish.ack",
            Self::ShadowAck => "shadow.ack",
            Self::ShadowReplication => "replication.shadow",
            Self::RegistryReplication => "replication.registry",
        }
    }
}

/// Counters of one Region.
#[derive(Debug, Default)]
pub(crate) struct RegionMeter {
    pub(crate) region: String,
    pub(crate) connected: AtomicU32,
    pub(crate) telemetry_acked: AtomicU32,
    pub(crate) shadow_acked: AtomicU32,
}

/// Latencies and counters of the run.
#[derive(Debug)]
pub(crate) struct Meter {
    latencies: Mutex<BTreeMap<Metric, Histogram<u64>>>,
    regions: Vec<RegionMeter>,
    pub(crate) shadow_visible: AtomicU32,
    pub(crate) unsent: AtomicU32,
    pub(crate) connects_failed: AtomicU32,
    pub(crate) late_sends: AtomicU32,
}

impl Meter {
    pub(crate) fn new(regions: &[&str]) -> anyhow::Result<Self> {
        let mut latencies = BTreeMap::new();
        for metric in Metric::ALL {
            latencies.insert(metric, new_histogram()?);
        }
        Ok(Self {
            latencies: Mutex::new(latencies),
            regions: regions
                .iter()
                .map(|region| RegionMeter { region: (*region).to_owned(), ..RegionMeter::default() })
                .collect(),
            shadow_visible: AtomicU32::new(0),
            unsent: AtomicU32::new(0),
            connects_failed: AtomicU32::new(0),
            late_sends: AtomicU32::new(0),
        })
    }

    /// Records a latency. Values below a microsecond count as one.
    pub(crate) fn latency(&self, metric: Metric, value_us: u64) {
        if let Some(histogram) = self.latencies.lock().get_mut(&metric) {
            histogram.saturating_record(value_us.max(1));
        }
    }

    pub(crate) fn region(&self, region: &str) -> Option<&RegionMeter> {
        self.regions.iter().find(|r| r.region == region)
    }

    /// Counts since the last call.
    pub(crate) fn take_sample(&self) -> Sample {
        let take = |counter: &AtomicU32| counter.swap(0, Relaxed);
        let by_region = |count: fn(&RegionMeter) -> u32| {
            self.regions.iter().map(|r| (r.region.clone(), count(r))).collect()
        };
        Sample {
            connected: by_region(|r| r.connected.load(Relaxed)),
            telemetry_acked: by_region(|r| r.telemetry_acked.swap(0, Relaxed)),
            shadow_acked: by_region(|r| r.shadow_acked.swap(0, Relaxed)),
            shadow_visible: take(&self.shadow_visible),
            unsent: take(&self.unsent),
            connects_failed: take(&self.connects_failed),
            behind: None,
        }
    }

    /// Latencies since the last call; those of which there were none are not in it.
    pub(crate) fn take_latencies(&self) -> Vec<(Metric, Histogram<u64>)> {
        let mut taken = Vec::new();
        for (metric, histogram) in self.latencies.lock().iter_mut() {
            if !histogram.is_empty() {
                taken.push((*metric, histogram.clone()));
                histogram.reset();
            }
        }
        taken
    }
}

/// The logs that latencies go to, one a metric.
pub(crate) struct LatencyLogs {
    logs: BTreeMap<Metric, HistogramLog>,
}

impl LatencyLogs {
    pub(crate) fn create(folder: &Folder, began: Timestamp) -> anyhow::Result<Self> {
        let mut logs = BTreeMap::new();
        for metric in Metric::ALL {
            logs.insert(metric, HistogramLog::create(&folder.histogram(metric.name()), began)?);
        }
        Ok(Self { logs })
    }

    /// Appends what was measured in an interval.
    pub(crate) fn append(
        &mut self,
        latencies: &[(Metric, Histogram<u64>)],
        start_us: u64,
        duration_us: u64,
    ) -> anyhow::Result<()> {
        for (metric, histogram) in latencies {
            if let Some(log) = self.logs.get_mut(metric) {
                log.interval(start_us, duration_us, histogram)?;
            }
        }
        Ok(())
    }
}
