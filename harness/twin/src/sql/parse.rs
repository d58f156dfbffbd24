//! From the parser's tree to ours. What AWS's SQL does not have, or the twin does not, is refused here.

use regex::Regex;
use serde_json::Value;
use sqlparser::{
    ast::{
        AccessExpr, BinaryOperator, CeilFloorKind, DateTimeField, Expr, FunctionArg, FunctionArgExpr,
        FunctionArguments, GroupByExpr, Ident, ObjectName, Query as Statement, Select as SelectStatement,
        SelectItem, SetExpr, TableFactor, UnaryOperator, Value as Literal,
    },
    parser::ParserError,
    tokenizer::Token,
};

use super::{
    convert::Type,
    dialect::{self, VALUE},
    expression::{Among, Expression, FunctionCall, Item, Operator, Projection, Select},
    function::{self, Function},
    number::Arithmetic,
    refused,
};
use crate::error::AwsError;

/// A rule's statement, in parts.
pub(super) struct Parsed {
    pub(super) projection: Projection,
    /// None: the rule is for basic ingest alone.
    pub(super) filter: Option<String>,
    pub(super) condition: Option<Expression>,
}

/// What a parse may depend on besides the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// What `sql_version()` says.
    pub(super) version: &'a str,
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn syntax(error: ParserError) -> AwsError {
    refused(error.to_string())
}

impl Context<'_> {
    /// `SELECT <items> [FROM '<topic filter>'] [WHERE <condition>]`.
    pub(super) fn statement(self, sql: &str) -> Result<Parsed, AwsError> {
        let mut parser = dialect::parser(sql)?;
        let statement = parser.parse_query().map_err(syntax)?;
        let _ = parser.consume_token(&Token::SemiColon);
        parser.expect_token(&Token::EOF).map_err(syntax)?;
        let select = select_of(*statement)?;
        let filter = match source_of(&select)?.as_deref() {
            None => None,
            Some([name]) if name.quote_style == Some('\'') => Some(name.value.clone()),
            Some(_) => return Err(refused("FROM takes one topic filter in single quotes")),
        };
        Ok(Parsed {
            projection: self.projection(select.projection)?,
            filter,
            condition: select.selection.map(|c| self.expression(c)).transpose()?,
        })
    }

    /// One expression, as substitution templates have it.
    pub(super) fn alone(self, text: &str) -> Result<Expression, AwsError> {
        let mut parser = dialect::parser(text)?;
        let expression = parser.parse_expr().map_err(syntax)?;
        parser.expect_token(&Token::EOF).map_err(syntax)?;
        self.expression(expression)
    }

    fn projection(self, items: Vec<SelectItem>) -> Result<Projection, AwsError> {
        let mut items = items;
        if let [SelectItem::UnnamedExpr(Expr::Prefixed { prefix, .. })] = items.as_slice()
            && prefix.value == VALUE
            && let Some(SelectItem::UnnamedExpr(Expr::Prefixed { value, .. })) = items.pop()
        {
            return Ok(Projection::Value(match *value {
                Expr::Identifier(name) if name.value == "*" => Expression::Path(Vec::new()),
                value => self.expression(value)?,
            }));
        }
        let items = items.into_iter().map(|item| self.item(item)).collect::<Result<_, _>>()?;
        Ok(Projection::Items(items))
    }

    fn item(self, item: SelectItem) -> Result<Item, AwsError> {
        match item {
            SelectItem::Wildcard(options) => Ok(match options.opt_alias {
                Some(alias) => Item::Key(alias.value, Expression::Path(Vec::new())),
                None => Item::All,
            }),
            SelectItem::ExprWithAlias { expr, alias } => Ok(Item::Key(alias.value, self.expression(expr)?)),
            SelectItem::UnnamedExpr(expr) => match key_of(&expr) {
                Some(key) => Ok(Item::Key(key, self.expression(expr)?)),
                None => Err(refused(format!("give this expression a name with AS: {expr}"))),
            },
            other => Err(refused(format!("{other} cannot be selected"))),
        }
    }

    fn boxed(self, expr: Expr) -> Result<Box<Expression>, AwsError> {
        self.expression(expr).map(Box::new)
    }

    fn each(self, list: Vec<Expr>) -> Result<Vec<Expression>, AwsError> {
        list.into_iter().map(|expr| self.expression(expr)).collect()
    }

    fn expression(self, expr: Expr) -> Result<Expression, AwsError> {
        Ok(match expr {
            Expr::Identifier(name) => Expression::Path(vec![name.value]),
            Expr::CompoundIdentifier(path) => {
                Expression::Path(path.into_iter().map(|name| name.value).collect())
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                let key = |access| match access {
                    AccessExpr::Dot(Expr::Identifier(key)) => Ok(key.value),
                    other => {
                        Err(refused(format!("{other} cannot follow a value; there is get(value, index)")))
                    }
                };
                let keys = access_chain.into_iter().map(key).collect::<Result<_, _>>()?;
                Expression::Field(self.boxed(*root)?, keys)
            }
            Expr::Value(literal) => Expression::Literal(literal_value(literal.value)?),
            Expr::Nested(inner) => self.expression(*inner)?,
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Expression::Not(self.boxed(*expr)?),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Expression::Negate(self.boxed(*expr)?),
            chain @ Expr::BinaryOp { .. } => self.chain(chain)?,
            Expr::InList { expr, list, negated } => {
                Expression::In { value: self.boxed(*expr)?, among: Among::List(self.each(list)?), negated }
            }
            Expr::InSubquery { expr, subquery, negated } => {
                let array = Box::new(Expression::Select(Box::new(self.select(*subquery)?)));
                Expression::In { value: self.boxed(*expr)?, among: Among::Array(array), negated }
            }
            Expr::Case { operand, conditions, else_result, .. } => Expression::Case {
                operand: operand.map(|o| self.boxed(*o)).transpose()?,
                branches: conditions
                    .into_iter()
                    .map(|when| Ok((self.expression(when.condition)?, self.expression(when.result)?)))
                    .collect::<Result<_, AwsError>>()?,
                otherwise: else_result.map(|e| self.boxed(*e)).transpose()?,
            },
            Expr::Dictionary(fields) => {
                let member = |key: Ident, value| Ok((key.value, self.expression(value)?));
                let members = fields.into_iter().map(|field| member(field.key, *field.value));
                Expression::Object(members.collect::<Result<_, AwsError>>()?)
            }
            Expr::Array(array) if !array.named => Expression::Array(self.each(array.elem)?),
            Expr::Cast { expr, data_type, .. } => {
                let to = Type::parse(&data_type.to_string())
                    .ok_or_else(|| refused(format!("cast has no type {data_type}")))?;
                Expression::Cast(self.boxed(*expr)?, to)
            }
            Expr::Subquery(query) => Expression::Select(Box::new(self.select(*query)?)),
            Expr::Exists { subquery, negated } => {
                let exists = Expression::Exists(Box::new(self.select(*subquery)?));
                if negated { Expression::Not(Box::new(exists)) } else { exists }
            }
            other => self.call(other)?,
        })
    }

    /// Operators take what is left of them first, so that a statement of many is a tree that leans to the left.
    fn chain(self, expr: Expr) -> Result<Expression, AwsError> {
        let (mut first, mut operations) = (expr, Vec::new());
        while let Expr::BinaryOp { left, op, right } = first {
            let op = operator(&op).ok_or_else(|| refused(format!("There is no operator {op}")))?;
            operations.push((op, self.expression(*right)?));
            first = *left;
        }
        operations.reverse();
        Ok(Expression::Chain(self.boxed(first)?, operations))
    }

    /// Function calls; some have a syntax of their own in the parser's grammar.
    fn call(self, expr: Expr) -> Result<Expression, AwsError> {
        let plain = CeilFloorKind::DateTimeField(DateTimeField::NoDateTime);
        match expr {
            Expr::Floor { expr, field } if field == plain => self.named("floor", vec![*expr]),
            Expr::Ceil { expr, field } if field == plain => self.named("ceil", vec![*expr]),
            Expr::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
                self.named("trim", vec![*expr])
            }
            Expr::Substring { expr, substring_from, substring_for, special: true, .. } => {
                let arguments = [Some(expr), substring_from, substring_for].into_iter().flatten();
                self.named("substring", arguments.map(|argument| *argument).collect())
            }
            Expr::Function(call) => {
                let name = call.name.to_string();
                match call.args {
                    // What standard SQL has as a function without parentheses is a key here, for example `user`.
                    FunctionArguments::None => Ok(Expression::Path(vec![name])),
                    FunctionArguments::List(list)
                        if list.duplicate_treatment.is_none()
                            && list.clauses.is_empty()
                            && call.over.is_none() =>
                    {
                        self.function(&name, list.args)
                    }
                    _ => Err(refused(format!("{name} is not called that way"))),
                }
            }
            other => Err(refused(format!("AWS IoT SQL, or the twin, does not have: {other}"))),
        }
    }

    fn function(self, name: &str, arguments: Vec<FunctionArg>) -> Result<Expression, AwsError> {
        let name = name.to_ascii_lowercase();
        if name == "sql_version" && arguments.is_empty() {
            return Ok(Expression::Literal(self.version.into()));
        }
        let whole = FunctionArg::Unnamed(FunctionArgExpr::Wildcard);
        let function = known(&name)?;
        let arguments = arguments
            .into_iter()
            .map(|argument| match argument {
                argument if argument == whole => Ok(Expression::Payload),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.expression(expr),
                other => Err(refused(format!("{name} takes no argument like {other}"))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if name == "encode"
            && let [Expression::Payload, Expression::Literal(scheme)] = arguments.as_slice()
            && *scheme == function::BASE64
        {
            return Ok(Expression::EncodedPayload);
        }
        Ok(bound(function, arguments))
    }

    fn named(self, name: &str, arguments: Vec<Expr>) -> Result<Expression, AwsError> {
        Ok(bound(known(name)?, self.each(arguments)?))
    }

    fn select(self, query: Statement) -> Result<Select, AwsError> {
        let select = select_of(query)?;
        let source = source_of(&select)?.ok_or_else(|| refused("A nested SELECT needs FROM"))?;
        if source.iter().any(|name| name.quote_style.is_some()) {
            return Err(refused("FROM of a nested SELECT takes a key of the message"));
        }
        let source = source.iter().map(|name| name.value.clone()).collect();
        Ok(Select {
            source,
            projection: self.projection(select.projection)?,
            condition: select.selection.map(|c| self.expression(c)).transpose()?,
        })
    }
}

fn known(name: &str) -> Result<&'static Function, AwsError> {
    function::find(name)
        .ok_or_else(|| refused(format!("AWS IoT SQL, or the twin, does not have the function {name}")))
}

fn bound(function: &'static Function, arguments: Vec<Expression>) -> Expression {
    let pattern = match arguments.get(1) {
        Some(Expression::Literal(Value::String(pattern))) if function.takes_pattern() => {
            function::pattern(pattern)
        }
        _ => None::<Regex>,
    };
    Expression::Call(Box::new(FunctionCall { function, arguments, pattern }))
}

/// The SELECT of a statement that has nothing else.
fn select_of(query: Statement) -> Result<SelectStatement, AwsError> {
    let is_plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty();
    let SetExpr::Select(select) = *query.body else {
        return Err(refused("expected SELECT"));
    };
    let has_groups = select.group_by != GroupByExpr::Expressions(Vec::new(), Vec::new());
    if !is_plain || has_groups || select.having.is_some() || select.distinct.is_some() || select.top.is_some()
    {
        return Err(refused("AWS IoT SQL has SELECT, FROM and WHERE only"));
    }
    Ok(*select)
}

/// What FROM names, a part at a time.
fn source_of(select: &SelectStatement) -> Result<Option<Vec<&Ident>>, AwsError> {
    let one = || refused("FROM takes one source");
    let table = match select.from.as_slice() {
        [] => return Ok(None),
        [table] if table.joins.is_empty() => table,
        _ => return Err(one()),
    };
    match &table.relation {
        TableFactor::Table { name: ObjectName(parts), alias: None, args: None, .. } => {
            parts.iter().map(|part| part.as_ident().ok_or_else(one)).collect::<Result<_, _>>().map(Some)
        }
        _ => Err(one()),
    }
}

/// The key that an expression without AS goes to: the last one of a path.
fn key_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(path) => path.last().map(|name| name.value.clone()),
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last()? {
            AccessExpr::Dot(Expr::Identifier(name)) => Some(name.value.clone()),
            _ => None,
        },
        Expr::Function(call) if matches!(call.args, FunctionArguments::None) => Some(call.name.to_string()),
        _ => None,
    }
}

fn literal_value(literal: Literal) -> Result<Value, AwsError> {
    match literal {
        Literal::Number(number, _) => {
            let read =
                || number.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number);
            serde_json::from_str(&number)
                .ok()
                .or_else(read)
                .ok_or_else(|| refused(format!("{number} is no number")))
        }
        Literal::SingleQuotedString(text) | Literal::DoubleQuotedString(text) => Ok(Value::String(text)),
        Literal::Boolean(b) => Ok(Value::Bool(b)),
        Literal::Null => Ok(Value::Null),
        other => Err(refused(format!("{other} is no value"))),
    }
}

fn operator(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::And => Operator::And,
        BinaryOperator::Or => Operator::Or,
        BinaryOperator::Eq => Operator::Equal,
        BinaryOperator::NotEq => Operator::Unequal,
        BinaryOperator::Lt => Operator::Less,
        BinaryOperator::LtEq => Operator::LessOrEqual,
        BinaryOperator::Gt => Operator::Greater,
        BinaryOperator::GtEq => Operator::GreaterOrEqual,
        BinaryOperator::Plus => Operator::Arithmetic(Arithmetic::Add),
        BinaryOperator::Minus => Operator::Arithmetic(Arithmetic::Subtract),
        BinaryOperator::Multiply => Operator::Arithmetic(Arithmetic::Multiply),
        BinaryOperator::Divide => Operator::Arithmetic(Arithmetic::Divide),
        BinaryOperator::Modulo => Operator::Arithmetic(Arithmetic::Remainder),
        _ => return None,
    })
}
