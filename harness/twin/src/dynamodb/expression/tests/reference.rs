//! Conditions against a small evaluator that shares nothing with the real one.

use proptest::prelude::*;
use serde_json::json;

use super::{Item, Placeholders, parse_condition};

/// A value of the reference: none of another type ever compares.
#[derive(Debug, Clone, PartialEq)]
enum Plain {
    Number(i8),
    Text(String),
    Flag(bool),
}

#[derive(Debug, Clone)]
enum Check {
    Compare(usize, &'static str, Plain),
    CompareTwo(usize, &'static str, usize),
    Between(usize, Plain, Plain),
    In(usize, Vec<Plain>),
    Exists(usize, bool),
    Begins(usize, Plain),
    Contains(usize, Plain),
    Type(usize, &'static str),
    Size(usize, &'static str, i8),
    And(Box<Check>, Box<Check>),
    Or(Box<Check>, Box<Check>),
    Not(Box<Check>),
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const COMPARATORS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];

fn plain() -> impl Strategy<Value = Plain> {
    prop_oneof![
        (-3..4_i8).prop_map(Plain::Number),
        "[xy]{0,2}".prop_map(Plain::Text),
        any::<bool>().prop_map(Plain::Flag),
    ]
}

fn check() -> impl Strategy<Value = Check> {
    let name = || 0..NAMES.len();
    let comparator = || prop::sample::select(COMPARATORS.to_vec());
    let leaf = prop_oneof![
        (name(), comparator(), plain()).prop_map(|(n, c, v)| Check::Compare(n, c, v)),
        (name(), comparator(), name()).prop_map(|(n, c, m)| Check::CompareTwo(n, c, m)),
        (name(), plain(), plain()).prop_map(|(n, a, b)| Check::Between(n, a, b)),
        (name(), proptest::collection::vec(plain(), 1..4)).prop_map(|(n, v)| Check::In(n, v)),
        (name(), any::<bool>()).prop_map(|(n, yes)| Check::Exists(n, yes)),
        (name(), plain()).prop_map(|(n, v)| Check::Begins(n, v)),
        (name(), plain()).prop_map(|(n, v)| Check::Contains(n, v)),
        (name(), prop::sample::select(vec!["S", "N", "BOOL", "L"])).prop_map(|(n, t)| Check::Type(n, t)),
        (name(), comparator(), 0..3_i8).prop_map(|(n, c, v)| Check::Size(n, c, v)),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Check::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Check::Or(Box::new(a), Box::new(b))),
            inner.prop_map(|a| Check::Not(Box::new(a))),
        ]
    })
}

/// The text of a check; its values become placeholders.
fn text(check: &Check, values: &mut Vec<Plain>) -> String {
    let mut value = |v: &Plain| {
        values.push(v.clone());
        format!(":v{}", values.len() - 1)
    };
    match check {
        Check::Compare(n, c, v) => format!("{} {c} {}", NAMES[*n], value(v)),
        Check::CompareTwo(n, c, m) => format!("{} {c} {}", NAMES[*n], NAMES[*m]),
        Check::Between(n, a, b) => format!("{} BETWEEN {} AND {}", NAMES[*n], value(a), value(b)),
        Check::In(n, list) => {
            format!("{} IN ({})", NAMES[*n], list.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        Check::Exists(n, true) => format!("attribute_exists({})", NAMES[*n]),
        Check::Exists(n, false) => format!("attribute_not_exists({})", NAMES[*n]),
        Check::Begins(n, v) => format!("begins_with({}, {})", NAMES[*n], value(v)),
        Check::Contains(n, v) => format!("contains({}, {})", NAMES[*n], value(v)),
        Check::Type(n, kind) => {
            format!("attribute_type({}, {})", NAMES[*n], value(&Plain::Text((*kind).to_owned())))
        }
        Check::Size(n, c, v) => format!("size({}) {c} {}", NAMES[*n], value(&Plain::Number(*v))),
        Check::And(a, b) => format!("({}) AND ({})", text(a, values), text(b, values)),
        Check::Or(a, b) => format!("({}) OR ({})", text(a, values), text(b, values)),
        Check::Not(a) => format!("NOT ({})", text(a, values)),
    }
}

fn compare(left: Option<&Plain>, comparator: &str, right: Option<&Plain>) -> bool {
    let order = match (left, right) {
        (Some(Plain::Number(a)), Some(Plain::Number(b))) => Some(a.cmp(b)),
        (Some(Plain::Text(a)), Some(Plain::Text(b))) => Some(a.cmp(b)),
        _ => None,
    };
    let equal = left.is_some() && left == right;
    match comparator {
        "=" => equal,
        "<>" => !equal,
        "<" => order.is_some_and(std::cmp::Ordering::is_lt),
        "<=" => order.is_some_and(std::cmp::Ordering::is_le),
        ">" => order.is_some_and(std::cmp::Ordering::is_gt),
        _ => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

fn holds(check: &Check, item: &[Option<Plain>; 3]) -> bool {
    let of = |n: &usize| item[*n].as_ref();
    match check {
        Check::Compare(n, c, v) => compare(of(n), c, Some(v)),
        Check::CompareTwo(n, c, m) => compare(of(n), c, of(m)),
        Check::Between(n, a, b) => compare(of(n), ">=", Some(a)) && compare(of(n), "<=", Some(b)),
        Check::In(n, list) => list.iter().any(|v| of(n) == Some(v)),
        Check::Exists(n, yes) => of(n).is_some() == *yes,
        Check::Begins(n, v) => {
            matches!((of(n), v), (Some(Plain::Text(a)), Plain::Text(b)) if a.starts_with(b))
        }
        Check::Contains(n, v) => {
            matches!((of(n), v), (Some(Plain::Text(a)), Plain::Text(b)) if a.contains(b))
        }
        Check::Type(n, kind) => match of(n) {
            Some(Plain::Number(_)) => *kind == "N",
            Some(Plain::Text(_)) => *kind == "S",
            Some(Plain::Flag(_)) => *kind == "BOOL",
            None => false,
        },
        Check::Size(n, c, v) => {
            let size = match of(n) {
                Some(Plain::Text(text)) => i8::try_from(text.len()).ok().map(Plain::Number),
                _ => None,
            };
            compare(size.as_ref(), c, Some(&Plain::Number(*v)))
        }
        Check::And(a, b) => holds(a, item) && holds(b, item),
        Check::Or(a, b) => holds(a, item) || holds(b, item),
        Check::Not(a) => !holds(a, item),
    }
}

fn typed(value: &Plain) -> serde_json::Value {
    match value {
        Plain::Number(n) => json!({"N": n.to_string()}),
        Plain::Text(text) => json!({"S": text}),
        Plain::Flag(flag) => json!({"BOOL": flag}),
    }
}

proptest! {
    #[test]
    fn conditions_hold_as_in_the_reference(
        check in check(),
        item in [proptest::option::of(plain()), proptest::option::of(plain()), proptest::option::of(plain())],
    ) {
        let mut values = Vec::new();
        let text = text(&check, &mut values);
        let values: serde_json::Map<String, serde_json::Value> =
            values.iter().enumerate().map(|(n, v)| (format!(":v{n}"), typed(v))).collect();
        let values: Item = serde_json::from_value(values.into()).unwrap();
        let mut placeholders = Placeholders::new(None, Some(values));
        let condition = parse_condition(&text, &mut placeholders).unwrap();
        prop_assert!(placeholders.check_all_used().is_ok());
        let stored = NAMES.iter().zip(&item).filter_map(|(n, v)| Some(((*n).to_owned(), typed(v.as_ref()?))));
        let stored: Item = serde_json::from_value(serde_json::Value::Object(stored.collect())).unwrap();
        prop_assert_eq!(condition.holds(&stored), holds(&check, &item), "{}", text);
    }
}
