//! What follows an error: retriers, which try a task again after a growing wait, and catchers, which go elsewhere.

use jiff::SignedDuration;
use rand::{Rng, rngs::StdRng};
use serde_json::Value as Json;

use super::{
    diagnostic::{Diagnostics, Fields},
    path::Reference,
};

/// Any error but those that nothing handles.
pub(crate) const ALL: &str = "States.ALL";
/// Any error but a time-out and those that nothing handles.
pub(crate) const TASK_FAILED: &str = "States.TaskFailed";
/// A task took too long.
pub(crate) const TIMEOUT: &str = "States.Timeout";
/// The machine itself is at fault. Nothing handles it.
pub(crate) const RUNTIME: &str = "States.Runtime";
/// A payload is larger than AWS lets it be. AWS documents that `States.ALL` does not handle it; recordings of AWS show
/// that it does, and so it does here.
pub(crate) const DATA_LIMIT: &str = "States.DataLimitExceeded";
/// AWS's largest number of seconds, and of attempts.
pub(crate) const SECONDS_MAX: i64 = 99_999_999;
/// AWS's largest `MaxDelaySeconds`: a year and a day, less a second.
const DELAY_S_MAX: i64 = 31_622_399;

/// A retrier.
#[derive(Debug, Clone)]
pub(crate) struct Retrier {
    errors: Vec<String>,
    interval_s: i64,
    rate: f64,
    pub(crate) attempts_max: u32,
    delay_s_max: Option<i64>,
    is_jittered: bool,
}

/// A catcher.
#[derive(Debug, Clone)]
pub(crate) struct Catcher {
    errors: Vec<String>,
    /// None: the error is dropped.
    pub(crate) result_path: Option<Reference>,
    pub(crate) next: String,
}

impl Retrier {
    pub(crate) fn matches(&self, error: &str) -> bool {
        matches(&self.errors, error)
    }

    /// The wait before the next attempt, where `attempts` were made before.
    pub(crate) fn wait(&self, attempts: u32, rng: &mut StdRng) -> SignedDuration {
        let power = i32::try_from(attempts).unwrap_or(i32::MAX);
        let most = self.delay_s_max.unwrap_or(SECONDS_MAX) as f64;
        let seconds = (self.interval_s as f64 * self.rate.powi(power)).min(most);
        let seconds = if self.is_jittered { rng.random_range(0.0..=seconds) } else { seconds };
        SignedDuration::from_secs_f64(seconds)
    }

    pub(crate) fn parse(value: &Json, at: &str, found: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::open(value, at, found)?;
        let errors = error_names(&mut fields, found);
        let interval_s = fields.count("IntervalSeconds", 1..=SECONDS_MAX, found).unwrap_or(1);
        let attempts = fields.count("MaxAttempts", 0..=SECONDS_MAX, found).unwrap_or(3);
        let delay_s_max = fields.count("MaxDelaySeconds", 1..=DELAY_S_MAX, found);
        let rate_at = fields.at("BackoffRate");
        let rate = fields.take("BackoffRate").map_or(Some(2.0), |r| r.as_f64().filter(|r| *r >= 1.0));
        if rate.is_none() {
            found.error("Expected a number of at least 1.0", rate_at);
        }
        if delay_s_max.is_some_and(|most| most <= interval_s) {
            found.error("MaxDelaySeconds must be greater than IntervalSeconds", fields.at("MaxDelaySeconds"));
        }
        let jitter_at = fields.at("JitterStrategy");
        let jitter = fields.text("JitterStrategy", found).unwrap_or("NONE");
        if !["FULL", "NONE"].contains(&jitter) {
            found.error("JitterStrategy must be FULL or NONE", jitter_at);
        }
        let is_jittered = jitter == "FULL";
        fields.take("Comment");
        fields.close(found);
        let attempts_max = u32::try_from(attempts).unwrap_or(u32::MAX);
        Some(Self { errors, interval_s, rate: rate?, attempts_max, delay_s_max, is_jittered })
    }
}

impl Catcher {
    pub(crate) fn matches(&self, error: &str) -> bool {
        matches(&self.errors, error)
    }

    pub(crate) fn parse(value: &Json, at: &str, found: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::open(value, at, found)?;
        let errors = error_names(&mut fields, found);
        let result_path = fields.result_path(found);
        let next = fields.required("Next", found);
        fields.take("Comment");
        fields.close(found);
        Some(Self { errors, result_path, next: next?.to_owned() })
    }
}

fn error_names(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Vec<String> {
    let at = fields.at("ErrorEquals");
    let list = fields.list("ErrorEquals", found);
    let names: Vec<String> = list.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    if names.is_empty() || names.len() < list.len() {
        found.error("Expected a list of error names that is not empty", &at);
    }
    if names.len() > 1 && names.iter().any(|n| n == ALL) {
        found.error(format!("{ALL} must appear alone"), &at);
    }
    names
}

/// Refuses `States.ALL` anywhere but in the last of several.
pub(crate) fn check_last(lists: &[&[String]], at: &str, found: &mut Diagnostics) {
    let before_last = lists.len().saturating_sub(1);
    for (index, errors) in lists.iter().enumerate().take(before_last) {
        if errors.iter().any(|e| e == ALL) {
            found.error(format!("{ALL} must appear in the last one only"), format!("{at}[{index}]"));
        }
    }
}

impl AsRef<[String]> for Retrier {
    fn as_ref(&self) -> &[String] {
        &self.errors
    }
}

impl AsRef<[String]> for Catcher {
    fn as_ref(&self) -> &[String] {
        &self.errors
    }
}

fn matches(names: &[String], error: &str) -> bool {
    names.iter().any(|name| match name.as_str() {
        _ if error == RUNTIME => false,
        ALL => true,
        TASK_FAILED => error != TIMEOUT,
        name => name == error,
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use serde_json::json;

    use super::*;

    fn retrier(value: &Json) -> Retrier {
        let mut found = Diagnostics::default();
        let retrier = Retrier::parse(value, "/Retry[0]", &mut found);
        assert!(found.is_empty(), "{found:?}");
        retrier.unwrap()
    }

    fn waits_s(value: &Json, count: u32) -> Vec<i64> {
        let mut rng = StdRng::seed_from_u64(1);
        (0..count).map(|n| retrier(value).wait(n, &mut rng).as_secs()).collect()
    }

    #[test]
    fn waits_grow_as_told() {
        assert_eq!(waits_s(&json!({"ErrorEquals": ["x"]}), 4), [1, 2, 4, 8]);
        let shipped =
            json!({"ErrorEquals": ["x"], "IntervalSeconds": 30, "BackoffRate": 3.0, "MaxAttempts": 10});
        assert_eq!(waits_s(&shipped, 10)[..4], [30, 90, 270, 810]);
        assert_eq!(waits_s(&shipped, 10).iter().sum::<i64>(), 885_720);
        let capped = json!({"ErrorEquals": ["x"], "IntervalSeconds": 2, "MaxDelaySeconds": 5});
        assert_eq!(waits_s(&capped, 4), [2, 4, 5, 5]);
        assert_eq!(waits_s(&json!({"ErrorEquals": ["x"]}), 4_000)[3_999], 99_999_999);
        let jittered = json!({"ErrorEquals": ["x"], "IntervalSeconds": 8, "JitterStrategy": "FULL"});
        let waits = waits_s(&jittered, 3);
        assert!(waits.iter().zip([8, 16, 32]).all(|(w, most)| (0..=most).contains(w)), "{waits:?}");
    }

    #[test]
    fn wildcards_match_what_aws_lets_them() {
        for (name, error, expected) in [
            (ALL, "Mine", true),
            (ALL, TIMEOUT, true),
            (ALL, RUNTIME, false),
            (ALL, DATA_LIMIT, true),
            (TASK_FAILED, "Lambda.Unknown", true),
            (TASK_FAILED, TIMEOUT, false),
            (TIMEOUT, TIMEOUT, true),
            (RUNTIME, RUNTIME, false),
            (DATA_LIMIT, DATA_LIMIT, true),
            ("Mine", "mine", false),
        ] {
            assert_eq!(matches(&[name.to_owned()], error), expected, "{name} {error}");
        }
    }

    #[test]
    fn what_is_no_retrier_is_refused() {
        for value in [
            json!(1),
            json!({}),
            json!({"ErrorEquals": []}),
            json!({"ErrorEquals": ["a", "States.ALL"]}),
            json!({"ErrorEquals": ["a"], "IntervalSeconds": 0}),
            json!({"ErrorEquals": ["a"], "BackoffRate": 0.5}),
            json!({"ErrorEquals": ["a"], "MaxAttempts": -1}),
            json!({"ErrorEquals": ["a"], "MaxDelaySeconds": 1}),
            json!({"ErrorEquals": ["a"], "JitterStrategy": "SOME"}),
            json!({"ErrorEquals": ["a"], "Interval": 1}),
        ] {
            let mut found = Diagnostics::default();
            Retrier::parse(&value, "", &mut found);
            assert!(!found.is_empty(), "{value}");
        }
    }
}
