//! Calls as clients make them, against executions that really run: functions are child processes.

use std::{
    io::{Cursor, Write as _},
    time::Duration,
};

use axum::http::{HeaderMap, Method};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{Twin, TwinConfig, call::Call, error::AwsError, lambda, states, world::World};

use super::*;

const REGION: &str = "us-west-2";
const ROLE: &str = "arn:aws:iam::123456789012:role/states";
/// Fails its first invocation as `Mine`, echoes later ones; ends where it is told to.
const BOOTSTRAP: &[u8] = br#"#!/usr/bin/env python3
import http.client, json, os, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
count = 0
while True:
    api.request("GET", base + "next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    path = base + reply.headers["Lambda-Runtime-Aws-Request-Id"]
    count += 1
    if event.get("exit"):
        sys.exit(3)
    if count == 1:
        api.request("POST", path + "/error", b'{"errorType":"Mine","errorMessage":"first"}')
    else:
        api.request("POST", path + "/response", json.dumps({"echo": event}))
    api.getresponse().read()
"#;

fn call(service: &str, path: &str, target: &str, body: &Json) -> Call {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", format!("AWSStepFunctions.{target}").parse().unwrap());
    Call {
        method: Method::POST,
        raw_path: path.to_owned(),
        query: Vec::new(),
        headers,
        body: body.to_string().into(),
        region: REGION.to_owned(),
        service: service.to_owned(),
    }
}

fn ask(world: &Arc<World>, operation: &str, body: &Json) -> Result<Json, AwsError> {
    let reply = states::handle(world, &call("states", "/", operation, body))?;
    Ok(serde_json::from_slice(&reply.body).unwrap())
}

async fn deploy(world: &Arc<World>, name: &str) -> String {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    zip.write_all(BOOTSTRAP).unwrap();
    let zip = STANDARD.encode(zip.finish().unwrap().into_inner());
    let request = json!({"FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE,
                         "Timeout": 20, "Code": {"ZipFile": zip}});
    let reply = lambda::handle(world, &call("lambda", "/2015-03-31/functions", "", &request)).await.unwrap();
    let function: Json = serde_json::from_slice(&reply.body).unwrap();
    function["FunctionArn"].as_str().unwrap().to_owned()
}

fn create(world: &Arc<World>, name: &str, state: &Json) -> Json {
    let definition = json!({"StartAt": "A", "States": {"A": state}}).to_string();
    let request = json!({"name": name, "definition": definition, "roleArn": ROLE});
    ask(world, "CreateStateMachine", &request).unwrap()["stateMachineArn"].clone()
}

fn start(world: &Arc<World>, machine: &Json, name: &str, input: &Json) -> Json {
    let request = json!({"stateMachineArn": machine, "name": name, "input": input.to_string()});
    ask(world, "StartExecution", &request).unwrap()["executionArn"].clone()
}

async fn ended(world: &Arc<World>, execution: &Json) -> Json {
    for _ in 0..1_000 {
        let described = ask(world, "DescribeExecution", &json!({"executionArn": execution})).unwrap();
        if described["status"] != "RUNNING" {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the execution did not end");
}

fn events(world: &Arc<World>, execution: &Json) -> Vec<Json> {
    let (mut events, mut request) = (Vec::new(), json!({"executionArn": execution, "maxResults": 2}));
    loop {
        let page = ask(world, "GetExecutionHistory", &request).unwrap();
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        match page.get("nextToken") {
            Some(token) => request["nextToken"] = token.clone(),
            None => return events,
        }
    }
}

#[tokio::test]
async fn a_function_is_retried_and_its_history_told() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let arn = deploy(world, "f").await;
    let retry = json!([{"ErrorEquals": ["Mine"], "IntervalSeconds": 1}]);
    let machine = create(world, "m", &json!({"Type": "Task", "Resource": arn, "Retry": retry, "End": true}));
    let execution = start(world, &machine, "x", &json!({"a": 1}));
    let described = ended(world, &execution).await;
    assert_eq!(described["output"], json!({"echo": {"a": 1}}).to_string());
    let events = events(world, &execution);
    let failed = events.iter().find(|e| e["type"] == "LambdaFunctionFailed").unwrap();
    assert_eq!(failed["lambdaFunctionFailedEventDetails"]["error"], "Mine");
    assert_eq!(events.last().unwrap()["type"], "ExecutionSucceeded");
    let backwards = json!({"executionArn": execution, "reverseOrder": true, "maxResults": 1});
    let page = ask(world, "GetExecutionHistory", &backwards).unwrap();
    assert_eq!(page["events"][0], *events.last().unwrap());
    let crashed = ended(world, &start(world, &machine, "y", &json!({"exit": true}))).await;
    assert_eq!(crashed["error"], "Lambda.Unknown");
    let absent =
        create(world, "absent", &json!({"Type": "Task", "Resource": format!("{arn}x"), "End": true}));
    let described = ended(world, &start(world, &absent, "z", &json!({}))).await;
    assert_eq!(described["error"], "Lambda.ResourceNotFoundException");
    twin.stop().await;
}

#[tokio::test]
async fn a_dark_region_holds_its_executions() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let machine = create(world, "m", &json!({"Type": "Pass", "End": true}));
    let region = world.region(REGION).unwrap();
    region.dark.set(true);
    let execution = start(world, &machine, "x", &json!({}));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(events(world, &execution).len(), 1, "it has started, and no more");
    region.dark.set(false);
    assert_eq!(ended(world, &execution).await["status"], "SUCCEEDED");
    twin.stop().await;
}

#[tokio::test]
async fn executions_are_listed_stopped_and_deleted() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let machine = create(world, "m", &json!({"Type": "Wait", "Seconds": 600, "End": true}));
    let executions: Vec<_> = ["x", "y", "z"].map(|name| start(world, &machine, name, &json!({}))).into();
    assert_eq!(start(world, &machine, "x", &json!({})), executions[0], "the same again is the same");
    let stop = json!({"executionArn": executions[1], "error": "E", "cause": "C"});
    ask(world, "StopExecution", &stop).unwrap();
    let stopped = ended(world, &executions[1]).await;
    assert_eq!((&stopped["status"], &stopped["error"]), (&json!("ABORTED"), &json!("E")));
    let list = |more: Json| {
        let mut request = json!({"stateMachineArn": machine});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let page = ask(world, "ListExecutions", &request).unwrap();
        let names: Vec<_> = page["executions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["name"].as_str().unwrap().to_owned())
            .collect();
        (names, page["nextToken"].clone())
    };
    assert_eq!(list(json!({})).0, ["z", "y", "x"]);
    assert_eq!(list(json!({"statusFilter": "RUNNING"})).0, ["z", "x"]);
    let (first, token) = list(json!({"maxResults": 2}));
    assert_eq!(
        (first, list(json!({"maxResults": 2, "nextToken": token})).0),
        (vec!["z".to_owned(), "y".to_owned()], vec!["x".to_owned()])
    );
    ask(world, "DeleteStateMachine", &json!({"stateMachineArn": machine})).unwrap();
    assert_eq!(ended(world, &executions[0]).await["status"], "ABORTED");
    let gone = ask(world, "DescribeStateMachine", &json!({"stateMachineArn": machine}));
    assert_eq!(gone.unwrap_err().code, "StateMachineDoesNotExist");
    twin.stop().await;
}

#[tokio::test]
async fn what_step_functions_refuses_is_refused() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let machine = create(world, "m", &json!({"Type": "Wait", "Seconds": 600, "End": true}));
    start(world, &machine, "x", &json!({}));
    let other = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
    let arn = |name: &str| json!(format!("arn:aws:states:us-west-2:123456789012:stateMachine:{name}"));
    for (operation, request, code) in [
        (
            "CreateStateMachine",
            json!({"name": "m", "definition": other, "roleArn": ROLE}),
            "StateMachineAlreadyExists",
        ),
        ("CreateStateMachine", json!({"name": "a b", "definition": other, "roleArn": ROLE}), "InvalidName"),
        (
            "CreateStateMachine",
            json!({"name": "n", "definition": "{}", "roleArn": ROLE}),
            "InvalidDefinition",
        ),
        ("CreateStateMachine", json!({"name": "n", "definition": other, "roleArn": "r"}), "InvalidArn"),
        (
            "CreateStateMachine",
            json!({"name": "n", "definition": other, "roleArn": ROLE, "type": "EXPRESS"}),
            "StateMachineTypeNotSupported",
        ),
        ("CreateStateMachine", json!({"name": "n", "roleArn": ROLE}), "ValidationException"),
        ("DescribeStateMachine", json!({"stateMachineArn": arn("n")}), "StateMachineDoesNotExist"),
        ("UpdateStateMachine", json!({"stateMachineArn": machine}), "MissingRequiredParameter"),
        ("StartExecution", json!({"stateMachineArn": arn("n")}), "StateMachineDoesNotExist"),
        ("StartExecution", json!({"stateMachineArn": "n"}), "InvalidArn"),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "name": "x", "input": "[]"}),
            "ExecutionAlreadyExists",
        ),
        ("StartExecution", json!({"stateMachineArn": machine, "name": "x".repeat(81)}), "InvalidName"),
        ("StartExecution", json!({"stateMachineArn": machine, "input": "{"}), "InvalidExecutionInput"),
        (
            "StartExecution",
            json!({"stateMachineArn": machine, "input": "1".repeat(262_145)}),
            "ValidationException",
        ),
        (
            "DescribeExecution",
            json!({"executionArn": "arn:aws:states:us-west-2:123456789012:execution:m:q"}),
            "ExecutionDoesNotExist",
        ),
        ("DescribeExecution", json!({"executionArn": machine}), "InvalidArn"),
        ("ListExecutions", json!({"stateMachineArn": machine, "nextToken": "!"}), "InvalidToken"),
        ("ListTagsForResource", json!({"resourceArn": arn("n")}), "ResourceNotFound"),
        ("StartSyncExecution", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(ask(world, operation, &request).unwrap_err().code, code, "{operation} {request}");
    }
    twin.stop().await;
}
