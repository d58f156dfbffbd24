//! Conditions, filters and projections against one item.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dynamodb::condition::project;

mod fuzz;
mod reference;

fn item() -> Item {
    serde_json::from_value(json!({
        "pk": {"S": "thing-1"}, "version": {"N": "10"}, "ttl": {"N": "5"}, "tags": {"SS": ["a", "b"]},
        "doc": {"M": {"seq": {"L": [{"S": "x"}, {"N": "2"}]}, "deep": {"M": {"ok": {"BOOL": true}}}}},
    }))
    .unwrap()
}

fn placeholders() -> Placeholders {
    let names = [("#t", "ttl"), ("#d", "doc")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let values = json!({":ten": {"N": "10.0"}, ":nine": {"N": "9"}, ":thing": {"S": "thing"}, ":a": {"S": "a"},
                        ":x": {"S": "x"}, ":two": {"N": "2"}, ":s": {"S": "S"}, ":true": {"BOOL": true}});
    Placeholders::new(Some(names.into()), Some(serde_json::from_value(values).unwrap()))
}

fn holds(text: &str) -> bool {
    parse_condition(text, &mut placeholders()).unwrap().holds(&item())
}

#[test]
fn conditions_that_hold() {
    for text in [
        "attribute_exists(pk)",
        "attribute_not_exists(nothing)",
        "attribute_not_exists(#d.nothing.deeper)",
        "attribute_type(pk, :s)",
        "version = :ten",
        "version <> :nine",
        "nothing <> :nine",
        "version > :nine AND version >= :ten",
        "NOT version < :nine",
        "version BETWEEN :nine AND :ten AND pk <> :a",
        "version IN (:nine, :ten)",
        "begins_with(pk, :thing)",
        "contains(pk, :thing) and contains(tags, :a)",
        "contains(#d.seq, :x)",
        "#d.seq[1] = :two",
        "#d.deep.ok = :true",
        "size(tags) = :two",
        "version = :nine OR version = :ten AND pk <> :a",
        "(version = :nine OR pk <> :a) AND NOT (version = :nine)",
        "#t < version",
    ] {
        assert!(holds(text), "{text}");
    }
}

#[test]
fn conditions_that_do_not_hold() {
    for text in [
        "attribute_exists(#d.seq[2])",
        "version = :thing",
        "version < :thing",
        "nothing = :nine",
        "nothing < :nine",
        "begins_with(version, :thing)",
        "size(version) = :two",
        "NOT (pk <> :a)",
    ] {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn expressions_that_are_refused() {
    for text in [
        "",
        "version",
        "version = ",
        "version = :missing",
        "#missing = :ten",
        "status = :ten",
        "version == :ten",
        "version = :ten :nine",
        "(version = :ten",
        "version IN :ten",
        "version BETWEEN :nine",
        "unknown_function(pk, :a)",
        "seq[a] = :ten",
    ] {
        assert!(parse_condition(text, &mut placeholders()).is_err(), "{text}");
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let text = format!("{}version = :ten{}", "(".repeat(1000), ")".repeat(1000));
    assert!(parse_condition(&text, &mut placeholders()).is_err());
}

#[test]
fn a_placeholder_that_no_expression_uses_is_refused() {
    let mut placeholders = Placeholders::new(None, Some(Item::from([(":v".into(), Value::Null(true))])));
    parse_condition("attribute_exists(pk)", &mut placeholders).unwrap();
    let error = placeholders.check_all_used().unwrap_err();
    assert!(error.message.contains("{:v}"), "{}", error.message);
}

#[test]
fn a_projection_keeps_the_paths_it_names() {
    let paths = parse_projection("pk, #d.seq[1], #d.deep.ok, nothing", &mut placeholders()).unwrap();
    assert_eq!(
        serde_json::to_value(project(&item(), &paths)).unwrap(),
        json!({"pk": {"S": "thing-1"}, "doc": {"M": {"seq": {"L": [{"N": "2"}]}, "deep": {"M": {"ok": {"BOOL": true}}}}}})
    );
}

fn condition_text() -> impl Strategy<Value = (String, bool)> {
    let leaf = prop_oneof![
        Just(("version = :ten".to_owned(), true)),
        Just(("version < :nine".to_owned(), false)),
        Just(("attribute_exists(pk)".to_owned(), true)),
        Just(("pk = :a".to_owned(), false)),
    ];
    leaf.prop_recursive(5, 32, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|((a, x), (b, y))| (format!("({a}) AND ({b})"), x && y)),
            (inner.clone(), inner.clone()).prop_map(|((a, x), (b, y))| (format!("({a}) OR ({b})"), x || y)),
            inner.prop_map(|(a, x)| (format!("NOT ({a})"), !x)),
        ]
    })
}

proptest! {
    /// A condition holds exactly if the Boolean expression that it was built from does.
    #[test]
    fn boolean_structure_is_kept((text, expected) in condition_text()) {
        prop_assert_eq!(holds(&text), expected);
    }

    /// No text makes the parser panic.
    #[test]
    fn any_text_parses_or_is_refused(text in "[a-z#:()\\[\\]., =<>+0-9A-Z-]{0,48}") {
        let _ = parse_condition(&text, &mut placeholders());
        let _ = parse_projection(&text, &mut placeholders());
    }
}
