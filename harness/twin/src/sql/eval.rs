//! Evaluation of SQL expressions. `None` is AWS's *undefined*.

use serde_json::{Value, json};
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator,
    Value as Literal,
};

/// A message that a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a Value,
    pub(crate) now_ms: i64,
}

impl Message<'_> {
    pub(super) fn eval(&self, expression: &Expr) -> Option<Value> {
        match expression {
            Expr::Identifier(name) => self.payload.get(&name.value).cloned(),
            Expr::CompoundIdentifier(path) => {
                let mut value = self.payload;
                for part in path {
                    value = value.get(&part.value)?;
                }
                Some(value.clone())
            }
            Expr::Value(literal) => literal_value(&literal.value),
            Expr::Nested(inner) => self.eval(inner),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Some(json!(!self.eval(expr)?.as_bool()?)),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => arithmetic(&json!(0), &self.eval(expr)?, '-'),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::InList { expr, list, negated } => {
                let value = self.eval(expr)?;
                let found = list.iter().any(|item| self.eval(item).as_ref() == Some(&value));
                Some(json!(found != *negated))
            }
            Expr::Floor { expr, .. } => round(&self.eval(expr)?, f64::floor),
            Expr::Ceil { expr, .. } => round(&self.eval(expr)?, f64::ceil),
            Expr::Function(function) => self.call(function),
            _ => None,
        }
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Value> {
        let (left, right) = (self.eval(left), self.eval(right));
        match op {
            // Undefined counts as not true on either side, so that one known side may still decide.
            BinaryOperator::And => Some(json!(truth(left.as_ref()) && truth(right.as_ref()))),
            BinaryOperator::Or => Some(json!(truth(left.as_ref()) || truth(right.as_ref()))),
            BinaryOperator::Eq => Some(json!(equal(&left?, &right?))),
            BinaryOperator::NotEq => Some(json!(!equal(&left?, &right?))),
            BinaryOperator::Lt => compare(&left?, &right?).map(|o| json!(o.is_lt())),
            BinaryOperator::LtEq => compare(&left?, &right?).map(|o| json!(o.is_le())),
            BinaryOperator::Gt => compare(&left?, &right?).map(|o| json!(o.is_gt())),
            BinaryOperator::GtEq => compare(&left?, &right?).map(|o| json!(o.is_ge())),
            BinaryOperator::Plus => arithmetic(&left?, &right?, '+'),
            BinaryOperator::Minus => arithmetic(&left?, &right?, '-'),
            BinaryOperator::Multiply => arithmetic(&left?, &right?, '*'),
            BinaryOperator::Divide => arithmetic(&left?, &right?, '/'),
            BinaryOperator::Modulo => arithmetic(&left?, &right?, '%'),
            _ => None,
        }
    }

    fn call(&self, function: &Function) -> Option<Value> {
        let name = function.name.to_string().to_ascii_lowercase();
        let arguments = arguments(function);
        let argument = |n: usize| arguments.get(n).and_then(|e| self.eval(e));
        match name.as_str() {
            "topic" if arguments.is_empty() => Some(json!(self.topic)),
            "topic" => {
                let n = usize::try_from(argument(0)?.as_u64()?).ok()?;
                self.topic.split('/').nth(n.checked_sub(1)?).map(|s| json!(s))
            }
            "timestamp" => Some(json!(self.now_ms)),
            "newuuid" => Some(json!(uuid::Uuid::new_v4().to_string())),
            "concat" => {
                let parts: Option<Vec<String>> =
                    (0..arguments.len()).map(|n| argument(n).map(|v| text(&v))).collect();
                Some(json!(parts?.concat()))
            }
            "floor" => round(&argument(0)?, f64::floor),
            "ceil" => round(&argument(0)?, f64::ceil),
            "lower" => Some(json!(text(&argument(0)?).to_lowercase())),
            "upper" => Some(json!(text(&argument(0)?).to_uppercase())),
            "isundefined" => Some(json!(argument(0).is_none())),
            "isnull" => Some(json!(argument(0).is_some_and(|v| v.is_null()))),
            _ => None,
        }
    }
}

fn arguments(function: &Function) -> Vec<&Expr> {
    match &function.args {
        FunctionArguments::List(list) => list
            .args
            .iter()
            .filter_map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn literal_value(literal: &Literal) -> Option<Value> {
    match literal {
        Literal::Number(number, _) => serde_json::from_str(number).ok(),
        // AWS takes a text in either kind of quotes.
        Literal::SingleQuotedString(s) | Literal::DoubleQuotedString(s) => Some(json!(s)),
        Literal::Boolean(b) => Some(json!(b)),
        Literal::Null => Some(Value::Null),
        _ => None,
    }
}

fn truth(value: Option<&Value>) -> bool {
    value.is_some_and(|v| *v == Value::Bool(true))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// Numbers are equal by value: 1 and 1.0 are.
fn equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(a), Some(b)) => a.partial_cmp(&b).is_some_and(std::cmp::Ordering::is_eq),
        _ => left == right,
    }
}

fn compare(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn arithmetic(left: &Value, right: &Value, op: char) -> Option<Value> {
    if let (Some(a), Some(b)) = (left.as_i64(), right.as_i64()) {
        let whole = match op {
            '+' => a.checked_add(b),
            '-' => a.checked_sub(b),
            '*' => a.checked_mul(b),
            '/' => a.checked_div(b),
            _ => a.checked_rem(b),
        };
        return whole.map(|n| json!(n));
    }
    if op == '+' && (left.is_string() || right.is_string()) {
        return Some(json!(format!("{}{}", text(left), text(right))));
    }
    let (a, b) = (left.as_f64()?, right.as_f64()?);
    let result = match op {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        '/' => a / b,
        _ => a % b,
    };
    result.is_finite().then(|| json!(result))
}

fn round(value: &Value, how: fn(f64) -> f64) -> Option<Value> {
    if value.is_i64() || value.is_u64() {
        return Some(value.clone());
    }
    let rounded = how(value.as_f64()?);
    #[expect(clippy::cast_possible_truncation, reason = "checked to be in the range of i64")]
    (rounded.abs() < 9e18).then(|| json!(rounded as i64))
}
