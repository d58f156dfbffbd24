//! Pre-flight: what is looked at before anything is changed, by every `gameday run` and by `gameday doctor`.
//!
//! Nothing here changes anything. A check ends passed, warned, refused or unknown, with one sentence. What is refused, and what
//! could not be looked at, refuses the run; some of it an operator may tell a run to overlook, which is in its record then.
//!
//! Checks are one table, in stages: what this machine alone can say comes first, and nothing is asked of a target that is not
//! reached.

mod account;
mod clock;
mod connects;
mod descriptors;
mod dns;
mod events;
mod leases;
mod leftovers;
mod readiness;
mod region;
mod results;
mod secondary;
mod stops;
mod twin;

use std::{fmt::Write as _, path::Path, time::Duration};

use futures::future::{LocalBoxFuture, join_all};
use gameday_report::{
    record::{Preflight, PreflightCheck, PreflightOutcome as Outcome},
    units,
};
use tokio::time::timeout;

pub(crate) use self::readiness::SAMPLE;
use crate::{aws::Aws, fleet::Resolver, scenario::Scenario, target::Target};

/// A check that takes longer has not come to an answer.
const CHECK_MAX: Duration = Duration::from_mins(1);

/// What checks look at.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) target: &'a Target,
    pub(crate) aws: &'a Aws,
    pub(crate) resolver: &'a Resolver,
    /// The accounts in which the target's file lets a run go on; none: there is no file.
    pub(crate) accounts: Option<&'a [String]>,
    /// The devices of the fleet that stays, if it is one that stays.
    pub(crate) devices: Option<Vec<String>>,
    /// Where run folders go.
    pub(crate) out: &'a Path,
    /// Files that this process may open.
    pub(crate) descriptors: Option<u64>,
    pub(crate) seed: u64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    outcome: Outcome,
    why: String,
}

impl Finding {
    fn passed(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Passed, why: why.into() }
    }

    fn warned(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Warned, why: why.into() }
    }

    fn refused(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Refused, why: why.into() }
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Unknown, why: why.into() }
    }
}

/// When a check is made. Nothing later is looked at when something here is not as it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is asked of AWS.
    Here,
    /// Whether it can be asked.
    Reach,
    /// What is there.
    There,
    /// What was heard meanwhile.
    Heard,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Here, Self::Reach, Self::There, Self::Heard];

    /// Whether what comes later makes no sense without it.
    const fn is_needed(self) -> bool {
        matches!(self, Self::Here | Self::Reach)
    }
}

/// A check.
struct Check {
    name: &'static str,
    label: &'static str,
    stage: Stage,
    /// Whether an operator may tell a run to go on whatever it finds.
    can_be_ignored: bool,
    look: for<'a> fn(&'a Ground<'a>) -> LocalBoxFuture<'a, Finding>,
}

/// Every check, in the order in which they are told.
static CHECKS: [&Check; 15] = [
    &twin::AS_ASKED,
    &twin::UNBROKEN,
    &stops::CHECK,
    &descriptors::CHECK,
    &results::CHECK,
    &account::CHECK,
    &region::CHECK,
    &dns::CHECK,
    &leases::CHECK,
    &leftovers::CHECK,
    &events::CHECK,
    &secondary::CHECK,
    &connects::CHECK,
    &readiness::CHECK,
    &clock::CHECK,
];

/// The names of what may be overlooked.
pub(crate) fn ignorable() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().filter(|check| check.can_be_ignored).map(|check| check.name)
}

/// Looks at everything, and changes nothing.
pub(crate) async fn look(ground: &Ground<'_>, ignored: &[String]) -> Preflight {
    let mut checks: Vec<(usize, PreflightCheck)> = Vec::new();
    let mut blocked: Option<&'static str> = None;
    for stage in Stage::ALL {
        let of_stage = CHECKS.iter().enumerate().filter(|(_, check)| check.stage == stage);
        let looks = of_stage.map(|(place, check)| async move {
            let finding = match blocked {
                Some(before) => Finding::unknown(format!("{NOT_LOOKED_AT} {before}")),
                None => timeout(CHECK_MAX, (check.look)(ground)).await.unwrap_or_else(|_| {
                    Finding::unknown(format!(
                        "there was no answer within {} s: try again",
                        CHECK_MAX.as_secs()
                    ))
                }),
            };
            let is_well = matches!(finding.outcome, Outcome::Passed | Outcome::Warned);
            let is_ignored =
                !is_well && check.can_be_ignored && ignored.iter().any(|name| name == check.name);
            let looked = PreflightCheck {
                name: check.name.to_owned(),
                label: check.label.to_owned(),
                outcome: finding.outcome,
                why: finding.why,
                ignored: is_ignored,
            };
            (place, check.name, looked)
        });
        let all = join_all(looks).await;
        for (place, name, looked) in all {
            if blocked.is_none() && stage.is_needed() && stands_in_the_way(&looked) {
                blocked = Some(name);
            }
            checks.push((place, looked));
        }
    }
    checks.sort_by_key(|(place, _)| *place);
    Preflight { checks: checks.into_iter().map(|(_, check)| check).collect() }
}

/// Why a check was not made: another one is why the run is refused.
const NOT_LOOKED_AT: &str = "not looked at, because of";

fn stands_in_the_way(check: &PreflightCheck) -> bool {
    matches!(check.outcome, Outcome::Refused | Outcome::Unknown) && !check.ignored
}

/// Why the run is refused, if it is.
pub(crate) fn refusal(preflight: &Preflight) -> Option<String> {
    let reasons = preflight.checks.iter().filter(|check| stands_in_the_way(check));
    let reasons = reasons.filter(|check| !check.why.starts_with(NOT_LOOKED_AT));
    let said: Vec<String> = reasons.map(reason).collect();
    (!said.is_empty()).then(|| said.join("\n  "))
}

fn reason(check: &PreflightCheck) -> String {
    let unsaid = if check.outcome == Outcome::Unknown { "it cannot be said: " } else { "" };
    let way = if ignorable().any(|name| name == check.name) {
        format!(" (--ignore {} goes on all the same)", check.name)
    } else {
        String::new()
    };
    format!("{}: {unsaid}{}{way}", check.label, check.why)
}

/// A few lines about it: one if all is well, otherwise one of each check that needs a word.
pub(crate) fn lines(preflight: &Preflight) -> Vec<String> {
    let is_fine = |check: &&PreflightCheck| check.outcome == Outcome::Passed;
    let (fine, other): (Vec<_>, Vec<_>) = preflight.checks.iter().partition(is_fine);
    let passed = format!("pre-flight: {} passed", units::plural(fine.len() as u64, "check"));
    let more = other.into_iter().filter(|check| !check.why.starts_with(NOT_LOOKED_AT)).map(|check| {
        let ignored = if check.ignored { ", ignored" } else { "" };
        format!("pre-flight: {} {}{ignored}: {}", check.name, check.outcome.word(), check.why)
    });
    std::iter::once(passed).chain(more).collect()
}

/// The whole list, for whoever asked for it.
pub(crate) fn table(preflight: &Preflight) -> String {
    let mut text = String::new();
    for PreflightCheck { name, outcome, why, ignored, .. } in &preflight.checks {
        let ignored = if *ignored { " (ignored)" } else { "" };
        let _ = writeln!(text, "{:<8} {name:<12} {why}{ignored}", outcome.word());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, outcome: Outcome, why: &str) -> PreflightCheck {
        PreflightCheck {
            name: name.to_owned(),
            label: format!("The {name}"),
            outcome,
            why: why.to_owned(),
            ignored: false,
        }
    }

    #[test]
    fn every_check_has_a_name_of_its_own() {
        for (n, check) in CHECKS.iter().enumerate() {
            assert!(CHECKS[n + 1..].iter().all(|other| other.name != check.name), "{}", check.name);
            assert!(
                !check.stage.is_needed() || !check.can_be_ignored,
                "{}: what comes later needs it",
                check.name
            );
        }
        let never = ["account", "lease"];
        assert!(
            ignorable().all(|name| !never.contains(&name)) && ignorable().any(|name| name == "leftovers")
        );
    }

    #[test]
    fn what_is_unknown_refuses_and_what_is_ignored_does_not() {
        let well = [check("a", Outcome::Passed, "fine"), check("b", Outcome::Warned, "slow")];
        let of = |more: PreflightCheck| Preflight { checks: well.iter().cloned().chain([more]).collect() };
        assert_eq!(refusal(&Preflight { checks: well.to_vec() }), None);
        assert_eq!(refusal(&of(check("x", Outcome::Refused, "no"))).unwrap(), "The x: no");
        assert_eq!(refusal(&of(check("x", Outcome::Unknown, "no"))).unwrap(), "The x: it cannot be said: no");
        let said = refusal(&of(check("leftovers", Outcome::Refused, "no"))).unwrap();
        assert!(said.ends_with("(--ignore leftovers goes on all the same)"), "{said}");
        let ignored = PreflightCheck { ignored: true, ..check("leftovers", Outcome::Refused, "no") };
        assert_eq!(refusal(&of(ignored.clone())), None);
        assert_eq!(
            lines(&of(ignored)),
            [
                "pre-flight: 1 check passed",
                "pre-flight: b warned: slow",
                "pre-flight: leftovers refused, ignored: no"
            ]
        );
        let later = check("y", Outcome::Unknown, &format!("{NOT_LOOKED_AT} x"));
        let both = Preflight { checks: vec![check("x", Outcome::Refused, "no"), later] };
        assert_eq!(refusal(&both).unwrap(), "The x: no", "the cause is told, and not what comes of it");
    }
}
