//! The list as an algebra: first match wins, and what is removed leaves nothing.

use proptest::prelude::*;

use crate::fault::{ApiFailure, Fault, Faults, Kind, Share};

fn silent(rule: Option<&str>) -> Fault {
    Fault::RulesSilent { region: "r".to_owned(), rule: rule.map(str::to_owned), share: Share::ALL }
}

proptest! {
    /// For all lists of patterns, the first that fits is met and counts, whichever of them have been removed; and when all
    /// are gone nothing is met.
    #[test]
    fn the_first_match_wins_and_removal_restores(
        patterns in prop::collection::btree_set("[ab*]{1,3}", 1..8),
        removed in prop::collection::vec(any::<bool>(), 8),
        names in prop::collection::vec("[ab]{1,3}", 1..12),
    ) {
        let faults = Faults::default();
        let rules: Vec<_> = patterns.iter().map(|p| (p, faults.put(silent(Some(p))))).collect();
        let mut on = Vec::new();
        for ((pattern, rule), removed) in rules.iter().zip(removed) {
            if removed {
                faults.take(rule.id);
            } else {
                on.push((*pattern, rule.clone()));
            }
        }
        for name in &names {
            let first = on.iter().find(|(pattern, _)| crate::authorize::matches(pattern, name));
            let before = first.map(|(_, rule)| rule.hits());
            let others: u64 = rules.iter().map(|(_, rule)| rule.hits()).sum();
            prop_assert_eq!(faults.rules_silent("r", name), first.is_some());
            prop_assert_eq!(first.map(|(_, rule)| rule.hits()), before.map(|hits| hits + 1));
            let all: u64 = rules.iter().map(|(_, rule)| rule.hits()).sum();
            prop_assert_eq!(all, others + u64::from(first.is_some()));
            prop_assert!(!faults.rules_silent("other", name));
        }
        for (_, rule) in on {
            faults.take(rule.id);
        }
        prop_assert!(!faults.any(Kind::RulesSilent));
        prop_assert!(names.iter().all(|name| !faults.rules_silent("r", name)));
    }

    /// For all shares, about that many of the throws come up, and each fault says on the wire what it is.
    #[test]
    fn a_share_is_what_comes_up(percent in 0..=100_u32) {
        let share = Share::try_from(f64::from(percent) / 100.0).unwrap();
        let fault = Fault::RulesSilent { region: "r".to_owned(), rule: None, share };
        let text = serde_json::to_string(&fault).unwrap();
        prop_assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault.clone());
        let faults = Faults::default();
        faults.put(fault);
        let hits = (0..2_000).filter(|_| faults.rules_silent("r", "x")).count();
        prop_assert!(hits.abs_diff(percent as usize * 20) <= 120, "{} of 2000 at {} %", hits, percent);
    }
}

#[test]
fn what_one_rule_lets_pass_is_the_next_ones() {
    let faults = Faults::default();
    let never = Share::try_from(0.0).unwrap();
    let first = faults.put(Fault::RulesSilent { region: "r".to_owned(), rule: None, share: never });
    let second = faults.put(silent(None));
    assert!(faults.rules_silent("r", "x"));
    assert_eq!((first.hits(), second.hits()), (0, 1));
}

#[test]
fn faults_are_written_as_they_always_were() {
    let dark = Fault::RegionDark { region: "us-east-1".to_owned() };
    let json = serde_json::to_string(&dark).unwrap();
    assert_eq!(json, r#"{"fault":"region-dark","region":"us-east-1"}"#);
    let api = r#"{"fault":"api","service":"iot","how":{"delay-ms":5}}"#;
    let parsed: Fault = serde_json::from_str(api).unwrap();
    assert!(matches!(&parsed, Fault::Api { how: ApiFailure::DelayMs(5), .. }));
    assert_eq!(serde_json::to_string(&parsed).unwrap(), api);
}

#[test]
fn a_health_check_is_stuck_while_the_rule_is_on() {
    let faults = Faults::default();
    let rule = faults.put(Fault::HealthChecksStuck { check: Some("h".to_owned()) });
    assert!(faults.checks_stuck("h") && !faults.checks_stuck("other"));
    assert_eq!(rule.hits(), 1);
    faults.take(rule.id);
    assert!(!faults.checks_stuck("h"));
}
