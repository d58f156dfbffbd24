//! Fuzz target: bodies and queries of the control API.

use serde_json::json;

use super::{fault, setting, truth};
use crate::fuzz::fuzz;

const FAULTS: [&str; 8] = [
    r#"{"fault":"region-dark","region":"us-east-1","for_ms":60000}"#,
    r#"{"fault":"connections","region":"us-east-1","port":"mqtt","how":{"slow":{"delay_ms":200,"bytes_per_s":10000}},"share":0.5}"#,
    r#"{"fault":"api","region":"us-east-1","service":"dynamodb","operation":"Put*","when":"after","how":{"error":{"status":500,"code":"InternalServerError","message":"why"}}}"#,
    r#"{"fault":"stream-poison","region":"us-east-1","table":"t*","how":"null"}"#,
    r#"{"fault":"function-kill","region":"us-east-1","function":"f?","after_ms":5,"share":1}"#,
    r#"{"fault":"broker-grey","region":"us-east-1","topic":"dt/+/#","subscribers":false}"#,
    r#"{"fault":"dns","name":"*.example.com","how":{"delay-ms":500}}"#,
    r#"{"fault":"health-checks-stuck","check":null}"#,
];
const FAULT_TOKENS: [&str; 9] = [
    "\"connections-drop\"",
    "\"share\":",
    "\"how\":",
    "\"throttle\"",
    "{\"delay-ms\":",
    "\"region\":",
    "\"fault\":",
    "\"black-hole\"",
    "\"for_ms\":0,",
];

#[test]
fn any_body_is_a_fault_or_refused_in_words() {
    for seed in FAULTS {
        fault::parse(seed.as_bytes()).unwrap();
    }
    fuzz!(FAULTS, FAULT_TOKENS, |body: &[u8]| match fault::parse(body) {
        Ok((fault, lasts)) => {
            // What is listed can be sent back.
            let mut told = serde_json::to_value(&fault).unwrap();
            if let Some(lasts) = lasts {
                told["for_ms"] = json!(u64::try_from(lasts.as_millis()).unwrap());
            }
            assert_eq!(fault::parse(told.to_string().as_bytes()), Ok((fault, lasts)));
        }
        Err(why) => check(&why),
    });
}

#[test]
fn any_body_is_a_setting_or_refused_in_words() {
    let quotas = [
        r#"{"region":"us-west-2","code":"L-64CBACAC","value":200}"#,
        r#"{"region":"us-west-2","code":"CreateThing API TPS","value":0.5}"#,
    ];
    for seed in quotas {
        setting(seed.as_bytes()).unwrap();
    }
    fuzz!(quotas, ["\"value\":", "-", "1e400", "L-"], |body: &[u8]| match setting(body) {
        Ok(setting) => assert!(setting.value >= 0.0 && setting.value.is_finite()),
        Err(why) => assert!(!why.contains(" at line "), "{why}"),
    });
    let switches = [r#"{"on":true}"#, r#"{"on":false}"#];
    fuzz!(switches, ["\"on\":", "1"], |body: &[u8]| {
        if let Err(why) = truth::wanted(body) {
            check(&why);
        }
    });
}

/// A refusal names the field or the body, and has no parser's words in it.
fn check(why: &str) {
    assert!(why.starts_with("the body is ") || why.contains(": "), "{why}");
    for word in ["expected", "invalid type", "unknown variant", "missing field", " at line "] {
        assert!(!why.split("; not ").next().unwrap_or_default().contains(word), "{why}");
    }
}
