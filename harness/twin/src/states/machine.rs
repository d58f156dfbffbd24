//! A state machine as it was defined, typed: what the interpreter runs. Made by [`parse`](super::parse) only, which
//! guarantees that every state that is named is there.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    choice::Rule,
    path::{Path, Reference},
    retry::{Catcher, Retrier},
    template::Template,
};

/// A whole definition.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) start: String,
    pub(crate) timeout_s: Option<i64>,
    pub(crate) states: BTreeMap<String, State>,
}

/// What a state takes of its input, or gives of its output.
#[derive(Debug, Clone)]
pub(crate) enum Selection {
    Whole,
    Path(Path),
    /// `null`: an empty object.
    Nothing,
}

/// One state.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) input: Selection,
    pub(crate) output: Selection,
    pub(crate) kind: Kind,
}

/// What comes after a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    To(String),
    End,
}

/// What a state does.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Task(Box<Task>),
    Pass(Pass),
    Choice(Choice),
    Wait(Wait),
    Succeed,
    Fail(Fail),
}

impl Kind {
    /// The type's name, as in events: `<Task>StateEntered`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Task(_) => "Task",
            Self::Pass(_) => "Pass",
            Self::Choice(_) => "Choice",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail(_) => "Fail",
        }
    }
}

/// What a task calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// A function by its ARN: the effective input is its payload.
    Function(String),
    /// `arn:aws:states:::lambda:invoke`: the parameters say which function and what payload.
    LambdaInvoke,
}

/// How long a task may take.
#[derive(Debug, Clone)]
pub(crate) enum Limit {
    Seconds(i64),
    Path(Path),
}

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) resource: Resource,
    pub(crate) parameters: Option<Template>,
    pub(crate) selector: Option<Template>,
    /// None: the result is dropped.
    pub(crate) result_path: Option<Reference>,
    pub(crate) limit: Option<Limit>,
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
    pub(crate) next: Next,
}

/// A state that passes its input on, or a fixed result.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) result: Option<Json>,
    pub(crate) parameters: Option<Template>,
    pub(crate) result_path: Option<Reference>,
    pub(crate) next: Next,
}

/// A state that goes one of several ways.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) rules: Vec<(Rule, String)>,
    pub(crate) default: Option<String>,
}

/// Until when a state waits.
#[derive(Debug, Clone)]
pub(crate) enum Until {
    Seconds(i64),
    SecondsPath(Path),
    Timestamp(jiff::Timestamp),
    TimestampPath(Path),
}

/// A state that waits.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub(crate) until: Until,
    pub(crate) next: Next,
}

/// A text of a Fail state.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Fixed(String),
    Path(Path),
}

/// A state that fails the execution.
#[derive(Debug, Clone)]
pub(crate) struct Fail {
    pub(crate) error: Option<Text>,
    pub(crate) cause: Option<Text>,
}
