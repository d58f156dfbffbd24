//! The parser that all expressions share: placeholders, document paths, conditions and projections.
//!
//! It refuses what DynamoDB refuses: reserved words as bare names, placeholders that are not defined, and ones that are
//! defined but not used. Nesting is bounded.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    item::{Item, Value, invalid},
    reserved::is_reserved,
    token::{Token, tokens},
};
use crate::error::AwsError;

/// How deep parentheses, `NOT` and document paths may go; DynamoDB stores documents 32 levels deep.
const DEPTH_MAX: usize = 64;

/// A document path: a top-level attribute and steps into it.
pub(crate) type Path = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a condition compares.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Path(Path),
    Value(Value),
    Size(Path),
}

/// A condition, filter or key condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Compare(Operand, Comparator, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    Type(Path, Operand),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

/// The placeholders of one request, and which of them its expressions used.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    names: BTreeMap<String, String>,
    values: Item,
    used: BTreeSet<String>,
}

impl Placeholders {
    pub(crate) fn new(names: Option<BTreeMap<String, String>>, values: Option<Item>) -> Self {
        Self { names: names.unwrap_or_default(), values: values.unwrap_or_default(), used: BTreeSet::new() }
    }

    /// Call it when all expressions of the request are parsed.
    pub(crate) fn check_all_used(&self) -> Result<(), AwsError> {
        for (kind, mut keys) in [
            ("ExpressionAttributeNames", self.names.keys().collect::<Vec<_>>()),
            ("ExpressionAttributeValues", self.values.keys().collect()),
        ] {
            keys.retain(|k| !self.used.contains(*k));
            if let Some(key) = keys.first() {
                return Err(invalid(format!(
                    "Value provided in {kind} unused in expressions: keys: {{{key}}}"
                )));
            }
        }
        Ok(())
    }

    fn name(&mut self, placeholder: &str) -> Result<String, AwsError> {
        let name = self.names.get(placeholder).cloned().ok_or_else(|| {
            invalid(format!(
                "Invalid expression: An expression attribute name used in the document path is not defined; \
                 attribute name: {placeholder}"
            ))
        })?;
        self.used.insert(placeholder.to_owned());
        Ok(name)
    }

    fn value(&mut self, placeholder: &str) -> Result<Value, AwsError> {
        let value = self.values.get(placeholder).cloned().ok_or_else(|| {
            invalid(format!(
                "Invalid expression: An expression attribute value used in expression is not defined; \
                 attribute value: {placeholder}"
            ))
        })?;
        self.used.insert(placeholder.to_owned());
        Ok(value)
    }
}

/// Parses a condition, filter or key condition.
pub(crate) fn parse_condition(text: &str, placeholders: &mut Placeholders) -> Result<Condition, AwsError> {
    let mut parser = Parser::new(text, placeholders)?;
    let condition = parser.or(0)?;
    parser.end()?;
    Ok(condition)
}

/// Parses a projection: paths with commas between.
pub(crate) fn parse_projection(text: &str, placeholders: &mut Placeholders) -> Result<Vec<Path>, AwsError> {
    let mut parser = Parser::new(text, placeholders)?;
    let mut paths = vec![parser.path()?];
    while parser.take(",") {
        paths.push(parser.path()?);
    }
    parser.end()?;
    Ok(paths)
}

/// The recursive-descent parser. Update expressions use it too.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    placeholders: &'a mut Placeholders,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &str, placeholders: &'a mut Placeholders) -> Result<Self, AwsError> {
        Ok(Self { tokens: tokens(text)?, at: 0, placeholders })
    }

    pub(crate) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    pub(crate) fn end(&self) -> Result<(), AwsError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn unexpected(&self) -> AwsError {
        match self.peek() {
            Some(token) => invalid(format!("Invalid expression: Syntax error; token: {}", shown(token))),
            None => invalid("Invalid expression: Syntax error; token: <EOF>"),
        }
    }

    /// Takes the symbol if it is next.
    pub(crate) fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(s)) if *s == symbol);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, symbol: &str) -> Result<(), AwsError> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes the keyword if it is next, in any case.
    pub(crate) fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    /// Takes a function's name and opening parenthesis if they are next.
    pub(crate) fn function(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == name)
            && matches!(self.tokens.get(self.at + 1), Some(Token::Symbol("(")));
        self.at += if found { 2 } else { 0 };
        found
    }

    /// The value of a `:placeholder`, if one is next.
    pub(crate) fn value(&mut self) -> Result<Option<Value>, AwsError> {
        let Some(Token::Value(name)) = self.peek().cloned() else { return Ok(None) };
        self.at += 1;
        self.placeholders.value(&name).map(Some)
    }

    pub(crate) fn path(&mut self) -> Result<Path, AwsError> {
        let mut path = vec![Step::Name(self.name()?)];
        loop {
            if path.len() > DEPTH_MAX {
                return Err(invalid("Invalid expression: The document path has too many nesting elements;"));
            }
            if self.take(".") {
                path.push(Step::Name(self.name()?));
            } else if self.take("[") {
                let Some(Token::Index(index)) = self.peek() else { return Err(self.unexpected()) };
                path.push(Step::Index(*index));
                self.at += 1;
                self.expect("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn name(&mut self) -> Result<String, AwsError> {
        match self.peek() {
            Some(Token::Word(word)) if is_reserved(word) => Err(invalid(format!(
                "Invalid expression: Attribute name is a reserved keyword; reserved keyword: {word}"
            ))),
            Some(Token::Word(_)) => match self.next() {
                Some(Token::Word(word)) => Ok(word),
                _ => Err(self.unexpected()),
            },
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.at += 1;
                self.placeholders.name(&name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn or(&mut self, depth: usize) -> Result<Condition, AwsError> {
        let mut left = self.and(depth)?;
        while self.keyword("OR") {
            left = Condition::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Condition, AwsError> {
        let mut left = self.not(depth)?;
        while self.keyword("AND") {
            left = Condition::And(Box::new(left), Box::new(self.not(depth)?));
        }
        Ok(left)
    }

    fn not(&mut self, depth: usize) -> Result<Condition, AwsError> {
        if depth > DEPTH_MAX {
            return Err(invalid("Invalid expression: The expression is nested too deeply;"));
        }
        if self.keyword("NOT") {
            return Ok(Condition::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.or(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if let Some(condition) = self.function_condition()? {
            return Ok(condition);
        }
        self.comparison()
    }

    fn function_condition(&mut self) -> Result<Option<Condition>, AwsError> {
        let condition = if self.function("attribute_exists") {
            Condition::Exists(self.path()?)
        } else if self.function("attribute_not_exists") {
            Condition::NotExists(self.path()?)
        } else if self.function("attribute_type") {
            let path = self.path()?;
            self.expect(",")?;
            Condition::Type(path, self.operand()?)
        } else if self.function("begins_with") {
            let (whole, part) = self.two_operands()?;
            Condition::BeginsWith(whole, part)
        } else if self.function("contains") {
            let (whole, part) = self.two_operands()?;
            Condition::Contains(whole, part)
        } else {
            return Ok(None);
        };
        self.expect(")")?;
        Ok(Some(condition))
    }

    fn two_operands(&mut self) -> Result<(Operand, Operand), AwsError> {
        let first = self.operand()?;
        self.expect(",")?;
        Ok((first, self.operand()?))
    }

    fn comparison(&mut self) -> Result<Condition, AwsError> {
        let left = self.operand()?;
        if self.keyword("BETWEEN") {
            let low = self.operand()?;
            if !self.keyword("AND") {
                return Err(self.unexpected());
            }
            return Ok(Condition::Between(left, low, self.operand()?));
        }
        if self.keyword("IN") {
            self.expect("(")?;
            let mut options = vec![self.operand()?];
            while self.take(",") {
                options.push(self.operand()?);
            }
            self.expect(")")?;
            return Ok(Condition::In(left, options));
        }
        let comparator = match self.peek() {
            Some(Token::Symbol("=")) => Comparator::Equal,
            Some(Token::Symbol("<>")) => Comparator::NotEqual,
            Some(Token::Symbol("<")) => Comparator::Less,
            Some(Token::Symbol("<=")) => Comparator::LessOrEqual,
            Some(Token::Symbol(">")) => Comparator::Greater,
            Some(Token::Symbol(">=")) => Comparator::GreaterOrEqual,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(Condition::Compare(left, comparator, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, AwsError> {
        if let Some(value) = self.value()? {
            return Ok(Operand::Value(value));
        }
        if self.function("size") {
            let path = self.path()?;
            self.expect(")")?;
            return Ok(Operand::Size(path));
        }
        self.path().map(Operand::Path)
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(t) | Token::Name(t) | Token::Value(t) => t.clone(),
        Token::Index(i) => i.to_string(),
        Token::Symbol(s) => (*s).to_owned(),
    }
}

#[cfg(test)]
mod tests;
