//! An axis whose ticks are given: plotters would choose steps that a clock does not have.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// From where to where, and where the ticks are.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) ticks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let span = self.to - self.from;
        let share = if span > 0.0 { ((value - self.from) / span).clamp(-0.1, 1.1) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "a share of a chart's size is a small number")]
        let moved = (f64::from(limit.1 - limit.0) * share).round() as i32;
        limit.0 + moved
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}
