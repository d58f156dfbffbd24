//! What can be read of a run at any moment, and conditions on it: one table, for the scenario's `[stop]` and `[steady]`, for errors,
//! and for the documentation.

use std::fmt;

use gameday_report::{Comparison, Op, Statistic, Target, Unit, nearest, units};

use crate::{
    live::{Reading, Window},
    measure::Metric,
};

/// Something of the run that is read while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gauge {
    name: &'static str,
    unit: Unit,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    SendsFailed,
    ConnectsFailed,
    Latency(Metric),
    Away,
    AwayLongest,
    Behind,
    Missing,
    ApiCalls,
    ApiThrottled,
    Acknowledged,
    Elapsed,
}

const fn gauge(name: &'static str, unit: Unit, what: What) -> Gauge {
    Gauge { name, unit, what }
}

/// Every gauge. All are the worse the higher they are.
const GAUGES: &[Gauge] = &[
    gauge("sends.failed", Unit::Share, What::SendsFailed),
    gauge("connects.failed", Unit::Count, What::ConnectsFailed),
    gauge("publish.ack", Unit::Duration, What::Latency(Metric::PublishAck)),
    gauge("shadow.ack", Unit::Duration, What::Latency(Metric::ShadowAck)),
    gauge("replication.shadow", Unit::Duration, What::Latency(Metric::ShadowReplication)),
    gauge("replication.registry", Unit::Duration, What::Latency(Metric::RegistryReplication)),
    gauge("devices.away", Unit::Devices, What::Away),
    gauge("devices.away_longest", Unit::Duration, What::AwayLongest),
    gauge("devices.behind", Unit::Devices, What::Behind),
    gauge("devices.missing", Unit::Devices, What::Missing),
    gauge("api.calls", Unit::Count, What::ApiCalls),
    gauge("api.throttled", Unit::Count, What::ApiThrottled),
    gauge("messages.acknowledged", Unit::Count, What::Acknowledged),
    gauge("run.duration", Unit::Duration, What::Elapsed),
];

/// Everything that a run can stop by, as a scenario names it, with its unit.
pub(crate) fn keys() -> impl Iterator<Item = (String, Unit)> {
    GAUGES.iter().flat_map(|gauge| match gauge.what {
        What::Latency(_) => {
            Statistic::ALL.map(|s| (format!("{}.{}", gauge.name, s.name()), gauge.unit)).to_vec()
        }
        _ => vec![(gauge.name.to_owned(), gauge.unit)],
    })
}

/// A gauge held against a number: as a condition that ends a run when it holds, or as a hypothesis that has to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Condition {
    gauge: &'static Gauge,
    statistic: Option<Statistic>,
    comparison: Comparison,
}

impl Condition {
    /// What a scenario writes as `key = text` of what ends a run.
    pub(crate) fn parse(key: &str, text: &str) -> Result<Self, String> {
        let condition = Self::compared(key, text)?;
        // An objective says what must hold, this what must not.
        if !matches!(condition.comparison.op, Op::Above | Op::AtLeast) {
            return Err(format!(
                "the run stops when it holds: write > or >= and not {}",
                condition.comparison.op.sign()
            ));
        }
        Ok(condition)
    }

    /// What a scenario writes as `key = text` of what has to hold before anything is broken.
    pub(crate) fn hypothesis(key: &str, text: &str) -> Result<Self, String> {
        let hypothesis = Self::compared(key, text)?;
        if matches!(hypothesis.comparison.op, Op::Above | Op::AtLeast) {
            return Err(format!(
                "it is steady when this holds: write <=, < or == and not {}",
                hypothesis.comparison.op.sign()
            ));
        }
        Ok(hypothesis)
    }

    fn compared(key: &str, text: &str) -> Result<Self, String> {
        let (gauge, statistic) = named(key)?;
        let comparison =
            Comparison::parse(gauge.name, gauge.unit, text).map_err(|error| error.to_string())?;
        Ok(Self { gauge, statistic, comparison })
    }

    /// Why the run has to end, if it has to. What has no value yet ends nothing.
    pub(crate) fn holds(&self, window: &Window, reading: &Reading) -> Option<String> {
        let value = self.value(window, reading)?;
        if !self.comparison.op.holds(value, self.comparison.target.value()) {
            return None;
        }
        let (was, over) = (self.shown(value), self.over(window));
        Some(format!("{} was {was}{over}, and the scenario stops at {}", self.key(), self.comparison))
    }

    /// Why a hypothesis does not hold, if it does not. `of_nothing`: whether it holds when there is no value.
    pub(crate) fn fails(&self, window: &Window, reading: &Reading, of_nothing: bool) -> Option<String> {
        let (key, over) = (self.key(), self.over(window));
        match self.value(window, reading) {
            Some(value) if self.comparison.op.holds(value, self.comparison.target.value()) => None,
            Some(value) => {
                Some(format!("{key} was {}{over}, and is to be {}", self.shown(value), self.comparison))
            }
            None if of_nothing => None,
            None => Some(format!("{key} has no value{over}, and is to be {}", self.comparison)),
        }
    }

    fn shown(&self, value: f64) -> String {
        match (self.gauge.unit, self.comparison.target) {
            (Unit::Duration, _) => units::duration(value),
            (_, Target::Percent(_)) => units::percent(value),
            _ => units::number(value),
        }
    }

    /// What it is of, when that is not the moment.
    fn over(&self, window: &Window) -> String {
        match self.gauge.what {
            What::SendsFailed | What::ConnectsFailed | What::Latency(_) => {
                format!(" over the last {}", units::duration(window.over_us() as f64))
            }
            _ => String::new(),
        }
    }

    fn key(&self) -> String {
        match self.statistic {
            None => self.gauge.name.to_owned(),
            Some(statistic) => format!("{}.{}", self.gauge.name, statistic.name()),
        }
    }

    fn value(&self, window: &Window, reading: &Reading) -> Option<f64> {
        let of_fleet = |count: u32| match self.comparison.target {
            Target::Percent(_) => {
                (reading.fleet > 0).then(|| f64::from(count) / f64::from(reading.fleet) * 100.0)
            }
            _ => Some(f64::from(count)),
        };
        match self.gauge.what {
            What::SendsFailed => window.sends_failed_percent(),
            What::ConnectsFailed => Some(window.connects_failed() as f64),
            What::Latency(metric) => {
                let quantile = self.statistic.map_or(1.0, Statistic::quantile);
                window.latency_us(metric, quantile).map(|us| us as f64)
            }
            What::Away => of_fleet(reading.away),
            What::AwayLongest => Some(reading.away_longest_us as f64),
            What::Behind => of_fleet(reading.behind?),
            What::Missing => of_fleet(reading.missing),
            What::ApiCalls => Some(reading.api_calls as f64),
            What::ApiThrottled => Some(reading.api_throttled as f64),
            What::Acknowledged => Some(reading.acknowledged as f64),
            What::Elapsed => Some(reading.elapsed_us as f64),
        }
    }
}

impl fmt::Display for Condition {
    /// As a scenario writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key(), self.comparison)
    }
}

fn named(key: &str) -> Result<(&'static Gauge, Option<Statistic>), String> {
    let find = |name: &str| GAUGES.iter().find(|gauge| gauge.name == name);
    let is_spread = |gauge: &Gauge| matches!(gauge.what, What::Latency(_));
    let statistics = || Statistic::ALL.map(Statistic::name).join(", ");
    if let Some(gauge) = find(key) {
        if is_spread(gauge) {
            return Err(format!("{key} needs a statistic; one of {}", statistics()));
        }
        return Ok((gauge, None));
    }
    let (name, last) = key.rsplit_once('.').unwrap_or((key, ""));
    match (find(name), Statistic::ALL.into_iter().find(|statistic| statistic.name() == last)) {
        (Some(gauge), Some(statistic)) if is_spread(gauge) => Ok((gauge, Some(statistic))),
        (Some(gauge), _) if is_spread(gauge) => {
            Err(format!("{name} needs a statistic, not {last:?}; one of {}", statistics()))
        }
        (Some(gauge), _) => Err(format!("{name} is one number; write {:?}", gauge.name)),
        (None, _) => {
            let names = GAUGES.iter().map(|gauge| gauge.name);
            let meant = nearest(key, keys().map(|(key, _)| key))
                .map(|name| format!(", did you mean {name:?}?"))
                .unwrap_or_default();
            let names = names.collect::<Vec<_>>().join(", ");
            Err(format!("there is no metric {key:?}{meant}; those of a run that goes on are {names}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gauge_can_be_asked_for_and_a_slip_is_told() {
        for gauge in GAUGES {
            let key = match gauge.what {
                What::Latency(_) => format!("{}.p99", gauge.name),
                _ => gauge.name.to_owned(),
            };
            let text = match gauge.unit {
                Unit::Duration => "> 5s",
                Unit::Share => "> 5%",
                Unit::Count | Unit::Devices => "> 5",
            };
            assert_eq!(Condition::parse(&key, text).unwrap().key(), key);
        }
        let error = |key, text| Condition::parse(key, text).unwrap_err();
        assert!(error("devices.awy", "> 5").contains("did you mean \"devices.away\"?"));
        assert!(error("publish.ack", "> 5s").contains("needs a statistic"));
        assert!(error("publish.ack.p98", "> 5s").contains("not \"p98\""));
        assert!(error("api.calls.p99", "> 5").contains("is one number"));
        assert!(error("publish.ack.p99", "<= 5s").contains("write > or >= and not <="));
        assert!(error("sends.failed", "> 5").contains("a percentage such as 5%"));
    }

    #[test]
    fn a_hypothesis_says_what_must_hold_and_of_no_value_it_does_not() {
        let error = |key, text| Condition::hypothesis(key, text).unwrap_err();
        assert!(error("devices.missing", "> 0").contains("write <=, < or == and not >"));
        assert!(error("devices.mising", "== 0").contains("did you mean \"devices.missing\"?"));
        let window = Window::new(10_000_000);
        let reading = Reading { fleet: 40, missing: 10, ..Reading::default() };
        let fails = |key: &str, text: &str, of_nothing| {
            Condition::hypothesis(key, text).unwrap().fails(&window, &reading, of_nothing)
        };
        assert_eq!(fails("devices.missing", "<= 25%", false), None);
        assert_eq!(
            fails("devices.missing", "== 0", true).unwrap(),
            "devices.missing was 10, and is to be == 0"
        );
        assert_eq!(fails("sends.failed", "== 0%", true), None);
        let said = fails("sends.failed", "== 0%", false).unwrap();
        assert!(said.starts_with("sends.failed has no value over the last 10 s"), "{said}");
    }

    #[test]
    fn a_condition_holds_by_what_is_read_now() {
        let reading = Reading {
            fleet: 40,
            away: 10,
            away_longest_us: 61_000_000,
            behind: Some(2),
            api_calls: 900,
            ..Reading::default()
        };
        let window = Window::new(10_000_000);
        let said = |key: &str, text: &str| Condition::parse(key, text).unwrap().holds(&window, &reading);
        assert_eq!(
            said("devices.away", "> 20%").unwrap(),
            "devices.away was 25%, and the scenario stops at > 20%"
        );
        assert_eq!(said("devices.away", "> 25%"), None);
        assert!(said("devices.away", ">= 10").unwrap().contains("was 10,"));
        assert!(said("devices.away_longest", "> 1m").unwrap().contains("1 min 1 s"));
        assert_eq!(said("devices.behind", "> 2"), None);
        assert!(said("api.calls", "> 899").is_some());
        assert_eq!(said("sends.failed", ">= 0%"), None, "nothing was due: there is no share");
        assert_eq!(said("publish.ack.p99", ">= 0s"), None, "nothing was measured");
    }
}
