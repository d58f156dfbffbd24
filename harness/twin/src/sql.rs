//! The rules engine's SQL: parsed by a maintained SQL parser, evaluated over a JSON message.
//!
//! Undefined is not null: a key that is missing, or an operation on what it does not fit, gives undefined, which leaves
//! its attribute out of the result and is never true in `WHERE`. Whole-number arithmetic stays whole, as on AWS.

mod eval;

use sqlparser::{
    ast::{Expr, SelectItem, SetExpr, Statement, TableFactor},
    dialect::GenericDialect,
    parser::Parser,
};

use crate::error::AwsError;
pub(crate) use eval::Message;

/// A parsed rule: `SELECT <items> FROM '<topic filter>' [WHERE <condition>]`.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    items: Vec<Item>,
    /// The topic filter of `FROM`.
    pub(crate) filter: String,
    condition: Option<Expr>,
}

#[derive(Debug, Clone)]
enum Item {
    /// `*`: every key of the message.
    All,
    /// An expression and the key that it goes to.
    Key(String, Box<Expr>),
}

fn refused(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "SqlParseException", message)
}

impl Query {
    pub(crate) fn parse(sql: &str) -> Result<Self, AwsError> {
        let mut statements =
            Parser::parse_sql(&GenericDialect {}, sql).map_err(|e| refused(e.to_string()))?;
        let (Some(Statement::Query(query)), None) = (statements.pop(), statements.pop()) else {
            return Err(refused("expected one SELECT"));
        };
        let SetExpr::Select(select) = *query.body else {
            return Err(refused("expected SELECT ... FROM"));
        };
        let filter = match select.from.as_slice() {
            [table] => match &table.relation {
                TableFactor::Table { name, .. } => name.to_string().trim_matches('\'').to_owned(),
                _ => return Err(refused("FROM takes one topic filter in single quotes")),
            },
            _ => return Err(refused("FROM takes one topic filter in single quotes")),
        };
        let items = select.projection.into_iter().map(item).collect::<Result<_, _>>()?;
        Ok(Self { items, filter, condition: select.selection })
    }

    /// The result for a message that the filter matches; `None` if the condition is not true.
    pub(crate) fn run(&self, message: &Message<'_>) -> Option<serde_json::Map<String, serde_json::Value>> {
        if let Some(condition) = &self.condition
            && message.eval(condition) != Some(serde_json::Value::Bool(true))
        {
            return None;
        }
        let mut out = serde_json::Map::new();
        for item in &self.items {
            match item {
                Item::All => {
                    if let Some(object) = message.payload.as_object() {
                        out.extend(object.iter().map(|(k, v)| (k.clone(), v.clone())));
                    }
                }
                Item::Key(key, expression) => {
                    if let Some(value) = message.eval(expression) {
                        out.insert(key.clone(), value);
                    }
                }
            }
        }
        Some(out)
    }
}

fn item(item: SelectItem) -> Result<Item, AwsError> {
    match item {
        SelectItem::Wildcard(_) => Ok(Item::All),
        SelectItem::ExprWithAlias { expr, alias } => Ok(Item::Key(alias.value, Box::new(expr))),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
            Ok(Item::Key(name.value.clone(), Box::new(Expr::Identifier(name))))
        }
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => {
            let key = path.last().map(|part| part.value.clone()).unwrap_or_default();
            Ok(Item::Key(key, Box::new(Expr::CompoundIdentifier(path))))
        }
        other => Err(refused(format!("give this expression a name with AS: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(sql: &str, topic: &str, payload: &Value) -> Option<Value> {
        let message = Message { topic, payload, now_ms: 1_700_000_000_999 };
        Query::parse(sql).unwrap().run(&message).map(Value::Object)
    }

    #[test]
    fn the_archived_solutions_registry_rule() {
        let sql = "SELECT newuuid() as uuid, (timestamp()/1000)+172800 as expires, * FROM '$aws/events/#' \
                   WHERE topic(3) = 'thing' OR topic(3) = 'thingGroup'";
        let payload = json!({"eventType": "THING_EVENT", "attributes": {"a": null}});
        let out = run(sql, "$aws/events/thing/t1/created", &payload).unwrap();
        assert_eq!(out["expires"], json!(1_700_172_800));
        assert_eq!(out["attributes"], json!({"a": null}));
        assert_eq!(out["uuid"].as_str().unwrap().len(), 36);
        assert_eq!(run(sql, "$aws/events/job/t1/created", &payload), None);
    }

    #[test]
    fn our_shadow_rule() {
        let sql = "SELECT topic(3) AS device, concat('shadow##', current.version) AS event, \
                   floor(timestamp() / 1000) + 172800 AS expires, 'us-east-1' AS origin, current.state AS state, \
                   current.version AS version, timestamp AS timestamp FROM '$aws/things/+/shadow/update/documents'";
        let payload =
            json!({"current": {"state": {"reported": {"n": 1}}, "version": 7}, "timestamp": 1_700_000_000});
        let out = run(sql, "$aws/things/dev-1/shadow/update/documents", &payload).unwrap();
        assert_eq!(
            out,
            json!({"device": "dev-1", "event": "shadow##7", "expires": 1_700_172_800, "origin": "us-east-1",
                   "state": {"reported": {"n": 1}}, "version": 7, "timestamp": 1_700_000_000})
        );
    }

    #[test]
    fn undefined_is_left_out_and_never_true() {
        let out = run("SELECT a.b AS x, c AS y FROM 't'", "t", &json!({"c": null})).unwrap();
        assert_eq!(out, json!({"y": null}));
        assert_eq!(run("SELECT * FROM 't' WHERE missing = 1", "t", &json!({})), None);
        assert_eq!(run("SELECT * FROM 't' WHERE NOT (missing = 1)", "t", &json!({})), None);
    }

    #[test]
    fn what_is_not_sql_is_refused() {
        for sql in ["", "DELETE FROM 't'", "SELECT 1 + 1 FROM 't'", "SELECT * FROM 'a', 'b'"] {
            assert_eq!(Query::parse(sql).unwrap_err().code, "SqlParseException", "{sql}");
        }
    }
}
