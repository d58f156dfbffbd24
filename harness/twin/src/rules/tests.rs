//! Rules that run in a twin, seen through what their actions leave behind.

use std::io::{Cursor, Write as _};

use axum::http::{HeaderMap, Method};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use rmqtt_codec::types::QoS;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::{Twin, TwinConfig, call::Call, dynamodb, mqtt};

const REGION: &str = "us-east-1";

fn table_action(table: &str) -> Value {
    json!({"dynamoDBv2": {"roleArn": "arn:r", "putItem": {"tableName": table}}})
}

fn republish(topic: &str) -> Value {
    json!({"republish": {"roleArn": "arn:r", "topic": topic}})
}

fn rule(sql: &str, actions: &[Value]) -> Value {
    json!({"sql": sql, "actions": actions, "awsIotSqlVersion": "2016-03-23"})
}

fn payload(sql: &str) -> Value {
    rule(sql, &[table_action("items")])
}

#[test]
fn replacing_keeps_the_age_and_needs_a_rule() {
    let rules = TopicRules::default();
    let missing = rules.replace("r", &payload("SELECT * FROM 'a'")).unwrap_err();
    assert_eq!((missing.status, missing.code), (401, "UnauthorizedException"));
    rules.create("r", &payload("SELECT * FROM 'a'"), 7).unwrap();
    assert_eq!(rules.replace("r", &payload("SELECT")).unwrap_err().code, "SqlParseException");
    rules.replace("r", &payload("SELECT * FROM 'b'")).unwrap();
    let rule = rules.get("r").unwrap();
    assert_eq!((rule.filter(), rule.created_s), ("b", 7));
}

#[test]
fn a_rule_is_disabled_and_enabled() {
    let rules = TopicRules::default();
    rules.create("r", &payload("SELECT * FROM 'a'"), 7).unwrap();
    for disabled in [true, false] {
        rules.set_disabled("r", disabled).unwrap();
        assert_eq!(rules.get("r").unwrap().is_disabled(), disabled);
        assert_eq!(rules.get("r").unwrap().description()["ruleDisabled"], disabled);
        assert_eq!(rules.state.read().directory.matching("a").is_empty(), disabled);
    }
    assert!(rules.set_disabled("none", true).is_err());
}

#[test]
fn what_a_rule_cannot_do_is_refused() {
    let rules = TopicRules::default();
    let sql = "SELECT * FROM 'a'";
    for (action, message) in [
        (json!({"sqs": {"roleArn": "r", "queueUrl": "q"}}), "not sqs"),
        (json!({"iotEvents": {"roleArn": "r", "inputName": "i"}}), "not iotEvents"),
        (json!({}), "one member"),
        (json!({"lambda": {"functionArn": "f"}, "republish": {}}), "one member"),
        (json!({"lambda": {}}), "functionArn of the action lambda is missing"),
        (json!({"republish": {"topic": "t"}}), "roleArn of the action republish is missing"),
        (
            json!({"republish": {"topic": "t", "roleArn": "r", "qos": 2}}),
            "qos of the action republish must be 0 or 1",
        ),
        (json!({"dynamoDBv2": {"roleArn": "r"}}), "tableName of the action dynamoDBv2 is missing"),
        (
            json!({"dynamoDB": {"roleArn": "r", "tableName": "t", "hashKeyField": "k", "hashKeyValue": "v",
                                "hashKeyType": "BINARY"}}),
            "hashKeyType must be STRING or NUMBER",
        ),
    ] {
        let refused = rules.create("r", &rule(sql, &[action]), 0).unwrap_err();
        assert!(refused.message.contains(message), "{}", refused.message);
        assert_eq!((refused.status, refused.code), (400, "InvalidRequestException"));
    }
    let refused = |payload: &Value| rules.create("r", payload, 0).unwrap_err().code;
    assert_eq!(refused(&rule(sql, &vec![table_action("items"); 11])), "InvalidRequestException");
    assert_eq!(refused(&rule(sql, &[republish("${nothing()}")])), "SqlParseException");
    assert_eq!(refused(&rule("SELECT * FROM 'a/#/b'", &[])), "SqlParseException");
    assert_eq!(refused(&rule("SELECT * FROM '$aws/rules/x/y'", &[])), "SqlParseException");
    assert_eq!(
        refused(&json!({"sql": sql, "actions": [], "awsIotSqlVersion": "1"})),
        "InvalidRequestException"
    );
    assert_eq!(
        refused(&json!({"sql": sql, "actions": [], "errorAction": {"s3": {}}})),
        "InvalidRequestException"
    );
    assert!(rules.list().is_empty());
    rules.create("r", &rule(sql, &vec![table_action("items"); 10]), 0).unwrap();
}

#[test]
fn the_directory_finds_what_matches_by_name() {
    let rules = TopicRules::default();
    for (name, filter) in
        [("d", "a/b"), ("c", "a/#"), ("b", "+/b"), ("a", "#"), ("e", "b/+"), ("f", "$aws/+/b")]
    {
        rules.create(name, &payload(&format!("SELECT * FROM '{filter}'")), 0).unwrap();
    }
    rules.create("g", &payload("SELECT *"), 0).unwrap();
    for (topic, expected) in
        [("a/b", "abcd"), ("b/b", "abe"), ("$aws/x/b", "f"), ("$aws/x/c", ""), ("a", "a")]
    {
        let found: String =
            rules.state.read().directory.matching(topic).iter().map(|rule| rule.name.clone()).collect();
        assert_eq!(found, expected, "{topic}");
    }
    rules.delete("a");
    assert_eq!(rules.state.read().directory.matching("a").len(), 0);
}

/// A twin whose primary Region has rules and tables.
struct Site {
    twin: Twin,
}

impl Site {
    async fn start() -> Self {
        let site = Self {
            twin: Twin::start(TwinConfig { quotas_enforced: false, ..TwinConfig::default() }).await.unwrap(),
        };
        site.dynamodb(
            "CreateTable",
            &json!({"TableName": "items", "BillingMode": "PAY_PER_REQUEST",
                    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}]}),
        )
        .await;
        site
    }

    fn region(&self) -> &Arc<Region> {
        self.twin.world().region(REGION).unwrap()
    }

    fn create(&self, name: &str, payload: &Value) {
        self.region().rules.create(name, payload, 0).unwrap();
    }

    fn publish(&self, topic: &str, payload: &str) {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        mqtt::publish(self.twin.world(), self.region(), topic, &payload, QoS::AtLeastOnce);
    }

    #[expect(clippy::unused_self, reason = "a call to this site")]
    fn call(&self, service: &str, path: &str, target: &str, body: &Value) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", target.parse().unwrap());
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

    async fn dynamodb(&self, operation: &str, body: &Value) -> Value {
        let call = self.call("dynamodb", "/", &format!("DynamoDB_20120810.{operation}"), body);
        let reply = dynamodb::handle(self.twin.world(), &call).await.unwrap();
        serde_json::from_slice(&reply.body).unwrap()
    }

    async fn item(&self, key: &str) -> Value {
        self.dynamodb("GetItem", &json!({"TableName": "items", "Key": {"k": {"S": key}}})).await["Item"]
            .take()
    }

    async fn count(&self) -> u64 {
        self.dynamodb("Scan", &json!({"TableName": "items"})).await["Count"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn the_dynamodb_action_inserts_updates_and_deletes() {
    let site = Site::start().await;
    let action = json!({"dynamoDB": {"roleArn": "r", "tableName": "${table}", "hashKeyField": "k",
                        "hashKeyValue": "${topic(2)}", "payloadField": "p", "operation": "${op}"}});
    site.create("r", &rule("SELECT n FROM 'a/+'", &[action]));
    site.publish("a/x", r#"{"table":"items","op":"INSERT","n":1.50}"#);
    assert_eq!(site.item("x").await, json!({"k": {"S": "x"}, "p": {"M": {"n": {"N": "1.5"}}}}));
    let put = json!({"TableName": "items", "Item": {"k": {"S": "y"}, "kept": {"BOOL": true}}});
    site.dynamodb("PutItem", &put).await;
    site.publish("a/y", r#"{"table":"items","op":"UPDATE","n":2}"#);
    assert_eq!(
        site.item("y").await,
        json!({"k": {"S": "y"}, "kept": {"BOOL": true}, "p": {"M": {"n": {"N": "2"}}}})
    );
    site.publish("a/y", r#"{"table":"items","op":"DELETE"}"#);
    assert_eq!(site.item("y").await, Value::Null);
    let binary =
        json!({"dynamoDB": {"roleArn": "r", "tableName": "items", "hashKeyField": "k", "hashKeyValue": "z"}});
    site.create("raw", &rule("SELECT * FROM 'raw'", &[binary]));
    site.publish("raw", "\u{1}");
    assert_eq!(site.item("z").await["payload"], json!({"B": "AQ=="}));
    site.twin.stop().await;
}

#[tokio::test]
async fn failures_of_a_rule_are_one_message_to_its_error_action() {
    let site = Site::start().await;
    let sql = "SELECT * FROM 'a'";
    let mut failing = rule(
        sql,
        &[
            table_action("none"),
            json!({"lambda": {"functionArn": "arn:aws:lambda:us-east-1:123456789012:function:none"}}),
            json!({"stepFunctions": {"roleArn": "r", "stateMachineName": "none"}}),
            republish("$aws/things/x/shadow/update"),
            republish("a/b/c/d/e/f/g/h/i"),
            table_action("items"),
        ],
    );
    failing["errorAction"] = republish("errors/${topic()}");
    site.create("failing", &failing);
    site.create("errors", &rule("SELECT topic(2) AS k, * FROM 'errors/+'", &[table_action("items")]));
    site.publish("a", r#"{"k":"good"}"#);
    assert_eq!(site.item("good").await, json!({"k": {"S": "good"}}), "the other actions are performed");
    let told = site.item("a").await;
    assert_eq!(told["ruleName"], json!({"S": "failing"}));
    assert_eq!(told["topic"], json!({"S": "a"}));
    assert_eq!(told["clientId"], json!({"S": "N/A"}));
    assert_eq!(told["base64OriginalPayload"], json!({"S": "eyJrIjoiZ29vZCJ9"}));
    let failures = told["failures"]["L"].as_array().unwrap();
    let failed: Vec<&Value> = failures.iter().map(|f| &f["M"]["failedAction"]["S"]).collect();
    assert_eq!(
        failed,
        ["DynamoDBv2Action", "LambdaAction", "StepFunctionsAction", "RepublishAction", "RepublishAction"]
    );
    assert_eq!(failures[0]["M"]["failedResource"], json!({"S": "none"}));
    let message = failures[0]["M"]["errorMessage"]["S"].as_str().unwrap();
    assert!(
        message.contains("ResourceNotFoundException") && message.contains("Message arrived on: a"),
        "{message}"
    );
    site.twin.stop().await;
}

/// Writes each event beside itself, under the name that the event says.
const BOOTSTRAP: &[u8] = br#"#!/usr/bin/env python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    reply = api.getresponse()
    event = reply.read()
    name = os.path.join(os.environ["OUT"], json.loads(event)["file"])
    with open(name + ".part", "wb") as out:
        out.write(event)
    os.rename(name + ".part", name)
    api.request("POST", base + reply.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", b"null")
    api.getresponse().read()
"#;

#[tokio::test]
async fn the_lambda_action_invokes_with_the_result() {
    let site = Site::start().await;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    zip.write_all(BOOTSTRAP).unwrap();
    let zip = STANDARD.encode(zip.finish().unwrap().into_inner());
    let out = tempfile::tempdir().unwrap();
    let request = json!({"FunctionName": "f", "Runtime": "provided.al2023", "Handler": "bootstrap",
                         "Role": "arn:aws:iam::123456789012:role/r", "Timeout": 20, "Code": {"ZipFile": zip},
                         "Environment": {"Variables": {"OUT": out.path()}}});
    let call = site.call("lambda", "/2015-03-31/functions", "", &request);
    crate::lambda::handle(site.twin.world(), &call).await.unwrap();
    let lambda = json!({"lambda": {"functionArn": "arn:aws:lambda:us-east-1:123456789012:function:${fn}"}});
    site.create("r", &rule("SELECT 'one' AS file, n FROM 'a'", &[lambda]));
    site.publish("a", r#"{"fn":"f","n":[1,2]}"#);
    let file = out.path().join("one");
    for _ in 0..500 {
        if file.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let event: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(event, json!({"file": "one", "n": [1, 2]}));
    site.twin.stop().await;
}

#[tokio::test]
async fn basic_ingest_runs_one_rule_and_nothing_else() {
    let site = Site::start().await;
    site.create("one", &rule("SELECT topic() AS k, topic(1) AS first", &[table_action("items")]));
    site.create("two", &rule("SELECT 'two' AS k FROM '#'", &[table_action("items")]));
    site.publish("$aws/rules/one/dt/x", "{}");
    assert_eq!(site.item("dt/x").await, json!({"k": {"S": "dt/x"}, "first": {"S": "dt"}}));
    assert_eq!(site.count().await, 1);
    site.publish("$aws/rules/two/anything", "{}");
    assert_eq!(site.count().await, 2, "the filter of a rule is not asked");
    site.region().rules.set_disabled("one", true).unwrap();
    site.publish("$aws/rules/one/y", "{}");
    site.publish("$aws/rules/none/y", "{}");
    assert_eq!(site.count().await, 2, "neither a disabled rule runs nor one that is not there");
    site.twin.stop().await;
}

#[tokio::test]
async fn a_rule_that_feeds_itself_ends() {
    let site = Site::start().await;
    site.create("loop", &rule("SELECT newuuid() AS k FROM 'a'", &[table_action("items"), republish("a")]));
    site.publish("a", "{}");
    assert_eq!(site.count().await, u64::from(publisher::REPUBLISHES_MAX) + 1);
    // Through the shadow service and back, twice as many each time.
    let to_shadow = republish("$$aws/things/x/shadow/update");
    site.create(
        "shadows",
        &rule("SELECT state FROM '$aws/things/x/shadow/update/accepted'", &[to_shadow.clone(), to_shadow]),
    );
    site.publish("$aws/things/x/shadow/update/accepted", r#"{"state":{"reported":{"n":1}}}"#);
    let version = site.region().shadows.lock().get("x", "", b"", 0).unwrap()["version"].clone();
    assert_eq!(version, json!(publisher::REPUBLISHES_MAX));
    site.twin.stop().await;
}

#[tokio::test]
async fn a_rule_asks_shadows_and_starts_executions() {
    let site = Site::start().await;
    let world = site.twin.world();
    mqtt::shadow(
        world,
        site.region(),
        "lamp",
        "",
        mqtt::ShadowOperation::Update,
        br#"{"state":{"reported":{"on":true}}}"#,
    )
    .unwrap();
    let sql =
        "SELECT topic(2) AS k, get_thing_shadow(topic(2), 'arn:r').state.reported.on AS is_on FROM 'a/+'";
    site.create("r", &rule(sql, &[table_action("items")]));
    site.publish("a/lamp", "{}");
    assert_eq!(site.item("lamp").await, json!({"k": {"S": "lamp"}, "is_on": {"BOOL": true}}));

    let states = |operation: &str, body: &Value| {
        let call = site.call("states", "/", &format!("AWSStepFunctions.{operation}"), body);
        let reply = crate::states::handle(world, &call).unwrap();
        serde_json::from_slice::<Value>(&reply.body).unwrap()
    };
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}).to_string();
    let created = states(
        "CreateStateMachine",
        &json!({"name": "m", "definition": definition, "roleArn": "arn:aws:iam::123456789012:role/r"}),
    );
    let start = json!({"stepFunctions": {"roleArn": "r", "stateMachineName": "m", "executionNamePrefix": "${topic()}-"}});
    site.create("start", &rule("SELECT n FROM 'start'", &[start]));
    site.publish("start", r#"{"n":7}"#);
    let listed = states("ListExecutions", &json!({"stateMachineArn": created["stateMachineArn"]}));
    let [execution] = listed["executions"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert!(execution["name"].as_str().unwrap().starts_with("start-"));
    let described = states("DescribeExecution", &json!({"executionArn": execution["executionArn"]}));
    assert_eq!(described["input"], json!("{\"n\":7}"));
    site.twin.stop().await;
}
