//! Rules and their targets on one bus: pure state. Time comes in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    delivery::{Delivery, Destination, RetryPolicy},
    input::{Input, Occasion, TransformerSpec},
    pattern::Pattern,
    schedule::Expression,
};
use crate::error::AwsError;

/// AWS's rules of a bus and targets of a rule.
const RULES_MAX: usize = 300;
const TARGETS_MAX: usize = 5;

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) is_enabled: bool,
    /// As it was given, and compiled.
    pub(crate) pattern: Option<(String, Pattern)>,
    pub(crate) schedule: Option<(String, Expression)>,
    /// When the schedule is due next. Rates count from when the rule was made, changed or enabled.
    next: Option<Timestamp>,
    /// By id.
    pub(crate) targets: BTreeMap<String, Target>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// What a rule is made or changed to.
#[derive(Debug)]
pub(crate) struct RuleChange {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) is_enabled: bool,
    pub(crate) pattern: Option<(String, Pattern)>,
    pub(crate) schedule: Option<(String, Expression)>,
    /// Of a new rule only.
    pub(crate) tags: BTreeMap<String, String>,
}

/// A target as the API spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TargetSpec {
    pub(crate) id: String,
    pub(crate) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_transformer: Option<TransformerSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_policy: Option<RetryPolicy>,
}

/// A checked target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) spec: TargetSpec,
    pub(crate) destination: Destination,
    pub(crate) input: Input,
}

/// The rules of a bus, by name.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    by_name: BTreeMap<String, Rule>,
}

impl Rules {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.by_name.values()
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Rule, AwsError> {
        self.by_name.get(name).ok_or_else(|| no_rule(name))
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Result<&mut Rule, AwsError> {
        self.by_name.get_mut(name).ok_or_else(|| no_rule(name))
    }

    /// Makes a rule, or replaces all of one but its targets and tags.
    pub(crate) fn put(&mut self, change: RuleChange, now: Timestamp) -> Result<(), AwsError> {
        if !self.by_name.contains_key(&change.name) && self.by_name.len() >= RULES_MAX {
            return Err(limit_exceeded());
        }
        let old = self.by_name.remove(&change.name);
        let (targets, tags) = old.map_or_else(|| (BTreeMap::new(), change.tags), |r| (r.targets, r.tags));
        let mut rule = Rule {
            name: change.name,
            arn: change.arn,
            description: change.description,
            role: change.role,
            is_enabled: change.is_enabled,
            pattern: change.pattern,
            schedule: change.schedule,
            next: None,
            targets,
            tags,
        };
        rule.begin(now);
        self.by_name.insert(rule.name.clone(), rule);
        Ok(())
    }

    /// Removes a rule without targets; one that is not there is gone already.
    pub(crate) fn delete(&mut self, name: &str) -> Result<(), AwsError> {
        if self.by_name.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
            return Err(AwsError::new(
                400,
                "ValidationException",
                "Rule can't be deleted since it has targets.",
            ));
        }
        self.by_name.remove(name);
        Ok(())
    }

    pub(crate) fn put_targets(&mut self, name: &str, targets: Vec<Target>) -> Result<(), AwsError> {
        let rule = self.get_mut(name)?;
        let new = targets.iter().filter(|t| !rule.targets.contains_key(&t.spec.id)).count();
        if rule.targets.len() + new > TARGETS_MAX {
            return Err(limit_exceeded());
        }
        rule.targets.extend(targets.into_iter().map(|t| (t.spec.id.clone(), t)));
        Ok(())
    }

    /// What an event leads to.
    pub(crate) fn route(&self, event: &Json, now: Timestamp) -> Vec<Delivery> {
        let matching = self.patterns().filter(|(_, pattern)| pattern.matches(event));
        matching.flat_map(|(rule, _)| rule.deliveries(event, now)).collect()
    }

    /// Whether an event of which this is known could match a rule.
    pub(crate) fn wants(&self, known: &Json) -> bool {
        self.patterns().any(|(rule, pattern)| !rule.targets.is_empty() && pattern.could_match(known))
    }

    /// Enabled rules with a pattern.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = (&Rule, &Pattern)> {
        let enabled = self.by_name.values().filter(|rule| rule.is_enabled);
        enabled.filter_map(|rule| rule.pattern.as_ref().map(|(_, pattern)| (rule, pattern)))
    }

    /// When a schedule is due next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_name.values().filter_map(|rule| rule.next).min()
    }

    /// What the schedules that are due lead to. Each is due once, however often it was missed; `event` makes the event of
    /// a rule by its ARN.
    pub(crate) fn fire(&mut self, now: Timestamp, event: impl Fn(&str) -> Json) -> Vec<Delivery> {
        let mut made = Vec::new();
        for rule in self.by_name.values_mut() {
            let Some(due) = rule.next.filter(|due| *due <= now) else { continue };
            made.extend(rule.deliveries(&event(&rule.arn), now));
            rule.next = rule.schedule.as_ref().and_then(|(_, expression)| expression.next(now, due));
        }
        made
    }
}

impl Rule {
    pub(crate) fn enable(&mut self, is_enabled: bool, now: Timestamp) {
        self.is_enabled = is_enabled;
        self.begin(now);
    }

    fn begin(&mut self, now: Timestamp) {
        let schedule = self.schedule.as_ref().filter(|_| self.is_enabled);
        self.next = schedule.and_then(|(_, expression)| expression.next(now, now));
    }

    fn deliveries(&self, event: &Json, now: Timestamp) -> Vec<Delivery> {
        let occasion = Occasion { rule: &self.name, rule_arn: &self.arn, ingested: now };
        let delivery = |target: &Target| {
            let Some(payload) = target.input.of(event, occasion) else {
                tracing::warn!(
                    source = self.arn,
                    target = target.spec.id,
                    "an input is too large: not delivered"
                );
                return None;
            };
            Some(Delivery {
                destination: target.destination.clone(),
                payload,
                retry: target.spec.retry_policy.unwrap_or_default(),
                source: self.arn.clone(),
            })
        };
        self.targets.values().filter_map(delivery).collect()
    }
}

fn no_rule(name: &str) -> AwsError {
    let message = format!("Rule {name} does not exist on EventBus default.");
    AwsError::new(400, "ResourceNotFoundException", message)
}

fn limit_exceeded() -> AwsError {
    AwsError::new(400, "LimitExceededException", "The requested resource exceeds the maximum number allowed.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:1:function:f";

    fn change(name: &str, pattern: Option<&str>, schedule: Option<&str>) -> RuleChange {
        RuleChange {
            name: name.to_owned(),
            arn: format!("arn:{name}"),
            description: None,
            role: None,
            is_enabled: true,
            pattern: pattern.map(|p| (p.to_owned(), Pattern::parse(p).unwrap())),
            schedule: schedule.map(|s| (s.to_owned(), Expression::parse(s).unwrap())),
            tags: BTreeMap::new(),
        }
    }

    fn target(id: &str) -> Target {
        let spec = TargetSpec {
            id: id.to_owned(),
            arn: ARN.to_owned(),
            role_arn: None,
            input: None,
            input_path: None,
            input_transformer: None,
            retry_policy: None,
        };
        Target { spec, destination: Destination::Function(ARN.to_owned()), input: Input::Event }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn events_go_to_the_targets_of_enabled_rules_that_match() {
        let now = Timestamp::UNIX_EPOCH;
        let mut rules = Rules::default();
        rules.put(change("a", Some(r#"{"source":["s"]}"#), None), now).unwrap();
        rules.put(change("b", Some(r#"{"source":["t"]}"#), None), now).unwrap();
        assert!(!rules.wants(&json!({"source": "s"})), "a rule without targets wants nothing");
        rules.put_targets("a", vec![target("1"), target("2")]).unwrap();
        rules.put_targets("b", vec![target("1")]).unwrap();
        let routed = |rules: &Rules| rules.route(&json!({"source": "s"}), now).len();
        assert_eq!(routed(&rules), 2);
        assert!(rules.wants(&json!({"source": "s"})) && !rules.wants(&json!({"source": "u"})));
        rules.get_mut("a").unwrap().enable(false, now);
        assert_eq!(routed(&rules), 0);
        assert!(!rules.wants(&json!({"source": "s"})));
    }

    #[test]
    fn a_changed_rule_keeps_its_targets_and_nothing_else() {
        let now = Timestamp::UNIX_EPOCH;
        let mut rules = Rules::default();
        let described =
            RuleChange { description: Some("d".to_owned()), ..change("a", Some(r#"{"a":[1]}"#), None) };
        rules.put(described, now).unwrap();
        rules.put_targets("a", vec![target("1")]).unwrap();
        rules.put(change("a", None, Some("rate(1 hour)")), now).unwrap();
        let rule = rules.get("a").unwrap();
        assert_eq!((rule.targets.len(), &rule.description), (1, &None));
        assert!(rule.pattern.is_none() && rule.schedule.is_some());
        assert!(rules.delete("a").is_err());
        rules.get_mut("a").unwrap().targets.clear();
        rules.delete("a").unwrap();
        rules.delete("a").unwrap();
        assert_eq!(rules.get("a").unwrap_err().code, "ResourceNotFoundException");
    }

    #[test]
    fn schedules_fire_once_for_what_was_missed_and_keep_their_beat() {
        let mut rules = Rules::default();
        rules.put(change("a", None, Some("rate(5 minutes)")), at("2026-11-23T10:00:00Z")).unwrap();
        rules.put_targets("a", vec![target("1")]).unwrap();
        let mut fired = |now: &str| {
            let made = rules.fire(at(now), |arn| json!({"resources": [arn]}));
            (made.len(), rules.next().unwrap().to_string())
        };
        assert_eq!(fired("2026-11-23T10:04:59Z"), (0, "2026-11-23T10:05:00Z".to_owned()));
        assert_eq!(fired("2026-11-23T10:05:00Z"), (1, "2026-11-23T10:10:00Z".to_owned()));
        assert_eq!(fired("2026-11-23T10:31:00Z"), (1, "2026-11-23T10:35:00Z".to_owned()));
        rules.get_mut("a").unwrap().enable(false, at("2026-11-23T10:32:00Z"));
        assert_eq!(rules.next(), None);
        rules.get_mut("a").unwrap().enable(true, at("2026-11-23T10:33:00Z"));
        assert_eq!(rules.next(), Some(at("2026-11-23T10:38:00Z")));
    }

    #[test]
    fn rules_and_targets_are_limited() {
        let now = Timestamp::UNIX_EPOCH;
        let mut rules = Rules::default();
        for n in 0..RULES_MAX {
            rules.put(change(&format!("r{n}"), Some(r#"{"a":[1]}"#), None), now).unwrap();
        }
        let over = rules.put(change("over", Some(r#"{"a":[1]}"#), None), now).unwrap_err();
        assert_eq!(over.code, "LimitExceededException");
        rules.put(change("r0", Some(r#"{"a":[2]}"#), None), now).unwrap();
        let five = |from: usize| (from..from + 5).map(|n| target(&n.to_string())).collect();
        rules.put_targets("r0", five(0)).unwrap();
        rules.put_targets("r0", five(0)).unwrap();
        assert_eq!(rules.put_targets("r0", five(1)).unwrap_err().code, "LimitExceededException");
    }
}
