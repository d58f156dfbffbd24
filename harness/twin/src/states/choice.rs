//! Choice rules: comparisons of what paths read, joined by And, Or and Not.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{
    diagnostic::{Diagnostics, Fields},
    path::{Path, Scope},
};

/// A rule's condition.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test(Test),
}

/// One comparison.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    variable: Path,
    operator: Operator,
}

#[derive(Debug, Clone)]
enum Operator {
    Compare { of: Of, order: Order, with: Operand },
    Matches(String),
    Is { what: What, expected: bool },
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Text,
    Number,
    Flag,
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equals,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
}

#[derive(Debug, Clone)]
enum Operand {
    Value(Json),
    Path(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Null,
    Present,
    Number,
    Text,
    Flag,
    Time,
}

const OF: [(&str, Of); 4] =
    [("String", Of::Text), ("Numeric", Of::Number), ("Boolean", Of::Flag), ("Timestamp", Of::Time)];
const ORDERS: [(&str, Order); 5] = [
    ("Equals", Order::Equals),
    ("LessThan", Order::Less),
    ("GreaterThan", Order::Greater),
    ("LessThanEquals", Order::LessOrEqual),
    ("GreaterThanEquals", Order::GreaterOrEqual),
];
const WHATS: [(&str, What); 6] = [
    ("IsNull", What::Null),
    ("IsPresent", What::Present),
    ("IsNumeric", What::Number),
    ("IsString", What::Text),
    ("IsBoolean", What::Flag),
    ("IsTimestamp", What::Time),
];

impl Rule {
    /// Parses what `fields` has of a rule; the rest is left there.
    pub(crate) fn parse(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Self> {
        for (name, join) in [("And", Self::And as fn(Vec<Self>) -> Self), ("Or", Self::Or)] {
            if fields.has(name) {
                let at = fields.at(name);
                let list = fields.list(name, found);
                if list.is_empty() {
                    found.error("Expected a list of rules that is not empty", &at);
                }
                let rules: Vec<_> = list
                    .iter()
                    .enumerate()
                    .filter_map(|(i, rule)| Self::parse_inner(rule, &format!("{at}[{i}]"), found))
                    .collect();
                return Some(join(rules));
            }
        }
        if let Some(inner) = fields.take("Not") {
            return Self::parse_inner(inner, &fields.at("Not"), found).map(|rule| Self::Not(Box::new(rule)));
        }
        if !fields.has("Variable") {
            found.error("These fields are required: [Variable]", &fields.at);
        }
        let variable = fields.path("Variable", found);
        let operator = Operator::parse(fields, found);
        Some(Self::Test(Test { variable: variable?, operator: operator? }))
    }

    fn parse_inner(value: &Json, at: &str, found: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::open(value, at, found)?;
        let rule = Self::parse(&mut fields, found);
        fields.take("Comment");
        fields.close(found);
        rule
    }

    /// Whether the rule holds. An error is the path that leads nowhere.
    pub(crate) fn holds(&self, scope: Scope<'_>) -> Result<bool, String> {
        match self {
            Self::And(rules) => {
                rules.iter().try_fold(true, |held, rule| if held { rule.holds(scope) } else { Ok(false) })
            }
            Self::Or(rules) => {
                rules.iter().try_fold(false, |held, rule| if held { Ok(true) } else { rule.holds(scope) })
            }
            Self::Not(rule) => rule.holds(scope).map(|held| !held),
            Self::Test(test) => test.holds(scope),
        }
    }
}

impl Operator {
    fn parse(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Self> {
        let mut names: Vec<_> = fields.names().filter(|n| !["Next", "Comment"].contains(n)).collect();
        let (Some(name), true) = (names.pop(), names.is_empty()) else {
            found.error("Expected exactly one comparison operator", &fields.at);
            return None;
        };
        let at = fields.at(name);
        if name == "StringMatches" {
            return fields.text(name, found).map(|pattern| Self::Matches(pattern.to_owned()));
        }
        if let Some((_, what)) = WHATS.into_iter().find(|(n, _)| *n == name) {
            return fields.flag(name, found).map(|expected| Self::Is { what, expected });
        }
        let of = OF.into_iter().find_map(|(prefix, of)| Some((of, name.strip_prefix(prefix)?)));
        let (of, rest) = of?;
        let (order, takes_path) = rest.strip_suffix("Path").map_or((rest, false), |order| (order, true));
        let (_, order) = ORDERS.into_iter().find(|(n, _)| *n == order)?;
        // A field that is none of these is left, and refused as unknown.
        if of == Of::Flag && order != Order::Equals {
            return None;
        }
        let with = if takes_path {
            Operand::Path(fields.path(name, found)?)
        } else {
            let value = fields.take(name)?;
            if !of.is(value) {
                found.error("Value is not of the type that the operator compares", at);
            }
            Operand::Value(value.clone())
        };
        Some(Self::Compare { of, order, with })
    }
}

impl Test {
    fn holds(&self, scope: Scope<'_>) -> Result<bool, String> {
        let value = self.variable.read(scope);
        if let Operator::Is { what: What::Present, expected } = self.operator {
            return Ok(value.is_some() == expected);
        }
        let value = value.ok_or_else(|| self.variable.to_string())?;
        match &self.operator {
            Operator::Is { what, expected } => Ok(what.is(&value) == *expected),
            Operator::Matches(pattern) => Ok(value.as_str().is_some_and(|text| wildcard(pattern, text))),
            Operator::Compare { of, order, with } => {
                let with = match with {
                    Operand::Value(with) => with.clone(),
                    Operand::Path(path) => path.read(scope).ok_or_else(|| path.to_string())?,
                };
                Ok(of.compare(&value, &with).is_some_and(|ordering| order.allows(ordering)))
            }
        }
    }
}

impl Of {
    fn is(self, value: &Json) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
            Self::Flag => value.is_boolean(),
            Self::Time => time(value).is_some(),
        }
    }

    /// None if either is of another type: then no comparison holds.
    fn compare(self, left: &Json, right: &Json) -> Option<Ordering> {
        match self {
            Self::Text => Some(left.as_str()?.cmp(right.as_str()?)),
            Self::Flag => Some(left.as_bool()?.cmp(&right.as_bool()?)),
            Self::Time => Some(time(left)?.cmp(&time(right)?)),
            Self::Number => match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => Some(left.cmp(&right)),
                _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
            },
        }
    }
}

impl Order {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Self::Equals => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::Greater => ordering.is_gt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl What {
    fn is(self, value: &Json) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Present => true,
            Self::Number => value.is_number(),
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Time => time(value).is_some(),
        }
    }
}

/// A time as the language has it: RFC 3339 with a capital T, and a capital Z where there is no offset.
pub(crate) fn time(value: &Json) -> Option<Timestamp> {
    let text = value.as_str()?;
    let is_strict = text.contains('T') && !text.contains(['t', 'z', ' ', '[']);
    text.parse().ok().filter(|_| is_strict)
}

/// `*` stands for any characters, `\*` for itself.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut pieces: Vec<Vec<char>> = vec![Vec::new()];
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match c {
            '*' => pieces.push(Vec::new()),
            '\\' => pieces.last_mut().into_iter().for_each(|p| p.extend(characters.next())),
            c => pieces.last_mut().into_iter().for_each(|p| p.push(c)),
        }
    }
    let pieces: Vec<String> = pieces.into_iter().map(|p| p.into_iter().collect()).collect();
    let [first, middle @ .., last] = pieces.as_slice() else {
        return pieces.first().is_some_and(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests;
