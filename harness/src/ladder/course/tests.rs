//! Courses against a bucket in virtual time.

use proptest::prelude::*;

use super::*;
use crate::ladder::{Answer, rung::Sent};

/// An account's quota of one operation.
struct Bucket {
    rate_per_s: f64,
    burst: f64,
    tokens: f64,
    now_s: f64,
}

impl Bucket {
    fn new(rate_per_s: f64, burst: f64) -> Self {
        Self { rate_per_s, burst, tokens: burst, now_s: 0.0 }
    }

    fn pass(&mut self, s: f64) {
        self.now_s += s;
        self.tokens = (self.tokens + s * self.rate_per_s).min(self.burst);
    }

    fn offer(&mut self, rung: &Rung) -> Seen {
        self.pass(rung.rest.as_secs_f64());
        let mut seen = Seen { length: rung.length, ..Seen::default() };
        for n in 0.. {
            let at = Duration::from_secs_f64(f64::from(n) / rung.rate_per_s);
            if at >= rung.length {
                break;
            }
            let went = self.tokens >= 1.0;
            self.tokens -= f64::from(u8::from(went));
            let answer = if went { Answer::Went } else { Answer::Throttled("429".to_owned()) };
            seen.take(Sent { at, answer });
            self.pass(1.0 / rung.rate_per_s);
            if seen.is_enough(rung.purpose) {
                seen.length = at;
                break;
            }
        }
        seen
    }

    fn climb(&mut self, cap_per_s: f64) -> (Found, End, f64) {
        let mut course = Course::new(cap_per_s);
        for _ in 0..100 {
            let Some(rung) = course.next() else { return (course.found(), course.end(), self.now_s) };
            assert!(rung.rate_per_s <= cap_per_s * (1.0 + 1e-9), "{rung:?} above the cap of {cap_per_s}");
            let seen = self.offer(&rung);
            course.saw(&rung, &seen);
        }
        panic!("it does not end");
    }
}

proptest! {
    #[test]
    fn a_quota_is_found_within_its_error(rate in 0.5..5_000.0_f64, bucket_s in 1.0..4.5_f64, above in 2.0..50.0_f64) {
        let burst = (rate * bucket_s).max(1.0);
        let (found, end, took_s) = Bucket::new(rate, burst).climb((rate * above).max(2.0));
        prop_assert_eq!(&end, &End::Measured);
        let (sustained, error_share) = found.sustained.unwrap();
        prop_assert!((sustained / rate - 1.0).abs() <= error_share + 1e-6, "{} is not {}, {}", sustained, rate, error_share);
        prop_assert!(error_share <= 0.13);
        if rate >= 2.0 {
            prop_assert!(error_share <= 0.05, "{} at {}/s", error_share, rate);
        }
        prop_assert!(found.throttled_per_s.unwrap() > sustained * 0.95);
        prop_assert!(took_s < 200.0, "{} s", took_s);
    }

    #[test]
    fn below_its_cap_nothing_is_said_to_be_measured(rate in 1.0..1_000.0_f64, share in 0.05..0.95_f64) {
        let cap = rate * share;
        let (found, end, _) = Bucket::new(rate, rate.max(1.0)).climb(cap);
        prop_assert_eq!(end, End::CapReached);
        prop_assert_eq!((found.sustained, found.throttled_per_s), (None, None));
        prop_assert!((found.good_per_s.unwrap() - cap).abs() < 1e-9);
    }
}

#[test]
fn a_burst_and_a_recovery_are_measured() {
    let (found, _, _) = Bucket::new(100.0, 250.0).climb(1_000.0);
    let burst = found.burst_calls.unwrap();
    assert!((burst - 250.0).abs() < 5.0, "{burst}");
    let recovery = found.recovery.unwrap();
    assert!(recovery <= Duration::from_millis(13), "{recovery:?}");
    assert!((found.good_per_s.unwrap() - 95.0).abs() < 3.0, "{:?}", found.good_per_s);
}

#[test]
fn a_machine_that_is_late_says_nothing_of_the_account() {
    let mut course = Course::new(1_000.0);
    let rung = course.next().unwrap();
    let seen = Seen { late: 40, ..Bucket::new(5_000.0, 5_000.0).offer(&rung) };
    course.saw(&rung, &seen);
    assert_eq!((course.next(), course.end(), course.found().good_per_s), (None, End::Bottleneck, None));
}

#[test]
fn answers_that_say_nothing_end_it() {
    let mut course = Course::new(1_000.0);
    let rung = course.next().unwrap();
    let calls = (0..20_u64).map(|n| Sent {
        at: Duration::from_millis(n),
        answer: Answer::Failed("403 ForbiddenException".to_owned()),
    });
    let mut seen = Seen::default();
    calls.for_each(|sent| seen.take(sent));
    course.saw(&rung, &seen);
    assert_eq!((course.next(), course.end()), (None, End::Failed("403 ForbiddenException".to_owned())));
}
