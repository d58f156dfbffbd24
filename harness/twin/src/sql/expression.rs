//! What a statement is made of once it has been checked: nothing in here can be refused any more.

use regex::Regex;
use serde_json::Value;

use super::{convert::Type, function::Function, number::Arithmetic};

#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Value),
    /// Keys from the message, or from the element that a nested query looks at.
    Path(Vec<String>),
    /// Keys, each in the one before it, of what an expression gives: however many there are, they nest no deeper.
    Field(Box<Expression>, Vec<String>),
    /// `*` as an argument.
    Payload,
    /// `encode(*, 'base64')`: the bytes, JSON or not.
    EncodedPayload,
    Not(Box<Expression>),
    Negate(Box<Expression>),
    /// Operations one after the other, from the left: however many there are, they nest no deeper.
    Chain(Box<Expression>, Vec<(Operator, Expression)>),
    In {
        value: Box<Expression>,
        among: Among,
        negated: bool,
    },
    Case {
        operand: Option<Box<Expression>>,
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    Object(Vec<(String, Expression)>),
    Array(Vec<Expression>),
    Cast(Box<Expression>, Type),
    Call(Box<FunctionCall>),
    Select(Box<Select>),
    Exists(Box<Select>),
}

#[derive(Debug, Clone)]
pub(super) enum Among {
    List(Vec<Expression>),
    /// What this gives, if it is an array.
    Array(Box<Expression>),
}

#[derive(Debug, Clone)]
pub(super) struct FunctionCall {
    pub(super) function: &'static Function,
    pub(super) arguments: Vec<Expression>,
    /// The second argument, where it is a regular expression that is known beforehand.
    pub(super) pattern: Option<Regex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Arithmetic(Arithmetic),
}

/// A nested query.
#[derive(Debug, Clone)]
pub(super) struct Select {
    pub(super) projection: Projection,
    pub(super) source: Vec<String>,
    pub(super) condition: Option<Expression>,
}

/// What comes of a match.
#[derive(Debug, Clone)]
pub(super) enum Projection {
    /// `SELECT VALUE`.
    Value(Expression),
    Items(Vec<Item>),
}

#[derive(Debug, Clone)]
pub(super) enum Item {
    /// `*`: every key of the message.
    All,
    /// An expression and the key that it goes to.
    Key(String, Expression),
}
