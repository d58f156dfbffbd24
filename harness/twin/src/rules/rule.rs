//! One rule, checked and compiled when it is created.

use serde_json::{Value, json};

use super::action::Action;
use crate::{error::AwsError, mqtt::is_filter, registry::invalid, sql::Query};

/// AWS's limits of a rule.
const ACTIONS_MAX: usize = 10;
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// The versions of the SQL. The twin evaluates all as the one of 2016.
const VERSIONS: [&str; 3] = ["2015-10-08", "2016-03-23", "beta"];
/// What basic ingest publishes to; no rule can listen there.
const INGEST: &str = "$aws/rules/";

/// One rule, as created and as compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// `topicRulePayload` as it was given.
    pub(crate) payload: Value,
    pub(crate) created_s: i64,
    pub(super) query: Query,
    pub(super) actions: Vec<Action>,
    pub(super) error_action: Option<Action>,
    disabled: bool,
}

impl Rule {
    pub(super) fn compile(name: &str, payload: &Value, created_s: i64) -> Result<Self, AwsError> {
        if payload.to_string().len() > DOCUMENT_BYTES_MAX {
            return Err(invalid(format!("topicRulePayload has more than {DOCUMENT_BYTES_MAX} bytes")));
        }
        let sql = payload["sql"].as_str().ok_or_else(|| invalid("topicRulePayload.sql is missing"))?;
        let actions =
            payload["actions"].as_array().ok_or_else(|| invalid("topicRulePayload.actions is missing"))?;
        if actions.len() > ACTIONS_MAX {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'topicRulePayload.actions' failed to satisfy constraint: Member \
                 must have length less than or equal to {ACTIONS_MAX}"
            )));
        }
        let version = match &payload["awsIotSqlVersion"] {
            Value::Null => VERSIONS[0],
            given => *VERSIONS.iter().find(|version| *given == **version).ok_or_else(|| {
                invalid(format!("awsIotSqlVersion must be one of {VERSIONS:?}, got {given}"))
            })?,
        };
        let query = Query::parse(sql, version)?;
        if let Some(filter) = &query.filter
            && (!is_filter(filter) || filter.starts_with(INGEST))
        {
            return Err(AwsError::new(
                400,
                "SqlParseException",
                format!("FROM takes a topic filter, got '{filter}'"),
            ));
        }
        let error_action = match &payload["errorAction"] {
            Value::Null => None,
            action => Some(Action::parse(action, version)?),
        };
        Ok(Self {
            name: name.to_owned(),
            query,
            actions: actions.iter().map(|action| Action::parse(action, version)).collect::<Result<_, _>>()?,
            error_action,
            disabled: payload["ruleDisabled"].as_bool().unwrap_or(false),
            payload: payload.clone(),
            created_s,
        })
    }

    /// The topic filter of its SQL; empty if it is for basic ingest alone.
    pub(crate) fn filter(&self) -> &str {
        self.query.filter.as_deref().unwrap_or_default()
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
