//! Calls as clients make them, in a twin that runs: events end in executions of a state machine, which keep their input.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    Twin, TwinConfig, api,
    call::{Call, Reply},
};

const REGION: &str = "us-west-2";
const ROLE: &str = "arn:aws:iam::123456789012:role/events";
const MACHINE: &str = "arn:aws:states:us-west-2:123456789012:stateMachine:m";

async fn twin() -> Twin {
    let delay = Duration::from_millis(20);
    Twin::start(TwinConfig { api_event_delay: delay, ..TwinConfig::default() }).await.unwrap()
}

async fn rpc(twin: &Twin, service: &str, target: &'static str, request: &Json) -> (u16, Json) {
    let call = Call::json_rpc(REGION, service, target, request);
    let Reply { status, body, .. } = api::dispatch(twin.world(), &call).await;
    (status, serde_json::from_slice(&body).unwrap())
}

async fn ok(twin: &Twin, service: &str, target: &'static str, request: Json) -> Json {
    let (status, body) = rpc(twin, service, target, &request).await;
    assert_eq!(status, 200, "{target}: {body}");
    body
}

async fn iot(twin: &Twin, method: Method, path: &str, body: &Json) -> u16 {
    let mut call = Call::json_rpc(REGION, "iot", "x", body);
    (call.method, call.raw_path) = (method, path.to_owned());
    api::dispatch(twin.world(), &call).await.status
}

/// A machine that ends at once.
async fn machine(twin: &Twin) {
    let definition = json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}).to_string();
    let request = json!({"name": "m", "definition": definition, "roleArn": ROLE});
    ok(twin, "states", "AWSStepFunctions.CreateStateMachine", request).await;
}

async fn rule(twin: &Twin, name: &str, pattern: &Json, target: Json) {
    let request = json!({"Name": name, "EventPattern": pattern.to_string()});
    ok(twin, "events", "AWSEvents.PutRule", request).await;
    let mut whole = json!({"Id": "1", "Arn": MACHINE, "RoleArn": ROLE});
    whole.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
    ok(twin, "events", "AWSEvents.PutTargets", json!({"Rule": name, "Targets": [whole]})).await;
}

/// The inputs of all executions, once there are so many.
async fn inputs(twin: &Twin, count: usize) -> Vec<Json> {
    for _ in 0..500 {
        let list = json!({"stateMachineArn": MACHINE});
        let list = ok(twin, "states", "AWSStepFunctions.ListExecutions", list).await;
        let executions = list["executions"].as_array().unwrap();
        if executions.len() >= count {
            let mut inputs = Vec::new();
            for execution in executions {
                let one = json!({"executionArn": execution["executionArn"]});
                let one = ok(twin, "states", "AWSStepFunctions.DescribeExecution", one).await;
                inputs.push(serde_json::from_str(one["input"].as_str().unwrap()).unwrap());
            }
            return inputs;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there are fewer than {count} executions");
}

#[tokio::test]
async fn a_changed_policy_is_told_as_cloudtrail_tells_it() {
    let twin = twin().await;
    machine(&twin).await;
    let pattern = json!({
        "source": ["aws.iot"], "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventSource": ["iot.amazonaws.com"], "eventName": [{"prefix": "CreatePolicy"}, "DeletePolicy"]},
    });
    rule(&twin, "r", &pattern, json!({})).await;
    let document = json!({"policyDocument": r#"{"Statement":[]}"#});
    assert_eq!(iot(&twin, Method::POST, "/things/t", &json!({})).await, 200);
    assert_eq!(iot(&twin, Method::POST, "/policies/p", &document).await, 200);
    assert_eq!(iot(&twin, Method::GET, "/policies/p", &json!({})).await, 200);
    assert_eq!(iot(&twin, Method::DELETE, "/policies/none", &json!({})).await, 404);
    let mut told = inputs(&twin, 2).await;
    told.sort_by_key(|event| event["detail"]["eventName"].to_string());
    let (created, failed) = (&told[0], &told[1]);
    assert_eq!(told.len(), 2);
    assert_eq!((&created["region"], &created["account"]), (&json!(REGION), &json!("123456789012")));
    let detail = &created["detail"];
    let parameters = json!({"policyName": "p", "policyDocument": r#"{"Statement":[]}"#});
    assert_eq!(detail["requestParameters"], parameters);
    assert_eq!(detail["responseElements"]["policyVersionId"], "1");
    assert_eq!((&detail["eventName"], &detail["awsRegion"]), (&json!("CreatePolicy"), &json!(REGION)));
    assert_eq!(failed["detail"]["errorCode"], "ResourceNotFoundException");
    assert_eq!(failed["detail"]["responseElements"], Json::Null);
    twin.stop().await;
}

#[tokio::test]
async fn a_clients_event_comes_as_the_target_wants_it() {
    let twin = twin().await;
    machine(&twin).await;
    let transformer = json!({"InputTransformer": {
        "InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": r#"{"n": <n>, "rule": <aws.events.rule-name>}"#,
    }});
    rule(&twin, "r", &json!({"source": ["mine"]}), transformer).await;
    let entry = |source: &str, detail: &str| json!({"Source": source, "DetailType": "t", "Detail": detail});
    let entries = json!([
        entry("mine", r#"{"n":1}"#),
        entry("aws.iot", "{}"),
        entry("mine", "no"),
        entry("other", "{}")
    ]);
    let put = ok(&twin, "events", "AWSEvents.PutEvents", json!({"Entries": entries})).await;
    assert_eq!(put["FailedEntryCount"], 2);
    assert_eq!(put["Entries"][1]["ErrorCode"], "NotAuthorizedForSourceException");
    assert_eq!(put["Entries"][2]["ErrorCode"], "MalformedDetail");
    assert_eq!(inputs(&twin, 1).await, [json!({"n": 1, "rule": "r"})]);
    twin.stop().await;
}

#[tokio::test]
async fn rules_are_described_listed_tagged_and_removed() {
    let twin = twin().await;
    let request = json!({
        "Name": "s", "ScheduleExpression": "rate(5 minutes)", "State": "DISABLED", "Tags": [{"Key": "k", "Value": "v"}],
    });
    let arn = ok(&twin, "events", "AWSEvents.PutRule", request).await["RuleArn"].clone();
    assert_eq!(arn, "arn:aws:events:us-west-2:123456789012:rule/s");
    rule(&twin, "p", &json!({"source": ["x"]}), json!({})).await;
    let described = ok(&twin, "events", "AWSEvents.DescribeRule", json!({"Name": "s"})).await;
    assert_eq!((&described["State"], &described["EventPattern"]), (&json!("DISABLED"), &Json::Null));
    ok(&twin, "events", "AWSEvents.EnableRule", json!({"Name": "s"})).await;
    let first = ok(&twin, "events", "AWSEvents.ListRules", json!({"Limit": 1})).await;
    assert_eq!(first["Rules"][0]["Name"], "p");
    let rest = ok(&twin, "events", "AWSEvents.ListRules", json!({"NextToken": first["NextToken"]})).await;
    assert_eq!((&rest["Rules"][0]["State"], &rest["NextToken"]), (&json!("ENABLED"), &Json::Null));
    ok(
        &twin,
        "events",
        "AWSEvents.TagResource",
        json!({"ResourceARN": arn, "Tags": [{"Key": "l", "Value": "w"}]}),
    )
    .await;
    ok(&twin, "events", "AWSEvents.UntagResource", json!({"ResourceARN": arn, "TagKeys": ["k"]})).await;
    let tags = ok(&twin, "events", "AWSEvents.ListTagsForResource", json!({"ResourceARN": arn})).await;
    assert_eq!(tags["Tags"], json!([{"Key": "l", "Value": "w"}]));
    let by_target =
        ok(&twin, "events", "AWSEvents.ListRuleNamesByTarget", json!({"TargetArn": MACHINE})).await;
    assert_eq!(by_target["RuleNames"], json!(["p"]));
    let targets = ok(&twin, "events", "AWSEvents.ListTargetsByRule", json!({"Rule": "p"})).await;
    assert_eq!(targets["Targets"], json!([{"Id": "1", "Arn": MACHINE, "RoleArn": ROLE}]));
    let (status, full) = rpc(&twin, "events", "AWSEvents.DeleteRule", &json!({"Name": "p"})).await;
    assert_eq!((status, &full["__type"]), (400, &json!("ValidationException")));
    ok(&twin, "events", "AWSEvents.RemoveTargets", json!({"Rule": "p", "Ids": ["1"]})).await;
    ok(&twin, "events", "AWSEvents.DeleteRule", json!({"Name": "p"})).await;
    let buses = ok(&twin, "events", "AWSEvents.ListEventBuses", json!({})).await;
    assert_eq!(buses["EventBuses"][0]["Name"], "default");
    twin.stop().await;
}

#[tokio::test]
async fn what_eventbridge_refuses_is_refused() {
    let twin = twin().await;
    rule(&twin, "r", &json!({"source": ["x"]}), json!({})).await;
    let target = |member: &str, value: Json| {
        let mut target = json!({"Id": "1", "Arn": MACHINE, "RoleArn": ROLE});
        target[member] = value;
        json!({"Rule": "r", "Targets": [target]})
    };
    for (operation, request, code) in [
        ("AWSEvents.PutRule", json!({"Name": "x"}), "ValidationException"),
        (
            "AWSEvents.PutRule",
            json!({"Name": "a b", "ScheduleExpression": "rate(1 day)"}),
            "ValidationException",
        ),
        (
            "AWSEvents.PutRule",
            json!({"Name": "x", "ScheduleExpression": "rate(1 days)"}),
            "ValidationException",
        ),
        (
            "AWSEvents.PutRule",
            json!({"Name": "x", "ScheduleExpression": "at(2030-01-01T00:00:00)"}),
            "ValidationException",
        ),
        ("AWSEvents.PutRule", json!({"Name": "x", "EventPattern": "{}"}), "InvalidEventPatternException"),
        (
            "AWSEvents.PutRule",
            json!({"Name": "x", "EventBusName": "b", "ScheduleExpression": "rate(1 day)"}),
            "ResourceNotFoundException",
        ),
        ("AWSEvents.DescribeRule", json!({"Name": "none"}), "ResourceNotFoundException"),
        ("AWSEvents.PutTargets", json!({"Rule": "none", "Targets": []}), "ResourceNotFoundException"),
        ("AWSEvents.PutTargets", json!({"Rule": "r", "Targets": []}), "ValidationException"),
        ("AWSEvents.PutTargets", target("RoleArn", Json::Null), "ValidationException"),
        ("AWSEvents.PutTargets", target("Arn", json!("m")), "ValidationException"),
        (
            "AWSEvents.PutTargets",
            target("Arn", json!("arn:aws:sns:us-west-2:123456789012:t")),
            "ValidationException",
        ),
        ("AWSEvents.PutTargets", target("DeadLetterConfig", json!({"Arn": "q"})), "ValidationException"),
        ("AWSEvents.PutTargets", target("Input", json!("{")), "ValidationException"),
        (
            "AWSEvents.PutTargets",
            target("RetryPolicy", json!({"MaximumRetryAttempts": 186})),
            "ValidationException",
        ),
        ("AWSEvents.CreateEventBus", json!({"Name": "b"}), "UnknownOperationException"),
        ("AWSEvents.PutEvents", json!({"Entries": []}), "ValidationException"),
    ] {
        let (status, body) = rpc(&twin, "events", operation, &request).await;
        assert_eq!((status, body["__type"].as_str()), (400, Some(code)), "{operation} {request}: {body}");
    }
    let event = json!({
        "id": "1", "account": "1", "source": "x", "time": "t", "region": "r", "resources": [], "detail-type": "d",
    });
    let test = |event: &Json| json!({"EventPattern": r#"{"source":["x"]}"#, "Event": event.to_string()});
    let tested = ok(&twin, "events", "AWSEvents.TestEventPattern", test(&event)).await;
    assert_eq!(tested["Result"], true);
    assert_eq!(rpc(&twin, "events", "AWSEvents.TestEventPattern", &test(&json!({}))).await.0, 400);
    twin.stop().await;
}

#[tokio::test]
async fn in_a_dark_region_events_wait() {
    let twin = twin().await;
    machine(&twin).await;
    rule(&twin, "r", &json!({"source": ["aws.iot"]}), json!({})).await;
    let region = twin.world().region(REGION).unwrap().clone();
    // Dispatch is behind the door that a dark Region shuts, so the call itself gets through.
    region.dark.set(true);
    assert_eq!(iot(&twin, Method::POST, "/things/t", &json!({})).await, 200);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let list =
        ok(&twin, "states", "AWSStepFunctions.ListExecutions", json!({"stateMachineArn": MACHINE})).await;
    assert_eq!(list["executions"], json!([]));
    region.dark.set(false);
    assert_eq!(inputs(&twin, 1).await[0]["detail"]["eventName"], "CreateThing");
    twin.stop().await;
}

#[test]
fn nothing_is_made_of_calls_while_no_rule_could_match() {
    let bus = Bus::default();
    assert!(!bus.wants(|| unreachable!("no rule has a pattern")));
}
