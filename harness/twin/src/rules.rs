//! Topic rules: SQL over published messages, and the DynamoDBv2 action. An action that fails goes to the log; there is no
//! retry, since the twin's tables fail only for good, and an error action is kept and not run.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use serde_json::{Value, json};

use crate::{
    error::AwsError,
    mqtt::filter_matches,
    registry::invalid,
    sql::{Message, Query},
    world::World,
};

/// The topic rules of one Region.
#[derive(Debug, Default)]
pub(crate) struct TopicRules {
    rules: RwLock<BTreeMap<String, Arc<Rule>>>,
}

/// One rule, as created and as compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// `topicRulePayload` as it was given.
    pub(crate) payload: Value,
    pub(crate) created_s: i64,
    query: Query,
    actions: Vec<Action>,
    disabled: bool,
}

#[derive(Debug)]
enum Action {
    /// Puts the result, each top-level key an attribute.
    DynamoDbV2 { table: String },
}

impl Action {
    fn parse(action: &Value) -> Result<Self, AwsError> {
        match action.pointer("/dynamoDBv2/putItem/tableName").and_then(Value::as_str) {
            Some(table) => Ok(Self::DynamoDbV2 { table: table.to_owned() }),
            None => Err(invalid(format!("The twin has the rule action dynamoDBv2 only, got {action}"))),
        }
    }
}

impl TopicRules {
    pub(crate) fn create(&self, name: &str, payload: &Value, now_s: i64) -> Result<(), AwsError> {
        let rule = Rule::compile(name, payload, now_s)?;
        let mut rules = self.rules.write();
        if rules.contains_key(name) {
            return Err(AwsError::new(
                409,
                "ResourceAlreadyExistsException",
                format!("Topic rule already exists: {name}"),
            ));
        }
        rules.insert(name.to_owned(), Arc::new(rule));
        Ok(())
    }

    /// Replaces a rule that is there; it keeps the time that it was created at.
    pub(crate) fn replace(&self, name: &str, payload: &Value) -> Result<(), AwsError> {
        let rule = Rule::compile(name, payload, self.get(name)?.created_s)?;
        self.rules.write().insert(name.to_owned(), Arc::new(rule));
        Ok(())
    }

    /// Disables a rule, or enables it again.
    pub(crate) fn set_disabled(&self, name: &str, disabled: bool) -> Result<(), AwsError> {
        let mut payload = self.get(name)?.payload.clone();
        payload["ruleDisabled"] = json!(disabled);
        self.replace(name, &payload)
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<Rule>, AwsError> {
        // AWS answers 401 for a rule that is not there.
        self.rules.read().get(name).cloned().ok_or_else(|| {
            AwsError::new(401, "UnauthorizedException", format!("Access to topic rule '{name}' was denied"))
        })
    }

    pub(crate) fn delete(&self, name: &str) {
        self.rules.write().remove(name);
    }

    pub(crate) fn list(&self) -> Vec<Arc<Rule>> {
        self.rules.read().values().cloned().collect()
    }

    /// Runs every rule whose filter matches.
    pub(crate) fn run(&self, world: &Arc<World>, region: &str, topic: &str, payload: &[u8]) {
        let hits: Vec<Arc<Rule>> = self
            .rules
            .read()
            .values()
            .filter(|rule| !rule.disabled && filter_matches(&rule.query.filter, topic))
            .cloned()
            .collect();
        if hits.is_empty() {
            return;
        }
        let payload: Value = serde_json::from_slice(payload).unwrap_or_else(|_| json!({}));
        let message = Message { topic, payload: &payload, now_ms: world.clock.now_ms() };
        for rule in hits {
            let Some(result) = rule.query.run(&message) else {
                continue;
            };
            if world.faults.rules_silent(region, &rule.name) {
                continue;
            }
            for Action::DynamoDbV2 { table } in &rule.actions {
                if let Err(error) = world.dynamodb.put_from_rule(world, region, table, result.clone()) {
                    tracing::warn!(rule = rule.name, table, %error, "a rule's action failed");
                }
            }
        }
    }
}

impl Rule {
    fn compile(name: &str, payload: &Value, created_s: i64) -> Result<Self, AwsError> {
        let sql = payload["sql"].as_str().ok_or_else(|| invalid("topicRulePayload.sql is missing"))?;
        let actions =
            payload["actions"].as_array().ok_or_else(|| invalid("topicRulePayload.actions is missing"))?;
        Ok(Self {
            name: name.to_owned(),
            query: Query::parse(sql)?,
            actions: actions.iter().map(Action::parse).collect::<Result<_, _>>()?,
            disabled: payload["ruleDisabled"].as_bool().unwrap_or(false),
            payload: payload.clone(),
            created_s,
        })
    }

    /// The topic filter of its SQL.
    pub(crate) fn filter(&self) -> &str {
        &self.query.filter
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled
    }

    pub(crate) fn description(&self) -> Value {
        let mut rule = self.payload.clone();
        rule["ruleName"] = json!(self.name);
        rule["createdAt"] = json!(self.created_s);
        rule["ruleDisabled"] = json!(self.disabled);
        rule
    }
}

/// What AWS answers when a rule's name does not fit.
pub(crate) fn check_rule_name(name: &str) -> Result<(), AwsError> {
    if name.is_empty() || name.len() > 128 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(invalid(format!("ruleName must match ^[a-zA-Z0-9_]+$, got {name}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(sql: &str) -> Value {
        json!({"sql": sql, "actions": [{"dynamoDBv2": {"roleArn": "arn:r", "putItem": {"tableName": "t"}}}]})
    }

    #[test]
    fn replacing_keeps_the_age_and_needs_a_rule() {
        let rules = TopicRules::default();
        let missing = rules.replace("r", &payload("SELECT * FROM 'a'")).unwrap_err();
        assert_eq!((missing.status, missing.code), (401, "UnauthorizedException"));
        rules.create("r", &payload("SELECT * FROM 'a'"), 7).unwrap();
        assert_eq!(rules.replace("r", &payload("SELECT")).unwrap_err().code, "SqlParseException");
        rules.replace("r", &payload("SELECT * FROM 'b'")).unwrap();
        let rule = rules.get("r").unwrap();
        assert_eq!((rule.filter(), rule.created_s), ("b", 7));
    }

    #[test]
    fn a_rule_is_disabled_and_enabled() {
        let rules = TopicRules::default();
        rules.create("r", &payload("SELECT * FROM 'a'"), 7).unwrap();
        for disabled in [true, false] {
            rules.set_disabled("r", disabled).unwrap();
            assert_eq!(rules.get("r").unwrap().is_disabled(), disabled);
            assert_eq!(rules.get("r").unwrap().description()["ruleDisabled"], disabled);
        }
        assert!(rules.set_disabled("none", true).is_err());
    }
}
