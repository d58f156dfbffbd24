//! How long something took, over many times.

use std::{fmt, time::Duration};

use gameday_report::{
    record::{Histogram, RecordError, new_histogram},
    units,
};
use parking_lot::Mutex;
use serde::Serialize;

/// Times, in a histogram as records have them.
#[derive(Debug)]
pub(crate) struct Times(Mutex<Histogram<u64>>);

/// What is said of times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Times {
    pub(crate) fn new() -> Result<Self, RecordError> {
        Ok(Self(Mutex::new(new_histogram()?)))
    }

    pub(crate) fn add(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        // A histogram has no zero.
        self.0.lock().saturating_record(us.max(1));
    }

    /// None: nothing was timed.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let histogram = self.0.lock();
        let ms = |us: u64| us as f64 / 1e3;
        let at = |quantile: f64| ms(histogram.value_at_quantile(quantile).min(histogram.max()));
        (!histogram.is_empty()).then(|| Percentiles {
            count: histogram.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            max_ms: ms(histogram.max()),
        })
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, max] =
            [self.p50_ms, self.p90_ms, self.p99_ms, self.max_ms].map(units::duration_ms);
        write!(f, "p50 {p50}, p90 {p90}, p99 {p99}, max {max}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_and_of_nothing_there_are_none() {
        let times = Times::new().unwrap();
        assert_eq!(times.percentiles(), None);
        (1..=1_000).for_each(|ms| times.add(Duration::from_millis(ms)));
        let percentiles = times.percentiles().unwrap();
        assert_eq!(percentiles.count, 1_000);
        for (found, wanted) in [
            (percentiles.p50_ms, 500.0),
            (percentiles.p90_ms, 900.0),
            (percentiles.p99_ms, 990.0),
            (percentiles.max_ms, 1e3),
        ] {
            assert!((found - wanted).abs() <= wanted / 500.0, "{found} instead of {wanted}");
        }
        assert!(percentiles.to_string().starts_with("p50 500 ms, p90 9"), "{percentiles}");
    }
}
