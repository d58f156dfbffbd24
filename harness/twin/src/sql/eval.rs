//! Evaluation. `None` is AWS's *undefined*.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    budget::Budget,
    convert,
    expression::{Among, Expression, FunctionCall, Item, Operator, Projection, Select},
    function::Call,
    message::Message,
    number::{Arithmetic, Number},
};

static NULL: Value = Value::Null;

/// Where names are looked up: in the message, or in the element that a nested query looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) message: &'a Message<'a>,
    root: &'a Value,
    budget: &'a Budget,
}

type Evaluated<'a> = Option<Cow<'a, Value>>;

impl<'a> Scope<'a> {
    pub(super) fn new(message: &'a Message<'a>, budget: &'a Budget) -> Self {
        Self { message, root: message.payload.json().unwrap_or(&NULL), budget }
    }

    /// A value to put into another. What was made on the way has been paid for.
    fn own(self, value: Cow<'a, Value>) -> Option<Value> {
        if let Cow::Borrowed(value) = &value {
            self.budget.spend_value(value)?;
        }
        Some(value.into_owned())
    }

    /// A value that an operation or a function made.
    fn made(self, value: Value) -> Evaluated<'a> {
        if matches!(value, Value::String(_) | Value::Array(_) | Value::Object(_)) {
            self.budget.spend_value(&value)?;
        }
        owned(value)
    }

    pub(super) fn eval(self, expression: &'a Expression) -> Evaluated<'a> {
        if self.budget.is_spent() {
            return None;
        }
        match expression {
            Expression::Literal(value) => Some(Cow::Borrowed(value)),
            Expression::Path(path) => follow(self.root, path).map(Cow::Borrowed),
            Expression::Field(of, keys) => match self.eval(of)? {
                Cow::Borrowed(value) => follow(value, keys).map(Cow::Borrowed),
                Cow::Owned(mut value) => {
                    let found = keys.iter().try_fold(&mut value, |value, key| value.get_mut(key));
                    found.map(Value::take).map(Cow::Owned)
                }
            },
            Expression::Payload => self.message.payload.json().map(Cow::Borrowed),
            Expression::EncodedPayload => self.made(json!(STANDARD.encode(self.message.payload.bytes))),
            Expression::Not(inner) => owned(json!(!convert::boolean(&*self.eval(inner)?)?)),
            Expression::Negate(inner) => {
                let zero = Number::Whole(0);
                zero.calculate(Arithmetic::Subtract, &Number::of(&*self.eval(inner)?)?)?
                    .json()
                    .map(Cow::Owned)
            }
            Expression::Chain(first, operations) => self.chain(first, operations),
            Expression::In { value, among, negated } => {
                owned(json!(self.is_among(value, among)? != *negated))
            }
            Expression::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())
            }
            Expression::Object(members) => {
                let member = |(key, value): &'a (String, Expression)| {
                    Some((key.clone(), self.own(self.eval(value)?)?))
                };
                owned(Value::Object(members.iter().filter_map(member).collect()))
            }
            Expression::Array(items) => {
                owned(items.iter().filter_map(|item| self.own(self.eval(item)?)).collect())
            }
            Expression::Cast(inner, to) => self.made(convert::cast(&*self.eval(inner)?, *to)?),
            Expression::Call(call) => self.made(self.call(call)?),
            Expression::Select(select) => self.select(select).map(Cow::Owned),
            Expression::Exists(select) => {
                let found = self.select(select);
                owned(json!(found.is_some_and(|v| v.as_array().is_none_or(|list| !list.is_empty()))))
            }
        }
    }

    /// Whether a condition holds; undefined does not.
    pub(super) fn holds(self, condition: Option<&'a Expression>) -> bool {
        condition.is_none_or(|c| self.eval(c).is_some_and(|v| *v == Value::Bool(true)))
    }

    fn chain(self, first: &'a Expression, operations: &'a [(Operator, Expression)]) -> Evaluated<'a> {
        operations.iter().try_fold(self.eval(first)?, |left, (op, right)| {
            self.made(operate(&left, *op, &*self.eval(right)?)?)
        })
    }

    fn is_among(self, value: &'a Expression, among: &'a Among) -> Option<bool> {
        let value = self.eval(value)?;
        Some(match among {
            Among::List(list) => {
                list.iter().filter_map(|item| self.eval(item)).any(|item| equal(&item, &value))
            }
            Among::Array(array) => self.eval(array)?.as_array()?.iter().any(|item| equal(item, &value)),
        })
    }

    fn case(
        self,
        operand: Option<&'a Expression>,
        branches: &'a [(Expression, Expression)],
        otherwise: Option<&'a Expression>,
    ) -> Evaluated<'a> {
        let operand = match operand {
            Some(operand) => Some(self.eval(operand)?),
            None => None,
        };
        let fits = |when: &'a Expression| match &operand {
            Some(operand) => self.eval(when).is_some_and(|when| equal(&when, operand)),
            None => self.holds(Some(when)),
        };
        match branches.iter().find(|(when, _)| fits(when)) {
            Some((_, then)) => self.eval(then),
            None => self.eval(otherwise?),
        }
    }

    fn call(self, call: &'a FunctionCall) -> Option<Value> {
        if !call.function.arity.contains(&call.arguments.len()) {
            return None;
        }
        let arguments = call.arguments.iter().map(|argument| self.eval(argument)).collect();
        let call_now =
            Call { arguments, pattern: call.pattern.as_ref(), message: self.message, budget: self.budget };
        (call.function.body)(&call_now)
    }

    /// A query of an array gives an array; one of an object its one result.
    fn select(self, select: &'a Select) -> Option<Value> {
        let source = follow(self.root, &select.source)?;
        let one = |element: &'a Value| {
            let scope = Scope { root: element, ..self };
            scope.holds(select.condition.as_ref()).then(|| scope.project(&select.projection)).flatten()
        };
        match source {
            Value::Array(elements) => Some(elements.iter().filter_map(one).collect()),
            Value::Object(_) => one(source),
            _ => None,
        }
    }

    pub(super) fn project(self, projection: &'a Projection) -> Option<Value> {
        let items = match projection {
            Projection::Value(expression) => return self.own(self.eval(expression)?),
            Projection::Items(items) => items,
        };
        let mut out = Map::new();
        for item in items {
            match item {
                Item::All => {
                    self.budget.spend_value(self.root)?;
                    let members = self.root.as_object().into_iter().flatten();
                    out.extend(members.map(|(key, value)| (key.clone(), value.clone())));
                }
                Item::Key(key, expression) => {
                    if let Some(value) = self.eval(expression).and_then(|value| self.own(value)) {
                        out.insert(key.clone(), value);
                    }
                }
            }
        }
        Some(Value::Object(out))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every evaluation may be undefined")]
fn owned<'a>(value: Value) -> Evaluated<'a> {
    Some(Cow::Owned(value))
}

fn follow<'a>(root: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(root, |value, key| value.get(key))
}

/// Undefined on either side makes any operation undefined.
fn operate(left: &Value, op: Operator, right: &Value) -> Option<Value> {
    let booleans = || Some((convert::boolean(left)?, convert::boolean(right)?));
    let numbers = || Some((Number::of(left)?, Number::of(right)?));
    let ordering = || numbers().map(|(a, b)| a.compare(&b));
    match op {
        Operator::And => booleans().map(|(a, b)| json!(a && b)),
        Operator::Or => booleans().map(|(a, b)| json!(a || b)),
        Operator::Equal => Some(json!(equal(left, right))),
        Operator::Unequal => Some(json!(!equal(left, right))),
        Operator::Less => ordering().map(|o| json!(o.is_lt())),
        Operator::LessOrEqual => ordering().map(|o| json!(o.is_le())),
        Operator::Greater => ordering().map(|o| json!(o.is_gt())),
        Operator::GreaterOrEqual => ordering().map(|o| json!(o.is_ge())),
        Operator::Arithmetic(Arithmetic::Add) if left.is_string() || right.is_string() => {
            Some(json!(convert::text(left)? + &convert::text(right)?))
        }
        Operator::Arithmetic(arithmetic) => {
            let (a, b) = numbers()?;
            a.calculate(arithmetic, &b)?.json()
        }
    }
}

/// Numbers are equal by value: 1 and 1.0 are. Values of different types are not.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) if a != b => Number::of(left) == Number::of(right),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => left == right,
    }
}
