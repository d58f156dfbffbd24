//! Health checks: what each checker believes of an endpoint, and what Route 53 concludes from all of them.
//!
//! Two rules, both pure. A checker changes its mind after as many results in a row against it as the failure threshold
//! says, in either direction. The check is healthy while more than 18 % of its checkers say so.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use crate::{
    error::AwsError,
    route53::{
        config::{Config, Settings},
        probe::Outcome,
    },
    truth::Fact,
};

/// Health checks of an account (quota L-ACB674F3).
const HEALTH_CHECKS_MAX: usize = 200;
/// An endpoint is healthy while *more* than this share of the checkers says so.
const HEALTHY_PERCENT: usize = 18;

/// What Route 53 makes of an endpoint, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) healthy: bool,
    pub(crate) since: Timestamp,
}

/// A check went from healthy to unhealthy or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flip {
    pub(crate) healthy: bool,
    /// How long the state before had lasted.
    pub(crate) after: SignedDuration,
}

/// One result, as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) status: String,
    pub(crate) checked: Timestamp,
}

/// One checker's mind.
#[derive(Debug, Clone)]
pub(crate) struct Checker {
    says_healthy: bool,
    /// Results in a row that speak against what it says.
    contrary: u32,
    pub(crate) last: Option<Observation>,
    pub(crate) last_failure: Option<Observation>,
}

/// A health check.
#[derive(Debug, Clone)]
pub(crate) struct HealthCheck {
    pub(crate) id: String,
    pub(crate) caller_reference: String,
    pub(crate) config: Config,
    /// One more with each update.
    pub(crate) version: u64,
    pub(crate) health: Health,
    pub(crate) checkers: Vec<Checker>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// The account's health checks, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct HealthChecks {
    by_id: IndexMap<String, HealthCheck>,
    /// Caller references of deleted checks: AWS does not let them be used again for days.
    retired: BTreeSet<String>,
}

/// The 18 % rule.
pub(crate) fn is_quorum(healthy: usize, checkers: usize) -> bool {
    healthy * 100 > checkers * HEALTHY_PERCENT
}

impl Checker {
    /// A checker that has seen nothing believes the best.
    fn new() -> Self {
        Self { says_healthy: true, contrary: 0, last: None, last_failure: None }
    }

    fn observe(&mut self, outcome: &Outcome, failure_threshold: u32, now: Timestamp) {
        let status = match outcome {
            Ok(what) => format!("Success: {what}"),
            Err(why) => format!("Failure: {why}"),
        };
        let observation = Observation { status, checked: now };
        if outcome.is_err() {
            self.last_failure = Some(observation.clone());
        }
        self.last = Some(observation);
        if outcome.is_ok() == self.says_healthy {
            self.contrary = 0;
            return;
        }
        self.contrary += 1;
        if self.contrary >= failure_threshold {
            self.says_healthy = !self.says_healthy;
            self.contrary = 0;
        }
    }
}

impl HealthCheck {
    fn new(id: String, caller_reference: String, config: Config, checkers: u32, now: Timestamp) -> Self {
        let mut check = Self {
            id,
            caller_reference,
            config,
            version: 1,
            health: Health { healthy: true, since: now },
            // Without any checker no check could ever be healthy.
            checkers: (0..checkers.max(1)).map(|_| Checker::new()).collect(),
            tags: BTreeMap::new(),
        };
        check.conclude(now);
        check
    }

    /// Takes one checker's result.
    pub(crate) fn observe(&mut self, checker: usize, outcome: &Outcome, now: Timestamp) -> Option<Flip> {
        let failure_threshold = self.config.failure_threshold;
        self.checkers.get_mut(checker)?.observe(outcome, failure_threshold, now);
        self.conclude(now)
    }

    /// Changes the settings, if the caller has seen the latest ones. The checkers keep their minds until they probe
    /// again; disabling and inverting hold at once.
    pub(crate) fn update(&mut self, update: &Settings, now: Timestamp) -> Result<Option<Flip>, AwsError> {
        if update.health_check_version.is_some_and(|v| v != self.version) {
            return Err(AwsError::new(
                409,
                "HealthCheckVersionMismatch",
                format!("The health check {} has version {}", self.id, self.version),
            ));
        }
        self.config = self.config.updated(update)?;
        self.version += 1;
        Ok(self.conclude(now))
    }

    /// Its status, and how many checkers stand for it.
    pub(crate) fn fact(&self) -> Fact {
        Fact::HealthCheck {
            check: self.id.clone(),
            healthy: self.health.healthy,
            checkers_healthy: self.votes(),
            checkers: self.checkers.len(),
        }
    }

    fn votes(&self) -> usize {
        self.checkers.iter().filter(|c| c.says_healthy).count()
    }

    fn conclude(&mut self, now: Timestamp) -> Option<Flip> {
        let votes = self.votes();
        // A disabled check always counts as healthy; inverting it is AWS's advice for taking its records out.
        let endpoint = self.config.disabled || is_quorum(votes, self.checkers.len());
        let healthy = endpoint != self.config.inverted;
        if healthy == self.health.healthy {
            return None;
        }
        let after = now.duration_since(self.health.since);
        self.health = Health { healthy, since: now };
        Some(Flip { healthy, after })
    }
}

impl HealthChecks {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &HealthCheck> {
        self.by_id.values()
    }

    pub(crate) fn get(&self, id: &str) -> Result<&HealthCheck, AwsError> {
        self.by_id.get(id).ok_or_else(|| no_check(id))
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Result<&mut HealthCheck, AwsError> {
        self.by_id.get_mut(id).ok_or_else(|| no_check(id))
    }

    /// Makes a check and says whether it is new: the same call again returns the check that it made.
    pub(crate) fn create(
        &mut self,
        id: String,
        caller_reference: &str,
        config: Config,
        checkers: u32,
        now: Timestamp,
    ) -> Result<(&HealthCheck, bool), AwsError> {
        let held = self.by_id.values().position(|c| c.caller_reference == caller_reference);
        let same = held.and_then(|i| self.by_id.get_index(i)).is_some_and(|(_, c)| c.config == config);
        if (held.is_some() && !same) || self.retired.contains(caller_reference) {
            return Err(AwsError::new(
                409,
                "HealthCheckAlreadyExists",
                format!(
                    "A health check with the caller reference {caller_reference} and other settings exists or existed"
                ),
            ));
        }
        if held.is_none() && self.by_id.len() >= HEALTH_CHECKS_MAX {
            let message = format!("Cannot create more than {HEALTH_CHECKS_MAX} health checks");
            return Err(AwsError::new(400, "TooManyHealthChecks", message));
        }
        let key = held.and_then(|i| self.by_id.get_index(i)).map_or_else(|| id.clone(), |(k, _)| k.clone());
        let new = || HealthCheck::new(id, caller_reference.to_owned(), config, checkers, now);
        Ok((self.by_id.entry(key).or_insert_with(new), held.is_none()))
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), AwsError> {
        let check = self.by_id.shift_remove(id).ok_or_else(|| no_check(id))?;
        self.retired.insert(check.caller_reference);
        Ok(())
    }
}

fn no_check(id: &str) -> AwsError {
    AwsError::new(
        404,
        "NoSuchHealthCheck",
        format!("A health check with id {id} cannot be found or you don't have permission to access it"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHECKERS: u32 = 16;

    fn settings() -> Settings {
        Settings {
            kind: Some("HTTPS".to_owned()),
            ip_address: Some("127.0.0.2".to_owned()),
            failure_threshold: Some(3),
            ..Settings::default()
        }
    }

    fn config() -> Config {
        Config::new(&settings()).unwrap()
    }

    fn check() -> HealthCheck {
        HealthCheck::new("h".to_owned(), "r".to_owned(), config(), CHECKERS, at(0))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(up: bool) -> Outcome {
        if up {
            Ok("HTTP Status Code 200, OK".to_owned())
        } else {
            Err("HTTP Status Code 503, Service Unavailable".to_owned())
        }
    }

    fn ok() -> Outcome {
        seen(true)
    }

    fn down() -> Outcome {
        seen(false)
    }

    #[test]
    fn the_quorum_is_more_than_18_percent() {
        assert!(is_quorum(3, 16) && !is_quorum(2, 16));
        assert!(is_quorum(19, 100) && !is_quorum(18, 100));
        assert!(is_quorum(1, 1) && !is_quorum(0, 1));
    }

    #[test]
    fn a_check_fails_when_few_enough_checkers_are_left_and_says_for_how_long_it_had_held() {
        let mut check = check();
        for checker in 0..16 {
            for second in 1..=3 {
                let flip = check.observe(checker, &down(), at(second));
                // The fourteenth leaves two of sixteen: 12.5 %.
                let expected = (checker == 13 && second == 3)
                    .then_some(Flip { healthy: false, after: SignedDuration::from_secs(3) });
                assert_eq!(flip, expected, "checker {checker}");
            }
        }
        assert_eq!(check.health, Health { healthy: false, since: at(3) });
    }

    #[test]
    fn a_checker_needs_the_threshold_in_a_row_in_both_directions() {
        let mut checker = Checker::new();
        let mut see = |outcome: Outcome| {
            checker.observe(&outcome, 3, at(0));
            checker.says_healthy
        };
        assert_eq!(
            [down(), down(), ok(), down(), down()].map(&mut see),
            [true; 5],
            "a success between resets"
        );
        assert!(!see(down()));
        assert_eq!([ok(), ok(), down(), ok(), ok()].map(&mut see), [false; 5], "a failure between resets");
        assert!(see(ok()));
    }

    #[test]
    fn the_last_failure_outlives_a_success() {
        let mut checker = Checker::new();
        checker.observe(&down(), 3, at(1));
        checker.observe(&ok(), 3, at(2));
        assert_eq!(checker.last.unwrap().status, "Success: HTTP Status Code 200, OK");
        let failure = checker.last_failure.unwrap();
        assert_eq!(failure.status, "Failure: HTTP Status Code 503, Service Unavailable");
        assert_eq!(failure.checked, at(1));
    }

    #[test]
    fn a_disabled_check_is_healthy_and_inverting_flips() {
        let mut check = check();
        for (checker, second) in (0..16).flat_map(|c| (1..=3).map(move |s| (c, s))) {
            check.observe(checker, &down(), at(second));
        }
        assert!(!check.health.healthy);
        check.update(&Settings { disabled: Some(true), ..Settings::default() }, at(4)).unwrap();
        assert!(check.health.healthy);
        check.update(&Settings { inverted: Some(true), ..Settings::default() }, at(5)).unwrap();
        assert!(!check.health.healthy);
        check.update(&Settings { disabled: Some(false), ..Settings::default() }, at(6)).unwrap();
        assert!(check.health.healthy, "down and inverted");
    }

    #[test]
    fn an_update_compares_the_version_and_raises_it() {
        let mut check = check();
        let update = |version| Settings { health_check_version: version, ..Settings::default() };
        check.update(&update(Some(1)), at(1)).unwrap();
        assert_eq!(check.version, 2);
        let stale = check.update(&update(Some(1)), at(2)).unwrap_err();
        assert_eq!((stale.status, stale.code), (409, "HealthCheckVersionMismatch"));
        check.update(&update(None), at(3)).unwrap();
        assert_eq!(check.version, 3);
    }

    #[test]
    fn a_caller_reference_makes_one_check_ever() {
        let mut checks = HealthChecks::default();
        let create = |checks: &mut HealthChecks, id: &str, settings: &Settings| {
            let config = Config::new(settings).unwrap();
            let made = checks.create(id.to_owned(), "r", config, CHECKERS, at(0));
            made.map(|(check, new)| (check.id.clone(), new)).map_err(|e| e.code)
        };
        assert_eq!(create(&mut checks, "h1", &settings()), Ok(("h1".to_owned(), true)));
        assert_eq!(create(&mut checks, "h2", &settings()), Ok(("h1".to_owned(), false)));
        let other = Settings { failure_threshold: Some(1), ..settings() };
        assert_eq!(create(&mut checks, "h3", &other), Err("HealthCheckAlreadyExists"));
        checks.delete("h1").unwrap();
        assert_eq!(create(&mut checks, "h4", &settings()), Err("HealthCheckAlreadyExists"));
        assert_eq!(checks.delete("h1").unwrap_err().code, "NoSuchHealthCheck");
    }

    proptest! {
        /// Whatever the checkers see, the check is healthy exactly while more than 18 % of them say so.
        #[test]
        fn health_is_the_quorum_of_what_checkers_say(
            results in prop::collection::vec((0..16_usize, any::<bool>()), 0..400),
        ) {
            let mut check = check();
            for (checker, up) in results {
                let was = check.health.healthy;
                let flip = check.observe(checker, &seen(up), at(1));
                let votes = check.checkers.iter().filter(|c| c.says_healthy).count();
                prop_assert_eq!(check.health.healthy, votes * 100 > 16 * 18);
                prop_assert_eq!(flip.is_some(), check.health.healthy != was);
            }
        }
    }
}
