//! Round numbers for axes.

const SECONDS: [f64; 24] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0,
    300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0,
];

/// Ticks for seconds between `from` and `to`, at most `most`, at steps that a clock has.
pub(super) fn seconds(from: f64, to: f64, most: usize) -> Vec<f64> {
    let span = (to - from).max(0.0);
    let fits = |step: &f64| span / step <= most.max(1) as f64;
    let step = SECONDS.into_iter().find(fits).unwrap_or((span / most.max(1) as f64).max(1.0));
    steps(from, to, step)
}

/// Ticks for numbers from 0 to at least `to`, about `about`, at steps of 1, 2 or 5. The last is the top of the axis.
pub(super) fn numbers(to: f64, about: usize, whole: bool) -> Vec<f64> {
    let to = if to.is_finite() && to > 0.0 { to } else { 1.0 };
    let raw = to / about.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let mut step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(raw);
    if whole {
        step = step.max(1.0);
    }
    let count = (to / step - 1e-9).ceil().max(1.0);
    steps(0.0, count * step, step)
}

fn steps(from: f64, to: f64, step: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    // Adding zero makes a negative zero an ordinary one.
    let mut tick = (from / step - 1e-9).ceil() * step + 0.0;
    // The bound keeps a broken axis (infinite, or not a number) from being drawn for ever.
    while tick <= to + step * 1e-6 && ticks.len() < 64 {
        ticks.push(tick);
        tick += step;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(seconds(0.0, 100.0, 8), [0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0]);
        assert_eq!(numbers(437.0, 4, true), [0.0, 200.0, 400.0, 600.0]);
        assert_eq!(numbers(1.0, 4, true), [0.0, 1.0]);
        assert_eq!(numbers(0.0, 4, false).last(), Some(&1.0));
        assert!(numbers(f64::NAN, 4, false).len() < 64);
        assert!(seconds(0.0, f64::INFINITY, 8).len() <= 64);
    }
}
