//! What holds for all statements: they agree with a tiny evaluator, and nothing panics.

use proptest::prelude::*;
use serde_json::json;

use super::{VERSION, eval, message};
use crate::sql::{Query, Template};

/// A whole number, a truth or undefined, and the tiny evaluator that the real one is held against.
#[derive(Debug, Clone)]
enum Tree {
    Number(i64),
    Truth(bool),
    Undefined,
    Binary(Box<Tree>, &'static str, Box<Tree>),
    Not(Box<Tree>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Plain {
    Number(i128),
    Truth(bool),
}

impl Tree {
    fn sql(&self) -> String {
        match self {
            Self::Number(n) => n.to_string(),
            Self::Truth(b) => b.to_string(),
            Self::Undefined => "missing".to_owned(),
            Self::Binary(a, op, b) => format!("({} {op} {})", a.sql(), b.sql()),
            Self::Not(a) => format!("(NOT {})", a.sql()),
        }
    }

    fn plain(&self) -> Option<Plain> {
        use Plain::{Number, Truth};
        match self {
            Self::Number(n) => Some(Number(i128::from(*n))),
            Self::Truth(b) => Some(Truth(*b)),
            Self::Undefined => None,
            Self::Not(a) => match a.plain()? {
                Truth(b) => Some(Truth(!b)),
                Number(_) => None,
            },
            Self::Binary(a, op, b) => match (a.plain()?, *op, b.plain()?) {
                (a, "=", b) => Some(Truth(a == b)),
                (a, "<>", b) => Some(Truth(a != b)),
                (Truth(a), "AND", Truth(b)) => Some(Truth(a && b)),
                (Truth(a), "OR", Truth(b)) => Some(Truth(a || b)),
                (Number(a), "<", Number(b)) => Some(Truth(a < b)),
                (Number(a), ">=", Number(b)) => Some(Truth(a >= b)),
                (Number(a), "+", Number(b)) => Some(Number(a + b)),
                (Number(a), "-", Number(b)) => Some(Number(a - b)),
                (Number(a), "*", Number(b)) => Some(Number(a * b)),
                (Number(a), "/", Number(b)) => a.checked_div(b).map(Number),
                (Number(a), "%", Number(b)) => a.checked_rem(b).map(Number),
                _ => None,
            },
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => (-20_i64..20).prop_map(Tree::Number),
        2 => any::<bool>().prop_map(Tree::Truth),
        1 => Just(Tree::Undefined),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let op = prop::sample::select(vec!["=", "<>", "AND", "OR", "<", ">=", "+", "-", "*", "/", "%"]);
        prop_oneof![
            5 => (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| Tree::Binary(Box::new(a), op, Box::new(b))),
            1 => inner.prop_map(|a| Tree::Not(Box::new(a))),
        ]
    })
}

/// Calls of any function on anything.
fn call() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "a.b",
        "missing",
        "1",
        "-7",
        "2.5",
        "9e300",
        "'text'",
        "'-3'",
        "''",
        "null",
        "true",
        "[1, 'x']",
        "{'k': a}",
        "*",
        "'base64'",
        "'('",
        "'$1'",
        "'yyyy-MM'",
    ])
    .prop_map(str::to_owned);
    let names: Vec<&'static str> = [
        "abs",
        "ceil",
        "floor",
        "round",
        "trunc",
        "sign",
        "mod",
        "power",
        "sqrt",
        "exp",
        "ln",
        "bitand",
        "bitnot",
        "lower",
        "length",
        "lpad",
        "chr",
        "indexof",
        "startswith",
        "replace",
        "regexp_matches",
        "regexp_replace",
        "regexp_substr",
        "md5",
        "sha256",
        "get",
        "concat",
        "transform",
        "topic",
        "nanvl",
        "encode",
        "decode",
        "parse_time",
        "time_to_epoch",
        "get_thing_shadow",
        "isnull",
        "isundefined",
        "atan2",
        "numbytes",
        "remainder",
        "get",
        "get",
    ]
    .into();
    leaf.prop_recursive(3, 16, 3, move |inner| {
        (prop::sample::select(names.clone()), prop::collection::vec(inner, 0..4))
            .prop_map(|(name, arguments)| format!("{name}({})", arguments.join(", ")))
    })
}

proptest! {
    /// For all trees of arithmetic and logic, the result is that of the tiny evaluator.
    #[test]
    fn arithmetic_and_logic_agree_with_a_reference(tree in tree()) {
        let expected = tree.plain().map(|plain| match plain {
            Plain::Number(n) => json!(i64::try_from(n).unwrap()),
            Plain::Truth(b) => json!(b),
        });
        prop_assert_eq!(eval(&tree.sql(), &json!({})), expected, "{}", tree.sql());
    }

    /// For all calls and payloads, evaluation ends in a value or in undefined, and the same statement is accepted again.
    #[test]
    fn no_call_panics(call in call(), payload in "\\{\"a\":([0-9]{1,5}|\"[a-z$]{0,4}\"|\\[1,2\\]|\\{\"b\":1e9\\})\\}|[a-z]{0,3}") {
        let Ok(query) = Query::parse(&format!("SELECT {call} AS x FROM 't' WHERE NOT isNull({call})"), VERSION) else {
            // Only the parser's own grammar of some functions refuses a number of arguments, and `*` inside others.
            prop_assert!(["ceil(", "floor(", "*"].iter().any(|special| call.contains(special)), "{}", call);
            return Ok(());
        };
        query.run(&message("t", payload.as_bytes()));
    }

    /// For all texts, parsing accepts or refuses; it does not panic.
    #[test]
    fn no_text_panics(text in "(SELECT|FROM|WHERE|VALUE|CASE|'|\"|[a-z]|[(){}\\[\\],.*+/<=-]|[0-9]| |\\PC){0,60}") {
        let _ = Query::parse(&text, VERSION);
        let _ = Template::parse(&text, VERSION);
    }
}
