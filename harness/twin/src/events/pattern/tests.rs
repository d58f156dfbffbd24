//! What AWS documents of each operator, and what holds of all patterns.

use proptest::{collection, prelude::*};
use serde_json::json;

use super::*;

fn matches(pattern: &Json, event: &Json) -> bool {
    Pattern::parse(&pattern.to_string()).unwrap_or_else(|e| panic!("{pattern}: {e}")).matches(event)
}

#[test]
fn a_list_is_of_alternatives_and_fields_all_count() {
    let event = json!({"source": "aws.iot", "detail": {"eventName": "AttachPolicy", "n": 3, "gone": null}});
    for (pattern, expected) in [
        (json!({"source": ["aws.iot"]}), true),
        (json!({"source": ["aws.s3", "aws.iot"]}), true),
        (json!({"source": ["aws.s3"]}), false),
        (json!({"source": ["aws.iot"], "detail": {"eventName": ["AttachPolicy"]}}), true),
        (json!({"source": ["aws.iot"], "detail": {"eventName": ["DetachPolicy"]}}), false),
        (json!({"detail": {"n": [3]}}), true),
        (json!({"detail": {"n": [3.0]}}), false),
        (json!({"detail": {"n": ["3"]}}), false),
        (json!({"detail": {"gone": [null]}}), true),
        (json!({"detail": {"other": [null]}}), false),
        (json!({"region": ["us-east-1"]}), false),
        (json!({"source": {"deeper": ["aws.iot"]}}), false),
        (json!({"detail": ["AttachPolicy"]}), false),
    ] {
        assert_eq!(matches(&pattern, &event), expected, "{pattern}");
    }
}

#[test]
fn operators_are_those_that_aws_documents() {
    for (operator, value, expected) in [
        (json!({"prefix": "us-"}), json!("us-east-1"), true),
        (json!({"prefix": "us-"}), json!("eu-us-1"), false),
        (json!({"prefix": {"equals-ignore-case": "US-"}}), json!("us-east-1"), true),
        (json!({"suffix": ".png"}), json!("a.png"), true),
        (json!({"suffix": ".png"}), json!("a.png.gz"), false),
        (json!({"suffix": {"equals-ignore-case": ".PNG"}}), json!("a.pnG"), true),
        (json!({"equals-ignore-case": "alice"}), json!("ALICE"), true),
        (json!({"equals-ignore-case": "alice"}), json!("ALICE1"), false),
        (json!({"anything-but": "a"}), json!("b"), true),
        (json!({"anything-but": "a"}), json!("a"), false),
        (json!({"anything-but": ["a", 1]}), json!(1), false),
        (json!({"anything-but": ["a", 1]}), json!(2), true),
        (json!({"anything-but": {"prefix": "a"}}), json!("ab"), false),
        (json!({"anything-but": {"suffix": ["b", "c"]}}), json!("ab"), false),
        (json!({"anything-but": {"equals-ignore-case": "AB"}}), json!("ab"), false),
        (json!({"anything-but": {"wildcard": "*/lib/*"}}), json!("/usr/lib/x"), false),
        (json!({"anything-but": {"wildcard": "*/lib/*"}}), json!("/usr/bin/x"), true),
        (json!({"numeric": [">", 0, "<=", 5]}), json!(5), true),
        (json!({"numeric": [">", 0, "<=", 5]}), json!(5.5), false),
        (json!({"numeric": ["=", 3]}), json!(3.0), true),
        (json!({"numeric": ["<", 3]}), json!("2"), false),
        (json!({"exists": true}), json!(null), true),
        (json!({"exists": true}), json!({"a": 1}), false),
        (json!({"exists": false}), json!("a"), false),
        (json!({"cidr": "10.0.0.0/24"}), json!("10.0.0.255"), true),
        (json!({"cidr": "10.0.0.0/24"}), json!("10.0.1.0"), false),
        (json!({"cidr": "0.0.0.0/0"}), json!("10.0.1.0"), true),
        (json!({"cidr": "2001:db8::/32"}), json!("2001:db8::1"), true),
        (json!({"cidr": "10.0.0.0/24"}), json!("here"), false),
        (json!({"wildcard": "a*c"}), json!("abc"), true),
        (json!({"wildcard": "a*a"}), json!("a"), false),
        (json!({"wildcard": "*b*b*"}), json!("abab"), true),
        (json!({"wildcard": "*b*b*"}), json!("aba"), false),
        (json!({"wildcard": "a\\*"}), json!("a*"), true),
        (json!({"wildcard": "a\\*"}), json!("ab"), false),
    ] {
        let pattern = json!({"field": [operator]});
        assert_eq!(matches(&pattern, &json!({"field": value})), expected, "{pattern} of {value}");
    }
}

#[test]
fn absence_is_seen_at_any_depth() {
    let pattern = json!({"detail": {"errorCode": [{"exists": false}]}});
    for (event, expected) in [
        (json!({"detail": {"errorCode": "x"}}), false),
        (json!({"detail": {}}), true),
        (json!({"detail": {"errorCode": []}}), true),
        (json!({}), true),
    ] {
        assert_eq!(matches(&pattern, &event), expected, "{event}");
    }
    assert!(!matches(&json!({"a": [{"anything-but": "x"}]}), &json!({})));
}

#[test]
fn lists_in_events_match_by_one_of_theirs() {
    let event = json!({"resources": ["r1", "r2"], "people": [{"n": "a", "age": 1}, {"n": "b", "age": 2}]});
    assert!(matches(&json!({"resources": ["r2", "r3"]}), &event));
    assert!(!matches(&json!({"resources": ["r3"]}), &event));
    assert!(matches(&json!({"people": {"n": ["b"], "age": [2]}}), &event));
    assert!(!matches(&json!({"people": {"n": ["b"], "age": [1]}}), &event), "of one and the same");
}

#[test]
fn either_branch_is_enough() {
    let pattern = json!({"source": ["s"], "$or": [{"a": [1]}, {"b": {"c": [{"prefix": "x"}]}}]});
    assert!(matches(&pattern, &json!({"source": "s", "a": 1})));
    assert!(matches(&pattern, &json!({"source": "s", "b": {"c": "xy"}})));
    assert!(!matches(&pattern, &json!({"source": "s", "a": 2, "b": {"c": "y"}})));
    assert!(!matches(&pattern, &json!({"source": "t", "a": 1})));
}

#[test]
fn what_is_no_pattern_is_refused() {
    for text in [
        "",
        "[]",
        "\"a\"",
        "{}",
        r#"{"a":"b"}"#,
        r#"{"a":[]}"#,
        r#"{"a":{}}"#,
        r#"{"a":[["b"]]}"#,
        r#"{"a":[{"like":"b"}]}"#,
        r#"{"a":[{"prefix":1}]}"#,
        r#"{"a":[{"prefix":"b","suffix":"c"}]}"#,
        r#"{"a":[{"exists":"yes"}]}"#,
        r#"{"a":[{"numeric":["<"]}]}"#,
        r#"{"a":[{"numeric":["<","1"]}]}"#,
        r#"{"a":[{"numeric":["=",1,"<",2]}]}"#,
        r#"{"a":[{"cidr":"10.0.0.0"}]}"#,
        r#"{"a":[{"cidr":"10.0.0.0/33"}]}"#,
        r#"{"a":[{"wildcard":"a**b"}]}"#,
        r#"{"a":[{"wildcard":"a\\b"}]}"#,
        r#"{"a":[{"anything-but":[]}]}"#,
        r#"{"a":[{"anything-but":true}]}"#,
        r#"{"$or":[{"a":[1]}]}"#,
    ] {
        assert!(Pattern::parse(text).is_err(), "{text}");
    }
    let wide = r#"{"$or":[{"a":[1]},{"b":[1]}]"#.to_owned();
    let ten = (0..10)
        .fold(format!("{wide}}}"), |inner, _| format!(r#"{{"$or":[{{"a":[1]}},{{"b":[1]}}],"c":{inner}}}"#));
    assert!(Pattern::parse(&ten).unwrap_err().contains("combinations"));
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(40), "}".repeat(40));
    assert!(Pattern::parse(&deep).is_err());
}

#[test]
fn what_is_known_rules_events_out() {
    let known = json!({"source": "aws.iot", "detail": {"eventName": "AttachPolicy"}});
    for (pattern, expected) in [
        (json!({"source": ["aws.iot"]}), true),
        (json!({"source": ["aws.s3"]}), false),
        (json!({"detail": {"eventName": ["DetachPolicy"]}}), false),
        (json!({"detail": {"errorCode": [{"exists": false}]}}), true),
        (json!({"detail": {"errorCode": ["x"]}}), true),
        (json!({"$or": [{"source": ["x"]}, {"region": ["y"]}]}), true),
        (json!({"$or": [{"source": ["x"]}, {"source": ["y"]}]}), false),
    ] {
        let pattern = Pattern::parse(&pattern.to_string()).unwrap();
        assert_eq!(pattern.could_match(&known), expected, "{pattern:?}");
    }
}

/// Events: objects of scalars, lists and objects.
fn event() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        "[a-c*\\\\]{0,4}".prop_map(Json::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            collection::btree_map("[a-d]", inner.clone(), 1..4)
                .prop_map(|m| Json::Object(m.into_iter().collect())),
            collection::vec(inner.prop_filter("lists of scalars", |v| !v.is_array() && !v.is_object()), 1..3)
                .prop_map(Json::from),
        ]
    });
    collection::btree_map("[a-d]", value, 1..4).prop_map(|m| Json::Object(m.into_iter().collect()))
}

/// The pattern that says every field of an event as it is.
fn pattern_of(event: &Json) -> Json {
    match event {
        Json::Object(object) => object.iter().map(|(k, v)| (k.clone(), pattern_of(v))).collect(),
        Json::Array(list) => json!(list),
        leaf => json!([leaf]),
    }
}

proptest! {
    #[test]
    fn a_pattern_made_from_an_event_matches_it(event in event()) {
        prop_assert!(matches(&pattern_of(&event), &event));
    }

    #[test]
    fn more_fields_never_break_a_match(event in event(), more in event()) {
        let pattern = pattern_of(&event);
        let mut larger = more.as_object().unwrap().clone();
        larger.extend(event.as_object().unwrap().clone());
        prop_assert!(matches(&pattern, &Json::Object(larger)));
    }

    #[test]
    fn what_matches_could_have_matched(pattern_event in event(), event in event(), keep in "[a-d]{0,4}") {
        let pattern = Pattern::parse(&pattern_of(&pattern_event).to_string()).unwrap();
        let known: Json = event.as_object().unwrap().iter().filter(|(k, _)| keep.contains(k.as_str()))
            .map(|(k, v)| (k.clone(), v.clone())).collect();
        prop_assert!(!pattern.matches(&event) || pattern.could_match(&known));
        prop_assert!(pattern.could_match(&Json::Object(Map::new())));
    }

    #[test]
    fn anything_but_is_the_contrary_of_a_value_that_is_there(value in "[a-b]{0,2}", other in "[a-b]{0,2}") {
        let event = json!({"f": value});
        let is = matches(&json!({"f": [other]}), &event);
        prop_assert_ne!(is, matches(&json!({"f": [{"anything-but": other}]}), &event));
    }

    #[test]
    fn a_wildcard_made_by_cutting_a_text_fits_it(start in "[a-c]{0,3}", gap in "[a-c]{0,3}", end in "[a-c]{0,3}") {
        let pattern = json!({"f": [{"wildcard": format!("{start}*{end}")}]});
        let event = json!({"f": format!("{start}{gap}{end}")});
        prop_assert!(matches(&pattern, &event));
    }
}

#[test]
fn combinations_beyond_all_counting_are_refused() {
    let two = json!({"$or": [{"x": [1]}, {"y": [1]}]});
    let many: Map<String, Json> = (0..70).map(|n| (format!("f{n}"), two.clone())).collect();
    for pattern in [json!(many), json!({"$or": [many, many]})] {
        let why = Pattern::parse(&pattern.to_string()).unwrap_err();
        assert!(why.contains("combinations"), "{why}");
    }
}
