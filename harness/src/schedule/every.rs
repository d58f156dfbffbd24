//! When a game day begins, in UTC: in words, or as a cron expression of five fields, and in the dialects of those who start it.

use std::{fmt::Write as _, str::FromStr, time::Duration};

const DAY_MIN: u32 = 24 * 60;
/// Sunday is 0, as cron has it.
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY_WORDS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// When it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Every {
    minutes: Vec<u32>,
    hours: Vec<u32>,
    days: Field,
    months: Field,
    weekdays: Field,
    written: String,
}

/// All, or these in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    All,
    These(Vec<u32>),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let written = text.trim().to_lowercase();
        let fields: Vec<&str> = written.split_whitespace().collect();
        if let [minutes, hours, days, months, weekdays] = fields.as_slice()
            && minutes.starts_with(|c: char| c.is_ascii_digit() || c == '*')
        {
            let mut every = Self {
                minutes: field(minutes, 0, 59, &[])?.list(0, 59),
                hours: field(hours, 0, 23, &[])?.list(0, 23),
                days: field(days, 1, 31, &[])?,
                months: field(months, 1, 12, &MONTHS)?,
                weekdays: field(weekdays, 0, 7, &DAYS)?,
                written: String::new(),
            };
            if let Field::These(list) = &mut every.weekdays {
                for day in list.iter_mut() {
                    *day %= 7;
                }
                list.sort_unstable();
                list.dedup();
            }
            if every.days != Field::All && every.weekdays != Field::All {
                return Err("days of the month and days of the week: cron takes either, so name one of them"
                    .to_owned());
            }
            every.written = format!("as cron's {}, UTC", fields.join(" "));
            return Ok(every);
        }
        words(&written).ok_or_else(|| {
            "is written \"day at 03:30\", \"weekday at 06:00\", \"monday at 06:00\", \"month on 1 at 06:00\", or as the five fields of \
             cron, \"0 6 * * 1\"; all of it UTC"
                .to_owned()
        })
    }
}

fn words(text: &str) -> Option<Every> {
    let text = text.strip_prefix("every ").unwrap_or(text);
    let (when, at) = text.split_once(" at ")?;
    let (hour, minute) = at.split_once(':')?;
    let number = |text: &str, max: u32| {
        let digits = (1..=2).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok()).flatten().filter(|number| *number <= max)
    };
    let (hour, minute) = (number(hour.trim(), 23)?, number(minute.trim(), 59)?);
    let (mut days, mut weekdays) = (Field::All, Field::All);
    match when.trim() {
        "day" => {}
        "weekday" => weekdays = Field::These((1..=5).collect()),
        other => {
            if let Some(day) = other.strip_prefix("month on ") {
                // There is a 28th in each month.
                days = Field::These(vec![number(day.trim(), 28).filter(|day| *day > 0)?]);
            } else {
                let day = DAY_WORDS.iter().position(|day| *day == other)?;
                weekdays = Field::These(vec![u32::try_from(day).ok()?]);
            }
        }
    }
    let written = format!("every {} at {hour:02}:{minute:02} UTC", when.trim());
    Some(Every { minutes: vec![minute], hours: vec![hour], days, months: Field::All, weekdays, written })
}

/// One field of cron: `*`, `*/5`, `1-5`, `1,15`, `mon-fri`.
fn field(text: &str, least: u32, most: u32, names: &[&str]) -> Result<Field, String> {
    let wrong = || format!("{text:?} is no field of cron here: {least} to {most}, as *, */2, 1-5 or 1,3");
    let number = |text: &str| {
        let named = names.iter().position(|name| *name == text).and_then(|at| u32::try_from(at).ok());
        // Days begin with 0 and months with 1, as their names do.
        let number = named.map(|at| at + least).or_else(|| text.parse().ok());
        number.filter(|number| (least..=most).contains(number)).ok_or_else(wrong)
    };
    if text == "*" {
        return Ok(Field::All);
    }
    let mut list = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: usize = step.parse().ok().filter(|step| *step > 0).ok_or_else(wrong)?;
        let (from, to) = match (range, range.split_once('-')) {
            // The seventh day of the week is Sunday again.
            ("*", _) => (least, if most == 7 { 6 } else { most }),
            (_, Some((from, to))) => (number(from)?, number(to)?),
            (one, None) if part.contains('/') => (number(one)?, most),
            (one, None) => (number(one)?, number(one)?),
        };
        if from > to {
            return Err(wrong());
        }
        list.extend((from..=to).step_by(step));
    }
    list.sort_unstable();
    list.dedup();
    Ok(Field::These(list))
}

impl Field {
    fn list(self, least: u32, most: u32) -> Vec<u32> {
        match self {
            Self::All => (least..=most).collect(),
            Self::These(list) => list,
        }
    }

    fn or_star(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::These(list) => joined(list),
        }
    }

    fn named(&self, names: &[&str], of: impl Fn(&str) -> String) -> Option<String> {
        let Self::These(list) = self else { return None };
        let names = list.iter().filter_map(|at| names.get(*at as usize)).map(|name| of(name));
        Some(names.collect::<Vec<_>>().join(","))
    }
}

fn joined(list: &[u32]) -> String {
    list.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn padded(list: &[u32]) -> String {
    list.iter().map(|number| format!("{number:02}")).collect::<Vec<_>>().join(",")
}

fn all_or(list: &[u32], all: usize, show: impl Fn(&[u32]) -> String) -> String {
    if list.len() == all { "*".to_owned() } else { show(list) }
}

impl Every {
    /// For a reader.
    pub(crate) fn words(&self) -> String {
        self.written.clone()
    }

    /// The shortest time from one to the next.
    pub(super) fn gap(&self) -> Duration {
        let mut times: Vec<u32> = self
            .hours
            .iter()
            .flat_map(|hour| self.minutes.iter().map(move |minute| hour * 60 + minute))
            .collect();
        times.sort_unstable();
        let first_again = times.first().map(|first| first + DAY_MIN);
        let gaps = times.iter().zip(times.iter().skip(1).copied().chain(first_again)).map(|(a, b)| b - a);
        Duration::from_mins(u64::from(gaps.min().unwrap_or(DAY_MIN)))
    }

    /// Five fields, as Kubernetes and GitHub take them.
    pub(super) fn cron(&self) -> String {
        format!(
            "{} {} {} {} {}",
            all_or(&self.minutes, 60, joined),
            all_or(&self.hours, 24, joined),
            self.days.or_star(),
            self.months.or_star(),
            self.weekdays.or_star()
        )
    }

    /// Six fields, as `EventBridge` takes them: one of the two kinds of days is a question mark.
    pub(super) fn eventbridge(&self) -> String {
        let weekdays = self.weekdays.named(&DAYS, str::to_uppercase);
        let (days, weekdays) = match weekdays {
            Some(weekdays) => ("?".to_owned(), weekdays),
            None => (self.days.or_star(), "?".to_owned()),
        };
        format!(
            "cron({} {} {days} {} {weekdays} *)",
            all_or(&self.minutes, 60, joined),
            all_or(&self.hours, 24, joined),
            self.months.or_star()
        )
    }

    /// A calendar event of systemd.
    pub(super) fn calendar(&self) -> String {
        let capital = |name: &str| name[..1].to_uppercase() + &name[1..];
        let mut text =
            self.weekdays.named(&DAYS, capital).map(|weekdays| format!("{weekdays} ")).unwrap_or_default();
        let or_star = |field: &Field| match field {
            Field::All => "*".to_owned(),
            Field::These(list) => padded(list),
        };
        let _ = write!(
            text,
            "*-{}-{} {}:{}:00 UTC",
            or_star(&self.months),
            or_star(&self.days),
            all_or(&self.hours, 24, padded),
            all_or(&self.minutes, 60, padded)
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_in_four_dialects() {
        for (text, cron, eventbridge, calendar) in [
            ("day at 03:30", "30 3 * * *", "cron(30 3 * * ? *)", "*-*-* 03:30:00 UTC"),
            ("every monday at 6:00", "0 6 * * 1", "cron(0 6 ? * MON *)", "Mon *-*-* 06:00:00 UTC"),
            (
                "weekday at 06:00",
                "0 6 * * 1,2,3,4,5",
                "cron(0 6 ? * MON,TUE,WED,THU,FRI *)",
                "Mon,Tue,Wed,Thu,Fri *-*-* 06:00:00 UTC",
            ),
            ("month on 1 at 00:05", "5 0 1 * *", "cron(5 0 1 * ? *)", "*-*-01 00:05:00 UTC"),
            ("0 */6 * * *", "0 0,6,12,18 * * *", "cron(0 0,6,12,18 * * ? *)", "*-*-* 00,06,12,18:00:00 UTC"),
            (
                "15 4 * jan-mar SUN",
                "15 4 * 1,2,3 0",
                "cron(15 4 ? 1,2,3 SUN *)",
                "Sun *-01,02,03-* 04:15:00 UTC",
            ),
            ("0 6 * * 6-7", "0 6 * * 0,6", "cron(0 6 ? * SUN,SAT *)", "Sun,Sat *-*-* 06:00:00 UTC"),
            ("30 * 1,15 * *", "30 * 1,15 * *", "cron(30 * 1,15 * ? *)", "*-*-01,15 *:30:00 UTC"),
        ] {
            let every: Every = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(every.cron(), cron, "{text}");
            assert_eq!(every.eventbridge(), eventbridge, "{text}");
            assert_eq!(every.calendar(), calendar, "{text}");
        }
    }

    #[test]
    fn the_shortest_time_between_two_is_known() {
        for (text, min) in [
            ("day at 03:30", 1_440),
            ("0 */6 * * *", 360),
            ("0,10 * * * *", 10),
            ("50 23,0 * * *", 60),
            ("5 0,23 * * *", 60),
        ] {
            assert_eq!(text.parse::<Every>().unwrap().gap(), Duration::from_mins(min), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_how_one_is_written() {
        for text in [
            "",
            "soon",
            "monday",
            "monday at 25:00",
            "month on 31 at 06:00",
            "60 6 * * *",
            "0 6 * * 8",
            "0 6 * *",
            "5-1 * * * *",
        ] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
        assert!("0 6 1 * 1".parse::<Every>().unwrap_err().contains("name one of them"));
    }
}
