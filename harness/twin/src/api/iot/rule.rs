//! Topic rules.

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok};
use crate::{
    api::query,
    registry::{Paging, invalid, tags_of},
    rules::{Rule, check_rule_name},
};

/// A page of rules may be this long, and is when nothing else is asked for.
const RULES_PER_PAGE_MAX: usize = 10_000;

impl Api<'_> {
    pub(super) fn rule(&self, operation: &str) -> Outcome {
        let (name, rules) = (self.name, &self.region.rules);
        match operation {
            "CreateTopicRule" => {
                check_rule_name(name)?;
                // The one operation whose tags come in a header.
                let tags: Value = query(self.call.header("x-amz-tagging").unwrap_or_default())
                    .into_iter()
                    .map(|(key, value)| json!({"Key": key, "Value": value}))
                    .collect();
                let tags = tags_of(&tags)?;
                let limit = &self.region.limits.rules;
                if limit.is_below(rules.list().len() + 1) {
                    return Err(invalid(format!("An account has {} topic rules at most", limit.value())));
                }
                rules.create(name, &self.call.json()?, self.world.clock.now_s())?;
                let mut registry = self.region.registry.lock();
                let arn = registry.arn(&format!("rule/{name}"));
                registry.tag(&arn, tags).and_then(|()| done())
            }
            "ReplaceTopicRule" => rules.replace(name, &self.call.json()?).and_then(|()| done()),
            "EnableTopicRule" => rules.set_disabled(name, false).and_then(|()| done()),
            "DisableTopicRule" => rules.set_disabled(name, true).and_then(|()| done()),
            "GetTopicRule" => {
                let rule = rules.get(name)?;
                ok(&json!({"ruleArn": self.rule_arn(name), "rule": rule.description()}))
            }
            "DeleteTopicRule" => {
                rules.delete(name);
                let arn = self.rule_arn(name);
                self.region.registry.lock().forget_tags(&arn);
                done()
            }
            _ => self.list_rules(),
        }
    }

    fn list_rules(&self) -> Outcome {
        let (disabled, topic) = (self.flag("ruleDisabled"), self.call.query("topic"));
        let fits = |rule: &&Rule| {
            disabled.is_none_or(|d| rule.is_disabled() == d) && topic.is_none_or(|t| rule.filter() == t)
        };
        let all = self.region.rules.list();
        let found = all.iter().map(AsRef::as_ref).filter(fits);
        let (token, size) = (self.call.query("nextToken"), self.call.query("maxResults"));
        let paging = Paging::sized(token, size, RULES_PER_PAGE_MAX, RULES_PER_PAGE_MAX)?;
        let (found, next) = paging.take(found, |r| r.name.as_str());
        let list: Vec<Value> = found
            .iter()
            .map(|r| {
                json!({
                    "ruleName": r.name, "ruleArn": self.rule_arn(&r.name), "topicPattern": r.filter(),
                    "createdAt": r.created_s, "ruleDisabled": r.is_disabled(),
                })
            })
            .collect();
        ok(&json!({"rules": list, "nextToken": next}))
    }

    fn rule_arn(&self, name: &str) -> String {
        self.region.registry.lock().arn(&format!("rule/{name}"))
    }
}
