//! The rules engine's SQL, version 2016-03-23: parsed by a maintained SQL parser, checked once, evaluated over a message.
//!
//! Undefined is not null: a key that is missing, or an operation on what it does not fit, gives undefined, which leaves
//! its attribute out of the result and is never true in `WHERE`.
//!
//! The layers: text to the parser's tree ([`dialect`]), the tree to checked expressions ([`parse`], [`expression`],
//! [`template`]), and what they come to for a [`message`] ([`eval`], [`function`], [`convert`], [`number`]). All of it
//! is a function of its inputs, but for `newuuid` and `rand`.

mod budget;
mod convert;
mod dialect;
mod eval;
mod expression;
mod function;
mod message;
mod number;
mod parse;
mod template;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::Value;

use self::{
    budget::Budget,
    eval::Scope,
    expression::{Expression, Item, Projection},
    parse::{Context, Parsed},
};
pub(crate) use self::{
    message::{Lookup, Message, Payload},
    template::Template,
};
use crate::error::AwsError;

/// A parsed rule: `SELECT <items> [FROM '<topic filter>'] [WHERE <condition>]`.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    projection: Projection,
    /// The topic filter of `FROM`; a rule without is for basic ingest alone.
    pub(crate) filter: Option<String>,
    condition: Option<Expression>,
}

/// What a rule hands to its actions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    Json(Value),
    /// `SELECT *` of what is no JSON object: the payload as it came.
    Raw(Bytes),
}

impl Output {
    pub(crate) fn bytes(&self) -> Bytes {
        match self {
            Self::Json(value) => Bytes::from(value.to_string()),
            Self::Raw(bytes) => bytes.clone(),
        }
    }
}

fn refused(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "SqlParseException", message)
}

impl Query {
    /// `version` is what `sql_version()` says.
    pub(crate) fn parse(sql: &str, version: &str) -> Result<Self, AwsError> {
        let Parsed { projection, filter, condition } = Context { version }.statement(sql)?;
        Ok(Self { projection, filter, condition })
    }

    /// The result for a message that the filter matches; `None` if the condition is not true, or if the evaluation
    /// would make more than its bounds let it.
    pub(crate) fn run(&self, message: &Message<'_>) -> Option<Output> {
        let budget = Budget::new();
        let output = self.output(Scope::new(message, &budget), message);
        if budget.is_spent() {
            tracing::warn!(
                topic = message.topic,
                "a rule's SQL makes too much of a message: it has no result"
            );
            return None;
        }
        output
    }

    fn output<'a>(&'a self, scope: Scope<'a>, message: &Message<'_>) -> Option<Output> {
        if !scope.holds(self.condition.as_ref()) {
            return None;
        }
        let takes_all = match &self.projection {
            Projection::Items(items) => matches!(items.as_slice(), [Item::All]),
            Projection::Value(_) => false,
        };
        if takes_all && !message.payload.json().is_some_and(Value::is_object) {
            return Some(Output::Raw(Bytes::copy_from_slice(message.payload.bytes)));
        }
        // What is undefined as a whole is an empty text.
        Some(scope.project(&self.projection).map_or(Output::Raw(Bytes::new()), Output::Json))
    }
}
