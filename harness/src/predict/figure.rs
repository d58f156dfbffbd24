//! A figure that the model is fed with: values that a run measured, or two bounds that somebody wrote down with their source.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// Values that are kept of a measured figure, evenly by rank.
const VALUES_MAX: usize = 1_000;

/// A time, a cost or a rate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Figure {
    /// Sorted, and never empty.
    Measured(Vec<f64>),
    /// Nobody measured it here: somewhere between, and as likely in one decade as in another.
    Assumed {
        /// Above zero.
        least: f64,
        most: f64,
        source: &'static str,
    },
}

/// A figure on one day.
#[derive(Debug, Clone, Copy)]
pub(super) enum Drawn<'a> {
    /// Each device has its own of these.
    Each(&'a [f64]),
    /// All have the same.
    Same(f64),
}

impl Figure {
    /// Of values in any order; none if there are none.
    pub(super) fn measured(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite() && *value >= 0.0);
        values.sort_by(f64::total_cmp);
        if values.len() > VALUES_MAX {
            let step = (values.len() - 1) as f64 / (VALUES_MAX - 1) as f64;
            values = (0..VALUES_MAX).filter_map(|n| values.get(whole(n as f64 * step)).copied()).collect();
        }
        (!values.is_empty()).then_some(Self::Measured(values))
    }

    /// What it is on a day.
    pub(super) fn on_a_day(&self, rng: &mut ChaCha8Rng) -> Drawn<'_> {
        match self {
            Self::Measured(values) => Drawn::Each(values),
            Self::Assumed { least, most, .. } => {
                let exponent: f64 = rng.random();
                Drawn::Same(least * (most / least).powf(exponent))
            }
        }
    }

    /// The same for all on a day: one of the values.
    pub(super) fn once(&self, rng: &mut ChaCha8Rng) -> f64 {
        self.on_a_day(rng).next(rng)
    }

    #[cfg(test)]
    pub(super) fn typical(&self) -> f64 {
        match self {
            Self::Measured(values) => quantile(values, 0.5),
            Self::Assumed { least, most, .. } => (least * most).sqrt(),
        }
    }
}

impl Drawn<'_> {
    pub(super) fn next(self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Same(value) => value,
            Self::Each(values) => quantile(values, rng.random()),
        }
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Measured(values) => {
                let mut fields = serializer.serialize_struct("Figure", 4)?;
                fields.serialize_field("values", &values.len())?;
                fields.serialize_field("p10", &quantile(values, 0.1))?;
                fields.serialize_field("p50", &quantile(values, 0.5))?;
                fields.serialize_field("p90", &quantile(values, 0.9))?;
                fields.end()
            }
            Self::Assumed { least, most, source } => {
                let mut fields = serializer.serialize_struct("Figure", 3)?;
                fields.serialize_field("least", least)?;
                fields.serialize_field("most", most)?;
                fields.serialize_field("source", source)?;
                fields.end()
            }
        }
    }
}

/// The value below which that share of sorted values lies; 0 of none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(whole((share.clamp(0.0, 1.0) * last as f64).round()).min(last)).copied().unwrap_or_default()
}

/// A whole number near one that is not negative.
pub(super) fn whole(number: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; what is beyond all numbers is cut to the last"
    )]
    let whole = number.max(0.0) as usize;
    whole
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_figure_is_drawn_from_what_was_measured_or_between_its_bounds() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let measured = Figure::measured(vec![3.0, 1.0, f64::NAN, 2.0]).unwrap();
        assert_eq!(measured, Figure::Measured(vec![1.0, 2.0, 3.0]));
        assert!((0..100).all(|_| [1.0, 2.0, 3.0].contains(&measured.once(&mut rng))));
        assert!((measured.typical() - 2.0).abs() < 1e-9);
        assert_eq!(Figure::measured(vec![f64::INFINITY]), None);
        let assumed = Figure::Assumed { least: 1.0, most: 100.0, source: "a guess" };
        let below_10 = (0..1_000).filter(|_| assumed.once(&mut rng) < 10.0).count();
        assert!((400..600).contains(&below_10), "{below_10} of 1,000 in the lower decade");
        let Drawn::Same(value) = assumed.on_a_day(&mut rng) else { panic!("all have the same") };
        assert!((1.0..=100.0).contains(&value) && (assumed.typical() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn many_values_are_thinned_and_keep_their_ends() {
        let Figure::Measured(values) = Figure::measured((0..10_000).map(f64::from).collect()).unwrap() else {
            panic!("it is measured")
        };
        assert_eq!((values.len(), values.first(), values.last()), (VALUES_MAX, Some(&0.0), Some(&9_999.0)));
        assert!((quantile(&values, 0.5) - 5_000.0).abs() < 20.0);
    }
}
