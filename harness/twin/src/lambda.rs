//! Lambda: functions as child processes that speak the Lambda Runtime API, event source mappings, function URLs.
//!
//! The layers: what is deployed ([`function`], [`code`]); what runs it ([`pool`], [`instance`], [`runtime_api`]); what
//! feeds it ([`mapping`] by the rules of [`batch`], [`url`]); the codec ([`api`], [`mapping_api`]). Every child process
//! ends with the world.

mod api;
mod batch;
mod code;
mod function;
mod instance;
mod mapping;
mod mapping_api;
mod pool;
mod runtime_api;
mod url;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use parking_lot::Mutex;

pub(crate) use self::api::{error_reply, handle};
use self::{function::Function, mapping::Mapping};
use crate::{call::Reply, error::AwsError, world::World};

/// The largest payload of a synchronous invocation, either way, as AWS has it.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Waits before the retries of an asynchronous invocation, as AWS has them.
const EVENT_RETRY_WAITS: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];
/// Asynchronous invocations that wait or run at once.
const EVENTS_MAX: usize = 10_000;

/// What an invocation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvokeOutput {
    pub(crate) payload: Bytes,
    /// Set if the function failed: then the payload describes the failure.
    pub(crate) function_error: Option<String>,
}

/// The Lambda of all Regions.
#[derive(Debug, Default)]
pub(crate) struct Lambda {
    /// By Region and name.
    functions: Mutex<BTreeMap<(String, String), Arc<Function>>>,
    /// By UUID.
    mappings: Mutex<BTreeMap<String, Arc<Mapping>>>,
    events: AtomicUsize,
}

impl Lambda {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The function of this name or ARN.
    pub(crate) fn function(&self, region: &str, name: &str) -> Result<Arc<Function>, AwsError> {
        let name = function::bare_name(name);
        let found = self.functions.lock().get(&(region.to_owned(), name.to_owned())).cloned();
        found.ok_or_else(|| {
            AwsError::new(404, "ResourceNotFoundException", format!("Function not found: {region}:{name}"))
        })
    }

    /// Invokes a function and waits for its answer.
    ///
    /// The invocation goes on if the caller does not wait: on AWS nothing that a caller does ends it.
    pub(crate) async fn invoke(
        &self,
        world: &Arc<World>,
        region: &str,
        name: &str,
        payload: Bytes,
    ) -> Result<InvokeOutput, AwsError> {
        let function = self.function(region, name)?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            let message = format!(
                "Request must be smaller than {PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation"
            );
            return Err(AwsError::new(413, "RequestTooLargeException", message));
        }
        let (clock, shutdown) = (world.clock, world.shutdown.clone());
        let task = world.tasks.spawn(async move { function.invoke(clock, &shutdown, payload).await });
        task.await.unwrap_or_else(|e| Err(AwsError::new(500, "ServiceException", e.to_string())))
    }

    /// Invokes a function and does not wait. A failure is retried twice, as AWS does.
    pub(crate) fn invoke_event(
        &self,
        world: &Arc<World>,
        region: &str,
        name: &str,
        payload: Bytes,
    ) -> Result<(), AwsError> {
        let function = self.function(region, name)?;
        if self.events.fetch_add(1, Ordering::Relaxed) >= EVENTS_MAX {
            self.events.fetch_sub(1, Ordering::Relaxed);
            return Err(AwsError::new(429, "TooManyRequestsException", "Too many events are waiting"));
        }
        let world = Arc::clone(world);
        let tasks = world.tasks.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = world.shutdown.cancelled() => {}
                () = run_event(&world, &function, payload) => {}
            }
            world.lambda.events.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(())
    }
}

/// Answers an HTTPS request to a function URL; none if no function has this host.
#[expect(clippy::too_many_arguments, reason = "the parts of an HTTP request")]
pub(crate) async fn serve_url(
    world: &Arc<World>,
    host: &str,
    method: &Method,
    raw_path: &str,
    raw_query: &str,
    headers: &HeaderMap,
    body: Bytes,
    source_ip: IpAddr,
) -> Option<Reply> {
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let functions: Vec<_> = world.lambda.functions.lock().values().cloned().collect();
    let function = functions.into_iter().find(|f| f.url().is_some_and(|u| u.host == host))?;
    let request = url::UrlRequest { host: &host, method, raw_path, raw_query, headers, body, source_ip };
    let event = request.event(world.clock.now());
    let output = world.lambda.invoke(world, &function.spec.region, &function.spec.name, event).await;
    Some(url::reply(output))
}

async fn run_event(world: &Arc<World>, function: &Function, payload: Bytes) {
    let mut waits = EVENT_RETRY_WAITS.into_iter();
    loop {
        let output = function.invoke(world.clock, &world.shutdown, payload.clone()).await;
        let problem = match output {
            Ok(InvokeOutput { function_error: None, .. }) => return,
            Ok(output) => String::from_utf8_lossy(&output.payload).into_owned(),
            Err(error) => error.to_string(),
        };
        let Some(wait) = waits.next() else {
            tracing::warn!(function = function.spec.name, problem, "an event was dropped after its retries");
            return;
        };
        tokio::time::sleep(wait).await;
    }
}
