//! Numbers as people write them: `41.8 s`, `320 ms`, `12,480`, `99.8%`.

/// A duration in microseconds.
pub fn duration(us: f64) -> String {
    if us < 0.5 {
        return "0 s".into();
    }
    let ms = us / 1e3;
    if ms < 10.0 {
        format!("{} ms", decimals(ms, 1))
    } else if ms < 999.5 {
        format!("{} ms", decimals(ms, 0))
    } else if ms < 59_950.0 {
        format!("{} s", decimals(ms / 1e3, 1))
    } else {
        // An objective in seconds may lie between two tenths of a second as long as they are told.
        let tenths = (ms / 1e2).round();
        long_duration(if tenths < 6_000.0 { tenths / 10.0 } else { (tenths / 10.0).round() })
    }
}

fn long_duration(seconds: f64) -> String {
    let (hours, minutes, rest) =
        ((seconds / 3600.0).floor(), (seconds / 60.0).floor() % 60.0, seconds % 60.0);
    match (hours > 0.0, rest >= 0.05) {
        (true, _) => format!("{hours:.0} h {minutes:.0} min"),
        (false, true) => format!("{minutes:.0} min {} s", decimals(rest, 1)),
        (false, false) => format!("{minutes:.0} min"),
    }
}

/// Seconds on an axis whose ticks are `step` apart: as many digits as tell them from each other.
pub fn tick(seconds: f64, step: f64) -> String {
    if step >= 0.1 || seconds < 0.9995 {
        duration(seconds * 1e6)
    } else if step >= 0.01 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.3} s")
    }
}

/// A duration in milliseconds.
pub fn duration_ms(ms: f64) -> String {
    duration(ms * 1e3)
}

/// A moment on the run's clock, `+1:05`, for axes and lists.
pub fn clock(seconds: f64) -> String {
    let sign = if seconds < -0.5 { "-" } else { "" };
    let whole = seconds.abs().round();
    let (hours, minutes, rest) = ((whole / 3600.0).floor(), (whole / 60.0).floor() % 60.0, whole % 60.0);
    if hours > 0.0 {
        format!("{sign}{hours:.0}:{minutes:02.0}:{rest:02.0}")
    } else {
        format!("{sign}{minutes:.0}:{rest:02.0}")
    }
}

/// A count, with thousands apart.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 device`, `500 devices`.
pub fn plural(value: u64, noun: &str) -> String {
    let end = if value == 1 { "" } else { "s" };
    format!("{} {noun}{end}", count(value))
}

/// A number that may have a fraction.
pub fn number(value: f64) -> String {
    decimals(value, 2)
}

/// A percentage. It is cut and not rounded, so that 99.996% never reads as 100%.
pub fn percent(value: f64) -> String {
    format!("{}%", decimals((value * 100.0 + 1e-6).floor() / 100.0, 2))
}

/// A part of a whole in whole percents. Only nothing is 0% and only all of it is 100%.
pub fn share(part: u64, whole: u64) -> String {
    let percent = part as f64 / whole.max(1) as f64 * 100.0;
    match percent.round() {
        0.0 if part > 0 => "<1%".to_owned(),
        100.0 if part < whole => ">99%".to_owned(),
        rounded => format!("{rounded:.0}%"),
    }
}

/// Bytes.
pub fn bytes(value: u64) -> String {
    let mb = value as f64 / 1e6;
    if mb >= 1000.0 { format!("{} GB", decimals(mb / 1e3, 1)) } else { format!("{} MB", decimals(mb, 0)) }
}

/// At most `digits` digits after the point, without zeros at the end.
fn decimals(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let cases = [
            (0.0, "0 s"),
            (850.0, "0.8 ms"),
            (4_200.0, "4.2 ms"),
            (320_000.0, "320 ms"),
            (999_600.0, "1 s"),
            (41_800_000.0, "41.8 s"),
            (59_960_000.0, "1 min"),
            (90_000_000.0, "1 min 30 s"),
            (113_870_000.0, "1 min 53.9 s"),
            (134_000_000.0, "2 min 14 s"),
            (725_700_000.0, "12 min 6 s"),
            (300_000_000.0, "5 min"),
            (3_725_000_000.0, "1 h 2 min"),
        ];
        for (us, text) in cases {
            assert_eq!(duration(us), text);
        }
    }

    #[test]
    fn ticks_that_lie_near_each_other_are_told_apart() {
        let axis = |step: f64| [0, 1, 2].map(|n| tick(39.9 + f64::from(n) * step, step));
        assert_eq!(axis(0.02), ["39.90 s", "39.92 s", "39.94 s"]);
        assert_eq!(axis(0.1), ["39.9 s", "40 s", "40.1 s"]);
        assert_eq!(axis(0.005)[1], "39.905 s");
        assert_eq!(tick(0.02, 0.01), "20 ms");
    }

    #[test]
    fn counts_percents_and_clocks() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(plural(1, "device"), "1 device");
        assert_eq!(percent(99.996), "99.99%");
        assert_eq!(percent(100.0), "100%");
        let shares = [(14, 22), (8, 22), (1, 900), (899, 900), (0, 900), (900, 900), (0, 0)];
        let shares = shares.map(|(part, whole)| share(part, whole));
        assert_eq!(shares, ["64%", "36%", "<1%", ">99%", "0%", "100%", "0%"]);
        assert_eq!(clock(65.0), "1:05");
        assert_eq!(clock(-5.0), "-0:05");
        assert_eq!(bytes(312_000_000), "312 MB");
    }
}
