//! An objective: a metric and what it must be, as a scenario says it: `"failover.outage.p99" = "<= 90s"`.
//!
//! What can be asked is one table, [`METRICS`]. An objective that cannot be judged is an error that says what can.

mod metric;

use std::fmt;

use jiff::SignedDuration;

pub use metric::{METRICS, Metric, Shape, Statistic, Unit};

/// A metric and what it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// What is measured.
    pub metric: &'static Metric,
    /// Which number of it; `None` for a scalar.
    pub statistic: Option<Statistic>,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub target: Target,
}

/// How a measured value is compared with the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// At most.
    AtMost,
    /// Less than.
    Below,
    /// At least.
    AtLeast,
    /// More than.
    Above,
    /// Exactly.
    Equal,
}

impl Op {
    /// Longer signs first, so that `<=` is not read as `<`.
    const ALL: [Self; 5] = [Self::AtMost, Self::AtLeast, Self::Equal, Self::Below, Self::Above];

    /// Its sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::Equal => "==",
        }
    }

    /// Whether `measured` is as `target` asks.
    pub fn holds(self, measured: f64, target: f64) -> bool {
        match self {
            Self::AtMost => measured <= target,
            Self::Below => measured < target,
            Self::AtLeast => measured >= target,
            Self::Above => measured > target,
            // Counts and microseconds are whole; shares are computed the same way on both sides.
            Self::Equal => (measured - target).abs() < 1e-9,
        }
    }
}

/// What a measured value is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// A duration, in microseconds.
    DurationUs(f64),
    /// A number.
    Count(f64),
    /// A share of the fleet, in percent.
    Percent(f64),
}

impl Target {
    /// The number, in microseconds, things or percent.
    pub const fn value(self) -> f64 {
        match self {
            Self::DurationUs(value) | Self::Count(value) | Self::Percent(value) => value,
        }
    }
}

/// How a value is compared, and with what: `<= 90s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// How.
    pub op: Op,
    /// With what.
    pub target: Target,
}

impl Comparison {
    /// What a scenario writes for a metric of this unit.
    pub fn parse(metric: &'static str, unit: Unit, text: &str) -> Result<Self, ObjectiveError> {
        let text = text.trim();
        let (op, rest) = Op::ALL
            .into_iter()
            .find_map(|op| text.strip_prefix(op.sign()).map(|rest| (op, rest.trim())))
            .ok_or_else(|| ObjectiveError::Operator { condition: text.to_owned() })?;
        let target = parse_target(unit, rest).ok_or_else(|| ObjectiveError::Target {
            metric,
            got: rest.to_owned(),
            expected: unit.example(),
        })?;
        Ok(Self { op, target })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op.sign(), self.target)
    }
}

/// An objective that cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectiveError {
    /// There is no such metric.
    #[error("there is no metric {name:?}{}; the metrics are {allowed}", did_you_mean(suggestion.as_ref()))]
    UnknownMetric {
        /// What was asked.
        name: String,
        /// What may have been meant.
        suggestion: Option<String>,
        /// What can be asked.
        allowed: String,
    },
    /// A distribution without a statistic, or with one that there is not.
    #[error("{metric} needs a statistic{}; one of {allowed}", got.as_ref().map(|got| format!(", not {got:?}")).unwrap_or_default())]
    Statistic {
        /// The metric.
        metric: &'static str,
        /// What was asked.
        got: Option<String>,
        /// What can be asked.
        allowed: String,
    },
    /// A scalar with a statistic.
    #[error("{metric} is one number and has no {got:?}; write {metric:?}")]
    NoStatistic {
        /// The metric.
        metric: &'static str,
        /// What was asked.
        got: String,
    },
    /// The condition does not begin with an operator.
    #[error("{condition:?} does not begin with one of <= < >= > ==")]
    Operator {
        /// What was written.
        condition: String,
    },
    /// The target is not of the metric's unit.
    #[error("{metric} is compared with {expected}, not with {got:?}")]
    Target {
        /// The metric.
        metric: &'static str,
        /// What was written.
        got: String,
        /// What can be written.
        expected: &'static str,
    },
}

fn did_you_mean(suggestion: Option<&String>) -> String {
    suggestion.map(|name| format!(", did you mean {name:?}?")).unwrap_or_default()
}

impl Objective {
    /// The objective that a scenario writes as `key = condition`.
    pub fn parse(key: &str, condition: &str) -> Result<Self, ObjectiveError> {
        let (metric, statistic) = parse_key(key.trim())?;
        let Comparison { op, target } = Comparison::parse(metric.name, metric.unit, condition)?;
        Ok(Self { metric, statistic, op, target })
    }

    /// The key as a scenario writes it.
    pub fn key(&self) -> String {
        match self.statistic {
            None => self.metric.name.to_owned(),
            Some(statistic) => format!("{}.{}", self.metric.name, statistic.name()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match *self {
            Self::DurationUs(us) => crate::units::duration(us),
            Self::Count(count) => crate::units::number(count),
            Self::Percent(percent) => crate::units::percent(percent),
        })
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.key(), self.op.sign(), self.target)
    }
}

fn parse_key(key: &str) -> Result<(&'static Metric, Option<Statistic>), ObjectiveError> {
    let all = || Statistic::ALL.map(Statistic::name).join(", ");
    if let Some(metric) = Metric::named(key) {
        return match metric.shape {
            Shape::Scalar => Ok((metric, None)),
            Shape::Distribution => {
                Err(ObjectiveError::Statistic { metric: metric.name, got: None, allowed: all() })
            }
        };
    }
    let prefixed =
        key.rsplit_once('.').and_then(|(name, last)| Metric::named(name).map(|metric| (metric, last)));
    let Some((metric, last)) = prefixed else {
        let allowed = METRICS.iter().map(|metric| metric.name).collect::<Vec<_>>().join(", ");
        return Err(ObjectiveError::UnknownMetric {
            name: key.to_owned(),
            suggestion: nearest(key),
            allowed,
        });
    };
    if metric.shape == Shape::Scalar {
        return Err(ObjectiveError::NoStatistic { metric: metric.name, got: last.to_owned() });
    }
    match Statistic::ALL.into_iter().find(|statistic| statistic.name() == last) {
        Some(statistic) => Ok((metric, Some(statistic))),
        None => {
            Err(ObjectiveError::Statistic { metric: metric.name, got: Some(last.to_owned()), allowed: all() })
        }
    }
}

fn parse_target(unit: Unit, text: &str) -> Option<Target> {
    let plain = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    match unit {
        Unit::Duration => {
            let duration: SignedDuration = text.parse().ok()?;
            let us = duration.as_micros();
            (us >= 0).then_some(Target::DurationUs(us as f64))
        }
        Unit::Count => plain(text).map(Target::Count),
        Unit::Share => {
            let share = plain(text.strip_suffix('%')?.trim_end())?;
            (share <= 100.0).then_some(Target::Percent(share))
        }
        Unit::Devices => match text.strip_suffix('%') {
            Some(share) => plain(share.trim_end()).filter(|share| *share <= 100.0).map(Target::Percent),
            None => plain(text).map(Target::Count),
        },
    }
}

/// The key that was probably meant.
fn nearest(key: &str) -> Option<String> {
    let keys = METRICS.iter().flat_map(|metric| match metric.shape {
        Shape::Scalar => vec![metric.name.to_owned()],
        Shape::Distribution => {
            Statistic::ALL.iter().map(|s| format!("{}.{}", metric.name, s.name())).collect()
        }
    });
    crate::nearest(key, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(key: &str, condition: &str) -> String {
        Objective::parse(key, condition).unwrap_err().to_string()
    }

    #[test]
    fn objectives_read_as_a_scenario_writes_them() {
        let parsed = Objective::parse("failover.outage.p99", "<= 90s").unwrap();
        assert_eq!((parsed.metric.name, parsed.statistic), ("failover.outage", Some(Statistic::P99)));
        assert_eq!((parsed.op, parsed.target), (Op::AtMost, Target::DurationUs(90e6)));
        assert_eq!(parsed.to_string(), "failover.outage.p99 <= 1 min 30 s");
        assert_eq!(Objective::parse("writes.lost", "== 0").unwrap().target, Target::Count(0.0));
        let share = Objective::parse("devices.failed_over", ">=99.9%").unwrap();
        assert_eq!((share.op, share.target), (Op::AtLeast, Target::Percent(99.9)));
        assert_eq!(Objective::parse("rpo.seconds", "< 1m30s").unwrap().target, Target::DurationUs(90e6));
        assert_eq!(Objective::parse("publish.ack.max", "< 250ms").unwrap().target, Target::DurationUs(250e3));
    }

    #[test]
    fn what_cannot_be_judged_says_what_can() {
        let unknown = error("failover.outtage.p99", "<= 90s");
        assert!(unknown.contains("did you mean \"failover.outage.p99\"?"), "{unknown}");
        assert!(unknown.contains("writes.lost"), "{unknown}");
        assert!(!error("weather", "<= 90s").contains("did you mean"));
        assert!(error("failover.outage", "<= 90s").contains("one of p50, p90, p95, p99, p999, max"));
        assert!(error("failover.outage.p98", "<= 90s").contains("not \"p98\""));
        assert!(error("writes.lost.p99", "== 0").contains("is one number"));
        assert!(error("writes.lost", "0").contains("one of <= < >= > =="));
        assert!(error("writes.lost", "== 5s").contains("a plain number"));
        assert!(error("failover.outage.p99", "<= 90").contains("a duration such as"));
        assert!(error("failover.outage.p99", "<= 99%").contains("a duration such as"));
        assert!(error("devices.failed_over", ">= 101%").contains("percentage of the fleet"));
    }

    #[test]
    fn metrics_have_distinct_names_and_no_name_is_a_prefix_with_a_statistic() {
        for (index, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[index + 1..].iter().all(|other| other.name != metric.name));
            for statistic in Statistic::ALL {
                assert!(Metric::named(&format!("{}.{}", metric.name, statistic.name())).is_none());
            }
        }
    }
}
