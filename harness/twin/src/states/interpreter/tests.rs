//! Whole executions on virtual time: functions answer at once, waits are skipped, and what happened is compared.

use serde_json::json;

use super::*;
use crate::states::{
    execution::{Identity, Status},
    history::EVENTS_MAX,
    parse::parse,
};

const FUNCTION: &str = "arn:aws:lambda:us-west-2:123456789012:function:";

/// An execution that has been run to its end.
struct Ran {
    execution: Execution,
    /// When which function was called with what: seconds after the start.
    calls: Vec<(i64, String, Json)>,
    seconds: i64,
}

impl Ran {
    fn output(&self) -> Json {
        match &self.execution.end {
            Some((_, End::Succeeded(output))) => serde_json::from_str(output).unwrap(),
            other => panic!("not a success: {other:?}"),
        }
    }

    fn failure(&self) -> &Failure {
        match &self.execution.end {
            Some((_, End::Failed(failure))) => failure,
            other => panic!("not a failure: {other:?}"),
        }
    }

    fn events(&self) -> Vec<String> {
        self.execution.history.events().iter().map(|event| event.what.name()).collect()
    }
}

fn execution(machine: &Machine, input: &Json) -> Execution {
    let identity = Identity {
        arn: "arn:aws:states:us-west-2:123456789012:execution:m:x".to_owned(),
        name: "x".to_owned(),
        region: "us-west-2".to_owned(),
        machine_arn: "arn:aws:states:us-west-2:123456789012:stateMachine:m".to_owned(),
        machine_name: "m".to_owned(),
        role: "arn:aws:iam::123456789012:role/r".to_owned(),
    };
    Execution::new(machine, identity, &input.to_string(), Timestamp::UNIX_EPOCH, 7)
}

/// Runs an execution. The function is told how often it was called, its name and its payload; it takes no time, or
/// for ever if it answers nothing.
fn run(
    definition: &Json,
    input: &Json,
    mut function: impl FnMut(usize, &str, &Json) -> Option<Result<Json, Failure>>,
) -> Ran {
    let machine = parse(&definition.to_string()).unwrap();
    let mut execution = execution(&machine, input);
    let (mut now, mut calls) = (Timestamp::UNIX_EPOCH, Vec::new());
    let mut effect = step(&machine, &mut execution, now, Input::Start);
    loop {
        let next = match effect {
            Effect::Done => return Ran { execution, calls, seconds: now.as_second() },
            Effect::WaitUntil(until) => {
                now = until;
                Input::Tick
            }
            Effect::Invoke { function: name, payload, until } => {
                let answer = function(calls.len(), &name, &payload);
                calls.push((now.as_second(), name, payload));
                now = if answer.is_none() { until.unwrap() } else { now };
                answer.map_or(Input::Tick, Input::Answer)
            }
        };
        effect = step(&machine, &mut execution, now, next);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is a function that `run` calls")]
fn echo(_: usize, _: &str, payload: &Json) -> Option<Result<Json, Failure>> {
    Some(Ok(payload.clone()))
}

#[expect(clippy::unnecessary_wraps, reason = "an answer as `run` takes it")]
fn fail(error: &str) -> Option<Result<Json, Failure>> {
    Some(Err(Failure::new(error, "because")))
}

/// The state machine of the archived solution.
fn shipped() -> Json {
    let task = |name: &str| {
        json!({
            "Type": "Task", "Resource": format!("{FUNCTION}{name}"), "End": true,
            "Retry": [{
                "ErrorEquals": [format!("{name}Exception"), "Lambda.Unknown", "Lambda.TooManyRequestsException",
                                "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"],
                "IntervalSeconds": 30, "BackoffRate": 3.0, "MaxAttempts": 10,
            }],
        })
    };
    let is = |kind: &str| json!({"Variable": "$.NewImage.eventType.S", "StringEquals": kind});
    let rule = |kind: &str, next: &str| {
        let mut rule = is(kind);
        rule["Next"] = json!(next);
        rule
    };
    json!({
        "Comment": "Replicates one event", "StartAt": "ChoiceEventType",
        "States": {
            "ChoiceEventType": {
                "Type": "Choice", "Default": "DefaultState",
                "Choices": [
                    rule("THING_EVENT", "ThingCrud"),
                    rule("SHADOW_EVENT", "ShadowSyncer"),
                    {"Or": [is("THING_TYPE_EVENT"), is("THING_TYPE_ASSOCIATION_EVENT")], "Next": "ThingTypeCrud"},
                    {"Or": [is("THING_GROUP_EVENT"), is("THING_GROUP_MEMBERSHIP_EVENT")], "Next": "ThingGroupCrud"},
                ],
            },
            "ThingCrud": task("ThingCrud"), "ShadowSyncer": task("ShadowSyncer"),
            "ThingTypeCrud": task("ThingTypeCrud"), "ThingGroupCrud": task("ThingGroupCrud"),
            "DefaultState": {"Type": "Fail", "Error": "DefaultStateError", "Cause": "No Matches!"},
        },
    })
}

fn event(kind: &str) -> Json {
    json!({"NewImage": {"eventType": {"S": kind}}})
}

#[test]
fn the_shipped_machine_takes_each_event_to_its_function() {
    for (kind, function) in [
        ("THING_EVENT", "ThingCrud"),
        ("SHADOW_EVENT", "ShadowSyncer"),
        ("THING_TYPE_EVENT", "ThingTypeCrud"),
        ("THING_TYPE_ASSOCIATION_EVENT", "ThingTypeCrud"),
        ("THING_GROUP_EVENT", "ThingGroupCrud"),
        ("THING_GROUP_MEMBERSHIP_EVENT", "ThingGroupCrud"),
    ] {
        let ran = run(&shipped(), &event(kind), echo);
        assert_eq!(ran.calls, [(0, format!("{FUNCTION}{function}"), event(kind))]);
        assert_eq!(ran.output(), event(kind));
        let expected = [
            "ExecutionStarted",
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded",
        ];
        assert_eq!(ran.events(), expected);
    }
    let ran = run(&shipped(), &event("THING_GROUP_HIERARCHY_EVENT"), echo);
    assert_eq!(*ran.failure(), Failure::new("DefaultStateError", "No Matches!"));
    assert_eq!(ran.events()[3..], ["FailStateEntered", "ExecutionFailed"]);
    let ran = run(&shipped(), &json!({}), echo);
    assert_eq!(ran.failure().name(), RUNTIME);
}

#[test]
fn the_shipped_machine_retries_for_ten_days() {
    let ran = run(&shipped(), &event("THING_EVENT"), |_, _, _| fail("ThingCrudException"));
    let at: Vec<_> = ran.calls.iter().map(|(at, ..)| *at).collect();
    let gaps: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [30, 90, 270, 810, 2_430, 7_290, 21_870, 65_610, 196_830, 590_490]);
    assert_eq!(ran.seconds, 885_720);
    assert_eq!(*ran.failure(), Failure::new("ThingCrudException", "because"));
    let third = |count, _: &str, payload: &Json| {
        if count < 2 { fail("Lambda.TooManyRequestsException") } else { Some(Ok(payload.clone())) }
    };
    let ran = run(&shipped(), &event("SHADOW_EVENT"), third);
    assert_eq!((ran.seconds, ran.execution.status()), (120, Status::Succeeded));
    let attempt = ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionFailed"];
    assert_eq!(ran.events()[4..10], [attempt, attempt].concat());
    let ran = run(&shipped(), &event("SHADOW_EVENT"), |_, _, _| fail("ThingCrudException"));
    assert_eq!(ran.calls.len(), 1, "another function's error is not retried");
}

/// One task state `T` with these fields, and a Pass state `P` for catchers.
fn task(fields: &Json) -> Json {
    let mut task = json!({"Type": "Task", "Resource": format!("{FUNCTION}f"), "End": true});
    for (name, value) in fields.as_object().unwrap() {
        task[name] = value.clone();
    }
    json!({"StartAt": "T", "States": {"T": task}})
}

fn caught(fields: &Json) -> Json {
    let mut machine = task(fields);
    machine["States"]["P"] = json!({"Type": "Pass", "End": true});
    machine
}

#[test]
fn a_catcher_takes_what_retriers_leave() {
    let fields = json!({
        "Retry": [{"ErrorEquals": ["Mine"], "MaxAttempts": 1}, {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0}],
        "Catch": [{"ErrorEquals": ["Other"], "Next": "P"},
                  {"ErrorEquals": ["States.ALL"], "Next": "P", "ResultPath": "$.error"}],
    });
    let ran = run(&caught(&fields), &json!({"a": 1}), |_, _, _| fail("Mine"));
    assert_eq!(ran.calls.len(), 2);
    assert_eq!(ran.output(), json!({"a": 1, "error": {"Error": "Mine", "Cause": "because"}}));
    assert_eq!(
        ran.events()[8..],
        ["TaskStateExited", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    );
    let ran = run(&caught(&fields), &json!({"a": 1}), |_, _, _| fail("Other"));
    assert_eq!(ran.output(), json!({"Error": "Other", "Cause": "because"}));
    let ran = run(&caught(&fields), &json!({}), |_, _, _| fail(RUNTIME));
    assert_eq!(ran.failure().name(), RUNTIME, "nothing handles it");
}

#[test]
fn attempts_are_counted_by_retrier_and_by_visit() {
    let fields = json!({"Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["B"], "MaxAttempts": 2}]});
    let errors = ["A", "B", "B", "A"];
    let ran = run(&task(&fields), &json!({}), |count, _, _| fail(errors[count]));
    assert_eq!((ran.calls.len(), ran.failure().name()), (4, "A"));
    let at: Vec<_> = ran.calls.iter().map(|(at, ..)| *at).collect();
    assert_eq!(at, [0, 1, 2, 4], "the second retrier begins with its own interval");
}

#[test]
fn a_task_times_out() {
    let fields =
        json!({"TimeoutSeconds": 5, "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}]});
    let ran = run(&task(&fields), &json!({}), |_, _, _| None);
    assert_eq!((ran.calls.len(), ran.seconds, ran.failure().name()), (2, 11, TIMEOUT));
    assert_eq!(ran.events()[4], "LambdaFunctionTimedOut");
    let failed = json!({"TimeoutSecondsPath": "$.t", "Retry": [{"ErrorEquals": ["States.TaskFailed"]}]});
    let ran = run(&task(&failed), &json!({"t": 7}), |_, _, _| None);
    assert_eq!((ran.calls.len(), ran.seconds), (1, 7), "States.TaskFailed is not for time-outs");
    let mut whole = task(&json!({"Retry": [{"ErrorEquals": ["Mine"], "IntervalSeconds": 60}]}));
    whole["TimeoutSeconds"] = json!(100);
    let ran = run(&whole, &json!({}), |_, _, _| fail("Mine"));
    assert_eq!((ran.calls.len(), ran.seconds, ran.execution.status()), (2, 100, Status::TimedOut));
    assert_eq!(ran.events().last().unwrap(), "ExecutionTimedOut");
}

#[test]
fn an_answer_after_the_time_out_is_none() {
    let machine = parse(&task(&json!({"TimeoutSeconds": 5})).to_string()).unwrap();
    let mut execution = execution(&machine, &json!({}));
    step(&machine, &mut execution, Timestamp::UNIX_EPOCH, Input::Start);
    let late = Timestamp::from_second(5).unwrap();
    assert_eq!(step(&machine, &mut execution, late, Input::Answer(Ok(json!(1)))), Effect::Done);
    assert_eq!(execution.status(), Status::Failed);
}

#[test]
fn data_goes_through_a_task_as_its_fields_say() {
    let input = json!({"a": {"b": 1}, "c": 2});
    for (fields, payload, output) in [
        (json!({}), input.clone(), json!({"r": 9})),
        (json!({"InputPath": "$.a"}), json!({"b": 1}), json!({"r": 9})),
        (json!({"InputPath": null, "ResultPath": null}), json!({}), input.clone()),
        (
            json!({"Parameters": {"x.$": "$.c", "n.$": "$$.State.Name"}, "OutputPath": "$.r"}),
            json!({"x": 2, "n": "T"}),
            json!(9),
        ),
        (
            json!({"InputPath": "$.a", "ResultPath": "$.a.r"}),
            json!({"b": 1}),
            json!({"a": {"b": 1, "r": {"r": 9}}, "c": 2}),
        ),
        (
            json!({"ResultSelector": {"s.$": "$.r"}, "ResultPath": "$.c"}),
            input.clone(),
            json!({"a": {"b": 1}, "c": {"s": 9}}),
        ),
        (json!({"OutputPath": null}), input.clone(), json!({})),
        (json!({"Parameters": {"all.$": "$..b"}}), json!({"all": [1]}), json!({"r": 9})),
    ] {
        let ran = run(&task(&fields), &input, |_, _, _| Some(Ok(json!({"r": 9}))));
        assert_eq!((&ran.calls[0].2, ran.output()), (&payload, output), "{fields}");
    }
    for (fields, error) in [
        (json!({"InputPath": "$.x"}), RUNTIME),
        (json!({"OutputPath": "$.x"}), RUNTIME),
        (json!({"Parameters": {"x.$": "$.x"}}), "States.ParameterPathFailure"),
        (json!({"ResultSelector": {"x.$": "$.x"}}), "States.ParameterPathFailure"),
        (json!({"ResultPath": "$.c.d"}), "States.ResultPathMatchFailure"),
    ] {
        let ran = run(&task(&fields), &input, |_, _, _| Some(Ok(json!({"r": 9}))));
        assert_eq!(ran.failure().name(), error, "{fields}");
    }
    let ran = run(&task(&json!({})), &input, |_, _, _| Some(Ok(json!("x".repeat(DATA_BYTES_MAX)))));
    assert_eq!(ran.failure().name(), "States.DataLimitExceeded");
    assert_eq!(ran.events()[4], "LambdaFunctionFailed");
}

#[test]
fn the_optimised_integration_wraps_the_answer() {
    let fields = json!({
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "f", "Payload": {"x.$": "$.a", "id.$": "$$.Execution.Name"}},
    });
    let ran = run(&task(&fields), &json!({"a": 1}), echo);
    assert_eq!(ran.calls, [(0, "f".to_owned(), json!({"x": 1, "id": "x"}))]);
    assert_eq!(
        (&ran.output()["Payload"], &ran.output()["StatusCode"]),
        (&json!({"x": 1, "id": "x"}), &json!(200))
    );
    assert_eq!(ran.events()[2..5], ["TaskScheduled", "TaskStarted", "TaskSucceeded"]);
}

#[test]
fn a_wait_ends_when_it_says() {
    for (fields, seconds) in [
        (json!({"Seconds": 12}), 12),
        (json!({"SecondsPath": "$.s"}), 34),
        (json!({"Timestamp": "1970-01-01T00:01:00Z"}), 60),
        (json!({"TimestampPath": "$.at"}), 120),
        (json!({"Timestamp": "1960-01-01T00:00:00Z"}), 0),
    ] {
        let mut machine = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Next": "S"}, "S": {"Type": "Succeed", "OutputPath": "$.s"}}});
        for (name, value) in fields.as_object().unwrap() {
            machine["States"]["W"][name] = value.clone();
        }
        let ran = run(&machine, &json!({"s": 34, "at": "1970-01-01T00:02:00Z"}), echo);
        assert_eq!((ran.seconds, ran.output()), (seconds, json!(34)), "{fields}");
        assert_eq!(ran.events()[1..3], ["WaitStateEntered", "WaitStateExited"]);
        assert_eq!(ran.events()[3..], ["SucceedStateEntered", "SucceedStateExited", "ExecutionSucceeded"]);
    }
    let wait = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$.s", "End": true}}});
    assert_eq!(run(&wait, &json!({"s": -1}), echo).failure().name(), RUNTIME);
}

#[test]
fn pass_and_fail_and_no_choice() {
    let pass = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"x": 1}, "ResultPath": "$.r", "Next": "Q"},
        "Q": {"Type": "Pass", "InputPath": "$.r", "Parameters": {"y.$": "$.x"}, "ResultPath": "$.q", "End": true}}});
    assert_eq!(run(&pass, &json!({}), echo).output(), json!({"r": {"x": 1}, "q": {"y": 1}}));
    let fail =
        json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"}}});
    assert_eq!(*run(&fail, &json!({"e": "E", "c": "C"}), echo).failure(), Failure::new("E", "C"));
    let choice = json!({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsNull": true, "Next": "S"}]}, "S": {"Type": "Succeed"}}});
    let ran = run(&choice, &json!({"x": 1}), echo);
    assert_eq!(ran.failure().name(), "States.NoChoiceMatched");
    assert!(ran.failure().cause.as_ref().unwrap().contains("'C' (entered at the event id #2)"));
}

#[test]
fn a_history_ends_at_its_limit() {
    let endless = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "P"}}});
    let ran = run(&endless, &json!({}), echo);
    assert_eq!(ran.events().len(), EVENTS_MAX);
    let cause = "The execution reached the maximum number of history events (25000).";
    assert_eq!(*ran.failure(), Failure::new(RUNTIME, cause));
}

#[test]
fn a_stopped_execution_stays_stopped() {
    let wait = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "End": true}}});
    let machine = parse(&wait.to_string()).unwrap();
    let mut execution = execution(&machine, &json!({}));
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(
        step(&machine, &mut execution, now, Input::Start),
        Effect::WaitUntil(Timestamp::from_second(5).unwrap())
    );
    assert_eq!(step(&machine, &mut execution, now, Input::Stop(Failure::new("E", "C"))), Effect::Done);
    assert_eq!(step(&machine, &mut execution, now, Input::Tick), Effect::Done);
    assert_eq!(execution.end, Some((now, End::Aborted(Failure::new("E", "C")))));
}

#[test]
fn payloads_of_a_history_are_bounded() {
    // Each visit makes another payload of nearly the largest size.
    let fields = json!({"Next": "T", "End": false, "ResultPath": "$.n"});
    let ran = run(&task(&fields), &json!({"pad": "x".repeat(200_000)}), |count, _, _| Some(Ok(json!(count))));
    assert_eq!(ran.failure().name(), RUNTIME);
    assert!(ran.calls.len() < 400, "{}", ran.calls.len());
}
