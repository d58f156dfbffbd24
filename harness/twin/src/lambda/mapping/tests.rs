//! Functions fed from streams and queues, through the API, as clients set them up.

use std::sync::Arc;

use axum::http::{HeaderMap, Method};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use crate::{
    Twin, TwinConfig,
    call::Call,
    dynamodb,
    lambda::{self, code::tests::zip_of},
    sqs,
    world::World,
};

const REGION: &str = "us-east-1";
/// Writes each batch to a file of its own in `OUT`; fails, or reports as failed, what is said in the records.
const BOOTSTRAP: &[u8] = br#"#!/usr/bin/env python3
import http.client, json, os, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    id = reply.headers["Lambda-Runtime-Aws-Request-Id"]
    records = event.get("Records", [])
    keys, failed = [], []
    for record in records:
        if record.get("eventSource") == "aws:dynamodb":
            key = record["dynamodb"]["Keys"]["pk"]["S"] + ":" + record["dynamodb"]["NewImage"]["n"]["N"]
            name = record["dynamodb"]["SequenceNumber"]
        else:
            key, name = record["body"], record["messageId"]
        keys.append(key)
        if "bad" in key:
            failed.append({"itemIdentifier": name})
    with open(os.environ["OUT"], "a") as out:
        out.write(json.dumps(keys) + "\n")
    time.sleep(float(os.environ.get("SLEEP", "0")))
    if event.get("fail") or (failed and os.environ.get("WHOLE")):
        api.request("POST", base + id + "/error", b'{"errorType":"Mine","errorMessage":"no"}')
    else:
        api.request("POST", base + id + "/response", json.dumps({"batchItemFailures": failed}))
    api.getresponse().read()
"#;

struct Site {
    twin: Twin,
    out: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        Self { twin: Twin::start(TwinConfig::default()).await.unwrap(), out: tempfile::tempdir().unwrap() }
    }

    fn world(&self) -> &Arc<World> {
        self.twin.world()
    }

    async fn ask(&self, service: &str, method: Method, path: &str, target: &str, body: &Json) -> Json {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", format!("DynamoDB_20120810.{target}").parse().unwrap());
        let call = Call {
            method,
            raw_path: path.to_owned(),
            query: Vec::new(),
            headers,
            body: body.to_string().into(),
            region: REGION.to_owned(),
            service: service.to_owned(),
        };
        let reply = match service {
            "dynamodb" => dynamodb::handle(self.world(), &call).await,
            "sqs" => sqs::handle(self.world(), &call).await,
            _ => lambda::handle(self.world(), &call).await,
        };
        serde_json::from_slice(&reply.unwrap().body).unwrap_or_default()
    }

    async fn dynamodb(&self, target: &str, body: Json) -> Json {
        self.ask("dynamodb", Method::POST, "/", target, &body).await
    }

    async fn table(&self) -> String {
        let made = self
            .dynamodb(
                "CreateTable",
                json!({
                    "TableName": "table", "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
                }),
            )
            .await;
        made["TableDescription"]["LatestStreamArn"].as_str().unwrap().to_owned()
    }

    async fn put(&self, pk: &str, n: usize) {
        let item = json!({"pk": {"S": pk}, "n": {"N": n.to_string()}});
        self.dynamodb("PutItem", json!({"TableName": "table", "Item": item})).await;
    }

    async fn function(&self, environment: &Json) {
        let mut variables = environment.clone();
        variables["OUT"] = json!(self.out.path().join("out"));
        let request = json!({
            "FunctionName": "f", "Runtime": "provided.al2023", "Handler": "x", "Role": "r", "Timeout": 20,
            "Environment": {"Variables": variables},
            "Code": {"ZipFile": STANDARD.encode(zip_of("bootstrap", BOOTSTRAP, 0o755))},
        });
        let made = self.ask("lambda", Method::POST, "/2015-03-31/functions", "", &request).await;
        assert_eq!(made["State"], "Pending");
    }

    async fn map(&self, arn: &str, settings: Json) -> Json {
        let mut request = settings;
        request["FunctionName"] = json!("f");
        request["EventSourceArn"] = json!(arn);
        self.ask("lambda", Method::POST, "/2015-03-31/event-source-mappings", "", &request).await
    }

    async fn queue(&self, name: &str, attributes: Json) -> String {
        let request = json!({"QueueName": name, "Attributes": attributes});
        self.ask("sqs", Method::POST, "/", "CreateQueue", &request).await;
        format!("arn:aws:sqs:{REGION}:123456789012:{name}")
    }

    async fn receive(&self, name: &str) -> Json {
        let request = json!({"QueueUrl": name, "WaitTimeSeconds": 20, "MessageAttributeNames": ["All"]});
        self.ask("sqs", Method::POST, "/", "ReceiveMessage", &request).await["Messages"][0].clone()
    }

    /// The batches that the function was given, once this many records were.
    async fn batches(&self, records: usize) -> Vec<Vec<String>> {
        for _ in 0..1_000 {
            let text = std::fs::read_to_string(self.out.path().join("out")).unwrap_or_default();
            let batches: Vec<Vec<String>> =
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            if batches.iter().map(Vec::len).sum::<usize>() >= records {
                return batches;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the function was not given {records} records");
    }
}

#[tokio::test]
async fn what_is_given_up_goes_to_the_destination_and_the_rest_goes_on() {
    let site = Site::new().await;
    let (stream, queue) = (site.table().await, site.queue("q", json!({})).await);
    site.function(&json!({})).await;
    for (pk, n) in [("bad", 1), ("bad", 2), ("bad", 3)] {
        site.put(pk, n).await;
    }
    let mapped = site
        .map(
            &stream,
            json!({
                "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 0,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "DestinationConfig": {"OnFailure": {"Destination": queue}},
            }),
        )
        .await;
    assert_eq!(mapped["DestinationConfig"]["OnFailure"]["Destination"], queue.as_str());
    let message = site.receive("q").await;
    let record: Json = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
    assert_eq!(record["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(record["responseContext"], json!({"statusCode": 200, "executedVersion": "$LATEST"}));
    let info = &record["DDBStreamBatchInfo"];
    assert_eq!((&info["streamArn"], &info["batchSize"]), (&json!(stream), &json!(3)));
    assert!(info["startSequenceNumber"].as_str() < info["endSequenceNumber"].as_str());
    site.put("good", 4).await;
    assert_eq!(site.batches(4).await.last().unwrap(), &["good:4"]);
}

#[tokio::test]
async fn a_bisect_isolates_what_fails_and_a_filter_passes_over_what_is_not_wanted() {
    let site = Site::new().await;
    let stream = site.table().await;
    site.function(&json!({"WHOLE": "1"})).await;
    // Keys that share a shard with `bad-0`: batches are of one shard.
    for n in 0..16 {
        site.put(&format!("{}-{n}", if n == 0 { "bad" } else { "k" }), n).await;
    }
    let pattern = json!({"dynamodb": {"NewImage": {"n": {"N": [{"anything-but": ["2"]}]}}}});
    site.map(
        &stream,
        json!({
            "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 0, "BisectBatchOnFunctionError": true,
            "FilterCriteria": {"Filters": [{"Pattern": pattern.to_string()}]},
        }),
    )
    .await;
    let is_done = |batches: &[Vec<String>]| {
        let alone = batches.iter().any(|batch| batch == &["bad-0:0"]);
        // Whatever was with the bad one has been given without it.
        let good: std::collections::BTreeSet<&String> =
            batches.iter().filter(|b| !b.contains(&"bad-0:0".to_owned())).flatten().collect();
        alone && good.len() == 14
    };
    let mut batches = site.batches(15).await;
    for _ in 0..500 {
        if is_done(&batches) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        batches = site.batches(15).await;
    }
    assert!(is_done(&batches), "{batches:?}");
    assert!(!batches.concat().contains(&"k-2:2".to_owned()), "it was filtered out");
}

#[tokio::test]
async fn lanes_run_at_once_and_keep_the_order_of_a_key() {
    let site = Site::new().await;
    let stream = site.table().await;
    site.function(&json!({"SLEEP": "0.05"})).await;
    for n in 0..5 {
        for key in 0..12 {
            site.put(&format!("k{key}"), n).await;
        }
    }
    let settings = json!({"StartingPosition": "TRIM_HORIZON", "ParallelizationFactor": 2, "BatchSize": 3});
    site.map(&stream, settings).await;
    let batches = site.batches(60).await;
    for key in 0..12 {
        let prefix = format!("k{key}:");
        let seen: Vec<String> =
            batches.iter().flatten().filter(|k| k.starts_with(&prefix)).cloned().collect();
        assert_eq!(seen, (0..5).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>());
    }
    assert!(batches.iter().all(|batch| batch.len() <= 3));
}

#[tokio::test]
async fn a_queue_feeds_a_function_and_keeps_what_failed() {
    let site = Site::new().await;
    let dead = site.queue("dead", json!({})).await;
    let policy = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 1}).to_string();
    let queue = site.queue("q", json!({"VisibilityTimeout": "20", "RedrivePolicy": policy})).await;
    site.function(&json!({})).await;
    let mapped = site.map(&queue, json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]})).await;
    assert_eq!((&mapped["BatchSize"], mapped.get("StartingPosition")), (&json!(10), None));
    for body in ["good", "bad"] {
        let request = json!({"QueueUrl": "q", "MessageBody": body});
        site.ask("sqs", Method::POST, "/", "SendMessage", &request).await;
    }
    let given: Vec<String> = site.batches(2).await.concat();
    assert!(given.contains(&"good".to_owned()) && given.contains(&"bad".to_owned()));
    let counts = json!({"QueueUrl": "q", "AttributeNames": ["All"]});
    let mut left = Json::Null;
    for _ in 0..250 {
        left = site.ask("sqs", Method::POST, "/", "GetQueueAttributes", &counts).await["Attributes"].clone();
        if left["ApproximateNumberOfMessagesNotVisible"] == "1" && left["ApproximateNumberOfMessages"] == "0"
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(left["ApproximateNumberOfMessagesNotVisible"], "1", "the bad one waits to be received again");
}

#[tokio::test]
async fn an_event_that_fails_goes_to_its_destination_and_the_dead_letters() {
    let site = Site::new().await;
    let (failed, done) = (site.queue("failed", json!({})).await, site.queue("done", json!({})).await);
    let dead = site.queue("dead", json!({})).await;
    site.function(&json!({})).await;
    let path = "/2015-03-31/functions/f/configuration";
    let updated =
        site.ask("lambda", Method::PUT, path, "", &json!({"DeadLetterConfig": {"TargetArn": dead}})).await;
    assert_eq!(updated["LastUpdateStatus"], "InProgress");
    assert_eq!(updated.get("LastUpdateStatusReasonCode"), None, "it is for failures");
    let config = json!({
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnFailure": {"Destination": failed}, "OnSuccess": {"Destination": done}},
    });
    site.ask("lambda", Method::PUT, "/2019-09-25/functions/f/event-invoke-config", "", &config).await;
    for event in [r#"{"fail":true}"#, r#"{"fail":false}"#] {
        site.world().lambda.invoke_event(site.world(), REGION, "f", event.into()).unwrap();
    }
    let body = |message: &Json| -> Json { serde_json::from_str(message["Body"].as_str().unwrap()).unwrap() };
    let record = body(&site.receive("failed").await);
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(
        (&record["requestPayload"], &record["responsePayload"]["errorType"]),
        (&json!({"fail": true}), &json!("Mine"))
    );
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    let record = body(&site.receive("done").await);
    assert_eq!(record["requestContext"]["condition"], "Success");
    let letter = site.receive("dead").await;
    assert_eq!(body(&letter), json!({"fail": true}));
    assert_eq!(letter["MessageAttributes"]["ErrorMessage"]["StringValue"], "no");
}

#[tokio::test]
async fn a_mapping_that_is_disabled_gives_nothing_and_hands_back_what_it_has() {
    let site = Site::new().await;
    let queue = site.queue("q", json!({})).await;
    site.function(&json!({})).await;
    let send = async |body: &str| {
        let request = json!({"QueueUrl": "q", "MessageBody": body});
        site.ask("sqs", Method::POST, "/", "SendMessage", &request).await;
    };
    // The window keeps the first message in hand.
    let settings = json!({"BatchSize": 10, "MaximumBatchingWindowInSeconds": 300});
    let mapped = site.map(&queue, settings).await;
    send("first").await;
    let counts = json!({"QueueUrl": "q", "AttributeNames": ["All"]});
    let mut in_flight = false;
    for _ in 0..250 {
        let left = site.ask("sqs", Method::POST, "/", "GetQueueAttributes", &counts).await;
        in_flight = left["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1";
        if in_flight {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(in_flight, "a poller has it");
    let path = format!("/2015-03-31/event-source-mappings/{}", mapped["UUID"].as_str().unwrap());
    site.ask("lambda", Method::PUT, &path, "", &json!({"Enabled": false})).await;
    // Both come to another reader at once, and not to the function.
    send("second").await;
    for body in ["first", "second"] {
        let message = tokio::time::timeout(std::time::Duration::from_secs(10), site.receive("q")).await;
        let message = message.expect("it is visible");
        assert!(["first", "second"].contains(&message["Body"].as_str().unwrap()), "{body}: {message}");
    }
    assert!(!site.out.path().join("out").exists(), "the function was not called");
}

#[tokio::test]
async fn a_queue_that_is_made_again_is_read_again() {
    let site = Site::new().await;
    let queue = site.queue("q", json!({})).await;
    site.function(&json!({})).await;
    let mapped = site.map(&queue, json!({})).await;
    site.ask("sqs", Method::POST, "/", "DeleteQueue", &json!({"QueueUrl": "q"})).await;
    let uuid = mapped["UUID"].as_str().unwrap();
    let mapping = Arc::clone(&site.world().lambda.mappings.lock()[uuid]);
    for _ in 0..250 {
        if mapping.last_result.lock().starts_with("PROBLEM") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(mapping.last_result.lock().starts_with("PROBLEM"), "the mapping says that the queue is gone");
    site.queue("q", json!({})).await;
    site.ask("sqs", Method::POST, "/", "SendMessage", &json!({"QueueUrl": "q", "MessageBody": "m"})).await;
    assert_eq!(site.batches(1).await.concat(), ["m"]);
}

#[tokio::test]
async fn a_late_delete_spares_the_function_that_has_the_name_now() {
    let site = Site::new().await;
    site.function(&json!({})).await;
    let before = site.world().lambda.function(REGION, "f").unwrap();
    lambda::function_api::delete(site.world(), &before).unwrap();
    site.function(&json!({})).await;
    let error = lambda::function_api::delete(site.world(), &before).unwrap_err();
    assert_eq!((error.status, error.code), (404, "ResourceNotFoundException"));
    assert!(!Arc::ptr_eq(&before, &site.world().lambda.function(REGION, "f").unwrap()));
}

#[tokio::test]
async fn events_wait_within_so_many_bytes() {
    let site = Site::new().await;
    site.function(&json!({})).await;
    let world = site.world();
    let send = || world.lambda.invoke_event(world, REGION, "f", "{}".into());
    let full = world.lambda.events.take(crate::lambda::EVENTS_BYTES_MAX - 1).unwrap();
    let refused = send().unwrap_err();
    assert_eq!((refused.status, refused.code), (429, "TooManyRequestsException"));
    drop(full);
    send().unwrap();
    site.twin.stop().await;
}
