//! Texts made of the language's own pieces, which get much further into parser and evaluator than any characters do.

use proptest::prelude::*;
use serde_json::json;

use super::{Placeholders, item, parse_condition, parse_projection, project};
use crate::dynamodb::update::parse_update;

const PIECES: [&str; 48] = [
    "SET",
    "REMOVE",
    "ADD",
    "DELETE",
    "AND",
    "OR",
    "NOT",
    "BETWEEN",
    "IN",
    "size",
    "contains",
    "begins_with",
    "attribute_exists",
    "attribute_not_exists",
    "attribute_type",
    "if_not_exists",
    "list_append",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "+",
    "-",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "[0]",
    "[9]",
    "[99999999999999999999]",
    "pk",
    "version",
    "tags",
    "#d",
    "#d.seq",
    "#d.seq[1]",
    "#t",
    "nothing",
    ":n",
    ":s",
    ":set",
    ":list",
    ":map",
    "status",
];

fn placeholders() -> Placeholders {
    let names = [("#t", "ttl"), ("#d", "doc")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let values = json!({":n": {"N": "9e125"}, ":s": {"S": "S"}, ":set": {"SS": ["a"]}, ":list": {"L": [{"N": "1"}]},
                        ":map": {"M": {"seq": {"NULL": true}}}});
    Placeholders::new(Some(names.into()), Some(serde_json::from_value(values).unwrap()))
}

/// A whole update, so that some of them parse and are applied.
fn update_text() -> impl Strategy<Value = String> {
    let path = || {
        prop::sample::select(vec![
            "version",
            "tags",
            "#d.seq",
            "#d.seq[0]",
            "#d.new",
            "nothing",
            "#t",
            "list[3]",
        ])
    };
    let term = prop::sample::select(vec![
        ":n",
        ":list",
        "version + :n",
        "version - nothing",
        "if_not_exists(nothing, :n)",
        "list_append(#d.seq, :list)",
        "list_append(if_not_exists(nothing, :list), #d.seq)",
        "#d.deep.ok",
        ":map",
    ]);
    (path(), term, path(), prop::sample::select(vec![":n", ":set", ":s"]), path())
        .prop_map(|(a, term, b, value, c)| format!("SET {a} = {term} ADD {b} {value} REMOVE {c}"))
}

proptest! {
    /// No sequence of pieces makes the parsers or what they parse panic.
    #[test]
    fn any_pieces_are_refused_or_work(pieces in proptest::collection::vec(prop::sample::select(PIECES.to_vec()), 0..14)) {
        let text = pieces.join(" ");
        if let Ok(condition) = parse_condition(&text, &mut placeholders()) {
            condition.holds(&item());
            condition.attributes();
        }
        if let Ok(paths) = parse_projection(&text, &mut placeholders()) {
            project(&item(), &paths);
        }
        if let Ok(update) = parse_update(&text, &mut placeholders()) {
            let _ = update.apply(&item());
        }
    }

    /// An update that is applied leaves what it does not name as it was.
    #[test]
    fn an_update_leaves_the_rest_alone(text in update_text()) {
        let Ok(update) = parse_update(&text, &mut placeholders()) else { return Ok(()) };
        let before = item();
        if let Ok(after) = update.apply(&before) {
            let touched: Vec<&str> = update.attributes().collect();
            for name in before.keys().chain(after.keys()).filter(|n| !touched.contains(&n.as_str())) {
                prop_assert_eq!(before.get(name), after.get(name), "{}", text);
            }
        }
    }
}
