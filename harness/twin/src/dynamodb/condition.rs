//! Whether an item meets a condition, and what a projection leaves of it.

use std::collections::BTreeSet;

use super::{
    expression::{Comparator, Condition, Operand, Path, Step},
    item::{Item, Value},
    number::Number,
};

impl Condition {
    /// Whether the item meets the condition. An item that does not exist is an empty one.
    pub(crate) fn holds(&self, item: &Item) -> bool {
        match self {
            Self::Compare(left, comparator, right) => compare(left.of(item), *comparator, right.of(item)),
            Self::Between(value, low, high) => {
                compare(value.of(item), Comparator::GreaterOrEqual, low.of(item))
                    && compare(value.of(item), Comparator::LessOrEqual, high.of(item))
            }
            Self::In(value, options) => {
                options.iter().any(|o| compare(value.of(item), Comparator::Equal, o.of(item)))
            }
            Self::Exists(path) => lookup(item, path).is_some(),
            Self::NotExists(path) => lookup(item, path).is_none(),
            Self::Type(path, name) => match (lookup(item, path), name.of(item)) {
                (Some(value), Some(Value::S(name))) => value.type_name() == name,
                _ => false,
            },
            Self::BeginsWith(whole, part) => match (whole.of(item), part.of(item)) {
                (Some(Value::S(w)), Some(Value::S(p))) => w.starts_with(&p),
                (Some(Value::B(w)), Some(Value::B(p))) => w.0.starts_with(&p.0),
                _ => false,
            },
            Self::Contains(whole, part) => match (whole.of(item), part.of(item)) {
                (Some(whole), Some(part)) => contains(&whole, &part),
                _ => false,
            },
            Self::And(a, b) => a.holds(item) && b.holds(item),
            Self::Or(a, b) => a.holds(item) || b.holds(item),
            Self::Not(inner) => !inner.holds(item),
        }
    }
}

impl Condition {
    /// Names of the top-level attributes that the condition looks at.
    pub(crate) fn attributes(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.collect(&mut names);
        names
    }

    fn collect<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        let mut add = |path: &'a Path| {
            if let Some(Step::Name(name)) = path.first() {
                names.insert(name);
            }
        };
        let mut add_operand = |operand: &'a Operand| match operand {
            Operand::Path(path) | Operand::Size(path) => add(path),
            Operand::Value(_) => {}
        };
        match self {
            Self::Compare(a, _, b) | Self::BeginsWith(a, b) | Self::Contains(a, b) => {
                add_operand(a);
                add_operand(b);
            }
            Self::Between(a, b, c) => [a, b, c].into_iter().for_each(add_operand),
            Self::In(value, options) => std::iter::once(value).chain(options).for_each(add_operand),
            Self::Exists(path) | Self::NotExists(path) | Self::Type(path, _) => add(path),
            Self::And(a, b) | Self::Or(a, b) => {
                a.collect(names);
                b.collect(names);
            }
            Self::Not(inner) => inner.collect(names),
        }
    }
}

impl Operand {
    fn of(&self, item: &Item) -> Option<Value> {
        match self {
            Self::Value(value) => Some(value.clone()),
            Self::Path(path) => lookup(item, path).cloned(),
            Self::Size(path) => lookup(item, path).and_then(size).map(Value::N),
        }
    }
}

/// The value at a path.
pub(crate) fn lookup<'a>(item: &'a Item, path: &Path) -> Option<&'a Value> {
    let (Step::Name(first), rest) = path.split_first()? else { return None };
    rest.iter().try_fold(item.get(first)?, |value, step| match (value, step) {
        (Value::M(map), Step::Name(name)) => map.get(name),
        (Value::L(list), Step::Index(index)) => list.get(*index),
        _ => None,
    })
}

/// What the paths leave of an item. Elements taken out of a list close up, as DynamoDB has it.
pub(crate) fn project(item: &Item, paths: &[Path]) -> Item {
    let mut kept = Item::new();
    for path in paths {
        let (Some(value), Some(Step::Name(first))) = (lookup(item, path), path.first()) else { continue };
        insert(&mut kept, first, &path[1..], value.clone());
    }
    kept
}

fn insert(map: &mut Item, name: &str, rest: &[Step], value: Value) {
    let Some((step, deeper)) = rest.split_first() else {
        map.insert(name.to_owned(), value);
        return;
    };
    match step {
        Step::Name(next) => {
            let inner = map.entry(name.to_owned()).or_insert_with(|| Value::M(Item::new()));
            if let Value::M(inner) = inner {
                insert(inner, next, deeper, value);
            }
        }
        Step::Index(_) => {
            let inner = map.entry(name.to_owned()).or_insert_with(|| Value::L(Vec::new()));
            if let Value::L(inner) = inner {
                inner.push(nested(deeper, value));
            }
        }
    }
}

/// The value wrapped in maps and lists as the steps say.
fn nested(steps: &[Step], value: Value) -> Value {
    steps.iter().rev().fold(value, |value, step| match step {
        Step::Name(name) => Value::M(Item::from([(name.clone(), value)])),
        Step::Index(_) => Value::L(vec![value]),
    })
}

fn compare(left: Option<Value>, comparator: Comparator, right: Option<Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        // What is not there differs from everything, and is neither more nor less.
        return comparator == Comparator::NotEqual;
    };
    let order = match (&left, &right) {
        (Value::S(a), Value::S(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::N(a), Value::N(b)) => Some(a.cmp(b)),
        (Value::B(a), Value::B(b)) => Some(a.cmp(b)),
        _ => None,
    };
    match comparator {
        Comparator::Equal => left == right,
        Comparator::NotEqual => left != right,
        Comparator::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Comparator::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
        Comparator::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        Comparator::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::S(w), Value::S(p)) => w.contains(p.as_str()),
        (Value::B(w), Value::B(p)) => p.0.is_empty() || w.0.windows(p.0.len()).any(|window| window == p.0),
        (Value::Strings(w), Value::S(p)) => w.contains(p),
        (Value::Numbers(w), Value::N(p)) => w.contains(p),
        (Value::Binaries(w), Value::B(p)) => w.contains(p),
        (Value::L(w), p) => w.contains(p),
        _ => false,
    }
}

/// The `size` function: characters, bytes or elements.
fn size(value: &Value) -> Option<Number> {
    let count = match value {
        Value::S(s) => s.chars().count(),
        Value::B(b) => b.0.len(),
        Value::M(m) => m.len(),
        Value::L(l) => l.len(),
        Value::Strings(s) => s.len(),
        Value::Numbers(s) => s.len(),
        Value::Binaries(s) => s.len(),
        Value::N(_) | Value::Bool(_) | Value::Null(_) => return None,
    };
    Some(Number::from_count(count))
}
