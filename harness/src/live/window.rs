//! The last seconds of a run: what shares, rates and percentiles of now are taken of.

use std::collections::VecDeque;

use gameday_report::record::{Histogram, Sample, merge};

use crate::measure::Metric;

/// A sample and the latencies of the same second.
#[derive(Debug, Clone)]
struct Second {
    at_us: u64,
    sample: Sample,
    latencies: Vec<(Metric, Histogram<u64>)>,
}

/// The seconds of a span, the newest last.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    over_us: u64,
    seconds: VecDeque<Second>,
}

impl Window {
    pub(crate) fn new(over_us: u64) -> Self {
        Self { over_us, seconds: VecDeque::new() }
    }

    pub(crate) fn over_us(&self) -> u64 {
        self.over_us
    }

    /// Adds a second, and lets go what is older than the span.
    pub(crate) fn push(&mut self, at_us: u64, sample: Sample, latencies: Vec<(Metric, Histogram<u64>)>) {
        self.seconds.push_back(Second { at_us, sample, latencies });
        while self.seconds.front().is_some_and(|first| first.at_us + self.over_us <= at_us) {
            self.seconds.pop_front();
        }
    }

    /// Of the sends that came to an end, the share that could not be made. None when there was none.
    pub(crate) fn sends_failed_percent(&self) -> Option<f64> {
        let (mut failed, mut all) = (0_u64, 0_u64);
        for Second { sample, .. } in &self.seconds {
            let acked = sample.telemetry_acked.values().chain(sample.shadow_acked.values());
            failed += u64::from(sample.unsent);
            all += u64::from(sample.unsent) + acked.map(|count| u64::from(*count)).sum::<u64>();
        }
        (all > 0).then(|| failed as f64 / all as f64 * 100.0)
    }

    pub(crate) fn connects_failed(&self) -> u64 {
        self.seconds.iter().map(|second| u64::from(second.sample.connects_failed)).sum()
    }

    /// A quantile of a latency. None when nothing was measured.
    pub(crate) fn latency_us(&self, metric: Metric, quantile: f64) -> Option<u64> {
        self.latency(metric).map(|histogram| histogram.value_at_quantile(quantile))
    }

    /// All of a latency. None when nothing was measured.
    pub(crate) fn latency(&self, metric: Metric) -> Option<Histogram<u64>> {
        let of = |second: &'_ Second| second.latencies.iter().position(|(name, _)| *name == metric);
        merge(self.seconds.iter().filter_map(|second| of(second).map(|at| &second.latencies[at].1)))
    }
}

#[cfg(test)]
mod tests {
    use gameday_report::record::new_histogram;

    use super::*;

    fn second(unsent: u32, acked: u32, ack_us: u64) -> (Sample, Vec<(Metric, Histogram<u64>)>) {
        let acked = [("us-east-1".to_owned(), acked)].into();
        let mut histogram = new_histogram().unwrap();
        histogram.record(ack_us).unwrap();
        let sample = Sample { unsent, telemetry_acked: acked, connects_failed: 1, ..Sample::default() };
        (sample, vec![(Metric::PublishAck, histogram)])
    }

    #[test]
    fn what_is_older_than_the_span_is_let_go() {
        let mut window = Window::new(3_000_000);
        assert_eq!((window.sends_failed_percent(), window.latency_us(Metric::PublishAck, 1.0)), (None, None));
        for n in 0..10_u64 {
            let (unsent, acked) = if n == 9 { (2, 0) } else { (0, 3) };
            let (sample, latencies) = second(unsent, acked, 1_000 * (10 - n));
            window.push(n * 1_000_000, sample, latencies);
        }
        assert_eq!(window.sends_failed_percent(), Some(25.0), "2 of 3 + 3 + 2");
        assert_eq!(window.connects_failed(), 3);
        let slowest = window.latency_us(Metric::PublishAck, 1.0).unwrap();
        assert!((3_000..3_010).contains(&slowest), "{slowest}");
        assert_eq!(window.latency_us(Metric::ShadowAck, 0.5), None);
    }
}
