//! A table of every operator, what joins them, and what is refused.

use serde_json::json;

use super::*;

fn parse(rule: &Json) -> (Option<Rule>, Diagnostics) {
    let mut found = Diagnostics::default();
    let rule = Rule::parse_inner(rule, "", &mut found);
    (rule, found)
}

fn holds(rule: &Json, input: &Json) -> Result<bool, String> {
    let (parsed, found) = parse(rule);
    assert!(found.is_empty(), "{rule}: {found:?}");
    parsed.unwrap().holds(Scope { input, context: &json!({}) })
}

fn input() -> Json {
    json!({
        "s": "beta", "t": "alpha", "n": 5, "f": 5.5, "yes": true, "no": false, "null": null, "list": [1],
        "at": "2026-01-02T03:04:05Z", "later": "2026-01-02T03:04:05+00:01", "earlier": "2026-01-02T05:04:04+02:00",
    })
}

#[test]
fn every_operator_compares() {
    for (variable, operator, value, expected) in [
        ("s", "StringEquals", json!("beta"), true),
        ("s", "StringEquals", json!("Beta"), false),
        ("n", "StringEquals", json!("5"), false),
        ("s", "StringEqualsPath", json!("$.s"), true),
        ("s", "StringLessThan", json!("gamma"), true),
        ("s", "StringLessThanPath", json!("$.t"), false),
        ("s", "StringGreaterThan", json!("alpha"), true),
        ("s", "StringGreaterThanPath", json!("$.s"), false),
        ("s", "StringLessThanEquals", json!("beta"), true),
        ("s", "StringLessThanEqualsPath", json!("$.t"), false),
        ("s", "StringGreaterThanEquals", json!("beta"), true),
        ("s", "StringGreaterThanEqualsPath", json!("$.t"), true),
        ("s", "StringMatches", json!("b*a"), true),
        ("s", "StringMatches", json!("b*b"), false),
        ("n", "NumericEquals", json!(5), true),
        ("n", "NumericEquals", json!(5.0), true),
        ("s", "NumericEquals", json!(5), false),
        ("n", "NumericEqualsPath", json!("$.f"), false),
        ("n", "NumericLessThan", json!(5.5), true),
        ("n", "NumericLessThanPath", json!("$.f"), true),
        ("f", "NumericGreaterThan", json!(5), true),
        ("f", "NumericGreaterThanPath", json!("$.n"), true),
        ("n", "NumericLessThanEquals", json!(5), true),
        ("n", "NumericLessThanEqualsPath", json!("$.s"), false),
        ("n", "NumericGreaterThanEquals", json!(6), false),
        ("n", "NumericGreaterThanEqualsPath", json!("$.n"), true),
        ("yes", "BooleanEquals", json!(true), true),
        ("no", "BooleanEquals", json!(true), false),
        ("s", "BooleanEquals", json!(true), false),
        ("yes", "BooleanEqualsPath", json!("$.no"), false),
        ("at", "TimestampEquals", json!("2026-01-02T05:04:05+02:00"), true),
        ("at", "TimestampEqualsPath", json!("$.later"), false),
        ("at", "TimestampLessThan", json!("2026-01-02T03:04:06Z"), true),
        ("at", "TimestampLessThanPath", json!("$.later"), false),
        ("at", "TimestampGreaterThan", json!("2026-01-02T03:04:05Z"), false),
        ("at", "TimestampGreaterThanPath", json!("$.earlier"), true),
        ("at", "TimestampLessThanEquals", json!("2026-01-02T03:04:05.000Z"), true),
        ("at", "TimestampLessThanEqualsPath", json!("$.s"), false),
        ("at", "TimestampGreaterThanEquals", json!("2026-01-02T03:04:05Z"), true),
        ("at", "TimestampGreaterThanEqualsPath", json!("$.later"), true),
        ("null", "IsNull", json!(true), true),
        ("s", "IsNull", json!(false), true),
        ("s", "IsPresent", json!(true), true),
        ("absent", "IsPresent", json!(true), false),
        ("absent", "IsPresent", json!(false), true),
        ("null", "IsPresent", json!(true), true),
        ("n", "IsNumeric", json!(true), true),
        ("s", "IsNumeric", json!(true), false),
        ("s", "IsString", json!(true), true),
        ("list", "IsString", json!(true), false),
        ("yes", "IsBoolean", json!(true), true),
        ("n", "IsBoolean", json!(true), false),
        ("at", "IsTimestamp", json!(true), true),
        ("s", "IsTimestamp", json!(true), false),
    ] {
        let rule = json!({"Variable": format!("$.{variable}"), operator: value});
        assert_eq!(holds(&rule, &input()), Ok(expected), "{rule}");
    }
}

#[test]
fn rules_join() {
    let yes = json!({"Variable": "$.n", "NumericEquals": 5});
    let no = json!({"Variable": "$.n", "NumericEquals": 6});
    let nowhere = json!({"Variable": "$.absent", "NumericEquals": 6});
    for (rule, expected) in [
        (json!({"And": [yes, yes]}), Ok(true)),
        (json!({"And": [yes, no]}), Ok(false)),
        (json!({"And": [no, nowhere]}), Ok(false)),
        (json!({"Or": [no, yes]}), Ok(true)),
        (json!({"Or": [yes, nowhere]}), Ok(true)),
        (json!({"Or": [no, no]}), Ok(false)),
        (json!({"Not": no}), Ok(true)),
        (json!({"And": [{"Not": {"Or": [no, no]}}, yes]}), Ok(true)),
        (nowhere.clone(), Err("$.absent".to_owned())),
        (json!({"Variable": "$.n", "NumericEqualsPath": "$.no.where"}), Err("$.no.where".to_owned())),
        (json!({"Variable": "$.absent", "IsNull": true}), Err("$.absent".to_owned())),
    ] {
        assert_eq!(holds(&rule, &input()), expected, "{rule}");
    }
}

#[test]
fn stars_match_anything() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("a*", "a", true),
        ("a*a", "a", false),
        ("*.log", "x.log", true),
        ("a*b*c", "a1b2c", true),
        ("a*b*c", "acb", false),
        ("a\\*b", "a*b", true),
        ("a\\*b", "axb", false),
        ("\\\\*", "\\x", true),
    ] {
        assert_eq!(wildcard(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn what_is_no_rule_is_refused() {
    for rule in [
        json!([]),
        json!({}),
        json!({"Variable": "$.n"}),
        json!({"NumericEquals": 5}),
        json!({"Variable": "n", "NumericEquals": 5}),
        json!({"Variable": "$.n", "NumericEquals": "5"}),
        json!({"Variable": "$.n", "NumericEqualsPath": 5}),
        json!({"Variable": "$.n", "NumericSame": 5}),
        json!({"Variable": "$.n", "BooleanLessThan": true}),
        json!({"Variable": "$.n", "TimestampEquals": "today"}),
        json!({"Variable": "$.n", "IsNull": 1}),
        json!({"Variable": "$.n", "NumericEquals": 5, "IsNull": true}),
        json!({"And": []}),
        json!({"Not": [{}]}),
        json!({"Or": [{"Variable": "$.n", "IsNull": true, "Next": "x"}]}),
    ] {
        assert!(!parse(&rule).1.is_empty(), "{rule}");
    }
}
