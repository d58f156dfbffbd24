//! Errors of one kind of measurement.

use std::fmt;

/// What was measured less what is true, of many of a kind.
#[derive(Debug, Clone)]
pub struct Errors {
    /// What was measured.
    pub what: String,
    /// In microseconds, smallest first by size; the sign stays.
    us: Vec<i64>,
}

impl Errors {
    pub(super) fn of(what: &str, mut us: Vec<i64>) -> Self {
        us.sort_by_key(|error| error.unsigned_abs());
        Self { what: what.to_owned(), us }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.us.len()
    }

    /// The size of the error that this share of them does not exceed; 0 of none.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.us.len() * percent).div_ceil(100).max(1) - 1;
        self.us.get(rank).map_or(0.0, |error| error.unsigned_abs() as f64 / 1e3)
    }

    /// Their mean, in which too early and too late cancel each other.
    pub fn mean_ms(&self) -> f64 {
        self.us.iter().sum::<i64>() as f64 / self.us.len().max(1) as f64 / 1e3
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<40} {:>7}  mean {:>8.2}  p50 {:>7.2}  p99 {:>7.2}  max {:>8.2} ms",
            self.what,
            self.count(),
            self.mean_ms(),
            self.percentile_ms(50),
            self.percentile_ms(99),
            self.percentile_ms(100)
        )
    }
}
