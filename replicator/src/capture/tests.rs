//! What is looked at, when, and what is delivered again.

mod looks;
mod waits;

use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::checks::at_every_end;
use crate::document::{Document, Seen};
use crate::mode::Mode;
use crate::model::{Policy, Status};
use crate::outcome::{Class, Failure, Outcome};
use crate::policy::certificate_id;
use crate::ports::Documents;
use crate::rules::EXCLUDED_PREFIX;
use crate::simulation::{PRIMARY, Twins, arn, policy_document, typed};

/// The queue: what was sent, and by when it arrives.
#[derive(Debug, Default)]
struct Queue {
    sent: Mutex<Vec<(Later, u64)>>,
    fails: bool,
}

impl Looks for Queue {
    async fn later(&self, look: &Later, delay_s: u64) -> Outcome<()> {
        if self.fails {
            return Err(Failure::transient("send message", "told to fail"));
        }
        self.sent.lock().unwrap().push((look.clone(), delay_s));
        Ok(())
    }
}

/// A function with its memory, its queue and the two Regions.
#[derive(Debug)]
struct Bench {
    twins: Twins,
    capture: Capture,
    queue: Queue,
}

const NEVER_MS: u64 = u64::MAX;

impl AsRef<Twins> for Bench {
    fn as_ref(&self) -> &Twins {
        &self.twins
    }
}

impl Bench {
    fn new() -> Self {
        Self { twins: Twins::new(), capture: Capture::default(), queue: Queue::default() }
    }

    async fn run(&self, records: &[Value]) -> Vec<String> {
        let event = json!({ "Records": records });
        let response = self.capture.batch(self.twins.source(), &self.queue, &event, NEVER_MS).await;
        response.failures.into_iter().map(|failure| failure.sequence).collect()
    }

    /// The calls of the primary that a batch costs; all of it is done.
    async fn cost(&self, records: &[Value]) -> Vec<String> {
        self.twins.clear_calls();
        assert_eq!(self.run(records).await, [""; 0]);
        self.twins.region_calls().iter().map(|call| call.trim_start_matches("primary.").to_owned()).collect()
    }

    fn sent(&self) -> Vec<(Later, u64)> {
        std::mem::take(&mut *self.queue.sent.lock().unwrap())
    }

    fn document(&self, key: &Key) -> Option<Document> {
        let inner = self.twins.inner();
        let row = inner.events.rows.get(&(key.device(), crate::document::SORT_KEY.to_owned()))?;
        Some(serde_json::from_str(row["document"].as_str().unwrap()).unwrap())
    }

    fn documents(&self) -> usize {
        self.twins.inner().events.changes.len()
    }

    /// A call of the API now.
    fn call(&self, name: &str, request: &Value) -> Value {
        api_call(name, request, &Value::Null, self.twins.now_ms() / 1_000)
    }
}

fn queued(id: &str, body: &Value) -> Value {
    json!({"messageId": id, "eventSource": "aws:sqs", "body": body.to_string()})
}

fn api_call(name: &str, request: &Value, answer: &Value, at_s: u64) -> Value {
    let time = jiff::Timestamp::from_second(i64::try_from(at_s).unwrap()).unwrap().to_string();
    let detail = json!({"eventSource": "iot.amazonaws.com", "eventName": name, "awsRegion": PRIMARY,
        "eventTime": time, "requestParameters": request, "responseElements": answer});
    queued(name, &json!({"detail-type": "AWS API Call via CloudTrail", "detail": detail}))
}

/// What the queue has of a thing that was made, [`SETTLE_S`] after the stream told of it.
fn created(thing: &str, at_ms: u64) -> Value {
    let (look, shows) = (Key::Identity(thing.to_owned()), Shows::Anything);
    of_queue(&Later { look, since_ms: at_ms, shows, tries: 0, failures: 0 })
}

fn of_queue(later: &Later) -> Value {
    queued("later", &serde_json::to_value(later).unwrap())
}

/// What the stream has of a thing that was made.
fn streamed(thing: &str, at_ms: u64) -> Value {
    let row = json!({"device": thing, "event": "thing#e", "origin": PRIMARY, "eventType": "THING_EVENT",
        "operation": "CREATED", "thingName": thing, "thingId": "i", "versionNumber": 1, "timestamp": at_ms});
    of_stream(&row)
}

fn of_stream(row: &Value) -> Value {
    let image = typed(row);
    json!({"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {"SequenceNumber": "1",
        "ApproximateCreationDateTime": 1.0, "NewImage": image["M"],
        "Keys": {"device": {"S": row["device"]}, "event": {"S": row["event"]}}}})
}

fn attaching(thing: &str, id: &str) -> Value {
    json!({"thingName": thing, "principal": arn(PRIMARY, id)})
}

fn giving(policy: &str, id: &str) -> Value {
    json!({"policyName": policy, "target": arn(PRIMARY, id)})
}

/// The certificates of a thing, with their policies.
fn seen(document: &Document) -> Vec<(String, Status, Vec<String>)> {
    let Seen::Identity { certificates, .. } = &document.seen else { panic!("of a thing") };
    let names = |policies: &[Policy]| policies.iter().map(|policy| policy.name.clone()).collect();
    let one = |identity: &crate::document::Identity| {
        (identity.id.clone(), identity.certificate.status, names(&identity.policies))
    };
    certificates.iter().map(one).collect()
}

#[test]
fn modes_are_read() {
    assert_eq!("".parse(), Ok(Mode::Complete));
    assert_eq!("complete".parse(), Ok(Mode::Complete));
    assert_eq!("just-in-time".parse(), Ok(Mode::JustInTime));
    assert!("jit".parse::<Mode>().is_err());
}

#[tokio::test]
async fn devices_that_register_just_in_time_are_not_looked_at_but_no_event_is_lost() {
    let bench = Bench::new();
    let capture = Capture::new(Mode::JustInTime);
    let batch = json!({ "Records": [created("t", bench.twins.now_ms())] });
    let source = bench.twins.source();
    let response = capture.handle(source, &bench.queue, &batch, NEVER_MS).await.unwrap();
    assert_eq!((response.failures.len(), bench.twins.region_calls().len()), (0, 0));
    let payload = json!({"version": 9, "timestamp": 5}).to_string();
    let lost = json!({"ruleName": "r", "topic": "$aws/things/t/shadow/delete/accepted",
        "base64OriginalPayload": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, payload),
        "failures": [{"failedAction": "DynamoDBv2Action"}]});
    at_every_end(
        async || Bench::new(),
        async |bench| capture.handle(bench.twins.source(), &bench.queue, &lost, NEVER_MS).await.is_ok(),
        |bench, story| {
            let key = ("t".to_owned(), "shadow##9#deleted".to_owned());
            assert!(bench.twins.inner().events.rows.contains_key(&key), "{story}");
        },
    )
    .await;
}
