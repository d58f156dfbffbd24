//! Percentiles. Of single values by nearest rank, so that a percentile is a value that was measured; of histograms from
//! the merged histogram.

use hdrhistogram::Histogram;

use crate::objective::Statistic;
use crate::summary::{Bin, Distribution};

/// Microseconds as milliseconds.
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

/// The place (from 1) of a quantile among `count` values in order.
pub(crate) fn rank(count: usize, quantile: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a quantile is between 0 and 1, so the rank is between 0 and the count"
    )]
    let rank = (quantile * count as f64 - 1e-9).ceil().max(1.0) as usize;
    rank.min(count)
}

/// The value at a quantile of values in order.
pub(crate) fn at(sorted: &[u64], quantile: f64) -> Option<u64> {
    sorted.get(rank(sorted.len(), quantile).checked_sub(1)?).copied()
}

/// The spread of values in order.
pub(crate) fn distribution(sorted: &[u64]) -> Option<Distribution> {
    let value = |statistic: Statistic| at(sorted, statistic.quantile()).map_or(0.0, ms);
    Some(Distribution {
        samples: sorted.len() as u64,
        min_ms: ms(*sorted.first()?),
        p50_ms: value(Statistic::P50),
        p90_ms: value(Statistic::P90),
        p95_ms: value(Statistic::P95),
        p99_ms: value(Statistic::P99),
        p999_ms: value(Statistic::P999),
        max_ms: value(Statistic::Max),
    })
}

/// The value at a quantile of a histogram.
pub(crate) fn histogram_at(histogram: &Histogram<u64>, quantile: f64) -> u64 {
    // A bucket's upper end can lie above the largest value that is in it.
    histogram.value_at_quantile(quantile).min(histogram.max())
}

/// The spread of a histogram.
pub(crate) fn histogram_distribution(histogram: &Histogram<u64>) -> Distribution {
    let value = |statistic: Statistic| ms(histogram_at(histogram, statistic.quantile()));
    Distribution {
        samples: histogram.len(),
        min_ms: ms(histogram.min()),
        p50_ms: value(Statistic::P50),
        p90_ms: value(Statistic::P90),
        p95_ms: value(Statistic::P95),
        p99_ms: value(Statistic::P99),
        p999_ms: value(Statistic::P999),
        max_ms: ms(histogram.max()),
    }
}

/// How many values lie in each of some bins of a round width that cover them all.
pub(crate) fn bins(sorted: &[u64]) -> Vec<Bin> {
    const WIDTHS_MS: [f64; 16] =
        [1.0, 5.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2e3, 5e3, 10e3, 30e3, 60e3, 120e3, 300e3, 600e3];
    const BINS_MAX: f64 = 36.0;
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let span = ms(*last - *first);
    let width = WIDTHS_MS.into_iter().find(|width| span / width <= BINS_MAX).unwrap_or(span / BINS_MAX);
    let mut bins: Vec<Bin> = Vec::new();
    let mut from = (ms(*first) / width).floor() * width;
    let mut rest = sorted;
    while !rest.is_empty() {
        let to = from + width;
        let inside = rest.partition_point(|value| ms(*value) < to);
        bins.push(Bin { from_ms: from, to_ms: to, devices: inside as u64 });
        rest = rest.get(inside..).unwrap_or_default();
        from = to;
    }
    bins
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(at(&sorted, 0.5), Some(50));
        assert_eq!(at(&sorted, 0.99), Some(99));
        assert_eq!(at(&sorted, 0.999), Some(100));
        assert_eq!(at(&sorted, 1.0), Some(100));
        assert_eq!(at(&[7], 0.5), Some(7));
        assert_eq!(at(&[], 0.5), None);
        assert_eq!(distribution(&[]), None);
    }

    proptest! {
        #[test]
        fn bins_hold_every_value(mut values in proptest::collection::vec(0u64..4_000_000_000, 0..200)) {
            values.sort_unstable();
            let bins = bins(&values);
            prop_assert_eq!(bins.iter().map(|bin| bin.devices).sum::<u64>(), values.len() as u64);
            prop_assert!(bins.len() <= 40, "{} bins", bins.len());
        }

        #[test]
        fn percentiles_do_not_fall(mut values in proptest::collection::vec(0u64..4_000_000_000, 1..200)) {
            values.sort_unstable();
            let spread = distribution(&values).unwrap();
            let order = [spread.min_ms, spread.p50_ms, spread.p90_ms, spread.p95_ms, spread.p99_ms, spread.p999_ms, spread.max_ms];
            prop_assert!(order.is_sorted());
        }
    }
}
