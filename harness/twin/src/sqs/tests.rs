//! Queues as a client uses them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake},
};

use axum::http::{HeaderMap, Method};
use serde_json::{Value as Json, json};

use super::*;
use crate::{Twin, TwinConfig, call::Call};

async fn ask(world: &Arc<World>, operation: &str, body: Json) -> Result<Json, AwsError> {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", format!("AmazonSQS.{operation}").parse().unwrap());
    let call = Call {
        method: Method::POST,
        raw_path: "/".to_owned(),
        query: Vec::new(),
        headers,
        body: body.to_string().into(),
        region: "us-east-1".to_owned(),
        service: "sqs".to_owned(),
    };
    let reply = handle(world, &call).await?;
    Ok(serde_json::from_slice(&reply.body).unwrap())
}

async fn create(world: &Arc<World>, name: &str, attributes: Json) -> Json {
    let request = json!({"QueueName": name, "Attributes": attributes});
    ask(world, "CreateQueue", request).await.unwrap()["QueueUrl"].clone()
}

#[tokio::test]
async fn a_long_poll_ends_when_a_message_arrives() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let url = create(world, "q", json!({})).await;
    let poll = ask(world, "ReceiveMessage", json!({"QueueUrl": url, "WaitTimeSeconds": 20}));
    let attribute = json!({"DataType": "String", "StringValue": "x"});
    let send = ask(
        world,
        "SendMessage",
        json!({"QueueUrl": url, "MessageBody": "hello", "MessageAttributes": {"a": attribute}}),
    );
    let started = Instant::now();
    let (polled, sent) = tokio::join!(poll, send);
    assert!(started.elapsed() < Duration::from_secs(10));
    let message = &polled.unwrap()["Messages"][0];
    assert_eq!((&message["Body"], &message["MessageId"]), (&json!("hello"), &sent.unwrap()["MessageId"]));
    assert_eq!(message.get("MessageAttributes"), None, "they were not asked for");
    let shown = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0});
    ask(world, "ChangeMessageVisibility", shown).await.unwrap();
    let request = json!({"QueueUrl": url, "AttributeNames": ["All"], "MessageAttributeNames": ["All"]});
    let again = ask(world, "ReceiveMessage", request).await.unwrap();
    let message = &again["Messages"][0];
    assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(message["MessageAttributes"]["a"], attribute);
    let entries =
        json!([{"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "x"}]);
    let deleted =
        ask(world, "DeleteMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await.unwrap();
    assert_eq!(deleted["Successful"], json!([{"Id": "a"}]));
    assert_eq!(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    let counted =
        ask(world, "GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]})).await.unwrap();
    for name in ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] {
        assert_eq!(counted["Attributes"][name], "0");
    }
}

#[tokio::test]
async fn dead_letters_move_to_their_queue() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let letters = create(world, "letters", json!({})).await;
    let policy =
        json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:letters", "maxReceiveCount": 1});
    let url =
        create(world, "q", json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "0"})).await;
    ask(world, "SendMessage", json!({"QueueUrl": url, "MessageBody": "m"})).await.unwrap();
    let receive = |url: &Json| json!({"QueueUrl": url, "AttributeNames": ["All"]});
    assert_eq!(ask(world, "ReceiveMessage", receive(&url)).await.unwrap()["Messages"][0]["Body"], "m");
    assert_eq!(ask(world, "ReceiveMessage", receive(&url)).await.unwrap(), json!({}));
    let letter = ask(world, "ReceiveMessage", receive(&letters)).await.unwrap();
    assert_eq!(
        letter["Messages"][0]["Attributes"]["DeadLetterQueueSourceArn"],
        "arn:aws:sqs:us-east-1:123456789012:q"
    );
}

#[tokio::test]
async fn queues_are_made_once_and_listed() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let url = create(world, "q-1", json!({"DelaySeconds": "1"})).await;
    assert_eq!(create(world, "q-1", json!({"DelaySeconds": "1"})).await, url, "an equal one is the same");
    let other = json!({"QueueName": "q-1", "Attributes": {"DelaySeconds": "2"}});
    assert_eq!(ask(world, "CreateQueue", other).await.unwrap_err().code, "QueueNameExists");
    let fifo = ask(world, "CreateQueue", json!({"QueueName": "q.fifo"})).await.unwrap_err();
    assert_eq!(fifo.code, "UnsupportedOperation");
    create(world, "q-2", json!({})).await;
    let first = ask(world, "ListQueues", json!({"QueueNamePrefix": "q-", "MaxResults": 1})).await.unwrap();
    assert_eq!(first["QueueUrls"], json!([url]));
    let next = json!({"MaxResults": 1, "NextToken": first["NextToken"]});
    assert_eq!(ask(world, "ListQueues", next).await.unwrap()["QueueUrls"].as_array().unwrap().len(), 1);
    ask(world, "DeleteQueue", json!({"QueueUrl": url})).await.unwrap();
    let gone = ask(world, "SendMessage", json!({"QueueUrl": url, "MessageBody": "m"})).await.unwrap_err();
    let reply = error_reply(&gone);
    assert!(reply.headers.iter().any(|(name, value)| {
        *name == "x-amzn-query-error" && value == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    }));
}

/// How often a future has asked to be looked at.
#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_long_poll_goes_on_with_a_queue_that_is_made_again() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let url = create(world, "q", json!({})).await;
    let mut poll =
        std::pin::pin!(ask(world, "ReceiveMessage", json!({"QueueUrl": url, "WaitTimeSeconds": 20})));
    let wakes = Arc::new(Wakes::default());
    let waker = Arc::clone(&wakes).into();
    let mut look = || poll.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
    assert!(look());
    ask(world, "DeleteQueue", json!({"QueueUrl": url})).await.unwrap();
    create(world, "q", json!({})).await;
    // With the watch of the queue before it would wake itself for ever.
    assert!(look());
    let before = wakes.0.load(Ordering::Relaxed);
    tokio::task::yield_now().await;
    assert_eq!(wakes.0.load(Ordering::Relaxed), before, "it waits");
    ask(world, "SendMessage", json!({"QueueUrl": url, "MessageBody": "m"})).await.unwrap();
    assert_eq!(poll.await.unwrap()["Messages"][0]["Body"], "m");
}
