//! Update expressions: `SET`, `REMOVE`, `ADD` and `DELETE`. All values are computed from the item as it was before.

use std::collections::BTreeSet;

use super::{
    condition::lookup,
    expression::{Parser, Path, Placeholders, Step},
    item::{Item, Value, invalid},
};
use crate::error::AwsError;

/// How deep `if_not_exists` and `list_append` may nest.
const DEPTH_MAX: usize = 16;

/// A parsed update expression.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Update {
    set: Vec<(Path, Term)>,
    remove: Vec<Path>,
    add: Vec<(Path, Value)>,
    delete: Vec<(Path, Value)>,
}

/// The right-hand side of a `SET`.
#[derive(Debug, Clone, PartialEq)]
enum Term {
    Path(Path),
    Value(Value),
    IfNotExists(Path, Box<Term>),
    ListAppend(Box<Term>, Box<Term>),
    Plus(Box<Term>, Box<Term>),
    Minus(Box<Term>, Box<Term>),
}

/// Parses an update expression.
pub(crate) fn parse_update(text: &str, placeholders: &mut Placeholders) -> Result<Update, AwsError> {
    let mut parser = Parser::new(text, placeholders)?;
    let mut update = Update::default();
    let mut seen = BTreeSet::new();
    while parser.peek().is_some() {
        let Some(clause) = ["SET", "REMOVE", "ADD", "DELETE"].into_iter().find(|c| parser.keyword(c)) else {
            return Err(parser.unexpected());
        };
        if !seen.insert(clause) {
            return Err(invalid(format!(
                "Invalid UpdateExpression: The \"{clause}\" section can only be used once in an update expression;"
            )));
        }
        loop {
            let path = parser.path()?;
            match clause {
                "SET" => {
                    parser.expect("=")?;
                    let term = sum(&mut parser)?;
                    update.set.push((path, term));
                }
                "REMOVE" => update.remove.push(path),
                _ => {
                    let value = parser.value()?.ok_or_else(|| parser.unexpected())?;
                    let list = if clause == "ADD" { &mut update.add } else { &mut update.delete };
                    list.push((path, value));
                }
            }
            if !parser.take(",") {
                break;
            }
        }
    }
    update.check_overlap()?;
    Ok(update)
}

fn sum(parser: &mut Parser<'_>) -> Result<Term, AwsError> {
    let left = term(parser, 0)?;
    if parser.take("+") {
        return Ok(Term::Plus(Box::new(left), Box::new(term(parser, 0)?)));
    }
    if parser.take("-") {
        return Ok(Term::Minus(Box::new(left), Box::new(term(parser, 0)?)));
    }
    Ok(left)
}

fn term(parser: &mut Parser<'_>, depth: usize) -> Result<Term, AwsError> {
    if depth > DEPTH_MAX {
        return Err(invalid("Invalid UpdateExpression: The expression is nested too deeply;"));
    }
    if let Some(value) = parser.value()? {
        return Ok(Term::Value(value));
    }
    let term = if parser.function("if_not_exists") {
        let path = parser.path()?;
        parser.expect(",")?;
        Term::IfNotExists(path, Box::new(term(parser, depth + 1)?))
    } else if parser.function("list_append") {
        let first = term(parser, depth + 1)?;
        parser.expect(",")?;
        Term::ListAppend(Box::new(first), Box::new(term(parser, depth + 1)?))
    } else if parser.take("(") {
        term(parser, depth + 1)?
    } else {
        return parser.path().map(Term::Path);
    };
    parser.expect(")")?;
    Ok(term)
}

impl Update {
    /// The paths that the update writes.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let set = self.set.iter().map(|(p, _)| p);
        let numbers = self.add.iter().chain(&self.delete).map(|(p, _)| p);
        set.chain(&self.remove).chain(numbers)
    }

    /// Names of the top-level attributes that the update writes.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.paths().filter_map(|p| match p.first() {
            Some(Step::Name(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    fn check_overlap(&self) -> Result<(), AwsError> {
        let paths: Vec<&Path> = self.paths().collect();
        for (i, a) in paths.iter().enumerate() {
            if paths[i + 1..].iter().any(|b| a.starts_with(b) || b.starts_with(a)) {
                return Err(invalid(
                    "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one",
                ));
            }
        }
        Ok(())
    }

    /// The item after the update.
    pub(crate) fn apply(&self, before: &Item) -> Result<Item, AwsError> {
        let mut after = before.clone();
        for (path, term) in &self.set {
            let value = term.value(before)?;
            place(&mut after, path, value)?;
        }
        for (path, value) in &self.add {
            let sum = added(lookup(before, path), value)?;
            place(&mut after, path, sum)?;
        }
        for (path, value) in &self.delete {
            match taken(lookup(before, path), value)? {
                Some(rest) => place(&mut after, path, rest)?,
                None => remove(&mut after, path),
            }
        }
        // From the highest list index down, so that the others stay where the expression saw them.
        let mut paths: Vec<&Path> = self.remove.iter().collect();
        paths.sort_by_key(|p| std::cmp::Reverse(last_index(p)));
        for path in paths {
            remove(&mut after, path);
        }
        Ok(after)
    }
}

impl Term {
    fn value(&self, item: &Item) -> Result<Value, AwsError> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Path(path) => lookup(item, path).cloned().ok_or_else(|| {
                invalid("The provided expression refers to an attribute that does not exist in the item")
            }),
            Self::IfNotExists(path, otherwise) => {
                lookup(item, path).cloned().map_or_else(|| otherwise.value(item), Ok)
            }
            Self::ListAppend(a, b) => match (a.value(item)?, b.value(item)?) {
                (Value::L(mut a), Value::L(b)) => {
                    a.extend(b);
                    Ok(Value::L(a))
                }
                (a, _) => Err(wrong_type("list_append", &a)),
            },
            Self::Plus(a, b) => match (a.value(item)?, b.value(item)?) {
                (Value::N(a), Value::N(b)) => Ok(Value::N(a.add(&b)?)),
                (Value::N(_), b) => Err(wrong_type("+", &b)),
                (a, _) => Err(wrong_type("+", &a)),
            },
            Self::Minus(a, b) => match (a.value(item)?, b.value(item)?) {
                (Value::N(a), Value::N(b)) => Ok(Value::N(a.subtract(&b)?)),
                (Value::N(_), b) => Err(wrong_type("-", &b)),
                (a, _) => Err(wrong_type("-", &a)),
            },
        }
    }
}

fn added(old: Option<&Value>, value: &Value) -> Result<Value, AwsError> {
    Ok(match (old, value) {
        (None, Value::N(_) | Value::Strings(_) | Value::Numbers(_) | Value::Binaries(_)) => value.clone(),
        (Some(Value::N(a)), Value::N(b)) => Value::N(a.add(b)?),
        (Some(Value::Strings(a)), Value::Strings(b)) => Value::Strings(a.union(b).cloned().collect()),
        (Some(Value::Numbers(a)), Value::Numbers(b)) => Value::Numbers(a.union(b).cloned().collect()),
        (Some(Value::Binaries(a)), Value::Binaries(b)) => Value::Binaries(a.union(b).cloned().collect()),
        (Some(_), Value::N(_) | Value::Strings(_) | Value::Numbers(_) | Value::Binaries(_)) => {
            return Err(invalid("An operand in the update expression has an incorrect data type"));
        }
        _ => return Err(wrong_type("ADD", value)),
    })
}

fn taken(old: Option<&Value>, value: &Value) -> Result<Option<Value>, AwsError> {
    let rest = match (old, value) {
        (None, Value::Strings(_) | Value::Numbers(_) | Value::Binaries(_)) => return Ok(None),
        (Some(Value::Strings(a)), Value::Strings(b)) => Value::Strings(a.difference(b).cloned().collect()),
        (Some(Value::Numbers(a)), Value::Numbers(b)) => Value::Numbers(a.difference(b).cloned().collect()),
        (Some(Value::Binaries(a)), Value::Binaries(b)) => Value::Binaries(a.difference(b).cloned().collect()),
        (Some(_), Value::Strings(_) | Value::Numbers(_) | Value::Binaries(_)) => {
            return Err(invalid("An operand in the update expression has an incorrect data type"));
        }
        _ => return Err(wrong_type("DELETE", value)),
    };
    let empty = match &rest {
        Value::Strings(s) => s.is_empty(),
        Value::Numbers(s) => s.is_empty(),
        Value::Binaries(s) => s.is_empty(),
        _ => false,
    };
    Ok((!empty).then_some(rest))
}

/// The map or list that holds the path's last step.
fn parent<'a>(item: &'a mut Item, path: &'a Path) -> Option<(Holder<'a>, &'a Step)> {
    let (step, before) = path.split_last()?;
    let Some((Step::Name(first), rest)) = before.split_first() else {
        return Some((Holder::Map(item), step));
    };
    let mut value = item.get_mut(first)?;
    for into in rest {
        value = match (value, into) {
            (Value::M(map), Step::Name(name)) => map.get_mut(name)?,
            (Value::L(list), Step::Index(index)) => list.get_mut(*index)?,
            _ => return None,
        };
    }
    match value {
        Value::M(map) => Some((Holder::Map(map), step)),
        Value::L(list) => Some((Holder::List(list), step)),
        _ => None,
    }
}

enum Holder<'a> {
    Map(&'a mut Item),
    List(&'a mut Vec<Value>),
}

fn place(item: &mut Item, path: &Path, value: Value) -> Result<(), AwsError> {
    match parent(item, path) {
        Some((Holder::Map(map), Step::Name(name))) => {
            map.insert(name.clone(), value);
        }
        Some((Holder::List(list), Step::Index(index))) => match list.get_mut(*index) {
            Some(place) => *place = value,
            None => list.push(value),
        },
        _ => {
            return Err(invalid("The document path provided in the update expression is invalid for update"));
        }
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) {
    match parent(item, path) {
        Some((Holder::Map(map), Step::Name(name))) => {
            map.remove(name);
        }
        Some((Holder::List(list), Step::Index(index))) if *index < list.len() => {
            list.remove(*index);
        }
        _ => {}
    }
}

fn last_index(path: &Path) -> usize {
    match path.last() {
        Some(Step::Index(index)) => *index,
        _ => 0,
    }
}

fn wrong_type(operator: &str, value: &Value) -> AwsError {
    invalid(format!(
        "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: {operator}, \
         operand type: {}",
        value.type_name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn updated(before: &Json, text: &str, values: &Json) -> Result<Json, AwsError> {
        let before: Item = serde_json::from_value(before.clone()).unwrap();
        let values = serde_json::from_value(values.clone()).unwrap();
        let mut placeholders = Placeholders::new(None, Some(values));
        let after = parse_update(text, &mut placeholders)?.apply(&before)?;
        Ok(serde_json::to_value(after).unwrap())
    }

    #[test]
    fn every_clause_works_on_the_item_as_it_was() {
        let before = json!({"a": {"N": "1"}, "b": {"N": "2"}, "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]},
                            "s": {"SS": ["x", "y"]}, "m": {"M": {"k": {"S": "v"}}}});
        let after = updated(
            &before,
            "SET a = b, b = a + :one, c = if_not_exists(c, :zero) + :one, m.n = :one REMOVE l[0], l[1] \
             ADD hits :one DELETE s :x",
            &json!({":one": {"N": "1"}, ":zero": {"N": "0"}, ":x": {"SS": ["x"]}}),
        )
        .unwrap();
        assert_eq!(
            after,
            json!({"a": {"N": "2"}, "b": {"N": "2"}, "c": {"N": "1"}, "hits": {"N": "1"}, "l": {"L": [{"N": "2"}]},
                   "s": {"SS": ["y"]}, "m": {"M": {"k": {"S": "v"}, "n": {"N": "1"}}}})
        );
    }

    #[test]
    fn what_dynamodb_refuses_is_refused() {
        let before = json!({"a": {"N": "1"}, "t": {"S": "x"}});
        let values = json!({":v": {"N": "1"}, ":s": {"S": "y"}});
        for text in [
            "SET a = missing",
            "SET a = t + :v",
            "SET missing.deeper = :v",
            "SET a = :v, a = :v",
            "SET a = :v SET t = :v",
            "ADD a :s",
            "ADD t :v",
            "DELETE a :v",
            "SET a",
            "a = :v",
        ] {
            assert!(updated(&before, text, &values).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_append_and_grow() {
        let before = json!({"l": {"L": [{"S": "a"}]}});
        let values = json!({":l": {"L": [{"S": "b"}]}, ":empty": {"L": []}, ":c": {"S": "c"}});
        let after = updated(
            &before,
            "SET l = list_append(l, :l), k = list_append(if_not_exists(k, :empty), :l)",
            &values,
        );
        assert_eq!(after.unwrap(), json!({"l": {"L": [{"S": "a"}, {"S": "b"}]}, "k": {"L": [{"S": "b"}]}}));
        let after = updated(&before, "SET l[9] = :c", &values).unwrap();
        assert_eq!(after, json!({"l": {"L": [{"S": "a"}, {"S": "c"}]}}));
    }
}
