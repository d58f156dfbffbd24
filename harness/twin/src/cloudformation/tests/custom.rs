//! Custom resources, answered by a function that really runs.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use zip::write::SimpleFileOptions;

use super::*;

/// Answers every event at its URL, and fails if it is told to.
const BOOTSTRAP: &[u8] = br#"#!/usr/bin/env python3
import http.client, json, os, urllib.request
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    properties = event["ResourceProperties"]
    fails = properties.get("FailOn") == event["RequestType"]
    answer = {"Status": "FAILED" if fails else "SUCCESS", "Reason": "as told",
              "PhysicalResourceId": "custom-" + properties["Name"],
              "StackId": event["StackId"], "RequestId": event["RequestId"],
              "LogicalResourceId": event["LogicalResourceId"],
              "Data": {"Type": event["RequestType"], "Count": properties["Count"]}}
    put = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(put).read()
    api.request("POST", base + reply.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", b"{}")
    api.getresponse().read()
"#;

impl Cloud {
    async fn function(&self) -> String {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        zip.write_all(BOOTSTRAP).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let body = json!({
            "FunctionName": "custom", "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 30,
            "Role": "arn:aws:iam::123456789012:role/r", "Code": {"ZipFile": STANDARD.encode(zip)},
        });
        let made = self.client().rest("lambda", Method::POST, "/2015-03-31/functions", &body).await.unwrap();
        made["FunctionArn"].as_str().unwrap().to_owned()
    }
}

fn template(function: &str, name: &str, fail_on: &str) -> String {
    json!({
        "Resources": {"C": {"Type": "Custom::Thing", "Properties": {
            "ServiceToken": function, "Name": name, "Count": 3, "FailOn": fail_on, "ServiceTimeout": 20}}},
        "Outputs": {
            "Id": {"Value": {"Ref": "C"}},
            "Said": {"Value": {"Fn::Sub": "${C.Type} ${C.Count}"}},
        },
    })
    .to_string()
}

#[tokio::test]
async fn a_function_makes_changes_and_deletes_a_custom_resource() {
    let cloud = Cloud::start().await;
    let function = cloud.function().await;
    let id = cloud.made("s", &template(&function, "a", "")).await;
    assert_eq!(cloud.output("s", "Id").await, "custom-a");
    assert_eq!(cloud.output("s", "Said").await, "Create 3");
    // Another physical id is a replacement: the old one is deleted.
    cloud.updated("s", &template(&function, "b", "")).await;
    assert_eq!(cloud.output("s", "Id").await, "custom-b");
    assert_eq!(cloud.output("s", "Said").await, "Update 3");
    let events = cloud.events("s").await;
    let deleted = events.split("<member>").any(|e| e.contains("custom-a<") && e.contains("DELETE_COMPLETE"));
    assert!(deleted, "{events}");
    cloud.call("DeleteStack", &[("StackName", "s")]).await.unwrap();
    assert_eq!(cloud.settled(&id).await, "DELETE_COMPLETE");

    cloud.create("bad", &template(&function, "c", "Create")).await.unwrap();
    assert_eq!(cloud.settled("bad").await, "ROLLBACK_COMPLETE", "{}", cloud.events("bad").await);
    let events = cloud.events("bad").await;
    let wanted = "Received response status [FAILED] from custom resource. Message returned: as told";
    assert!(events.contains(wanted), "{events}");
    cloud.twin.stop().await;
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_not_taken() {
    let cloud = Cloud::start().await;
    let waiting = &cloud.twin.world().cloudformation.waiting;
    assert!(!waiting.answer("token", br#"{"Status": "SUCCESS"}"#));
    assert!(!waiting.answer("token", b"nonsense"));
}
