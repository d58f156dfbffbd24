//! AWS's examples, and what holds of all expressions.

use proptest::prelude::*;

use super::*;

fn next(cron: &str, after: &str) -> Option<String> {
    let cron = Cron::parse(cron).unwrap_or_else(|| panic!("{cron}"));
    cron.next(after.parse().unwrap()).map(|at| at.to_string())
}

#[test]
fn the_next_time_is_the_first_that_fits() {
    // 2026-11-23 is a Monday.
    for (cron, after, expected) in [
        ("0 10 * * ? *", "2026-11-23T09:59:59Z", "2026-11-23T10:00:00Z"),
        ("0 10 * * ? *", "2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z"),
        ("15 12 * * ? *", "2026-12-31T12:15:00Z", "2027-01-01T12:15:00Z"),
        ("0 18 ? * MON-FRI *", "2026-11-27T18:00:00Z", "2026-11-30T18:00:00Z"),
        ("0 8 1 * ? *", "2026-11-23T00:00:00Z", "2026-12-01T08:00:00Z"),
        ("0/15 * * * ? *", "2026-11-23T10:31:00Z", "2026-11-23T10:45:00Z"),
        ("0/10 * ? * MON-FRI *", "2026-11-27T23:55:00Z", "2026-11-30T00:00:00Z"),
        ("0/5 8-17 ? * MON-FRI *", "2026-11-23T17:55:00Z", "2026-11-24T08:00:00Z"),
        ("0 9 ? * 2#1 *", "2026-11-23T00:00:00Z", "2026-12-07T09:00:00Z"),
        ("0 0 L * ? *", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"),
        ("0 0 L-2 * ? *", "2028-02-01T00:00:00Z", "2028-02-27T00:00:00Z"),
        ("0 0 ? * 6L *", "2026-11-23T00:00:00Z", "2026-11-27T00:00:00Z"),
        ("0 0 15W * ? *", "2026-11-01T00:00:00Z", "2026-11-16T00:00:00Z"),
        ("0 0 1W * ? *", "2026-07-31T00:00:00Z", "2026-08-03T00:00:00Z"),
        ("0 0 31W * ? *", "2026-05-30T00:00:00Z", "2026-07-31T00:00:00Z"),
        ("0 0 LW * ? *", "2026-10-31T00:00:00Z", "2026-11-30T00:00:00Z"),
        ("0 0 29 2 ? *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 ? DEC,JAN SUN 2026-2030/2", "2026-12-31T00:00:00Z", "2028-01-02T00:00:00Z"),
        ("0 0 ? * FRI-MON *", "2026-11-24T00:00:00Z", "2026-11-27T00:00:00Z"),
        ("0 0 ? * L *", "2026-11-23T00:00:00Z", "2026-11-28T00:00:00Z"),
    ] {
        assert_eq!(next(cron, after).as_deref(), Some(expected), "{cron} after {after}");
    }
    assert_eq!(next("0 0 1 1 ? 2020", "2026-01-01T00:00:00Z"), None);
    assert_eq!(next("0 0 30 2 ? *", "2026-01-01T00:00:00Z"), None);
}

#[test]
fn what_is_no_expression_of_aws_is_refused() {
    for text in [
        "",
        "0 10 * * *",
        "0 10 * * * *",
        "0 10 ? * ? *",
        "60 10 * * ? *",
        "0 24 * * ? *",
        "0 10 0 * ? *",
        "0 10 * 13 ? *",
        "0 10 ? * 0 *",
        "0 10 ? * 8 *",
        "0 10 * * ? 1969",
        "0 10 ? * 2#6 *",
        "0 10 ? * 3#1,6#3 *",
        "* * * * ? * *",
        "0/0 * * * ? *",
        "a * * * ? *",
        "0 10 32W * ? *",
        "-1 * * * ? *",
        "+1 * * * ? *",
    ] {
        assert_eq!(Cron::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn times_are_later_and_in_order(at_s in 0_i64..4_000_000_000, more_s in 0_i64..100_000_000, which in 0_usize..5) {
        let cron = ["0 10 * * ? *", "0/7 * ? * MON *", "30 4 LW * ? *", "5 5 ? * 6#5 *", "0 0 29 2 ? *"][which];
        let cron = Cron::parse(cron).unwrap();
        let (from, later) = (Timestamp::from_second(at_s).unwrap(), Timestamp::from_second(at_s + more_s).unwrap());
        let (first, second) = (cron.next(from).unwrap(), cron.next(later).unwrap());
        prop_assert!(first > from && first <= second);
        // Nothing lies between a time and its next: asking from just before the next gives the same.
        let just_before = Timestamp::from_second(first.as_second() - 1).unwrap();
        prop_assert_eq!(cron.next(just_before), Some(first));
    }
}
