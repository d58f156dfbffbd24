//! AWS's cron expressions: six fields, minutes to years, with `L`, `W` and `#`. A pure function from a time to the next
//! one, in UTC.
//!
//! Written here because the crates for cron read other dialects (seconds first, Sunday as 0, both day fields at once).

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

const MINUTES: (u32, u32) = (0, 59);
const HOURS: (u32, u32) = (0, 23);
const DAYS: (u32, u32) = (1, 31);
const MONTHS: (u32, u32) = (1, 12);
const WEEKDAYS: (u32, u32) = (1, 7);
const YEARS: (u32, u32) = (1970, 2199);
const MONTH_NAMES: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// Sunday is 1.
const WEEKDAY_NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const LAST_WORKDAY: u32 = 6;

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: Set,
    hours: Set,
    days: Days,
    months: Set,
    years: Set,
}

/// Values of one field, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set(Vec<u32>);

/// Which days: of the month or of the week, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    OfMonth(Set),
    /// `L`, or `L-3`: so many days before the last one.
    Last(u32),
    /// `15W`: the working day next to the 15th, in the same month.
    NearestWorkday(u32),
    /// `LW`
    LastWorkday,
    OfWeek(Set),
    /// `6L`: the last Friday.
    LastOfWeek(u32),
    /// `6#3`: the third Friday.
    NthOfWeek(u32, u32),
}

impl Cron {
    /// Parses what stands between the parentheses.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else { return None };
        let days = match (*days, *weekdays) {
            (days, "?") if days != "?" => days_of_month(days)?,
            ("?", weekdays) if weekdays != "?" => days_of_week(weekdays)?,
            _ => return None,
        };
        Some(Self {
            minutes: Set::parse(minutes, MINUTES, &[])?,
            hours: Set::parse(hours, HOURS, &[])?,
            days,
            months: Set::parse(months, MONTHS, &MONTH_NAMES)?,
            years: Set::parse(years, YEARS, &[])?,
        })
    }

    /// The first time after this one; `None` once there is none.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = TimeZone::UTC.to_datetime(after);
        let start = (from.hour().unsigned_abs().into(), from.minute().unsigned_abs().into());
        for year in self.years.0.iter().filter(|y| **y >= u32::from(from.year().unsigned_abs())) {
            for month in &self.months.0 {
                let first = Date::new(i16::try_from(*year).ok()?, i8::try_from(*month).ok()?, 1).ok()?;
                if first.last_of_month() < from.date() {
                    continue;
                }
                for day in self.days.of(first) {
                    let date = first.checked_add(i64::from(day - 1).days()).ok()?;
                    // On the day of `after` the hour and the minute must be later.
                    let later = match date.cmp(&from.date()) {
                        std::cmp::Ordering::Less => continue,
                        std::cmp::Ordering::Equal => Some(start),
                        std::cmp::Ordering::Greater => None,
                    };
                    if let Some((hour, minute)) = self.time(later) {
                        let at = date.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
                        return TimeZone::UTC.to_timestamp(at).ok();
                    }
                }
            }
        }
        None
    }

    /// The first hour and minute of a day, after the given ones.
    fn time(&self, after: Option<(u32, u32)>) -> Option<(u32, u32)> {
        let all = self.hours.0.iter().flat_map(|h| self.minutes.0.iter().map(|m| (*h, *m)));
        all.into_iter().find(|time| after.is_none_or(|after| *time > after))
    }
}

impl Days {
    /// The days of a month, in order; the month by its first day.
    fn of(&self, first: Date) -> Vec<u32> {
        let last = u32::from(first.days_in_month().unsigned_abs());
        let weekday = |day: u32| (number(first) - 1 + day - 1) % 7 + 1;
        let all = 1..=last;
        match self {
            Self::OfMonth(set) => set.0.iter().copied().filter(|d| *d <= last).collect(),
            Self::Last(back) => last.checked_sub(*back).filter(|d| *d > 0).into_iter().collect(),
            Self::NearestWorkday(day) if *day > last => Vec::new(),
            Self::NearestWorkday(day) => vec![nearest_workday(*day, last, weekday)],
            Self::LastWorkday => {
                all.rev().find(|d| (2..=LAST_WORKDAY).contains(&weekday(*d))).into_iter().collect()
            }
            Self::OfWeek(set) => all.filter(|d| set.0.contains(&weekday(*d))).collect(),
            Self::LastOfWeek(wanted) => all.rev().find(|d| weekday(*d) == *wanted).into_iter().collect(),
            Self::NthOfWeek(wanted, nth) => {
                all.filter(|d| weekday(*d) == *wanted && d.div_ceil(7) == *nth).collect()
            }
        }
    }
}

/// Sunday is 1.
fn number(date: Date) -> u32 {
    u32::from(date.weekday().to_sunday_one_offset().unsigned_abs())
}

fn nearest_workday(day: u32, last: u32, weekday: impl Fn(u32) -> u32) -> u32 {
    match weekday(day) {
        7 if day == 1 => 3,
        7 => day - 1,
        1 if day == last => day - 2,
        1 => day + 1,
        _ => day,
    }
}

fn days_of_month(text: &str) -> Option<Days> {
    if text == "LW" {
        return Some(Days::LastWorkday);
    }
    if let Some(back) = text.strip_prefix('L') {
        let back =
            if back.is_empty() { 0 } else { back.strip_prefix('-')?.parse().ok().filter(|b| *b <= 30)? };
        return Some(Days::Last(back));
    }
    match text.strip_suffix('W') {
        Some(day) => one(day, DAYS, &[]).map(Days::NearestWorkday),
        None => Set::parse(text, DAYS, &[]).map(Days::OfMonth),
    }
}

fn days_of_week(text: &str) -> Option<Days> {
    if let Some((day, nth)) = text.split_once('#') {
        let nth = nth.parse().ok().filter(|n| (1..=5).contains(n))?;
        return one(day, WEEKDAYS, &WEEKDAY_NAMES).map(|day| Days::NthOfWeek(day, nth));
    }
    match text.strip_suffix('L') {
        // Alone it is the last day of the week.
        Some("") => Some(Days::OfWeek(Set(vec![7]))),
        Some(day) => one(day, WEEKDAYS, &WEEKDAY_NAMES).map(Days::LastOfWeek),
        None => Set::parse(text, WEEKDAYS, &WEEKDAY_NAMES).map(Days::OfWeek),
    }
}

/// One value, by number or name.
fn one(text: &str, (min, max): (u32, u32), names: &[&str]) -> Option<u32> {
    let named = names.iter().position(|n| n.eq_ignore_ascii_case(text)).and_then(|at| u32::try_from(at).ok());
    let value = match named {
        Some(at) => at + min,
        None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
        None => return None,
    };
    (min..=max).contains(&value).then_some(value)
}

impl Set {
    /// `*`, values, `a-b`, `a/step`, `a-b/step`, and several with commas.
    fn parse(text: &str, range: (u32, u32), names: &[&str]) -> Option<Self> {
        let mut values = Vec::new();
        for part in text.split(',') {
            let (span, step) = match part.split_once('/') {
                Some((span, step)) => (span, Some(step.parse::<usize>().ok().filter(|s| *s > 0)?)),
                None => (part, None),
            };
            let (from, to) = match span.split_once('-') {
                _ if span == "*" => range,
                Some((from, to)) => (one(from, range, names)?, one(to, range, names)?),
                None => {
                    let from = one(span, range, names)?;
                    (from, if step.is_some() { range.1 } else { from })
                }
            };
            // A range may run over the end: FRI-MON.
            if from <= to {
                values.extend((from..=to).step_by(step.unwrap_or(1)));
            } else {
                values.extend((from..=range.1).chain(range.0..=to).step_by(step.unwrap_or(1)));
            }
        }
        values.sort_unstable();
        values.dedup();
        Some(Self(values))
    }
}

#[cfg(test)]
mod tests;
