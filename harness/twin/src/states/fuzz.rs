//! Fuzz targets: definitions in the Amazon States Language, run as far as they go, and paths.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{
    execution::{End, Execution, Identity},
    history::Failure,
    interpreter::{Effect, Input, step},
    parse::parse,
    path::{Path, Scope},
    retry::DATA_LIMIT,
};
use crate::fuzz::fuzz;

const SEEDS: [&str; 5] = [
    r#"{"StartAt":"P","TimeoutSeconds":60,"States":{"P":{"Type":"Pass","Parameters":{"x.$":"$.a[0]","c":{"n.$":"$$.Execution.Name"}},"ResultPath":"$.r","Next":"C"},
        "C":{"Type":"Choice","Choices":[{"And":[{"Variable":"$.r.x","NumericGreaterThan":1},{"Not":{"Variable":"$.s","StringMatches":"a*\\*"}}],"Next":"W"},
        {"Variable":"$.t","TimestampLessThanEquals":"2026-01-01T00:00:00Z","Next":"P"}],"Default":"S"},
        "W":{"Type":"Wait","SecondsPath":"$.a[0]","Next":"S"},"S":{"Type":"Succeed","OutputPath":"$.r"}}}"#,
    r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f","Payload.$":"$"},
        "ResultSelector":{"p.$":"$.Payload"},"ResultPath":"$.out","TimeoutSeconds":5,"Retry":[{"ErrorEquals":["States.Timeout","X"],"IntervalSeconds":2,"BackoffRate":1.5,"MaxAttempts":2,"MaxDelaySeconds":9,"JitterStrategy":"FULL"}],
        "Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":"F"}],"End":true},"F":{"Type":"Fail","ErrorPath":"$.e.Error","Cause":"c"}}}"#,
    r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"deep.$":"$"},"Next":"A2"},"A2":{"Type":"Pass","Next":"A"}}}"#,
    r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Timestamp":"2026-11-23T10:00:00Z","InputPath":"$['a'][0:2]","End":true}}}"#,
    r#"{"StartAt":"Q","States":{"Q":{"Type":"Pass","Parameters":{"q.$":"$..a[?(@.b > 1 && !(@.c == 'x'))]"},"End":true}}}"#,
];
const TOKENS: [&str; 14] = [
    "$.",
    "$$.",
    "$..",
    "[?(@.a)]",
    "[0:2:0]",
    "[-1]",
    "\"End\":true,",
    "\"Next\":\"P\",",
    "\"Type\":\"Pass\"",
    "\"And\":[",
    "\"Not\":",
    "\"Result\":{},",
    "\"ItemsPath\":\"$\",",
    "length(",
];
/// Pieces of work that an execution of a fuzzed machine gets.
const STEPS_MAX: usize = 50;

fn input() -> Json {
    json!({"a": [3, {"b": 2, "c": "y"}, "x"], "s": "abc*", "t": "2025-01-01T00:00:00Z"})
}

/// Runs a definition if it is one: functions echo, fail or never answer in turn, time jumps.
fn run(definition: &str) -> Option<Execution> {
    let machine = parse(definition).ok()?;
    let text = |text: &str| text.to_owned();
    let identity = Identity {
        arn: text("arn:aws:states:us-east-1:1:execution:m:x"),
        name: text("x"),
        region: text("us-east-1"),
        machine_arn: text("arn:aws:states:us-east-1:1:stateMachine:m"),
        machine_name: text("m"),
        role: text("arn:aws:iam::1:role/r"),
    };
    let mut now = Timestamp::UNIX_EPOCH;
    let mut execution = Execution::new(&machine, identity, &input().to_string(), now, 7);
    let mut effect = step(&machine, &mut execution, now, Input::Start);
    for turn in 0..STEPS_MAX {
        let next = match effect {
            Effect::Done => break,
            Effect::WaitUntil(until) => {
                now = now.max(until);
                Input::Tick
            }
            Effect::Invoke { payload, until, .. } => match (turn % 3, until) {
                (0, Some(until)) => {
                    now = now.max(until);
                    Input::Tick
                }
                (1, _) => Input::Answer(Err(Failure::new("X", "c"))),
                _ => Input::Answer(Ok(payload)),
            },
        };
        effect = step(&machine, &mut execution, now, next);
    }
    Some(execution)
}

#[test]
fn the_seeds_are_definitions() {
    for seed in SEEDS {
        assert!(run(seed).is_some(), "{:?}", parse(seed).map(|_| ()));
    }
}

#[test]
fn any_text_is_a_definition_or_refused() {
    fuzz!(SEEDS, TOKENS, |input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        if run(&text).is_none() {
            assert!(!parse(&text).unwrap_err().all().is_empty(), "{text}");
        }
    });
}

#[test]
fn any_text_is_a_path_or_refused() {
    let seeds = [
        "$.a[1]['b']",
        "$$.Execution.Name",
        "$..a[?(@.b > 1 && !(@.c == 'x'))]",
        "$[?@.a[?@.b == 2] || @.c]",
        "$['a','s'][0:9:2]",
        "$.a[?length(@.c) == 1 && match(@.c, 'y')]",
        "$..*",
    ];
    for seed in seeds {
        Path::parse(seed).unwrap();
    }
    let (input_value, context) = (input(), json!({"Execution": {"Name": "x"}}));
    fuzz!(seeds, TOKENS, |input: &[u8]| {
        if let Ok(path) = Path::parse(&String::from_utf8_lossy(input)) {
            path.read(Scope { input: &input_value, context: &context });
        }
    });
}

#[test]
fn nesting_without_end_is_refused() {
    for open in ["[", "{\"States\":", "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"Result\":"] {
        assert!(run(&open.repeat(100_000)).is_none(), "{open}");
    }
    for open in ["$[?(", "(", "$[?@", "!(", "[?@.a", "length("] {
        for times in [100_000, 25] {
            let path = format!("$[?{}", open.repeat(times));
            let definition =
                json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "InputPath": path, "End": true}}});
            assert!(run(&definition.to_string()).is_none(), "{open}");
        }
    }
    let descents = format!("${}", "..*".repeat(300));
    assert!(Path::parse(&descents).is_err());
}

/// A loop may wrap its input each time around.
#[test]
fn data_does_not_nest_without_end() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Parameters": {"d.$": "$"}, "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}});
    let execution = run(&definition.to_string()).unwrap();
    let Some((_, End::Failed(failure))) = &execution.end else { panic!("{:?}", execution.end) };
    assert_eq!(failure.name(), DATA_LIMIT);
}
