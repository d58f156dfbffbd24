//! Custom resources: a Lambda function is told what to do, and answers over HTTP at a URL that it is given.

use std::{collections::BTreeMap, time::Duration};

use axum::http::Method;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use tokio::sync::oneshot;

use super::{Failure, Job, Made, required, segment, text};
use crate::cloudformation::client::Rest;

/// AWS's longest answer.
pub(crate) const ANSWER_BYTES_MAX: usize = 4_096;
/// AWS's time for an answer, unless `ServiceTimeout` says less.
const ANSWER_S_MAX: u64 = 3_600;
/// Resources that wait for an answer at once.
const WAITING_MAX: usize = 1_000;

/// What a custom resource's function answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Answer {
    status: String,
    reason: Option<String>,
    physical_resource_id: Option<String>,
    #[serde(default)]
    data: Option<Map<String, Json>>,
}

/// Who waits for an answer, by the token in the URL.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<BTreeMap<String, oneshot::Sender<Answer>>>);

impl Waiting {
    /// Takes an answer; `false` if nobody waits for it or it is none.
    pub(crate) fn answer(&self, token: &str, body: &[u8]) -> bool {
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else { return false };
        let waiting = self.0.lock().remove(token);
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    fn wait(&self, token: &str) -> Result<oneshot::Receiver<Answer>, Failure> {
        let mut waiting = self.0.lock();
        if waiting.len() >= WAITING_MAX {
            return Err(Failure::new("Too many custom resources wait for an answer"));
        }
        let (sender, receiver) = oneshot::channel();
        waiting.insert(token.to_owned(), sender);
        Ok(receiver)
    }

    fn forget(&self, token: &str) {
        self.0.lock().remove(token);
    }
}

pub(super) fn is_custom(kind: &str) -> bool {
    kind == "AWS::CloudFormation::CustomResource" || kind.starts_with("Custom::")
}

/// Numbers and flags reach functions as text.
fn texts(value: &Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), texts(v))).collect()),
        Json::Array(list) => Json::Array(list.iter().map(texts).collect()),
        other => text(other).map_or(Json::Null, Json::String),
    }
}

async fn ask(job: &Job<'_>, request: &str, properties: &Json, extra: Json) -> Result<Answer, Failure> {
    let function = required(properties, "ServiceToken")?;
    let token = uuid::Uuid::new_v4().to_string();
    let mut event = json!({
        "RequestType": request,
        "ServiceToken": function,
        "ResponseURL": format!("{}/_twin/cloudformation/{token}", job.world.api_url),
        "StackId": job.stack_id,
        "RequestId": uuid::Uuid::new_v4().to_string(),
        "LogicalResourceId": job.logical,
        "ResourceType": job.kind,
        "ResourceProperties": texts(properties),
    });
    if let (Some(event), Json::Object(extra)) = (event.as_object_mut(), extra) {
        event.extend(extra);
    }
    let seconds = text(&properties["ServiceTimeout"]).and_then(|t| t.parse().ok()).unwrap_or(ANSWER_S_MAX);
    let wait = Duration::from_secs(seconds.clamp(1, ANSWER_S_MAX));
    let waiting = &job.world.cloudformation.waiting;
    let receiver = waiting.wait(&token)?;
    let rest = Rest {
        headers: &[("x-amz-invocation-type", "Event")],
        body: Bytes::from(event.to_string()),
        ..Rest::default()
    };
    let path = format!("/2015-03-31/functions/{}/invocations", segment(&function));
    let sent = job.client().send("lambda", Method::POST, &path, rest).await;
    let answer = match sent {
        Ok(_) => tokio::time::timeout(wait, receiver).await,
        Err(failure) => {
            waiting.forget(&token);
            return Err(failure);
        }
    };
    waiting.forget(&token);
    let answer = answer.ok().and_then(Result::ok).ok_or_else(|| {
        Failure::new(
            "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId \
             and that the response was sent to the ResponseURL.",
        )
    })?;
    if answer.status == "SUCCESS" {
        return Ok(answer);
    }
    let said = answer.reason.as_deref().unwrap_or("See the details in the function's log");
    let id = answer.physical_resource_id.clone();
    let reason = format!("Received response status [FAILED] from custom resource. Message returned: {said}");
    Err(Failure { left: id, ..Failure::new(reason) })
}

fn made(answer: Answer) -> Result<Made, Failure> {
    let id = answer.physical_resource_id.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Failure::new("Invalid PhysicalResourceId"))?;
    Ok(Made { id, attributes: answer.data.unwrap_or_default() })
}

pub(super) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    ask(job, "Create", properties, json!({})).await.and_then(made)
}

/// If the answer has another physical id, the resource was replaced, and the caller deletes the old one.
pub(super) async fn update(job: &Job<'_>, id: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    let extra = json!({"PhysicalResourceId": id, "OldResourceProperties": texts(old)});
    let mut answer = ask(job, "Update", new, extra).await?;
    answer.physical_resource_id.get_or_insert_with(|| id.to_owned());
    made(answer)
}

pub(super) async fn delete(job: &Job<'_>, id: &str, properties: &Json) -> Result<(), Failure> {
    ask(job, "Delete", properties, json!({"PhysicalResourceId": id})).await.map(drop)
}
