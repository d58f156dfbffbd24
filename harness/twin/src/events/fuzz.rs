//! Fuzz targets: event patterns, input transformers and schedule expressions.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{
    Expression,
    input::{Input, Occasion, TransformerSpec},
    pattern::Pattern,
};
use crate::fuzz::fuzz;

const PATTERNS: [&str; 4] = [
    r#"{"source":["mine",{"prefix":"m"}],"detail":{"n":[{"numeric":[">",1,"<=",5]}],"ip":[{"cidr":"10.0.0.0/8"}],"x":[{"exists":false}]}}"#,
    r#"{"$or":[{"source":[{"anything-but":["a","b"]}]},{"detail":{"s":[{"anything-but":{"wildcard":"a*b\\*"}}]}}]}"#,
    r#"{"detail":{"list":["b"],"s":[{"suffix":{"equals-ignore-case":"C"}},{"equals-ignore-case":"AbC"}],"z":[null,true,3.0]}}"#,
    r#"{"detail":{"ip":[{"cidr":"2001:db8::/32"}],"a":{"b":{"c":[{"wildcard":"*x*y*"}]}}}}"#,
];
const PATTERN_TOKENS: [&str; 10] = [
    "{\"exists\":true}",
    "\"$or\":[",
    "{\"numeric\":[\"=\",1e308]}",
    "/33",
    "/0",
    "::/128",
    "{\"wildcard\":\"**\"}",
    "\"anything-but\":",
    "{\"prefix\":\"\"}",
    "}],",
];

fn event() -> Json {
    json!({"source": "mine", "detail": {"n": 3, "ip": "10.1.2.3", "s": "abC", "list": ["a", "b", {"k": 1}], "z": null}})
}

#[test]
fn any_text_is_a_pattern_or_refused() {
    for seed in PATTERNS {
        Pattern::parse(seed).unwrap();
    }
    let (event, known) = (event(), json!({"source": "mine"}));
    fuzz!(PATTERNS, PATTERN_TOKENS, |input: &[u8]| {
        let Ok(pattern) = Pattern::parse(&String::from_utf8_lossy(input)) else { return };
        let matches = pattern.matches(&event);
        assert!(!matches || pattern.could_match(&event) && pattern.could_match(&known));
        pattern.matches(&Json::Null);
    });
}

#[test]
fn any_text_is_a_schedule_or_refused() {
    let seeds = [
        "rate(5 minutes)",
        "cron(0/5 8-17 ? * MON-FRI *)",
        "cron(0 0 L 2 ? 2024/4)",
        "cron(15 10 ? * 6#3 2026-2030)",
        "at(2026-11-23T10:00:00)",
        "cron(0 0 ? * 5L *)",
    ];
    for seed in seeds {
        Expression::parse(seed).unwrap();
    }
    let (after, start) = (Timestamp::from_second(1_800_000_000).unwrap(), Timestamp::UNIX_EPOCH);
    fuzz!(
        seeds,
        ["*", "?", "L", "W", "#", "-", "/", ",", "2199", "SUN", "1 day", "days", "minute"],
        |input: &[u8]| {
            if let Some(expression) = Expression::parse(&String::from_utf8_lossy(input)) {
                for after in [after, start, Timestamp::MAX, Timestamp::MIN] {
                    assert!(expression.next(after, start).is_none_or(|next| next > after), "{expression:?}");
                }
            }
        }
    );
}

#[test]
fn any_template_gives_json() {
    let seeds = [
        r#"{"n": <n>, "who": "<s> <aws.events.rule-name>"}"#,
        r#""<l> has \"<n>\"""#,
        "<aws.events.event.json>",
        r#"{"a":[<l>,<none>]}"#,
    ];
    let event = event();
    fuzz!(seeds, ["<", ">", "<n>", "\"", "\\", "<aws.events.event>"], |input: &[u8]| {
        let spec = json!({"InputTemplate": String::from_utf8_lossy(input),
            "InputPathsMap": {"n": "$.detail.n", "s": "$.detail.s", "l": "$.detail.list", "none": "$.none"}});
        let spec: TransformerSpec = serde_json::from_value(spec).unwrap();
        let Ok(input) = Input::new(None, None, Some(&spec)) else { return };
        let occasion = Occasion { rule: "r", rule_arn: "arn:r", ingested: Timestamp::UNIX_EPOCH };
        let Some(given) = input.of(&event, occasion) else { return };
        serde_json::from_str::<Json>(&given).unwrap_or_else(|e| panic!("{e}: {given}"));
    });
}

#[test]
fn patterns_without_end_are_refused() {
    for open in ["{\"a\":", "{\"$or\":[", "{\"a\":[{\"anything-but\":"] {
        assert!(Pattern::parse(&open.repeat(100_000)).is_err());
        assert!(Pattern::parse(&open.repeat(60)).is_err());
    }
}
