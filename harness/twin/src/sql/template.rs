//! Substitution templates: texts of actions with expressions in them, `${topic(2)}/copy`. They see the message, not the
//! result of `SELECT`.

use super::{
    budget::Budget, convert, eval::Scope, expression::Expression, message::Message, parse::Context, refused,
};
use crate::error::AwsError;

/// A text with the expressions in it taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Expression(Expression),
}

impl Template {
    /// `version` is the rule's, as `sql_version()` says it.
    pub(crate) fn parse(text: &str, version: &str) -> Result<Self, AwsError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let end = end_of(after).ok_or_else(|| refused(format!("${{ without }} in {text}")))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Expression(Context { version }.alone(&after[..end])?));
            rest = &after[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The text for a message. Undefined is an empty text, and so is a text beyond what an evaluation may make.
    pub(crate) fn fill(&self, message: &Message<'_>) -> String {
        let budget = Budget::new();
        let scope = Scope::new(message, &budget);
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Expression(e) => {
                    let text = scope.eval(e).and_then(|v| convert::text(&v)).unwrap_or_default();
                    if budget.spend(text.len()).is_none() {
                        return String::new();
                    }
                    filled.push_str(&text);
                }
            }
        }
        filled
    }
}

/// Where the expression ends: at a brace that closes none of its own, outside quotes.
fn end_of(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) => quote = Some(open).filter(|open| *open != c),
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some(at),
            },
            _ => {}
        }
    }
    None
}
