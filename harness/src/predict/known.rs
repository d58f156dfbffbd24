//! What the model knows of times and costs: from recorded runs, or assumed, with the source.

use std::collections::BTreeMap;

use gameday_report::record::{Event, FaultState, HistogramSeries, Record};
use serde::Serialize;

use super::figure::Figure;

/// Quantiles that are taken of a histogram.
const QUANTILES: u32 = 200;
/// Fewer samples of processors than these say nothing.
const SAMPLES_MIN: usize = 2;
/// What work costs is at least this part of what the processors did meanwhile.
const WORK_MIN: f64 = 0.1;

/// Times in seconds, costs in seconds of one processor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Known {
    /// From the last call that makes a device to the moment at which the secondary would let it in.
    pub(crate) registry_s: Figure,
    /// From a shadow's acknowledgement in the primary to its document in the secondary.
    pub(crate) shadow_s: Figure,
    /// From the beginning of an attempt to the first acknowledgement.
    pub(crate) connect_s: Figure,
    /// From the health check's turn to the change of the answer.
    pub(crate) answer_s: Figure,
    /// From the beginning of a step to its first fault's being applied, or cured.
    pub(crate) strike_s: Figure,
    /// What making a device and its copy cost the machine on which the twin is, too.
    pub(crate) make_cpu_s: Figure,
    /// What a connect costs that machine.
    pub(crate) connect_cpu_s: Figure,
    /// Shadow updates that the replicator applies in a second, if nothing else is in the way.
    pub(crate) shadow_per_s: Figure,
    /// Of that machine.
    pub(crate) processors: f64,
    /// The runs from which it is known.
    pub(crate) runs: Vec<String>,
}

/// What was measured.
#[derive(Debug, Default)]
struct Measured {
    registry_s: Vec<f64>,
    shadow_s: Vec<f64>,
    connect_s: Vec<f64>,
    answer_s: Vec<f64>,
    strike_s: Vec<f64>,
    make_cpu_s: Vec<f64>,
    connect_cpu_s: Vec<f64>,
    shadow_per_s_max: f64,
    processors: Option<f64>,
}

impl Known {
    /// What is known without a run.
    pub(crate) fn assumed() -> Self {
        let assumed = |least, most, source| Figure::Assumed { least, most, source };
        Self {
            registry_s: assumed(
                3.2,
                8.0,
                "a look at a new device waits 3 s; README: 3.5 s at p99 on the twin",
            ),
            shadow_s: assumed(
                0.15,
                1.5,
                "README: 241 ms at p99 on the twin; AWS: a global table within a second",
            ),
            connect_s: assumed(
                0.005,
                0.2,
                "DNS, TCP, TLS, CONNECT and a publish: the twin to AWS, another continent",
            ),
            answer_s: assumed(
                0.02,
                1.0,
                "the twin's answer changes with the check, Route 53's within a second",
            ),
            strike_s: assumed(0.02, 1.0, "one call of Route 53"),
            make_cpu_s: assumed(
                0.003,
                0.012,
                "calls of a device by the harness, the twin and the replicator",
            ),
            connect_cpu_s: assumed(
                0.0024,
                0.005,
                "harness/README.md: 1.18 ms in gameday, and as much in the twin",
            ),
            shadow_per_s: assumed(
                300.0,
                3_000.0,
                "two instances a shard, sixteen devices at once each, tens of milliseconds an update",
            ),
            processors: std::thread::available_parallelism().map_or(1.0, |number| number.get() as f64),
            runs: Vec::new(),
        }
    }

    /// With what runs measured. What none did stays assumed.
    pub(crate) fn learn(mut self, records: &[Record]) -> Self {
        let mut all = Measured::default();
        for record in records {
            all.read(record);
            self.runs.push(record.info.run.clone());
        }
        let learn = |figure: &mut Figure, values: Vec<f64>| {
            if let Some(measured) = Figure::measured(values) {
                *figure = measured;
            }
        };
        learn(&mut self.registry_s, all.registry_s);
        learn(&mut self.shadow_s, all.shadow_s);
        learn(&mut self.connect_s, all.connect_s);
        learn(&mut self.answer_s, all.answer_s);
        learn(&mut self.strike_s, all.strike_s);
        learn(&mut self.make_cpu_s, all.make_cpu_s);
        learn(&mut self.connect_cpu_s, all.connect_cpu_s);
        // What it was seen to do it can do; what more it could is not known.
        if let Figure::Assumed { least, most, .. } = &mut self.shadow_per_s {
            *least = least.max(all.shadow_per_s_max);
            *most = most.max(*least * 2.0);
        }
        self.processors = all.processors.unwrap_or(self.processors);
        self
    }
}

impl Measured {
    fn read(&mut self, record: &Record) {
        let mut steps: BTreeMap<u32, (&str, u64)> = BTreeMap::new();
        let mut spans: Vec<(&str, u64, u64)> = Vec::new();
        let mut processors: Vec<(u64, f64)> = Vec::new();
        let (mut turned_us, mut strikes): (Option<u64>, Option<u64>) = (None, None);
        let (mut is_broken, mut made_us) = (false, 0);
        // A turn of the check is read after it happened, and may be told after the answer that it changed.
        let mut events: Vec<_> = record.events.iter().collect();
        events.sort_by_key(|entry| entry.at_us);
        for entry in events {
            let at_us = entry.at_us;
            match &entry.event {
                Event::Connectable { provisioned_us, .. } => {
                    made_us = made_us.max(*provisioned_us);
                    self.registry_s.push(seconds(at_us.saturating_sub(*provisioned_us)));
                }
                Event::Moved(way) => {
                    self.connect_s.push(seconds(way.first_ack_us.saturating_sub(way.attempt_us)));
                }
                // What is seen first is no turn.
                Event::Health { region, .. } if is_broken && *region == record.info.primary => {
                    turned_us = Some(at_us);
                }
                Event::Answer { .. } => {
                    self.answer_s
                        .extend(turned_us.take().map(|turned| seconds(at_us.saturating_sub(turned))));
                }
                Event::Step { index, name, .. } => {
                    if let Some((name, began_us)) = steps.remove(index) {
                        spans.push((name, began_us, at_us));
                    } else {
                        steps.insert(*index, (name.as_str(), at_us));
                        strikes = matches!(name.as_str(), "break" | "heal").then_some(at_us);
                    }
                }
                Event::Fault { state: FaultState::Applied | FaultState::Cured, .. } => {
                    is_broken = true;
                    self.strike_s.extend(strikes.take().map(|began| seconds(at_us.saturating_sub(began))));
                }
                Event::Sample(sample) => {
                    self.shadow_per_s_max = self.shadow_per_s_max.max(f64::from(sample.shadow_visible));
                }
                Event::Harness(sample) => {
                    let percent = sample.machine_cpu_percent.unwrap_or(sample.cpu_percent);
                    processors.push((at_us, percent / 100.0));
                    self.processors =
                        sample.cpu_limit_percent.map(|percent| percent / 100.0).or(self.processors);
                }
                _ => {}
            }
        }
        if let Some(merged) = record.histograms.get("replication.shadow").and_then(HistogramSeries::merged) {
            let quantiles = (0..=QUANTILES).map(|n| f64::from(n) / f64::from(QUANTILES));
            self.shadow_s.extend(quantiles.map(|share| seconds(merged.value_at_quantile(share))));
        }
        self.costs(&spans, &processors, f64::from(record.info.devices), made_us);
    }

    /// What the processors did while devices were made or connected, by device.
    fn costs(&mut self, spans: &[(&str, u64, u64)], processors: &[(u64, f64)], devices: f64, made_us: u64) {
        let used = |name: &str| {
            let spans: Vec<_> = spans.iter().filter(|(of, ..)| *of == name).collect();
            let within = |at_us: &u64| spans.iter().any(|(_, began, ended)| (began..=ended).contains(&at_us));
            let samples: Vec<f64> =
                processors.iter().filter(|(at_us, _)| within(at_us)).map(|(_, used)| *used).collect();
            let mean = samples.iter().sum::<f64>() / samples.len() as f64;
            let lasted_s: f64 = spans.iter().map(|(_, began, ended)| seconds(ended - began)).sum();
            (samples.len() >= SAMPLES_MIN).then_some((mean, lasted_s))
        };
        // Devices that are connected talk: in the mean half of them while they come.
        let idle = used("hold").map_or(0.0, |(mean, _)| mean / 2.0);
        let work =
            |(mean, lasted_s): (f64, f64), idle: f64| (mean - idle).max(mean * WORK_MIN) * lasted_s / devices;
        // While devices are waited for, they are asked for all the time: they cost no more than there was when they were made.
        let making_s = spans
            .iter()
            .find(|(name, ..)| *name == "provision")
            .map(|(_, began, _)| seconds(made_us.saturating_sub(*began)));
        let bound =
            making_s.zip(self.processors).map_or(f64::INFINITY, |(s, processors)| processors * s / devices);
        self.make_cpu_s.extend(used("provision").map(|used| work(used, 0.0).min(bound)));
        self.connect_cpu_s.extend(used("connect").map(|used| work(used, idle)));
    }
}

pub(super) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
pub(super) use tests::{record, step};

#[cfg(test)]
mod tests {
    use gameday_report::record::{Entry, Folder};
    use serde_json::json;

    use super::*;

    /// A record of these events, each beside its millisecond.
    pub(in crate::predict) fn record(events: &[(u64, serde_json::Value)]) -> Record {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::create(folder.path()).unwrap();
        let began = json!({"event": "run-began", "run": "aaaaaaaa", "scenario": "s", "title": "t", "proves": "p",
            "seed": 1, "target": "twin", "version": "0", "primary": "us-east-1", "secondary": "us-west-2", "devices": 10,
            "strategy": "cname", "replay": "", "objectives": {}});
        let lines = [(0, began)].into_iter().chain(events.iter().cloned()).map(|(at_ms, mut event)| {
            event["at_us"] = json!(at_ms * 1_000);
            event["wall"] = json!("2026-01-01T00:00:00Z");
            let entry: Entry = serde_json::from_value(event).unwrap();
            serde_json::to_string(&entry).unwrap() + "\n"
        });
        std::fs::write(folder.events(), lines.collect::<String>()).unwrap();
        folder.read().unwrap()
    }

    pub(in crate::predict) fn step(index: u32, name: &str, state: &str) -> serde_json::Value {
        json!({"event": "step", "index": index, "name": name, "label": name, "state": state})
    }

    #[test]
    fn what_a_run_measured_is_known_and_the_rest_assumed() {
        let harness = |machine: f64| {
            json!({"event": "harness", "cpu_percent": 10.0, "machine_cpu_percent": machine, "cpu_limit_percent": 400.0,
                "timer_delay_us_max": 1, "late_sends": 0, "rss_bytes": 1, "descriptors": 1})
        };
        let events = [
            (0, step(1, "provision", "began")),
            (1_000, harness(100.0)),
            (2_000, harness(50.0)),
            (
                3_000,
                json!({"event": "connectable", "device": "a", "provisioned_us": 500_000, "resolution_us": 1}),
            ),
            (4_000, step(1, "provision", "completed")),
            (5_000, step(2, "break", "began")),
            (5_200, json!({"event": "fault", "fault": "f", "label": "f", "state": "applied", "detail": ""})),
            (
                9_000,
                json!({"event": "health", "region": "us-east-1", "healthy": false, "checkers_healthy": 2, "checkers": 16}),
            ),
            (9_300, json!({"event": "answer", "name": "n", "target": "t", "region": "us-west-2"})),
            (9_900, step(2, "break", "completed")),
        ];
        let known = Known::assumed().learn(&[record(&events)]);
        let is = |figure: &Figure, value: f64| {
            assert!(
                matches!(figure, Figure::Measured(_)) && (figure.typical() - value).abs() < 1e-6,
                "{figure:?}"
            );
        };
        is(&known.registry_s, 2.5);
        is(&known.strike_s, 0.2);
        is(&known.answer_s, 0.3);
        // Three quarters of a processor for four seconds, for ten devices, were more than four processors had until they were made.
        is(&known.make_cpu_s, 0.2);
        assert!(matches!(known.connect_cpu_s, Figure::Assumed { .. }));
        assert!((known.processors - 4.0).abs() < 1e-9);
        assert_eq!(known.runs, ["aaaaaaaa"]);
    }
}
