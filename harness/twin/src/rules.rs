//! Topic rules: SQL over published messages, and what is done with the results. A rule runs before its publish is
//! acknowledged; its actions do not wait. What fails goes to the log and to the rule's error action; there is no retry,
//! since nothing here fails for a moment only.

mod action;
mod directory;
mod perform;
mod publisher;
mod rule;
#[cfg(test)]
mod tests;

use std::{cell::OnceCell, collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::{directory::Directory, perform::Run};
pub(crate) use self::{
    publisher::{Chain, Publisher},
    rule::Rule,
};
use crate::{
    error::AwsError,
    region::Region,
    registry::invalid,
    sql::{Lookup, Message, Payload},
    world::World,
};

/// The topic rules of one Region.
#[derive(Debug, Default)]
pub(crate) struct TopicRules {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: BTreeMap<String, Arc<Rule>>,
    /// Made anew with every change: rules change seldom, and every publish asks.
    directory: Directory,
}

impl State {
    fn get(&self, name: &str) -> Result<Arc<Rule>, AwsError> {
        // AWS answers 401 for a rule that is not there.
        self.rules.get(name).cloned().ok_or_else(|| {
            AwsError::new(401, "UnauthorizedException", format!("Access to topic rule '{name}' was denied"))
        })
    }

    fn changed(&mut self) {
        self.directory = Directory::new(self.rules.values());
    }
}

impl TopicRules {
    pub(crate) fn create(&self, name: &str, payload: &Value, now_s: i64) -> Result<(), AwsError> {
        let rule = Rule::compile(name, payload, now_s)?;
        let mut state = self.state.write();
        if state.rules.contains_key(name) {
            return Err(AwsError::new(
                409,
                "ResourceAlreadyExistsException",
                format!("Topic rule already exists: {name}"),
            ));
        }
        state.rules.insert(name.to_owned(), Arc::new(rule));
        state.changed();
        Ok(())
    }

    /// Replaces a rule that is there; it keeps the time that it was created at.
    pub(crate) fn replace(&self, name: &str, payload: &Value) -> Result<(), AwsError> {
        self.change(name, |_| payload.clone())
    }

    /// Disables a rule, or enables it again.
    pub(crate) fn set_disabled(&self, name: &str, disabled: bool) -> Result<(), AwsError> {
        self.change(name, |before| {
            let mut payload = before.payload.clone();
            payload["ruleDisabled"] = json!(disabled);
            payload
        })
    }

    /// Puts another rule into a rule's place, in one step: none that is deleted meanwhile comes back.
    fn change(&self, name: &str, payload: impl FnOnce(&Rule) -> Value) -> Result<(), AwsError> {
        let mut state = self.state.write();
        let before = state.get(name)?;
        let rule = Rule::compile(name, &payload(&before), before.created_s)?;
        state.rules.insert(name.to_owned(), Arc::new(rule));
        state.changed();
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<Rule>, AwsError> {
        self.state.read().get(name)
    }

    pub(crate) fn delete(&self, name: &str) {
        let mut state = self.state.write();
        state.rules.remove(name);
        state.changed();
    }

    pub(crate) fn list(&self) -> Vec<Arc<Rule>> {
        self.state.read().rules.values().cloned().collect()
    }

    /// Runs every rule whose filter matches.
    pub(crate) fn run(
        &self,
        world: &Arc<World>,
        region: &Region,
        topic: &str,
        payload: &[u8],
        publisher: Publisher<'_>,
    ) {
        let rules = self.state.read().directory.matching(topic);
        if rules.is_empty() {
            return;
        }
        let granted = region.limits.rule_evaluations.take_up_to(rules.len(), Instant::now());
        if granted < rules.len() {
            tracing::debug!(
                topic,
                lost = rules.len() - granted,
                "more rule evaluations than the account may have"
            );
        }
        fire(world, region, rules.get(..granted).unwrap_or_default(), topic, payload, publisher);
    }

    /// Basic ingest: runs one rule, whatever its filter. `topic` is without the prefix.
    pub(crate) fn ingest(
        &self,
        world: &Arc<World>,
        region: &Region,
        (rule, topic): (&str, &str),
        payload: &[u8],
        publisher: Publisher<'_>,
    ) {
        match self.get(rule) {
            Ok(found) if !found.is_disabled() => fire(world, region, &[found], topic, payload, publisher),
            _ => tracing::debug!(rule, "basic ingest: no such rule, or it is disabled"),
        }
    }
}

/// Runs rules on a message: the one way that any rule runs.
fn fire(
    world: &Arc<World>,
    region: &Region,
    rules: &[Arc<Rule>],
    topic: &str,
    payload: &[u8],
    publisher: Publisher<'_>,
) {
    let message = Message {
        topic,
        payload: Payload::new(payload),
        now_ms: world.clock.now_ms(),
        account: &world.account,
        client_id: publisher.client_id,
        principal: publisher.principal,
        lookup: &RegionNow { region, now_s: world.clock.now_s() },
        trace: OnceCell::new(),
    };
    for rule in rules {
        if let Some(output) = rule.query.run(&message)
            && !world.faults.rules_silent(&region.name, &rule.name)
        {
            Run { world, region, rule, message: &message, publisher }.perform(&output);
        }
    }
}

/// A Region as functions of the SQL ask it.
struct RegionNow<'a> {
    region: &'a Region,
    now_s: i64,
}

impl Lookup for RegionNow<'_> {
    fn shadow(&self, thing: &str, shadow: &str) -> Option<Value> {
        self.region.shadows.lock().get(thing, shadow, b"", self.now_s).ok()
    }
}

/// What AWS answers when a rule's name does not fit.
pub(crate) fn check_rule_name(name: &str) -> Result<(), AwsError> {
    if name.is_empty() || name.len() > 128 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(invalid(format!("ruleName must match ^[a-zA-Z0-9_]+$, got {name}")));
    }
    Ok(())
}
