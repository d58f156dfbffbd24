//! Schedule expressions: `rate(5 minutes)`, `cron(...)` and, of EventBridge Scheduler, `at(...)`. Pure.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::cron::Cron;

/// When something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    Rate(SignedDuration),
    Cron(Cron),
    /// Once.
    At(Timestamp),
}

impl Expression {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('(')?;
        let inside = rest.strip_suffix(')')?;
        match kind {
            "rate" => rate(inside).map(Self::Rate),
            "cron" => Cron::parse(inside).map(Self::Cron),
            "at" => {
                let at: DateTime = inside.parse().ok()?;
                // Without a fraction of a second and with a time of day.
                (inside.len() == "2026-11-23T10:00:00".len())
                    .then(|| TimeZone::UTC.to_timestamp(at).ok())
                    .flatten()
                    .map(Self::At)
            }
            _ => None,
        }
    }

    /// The first time after `after`; rates count from `start` on, which is itself the first time if it is still to come.
    pub(crate) fn next(&self, after: Timestamp, start: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(_) if after < start => Some(start),
            Self::Rate(rate) => {
                let past = after.duration_since(start).as_millis() / rate.as_millis().max(1);
                let times = i32::try_from(past + 1).ok()?;
                start.checked_add(rate.checked_mul(times)?).ok()
            }
            Self::Cron(cron) => cron.next(after.max(start.checked_sub(SignedDuration::from_nanos(1)).ok()?)),
            Self::At(at) => Some(*at).filter(|at| *at > after),
        }
    }
}

/// `1 minute`, `5 minutes`; the unit in the singular for one, and for one only.
fn rate(text: &str) -> Option<SignedDuration> {
    let mut words = text.split_whitespace();
    let (count, unit) = (words.next()?, words.next()?);
    if words.next().is_some() || !count.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: i32 = count.parse().ok().filter(|c| *c > 0)?;
    let unit = if count == 1 { unit.to_owned() } else { unit.strip_suffix('s')?.to_owned() };
    let of = match unit.as_str() {
        "minute" => SignedDuration::from_mins(1),
        "hour" => SignedDuration::from_hours(1),
        "day" => SignedDuration::from_hours(24),
        _ => return None,
    };
    of.checked_mul(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn expressions_are_read_as_aws_writes_them() {
        assert_eq!(Expression::parse("rate(1 minute)"), Some(Expression::Rate(SignedDuration::from_mins(1))));
        assert_eq!(
            Expression::parse("rate(7 days)"),
            Some(Expression::Rate(SignedDuration::from_hours(168)))
        );
        assert_eq!(
            Expression::parse("at(2026-11-23T10:00:00)"),
            Some(Expression::At(at("2026-11-23T10:00:00Z")))
        );
        assert!(matches!(Expression::parse("cron(0 10 * * ? *)"), Some(Expression::Cron(_))));
        for text in [
            "",
            "rate",
            "rate(5 minutes",
            "rate(1 minutes)",
            "rate(5 minute)",
            "rate(0 minutes)",
            "rate(5 seconds)",
            "rate(-5 minutes)",
            "rate(5 minutes )x",
            "rate(99999999999 days)",
            "cron(0 10 * * *)",
            "at(2026-11-23)",
            "at(2026-11-23T10:00:00Z)",
            "at(2026-11-23T10:00:00.5)",
            "Rate(5 minutes)",
        ] {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
    }

    #[test]
    fn once_is_once() {
        let once = Expression::parse("at(2026-11-23T10:00:00)").unwrap();
        let (then, before) = (at("2026-11-23T10:00:00Z"), at("2026-11-23T09:59:59Z"));
        assert_eq!(once.next(before, before), Some(then));
        assert_eq!(once.next(then, before), None);
    }

    #[test]
    fn a_start_holds_back_cron_too() {
        let cron = Expression::parse("cron(0 * * * ? *)").unwrap();
        let start = at("2026-11-23T12:00:00Z");
        assert_eq!(cron.next(at("2026-11-23T09:30:00Z"), start), Some(start));
    }

    proptest! {
        #[test]
        fn rates_keep_their_beat(start_s in 0_i64..2_000_000_000, past_ms in -10_000_i64..10_000_000_000, minutes in 2_i32..5_000) {
            let rate = Expression::parse(&format!("rate({minutes} minutes)")).unwrap();
            let start = Timestamp::from_second(start_s).unwrap();
            let after = start.checked_add(SignedDuration::from_millis(past_ms)).unwrap();
            let next = rate.next(after, start).unwrap();
            prop_assert!(next > after);
            prop_assert_eq!(next.duration_since(start).as_millis() % (i128::from(minutes) * 60_000), 0);
            let gap = next.duration_since(after).as_millis();
            prop_assert!(past_ms < 0 || gap <= i128::from(minutes) * 60_000);
        }
    }
}
