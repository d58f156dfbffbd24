//! Patterns of dates and times: the letters of Joda-Time and Java that rules have use for, in English. A letter that is not
//! known makes the whole undefined.

use std::fmt::Write as _;

use jiff::{
    Timestamp, Zoned,
    civil::DateTime,
    tz::{Offset, TimeZone},
};

/// Longest pattern, and widest field.
const PATTERN_BYTES_MAX: usize = 256;
const WIDTH_MAX: usize = 9;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Letters of an abbreviated name.
const ABBREVIATED: usize = 3;

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    /// A letter, and how often it stands there.
    Field(char, usize),
}

#[derive(Debug)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

/// What has been read of a date and time.
#[derive(Debug)]
struct Fields {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    afternoon: Option<bool>,
    zone: TimeZone,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > PATTERN_BYTES_MAX {
            return None;
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let literal = match c {
                '\'' if rest.next_if_eq(&'\'').is_some() => "'".to_owned(),
                '\'' => quoted(&mut rest)?,
                c if c.is_ascii_alphabetic() => {
                    let mut width = 1;
                    while rest.next_if_eq(&c).is_some() {
                        width += 1;
                    }
                    if width > WIDTH_MAX {
                        return None;
                    }
                    parts.push(Part::Field(c, width));
                    continue;
                }
                c => c.to_string(),
            };
            match parts.last_mut() {
                Some(Part::Text(text)) => text.push_str(&literal),
                _ => parts.push(Part::Text(literal)),
            }
        }
        Some(Self { parts })
    }

    pub(super) fn write(&self, at: &Zoned) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(letter, width) => write_field(&mut out, *letter, *width, at)?,
            }
        }
        Some(out)
    }

    /// The time that a text says by this pattern; UTC if it names no zone.
    pub(super) fn read(&self, text: &str) -> Option<Timestamp> {
        let mut fields = Fields {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            nanosecond: 0,
            afternoon: None,
            zone: TimeZone::UTC,
        };
        let mut rest = text;
        for part in &self.parts {
            rest = match part {
                Part::Text(text) => rest.strip_prefix(text.as_str())?,
                Part::Field(letter, width) => fields.read(*letter, *width, rest)?,
            };
        }
        if rest.is_empty() { fields.timestamp() } else { None }
    }
}

fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match rest.next()? {
            '\'' if rest.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => return Some(text),
            c => text.push(c),
        }
    }
}

fn write_field(out: &mut String, letter: char, width: usize, at: &Zoned) -> Option<()> {
    let hour = at.hour();
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let number = match letter {
        'y' | 'u' | 'Y' if width == 2 => i32::from(at.year()).rem_euclid(100),
        'y' | 'u' | 'Y' => i32::from(at.year()),
        'M' | 'L' if width < ABBREVIATED => i32::from(at.month()),
        'd' => i32::from(at.day()),
        'D' => i32::from(at.day_of_year()),
        'e' => i32::from(at.weekday().to_monday_one_offset()),
        'H' => i32::from(hour),
        'k' => i32::from(if hour == 0 { 24 } else { hour }),
        'h' => i32::from(twelve),
        'K' => i32::from(hour % 12),
        'm' => i32::from(at.minute()),
        's' => i32::from(at.second()),
        _ => {
            out.push_str(&word(letter, width, at)?);
            return Some(());
        }
    };
    write!(out, "{number:0width$}").ok()
}

/// The fields that are no numbers.
fn word(letter: char, width: usize, at: &Zoned) -> Option<String> {
    let name = |names: &[&str], n: i8| {
        let name = names.get(usize::try_from(n).ok()?)?;
        Some(if width > ABBREVIATED { (*name).to_owned() } else { name[..ABBREVIATED].to_owned() })
    };
    Some(match letter {
        'G' => "AD".to_owned(),
        'M' | 'L' => name(&MONTHS, at.month() - 1)?,
        'E' => name(&DAYS, at.weekday().to_monday_zero_offset())?,
        'a' => (if at.hour() < 12 { "AM" } else { "PM" }).to_owned(),
        'S' => format!("{:09}", at.subsec_nanosecond())[..width].to_owned(),
        'z' if width <= ABBREVIATED => at.strftime("%Z").to_string(),
        'V' => at.time_zone().iana_name()?.to_owned(),
        'Z' if width >= ABBREVIATED => at.time_zone().iana_name()?.to_owned(),
        'Z' => offset(at, width == 2),
        'X' if at.offset() == Offset::UTC => "Z".to_owned(),
        'X' | 'x' if width == 1 => offset(at, false)[..3].to_owned(),
        'X' | 'x' => offset(at, width >= ABBREVIATED),
        _ => return None,
    })
}

fn offset(at: &Zoned, with_colon: bool) -> String {
    at.strftime(if with_colon { "%:z" } else { "%z" }).to_string()
}

impl Fields {
    /// Reads one field from the start of a text and gives what is left.
    fn read<'a>(&mut self, letter: char, width: usize, text: &'a str) -> Option<&'a str> {
        match letter {
            'M' | 'L' if width >= ABBREVIATED => {
                let (n, rest) = named(&MONTHS, width, text)?;
                self.month = n + 1;
                return Some(rest);
            }
            'E' => return named(&DAYS, width, text).map(|(_, rest)| rest),
            'G' => return text.strip_prefix("AD"),
            'a' => {
                let (half, rest) = text.split_at_checked(2)?;
                self.afternoon = Some(half.eq_ignore_ascii_case("pm"));
                return half.to_ascii_lowercase().ends_with('m').then_some(rest);
            }
            'z' | 'V' | 'Z' | 'X' | 'x' => {
                let is_zone = |c: char| c.is_ascii_alphanumeric() || "/_+-:".contains(c);
                let end = text.find(|c| !is_zone(c)).unwrap_or(text.len());
                self.zone = zone(&text[..end])?;
                return Some(&text[end..]);
            }
            _ => {}
        }
        // One letter takes what digits there are, more take as many as they are.
        let (least, most) = match letter {
            'y' | 'u' if width != 2 => (width, 4.max(width)),
            _ if width == 1 => (1, if letter == 'S' { 1 } else { 2 }),
            _ => (width, width),
        };
        let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if digits < least {
            return None;
        }
        let (number, rest) = text.split_at(digits);
        let value: i32 = number.parse().ok()?;
        let small = i8::try_from(value);
        match letter {
            'y' | 'u' => self.year = i16::try_from(if width == 2 { 2000 + value } else { value }).ok()?,
            'M' | 'L' => self.month = small.ok()?,
            'd' => self.day = small.ok()?,
            'H' | 'h' | 'K' => self.hour = small.ok()?,
            'k' => self.hour = small.ok()? % 24,
            'm' => self.minute = small.ok()?,
            's' => self.second = small.ok()?,
            'S' => {
                let scale = u32::try_from(WIDTH_MAX.checked_sub(digits)?).ok()?;
                self.nanosecond = value.checked_mul(10_i32.checked_pow(scale)?)?;
            }
            _ => return None,
        }
        Some(rest)
    }

    fn timestamp(self) -> Option<Timestamp> {
        let hour = match self.afternoon {
            None => self.hour,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        let civil =
            DateTime::new(self.year, self.month, self.day, hour, self.minute, self.second, self.nanosecond)
                .ok()?;
        Some(civil.to_zoned(self.zone).ok()?.timestamp())
    }
}

/// A name's place and what is left of the text.
fn named<'a>(names: &[&str], width: usize, text: &'a str) -> Option<(i8, &'a str)> {
    (0..).zip(names).find_map(|(n, name)| {
        let name = if width > ABBREVIATED { name } else { &name[..ABBREVIATED] };
        text.strip_prefix(name).map(|rest| (n, rest))
    })
}

/// A time zone by its name or offset: `America/Belize`, `UTC`, `UTC+01:00`, `-0500`, `Z`.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "Z" | "UTC" | "GMT") {
        return Some(TimeZone::UTC);
    }
    let shift = name.strip_prefix("UTC").or_else(|| name.strip_prefix("GMT")).unwrap_or(name);
    let Some(digits) = shift.strip_prefix(['+', '-']) else {
        return TimeZone::get(name).ok();
    };
    let digits = digits.replace(':', "");
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = match digits.len() {
        1 | 2 => (digits.parse().ok()?, 0),
        4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
        _ => return None,
    };
    let seconds = hours * 3_600 + minutes * 60;
    let seconds = if shift.starts_with('-') { -seconds } else { seconds };
    Offset::from_seconds(seconds).ok().map(Offset::to_time_zone)
}
