//! Definitions that are refused, and where it is said why.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn found(definition: &Json) -> Vec<(&'static str, String)> {
    let Err(found) = parse(&definition.to_string()) else { return Vec::new() };
    found.all().iter().map(|d| (d.code, d.location.clone())).collect()
}

/// A definition of one state with these fields.
fn one(state: &Json) -> Json {
    json!({"StartAt": "A", "States": {"A": state}})
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let end = json!({"Type": "Pass", "End": true});
    let pass = |next: &str| json!({"Type": "Pass", "Next": next});
    let function = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let schema = "SCHEMA_VALIDATION_FAILED";
    for (definition, code, location) in [
        (json!([]), schema, "/"),
        (json!({"States": {"A": end}}), schema, "/"),
        (json!({"StartAt": "A"}), schema, "/"),
        (json!({"StartAt": "A", "States": {}}), schema, "/States"),
        (json!({"StartAt": "A", "States": []}), schema, "/States"),
        (json!({"StartAt": 1, "States": {}}), schema, "/StartAt"),
        (json!({"StartAt": "B", "States": {"A": end}}), TARGET, "/StartAt"),
        (json!({"StartAt": "A", "States": {"A": end}, "Start": 1}), schema, "/"),
        (json!({"StartAt": "A", "States": {"A": end}, "QueryLanguage": "JSONata"}), schema, "/QueryLanguage"),
        (json!({"StartAt": "A", "States": {"A": pass("B")}}), TARGET, "/States/A/Next"),
        (json!({"StartAt": "A", "States": {"A": end, "B": end}}), TARGET, "/States/B"),
        (json!({"StartAt": "A", "States": {"A": end, "B": pass("B")}}), TARGET, "/States/B"),
        (one(&json!({})), schema, "/States/A"),
        (one(&json!({"Type": "Parallel", "Branches": [], "End": true})), schema, "/States/A/Type"),
        (one(&json!({"Type": "Map", "End": true})), schema, "/States/A/Type"),
        (one(&json!({"Type": "Job"})), schema, "/States/A/Type"),
        (one(&json!({"Type": 1})), schema, "/States/A/Type"),
        (one(&json!({"Type": "Task", "Resource": 1, "End": true})), schema, "/States/A/Resource"),
        (
            one(
                &json!({"Type": "Task", "Resource": function, "End": true, "Catch": [{"ErrorEquals": ["a"], "Next": 5}]}),
            ),
            schema,
            "/States/A/Catch[0]/Next",
        ),
        (
            one(&json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": 5}]})),
            schema,
            "/States/A/Choices[0]/Next",
        ),
        (one(&json!({"Type": "Pass"})), schema, "/States/A"),
        (one(&json!({"Type": "Pass", "Next": "A", "End": true})), schema, "/States/A"),
        (one(&json!({"Type": "Pass", "End": true, "Output": 1})), schema, "/States/A/Output"),
        (one(&json!({"Type": "Pass", "End": true, "ResultPath": "$..a"})), schema, "/States/A/ResultPath"),
        (one(&json!({"Type": "Pass", "End": true, "InputPath": "a"})), schema, "/States/A/InputPath"),
        (one(&json!({"Type": "Task", "End": true})), schema, "/States/A"),
        (one(&json!({"Type": "Task", "Resource": "f", "End": true})), schema, "/States/A/Resource"),
        (
            one(&json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true})),
            schema,
            "/States/A/Resource",
        ),
        (
            one(&json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true})),
            schema,
            "/States/A/Parameters",
        ),
        (
            one(&json!({"Type": "Task", "Resource": function, "End": true, "TimeoutSeconds": 0})),
            schema,
            "/States/A/TimeoutSeconds",
        ),
        (
            one(
                &json!({"Type": "Task", "Resource": function, "End": true, "Catch": [{"ErrorEquals": ["a"], "Next": "B"}]}),
            ),
            TARGET,
            "/States/A/Catch[0]/Next",
        ),
        (
            one(&json!({"Type": "Task", "Resource": function, "End": true,
                     "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["a"]}]})),
            schema,
            "/States/A/Retry[0]",
        ),
        (one(&json!({"Type": "Wait", "End": true})), schema, "/States/A"),
        (one(&json!({"Type": "Wait", "Seconds": 1, "SecondsPath": "$.a", "End": true})), schema, "/States/A"),
        (one(&json!({"Type": "Wait", "Timestamp": "now", "End": true})), schema, "/States/A/Timestamp"),
        (one(&json!({"Type": "Choice", "Choices": []})), schema, "/States/A/Choices"),
        (
            one(&json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true}]})),
            schema,
            "/States/A/Choices[0]",
        ),
        (
            one(
                &json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "A"}], "Default": "B"}),
            ),
            TARGET,
            "/States/A/Default",
        ),
        (one(&json!({"Type": "Succeed", "End": true})), schema, "/States/A"),
        (one(&json!({"Type": "Fail", "Error": 1})), schema, "/States/A/Error"),
    ] {
        let found = found(&definition);
        assert_eq!(found.first(), Some(&(code, location.to_owned())), "{definition}");
    }
}

#[test]
fn the_message_is_aws_s() {
    let unreachable = json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "B": {"Type": "Succeed"}}});
    assert_eq!(
        parse(&unreachable.to_string()).unwrap_err().message(),
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B'"
    );
    assert_eq!(
        parse("{}").unwrap_err().message(),
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'"
    );
    assert!(parse("{").unwrap_err().message().contains("INVALID_JSON_DESCRIPTION"));
    let map = parse(&one(&json!({"Type": "Map"})).to_string()).unwrap_err();
    assert!(map.message().contains("The twin does not have Map states"));
}

proptest! {
    /// No text in any place makes the parser panic.
    #[test]
    fn any_text_is_a_definition_or_an_error(name in "[A-Za-z]{0,14}", text in "\\PC{0,24}", kind in 0..6_usize) {
        let kind = ["Task", "Pass", "Choice", "Wait", "Succeed", "Fail"][kind];
        let mut state = json!({"Type": kind, "End": true, "Resource": text, "Next": text, "Timestamp": text,
                               "InputPath": text, "ResultPath": text, "Parameters": {"a.$": text},
                               "Choices": [{"Variable": text, "StringMatches": text, "Next": text}]});
        state[name] = json!(text);
        let _ = parse(&one(&state).to_string());
        let _ = parse(&text);
    }
}
