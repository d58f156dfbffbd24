//! The Lambda Runtime API of one instance: a small HTTP server on loopback that its child process polls.
//!
//! It holds one invocation at a time, as AWS does: offered, taken by `next`, answered by `response` or `error`.

use std::{io, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot, watch},
};
use tokio_util::sync::CancellationToken;

use super::PAYLOAD_BYTES_MAX;

/// One invocation, as the child is given it.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) payload: Bytes,
    pub(crate) deadline_ms: i64,
    pub(crate) function_arn: String,
}

/// What the child made of an invocation: its answer, or the description of its error.
pub(crate) type Answer = Result<Bytes, Bytes>;

/// How far the child is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    /// It has asked for its first invocation.
    Ready,
    /// It has said that it cannot start, and why.
    Failed(Bytes),
}

#[derive(Debug, Default)]
struct Slot {
    offered: Option<(Invocation, oneshot::Sender<Answer>)>,
    running: Option<(String, oneshot::Sender<Answer>)>,
}

/// The server's state.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    slot: Mutex<Slot>,
    arrived: Notify,
    phase: watch::Sender<Phase>,
}

impl RuntimeApi {
    /// Starts the server; it ends with the token. Says at which `host:port` it listens.
    pub(crate) async fn start(closed: CancellationToken) -> io::Result<(Arc<Self>, String)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let api = Arc::new(Self {
            slot: Mutex::new(Slot::default()),
            arrived: Notify::new(),
            phase: watch::Sender::new(Phase::Starting),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(PAYLOAD_BYTES_MAX))
            .with_state(Arc::clone(&api));
        tokio::spawn(async move {
            tokio::select! {
                () = closed.cancelled() => {}
                served = axum::serve(listener, router) => {
                    if let Err(error) = served {
                        tracing::warn!(%error, "a runtime API ended");
                    }
                }
            }
        });
        Ok((api, address))
    }

    /// Offers an invocation. The answer never comes if the child dies.
    pub(crate) fn offer(&self, invocation: Invocation) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        self.slot.lock().offered = Some((invocation, answer));
        self.arrived.notify_one();
        answered
    }

    /// Waits until the child has started or said that it cannot.
    pub(crate) async fn started(&self) -> Phase {
        let mut phase = self.phase.subscribe();
        match phase.wait_for(|p| *p != Phase::Starting).await {
            Ok(phase) => phase.clone(),
            Err(_) => Phase::Starting,
        }
    }

    /// Takes what is offered.
    fn take(&self) -> Option<Invocation> {
        let mut slot = self.slot.lock();
        let (invocation, answer) = slot.offered.take()?;
        slot.running = Some((invocation.id.clone(), answer));
        Some(invocation)
    }

    /// Whoever asks for the next invocation has given up on the one before.
    fn give_up(&self) {
        if let Some((id, answer)) = self.slot.lock().running.take() {
            // Nobody listens any more if the invocation has timed out.
            let _ = answer.send(Err(failure(
                "Runtime.InvalidResponse",
                &format!("RequestId: {id} Error: no response"),
            )));
        }
    }

    fn answer(&self, id: &str, answer: Answer) -> Response {
        let mut slot = self.slot.lock();
        match slot.running.take() {
            Some((running, sender)) if running == id => {
                // Nobody listens any more if the invocation has timed out.
                let _ = sender.send(answer);
                status(StatusCode::ACCEPTED)
            }
            other => {
                slot.running = other;
                let body = failure("InvalidRequestID", "Invalid request ID");
                (StatusCode::BAD_REQUEST, body).into_response()
            }
        }
    }
}

/// The description of an error, as Lambda gives it to callers.
pub(crate) fn failure(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({"errorType": kind, "errorMessage": message}).to_string())
}

fn status(code: StatusCode) -> Response {
    (code, r#"{"status":"OK"}"#).into_response()
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    api.give_up();
    api.phase.send_replace(Phase::Ready);
    let invocation = loop {
        if let Some(invocation) = api.take() {
            break invocation;
        }
        api.arrived.notified().await;
    };
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.id.clone()),
        ("lambda-runtime-deadline-ms", invocation.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", invocation.function_arn),
        ("lambda-runtime-trace-id", trace_id(&invocation.id, invocation.deadline_ms)),
        ("content-type", "application/json".to_owned()),
    ];
    let mut response = Response::new(Body::from(invocation.payload));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// An X-Ray trace id that is not sampled.
fn trace_id(id: &str, deadline_ms: i64) -> String {
    let hex: String = id.chars().filter(char::is_ascii_hexdigit).take(24).collect();
    format!("Root=1-{:08x}-{hex:0<24};Parent=0000000000000001;Sampled=0", deadline_ms / 1000)
}

async fn response(State(api): State<Arc<RuntimeApi>>, Path(id): Path<String>, body: Bytes) -> Response {
    api.answer(&id, Ok(body))
}

async fn error(State(api): State<Arc<RuntimeApi>>, Path(id): Path<String>, body: Bytes) -> Response {
    api.answer(&id, Err(body))
}

async fn init_error(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> Response {
    api.phase.send_replace(Phase::Failed(body));
    status(StatusCode::ACCEPTED)
}
