//! Lambda: functions as child processes that speak the Lambda Runtime API, event source mappings, function URLs.
//!
//! The layers: what is deployed ([`function`], [`package`], [`code`], [`runtime`]); what runs it ([`pool`], [`instance`],
//! [`runtime_api`], [`log`], within [`account`]); what feeds it ([`event`]; [`mapping`]s, [`stream_mapping`] and [`queue_mapping`], by the rules
//! of [`batch`] and [`filter`], [`url`]); where records of it go ([`destination`]); the codec ([`api`] and the modules
//! that end in `_api`). Every child process ends with the world.

mod access_api;
mod account;
mod api;
mod batch;
mod code;
mod destination;
mod event;
mod event_api;
mod filter;
mod function;
mod function_api;
mod instance;
mod log;
mod mapping;
mod mapping_api;
mod package;
mod pool;
mod queue_mapping;
mod runtime;
mod runtime_api;
mod stream_mapping;
mod url;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use parking_lot::Mutex;

#[cfg(test)]
pub(crate) use self::code::tests::zip_of;
use self::{
    account::Account,
    function::{Function, Invoked, Wish},
    mapping::Mapping,
};
pub(crate) use self::{
    api::{error_reply, handle},
    url::header_name,
};
use crate::{call::Reply, error::AwsError, quota::Quotas, room::Room, world::World};

/// The largest payload of a synchronous invocation, either way, as AWS has it.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// The largest payload of an asynchronous one.
const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Asynchronous invocations that wait or run at once, in all Regions.
const EVENTS_MAX: usize = 10_000;
/// Bytes of their events, and of the answers that they keep for their destinations.
const EVENTS_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Functions of a Region.
const FUNCTIONS_MAX: usize = 1_000;

/// What an invocation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvokeOutput {
    pub(crate) payload: Bytes,
    /// Set if the function failed: then the payload describes the failure.
    pub(crate) function_error: Option<String>,
}

/// The Lambda of all Regions.
#[derive(Debug)]
pub(crate) struct Lambda {
    /// By Region and name.
    functions: Mutex<BTreeMap<(String, String), Arc<Function>>>,
    /// By UUID.
    mappings: Mutex<BTreeMap<String, Arc<Mapping>>>,
    /// By Region.
    accounts: BTreeMap<String, Arc<Account>>,
    events: Arc<Room>,
}

impl Lambda {
    pub(crate) fn new(quotas: &Quotas, regions: &[String]) -> Self {
        let account = |region: &String| {
            (region.clone(), Arc::new(Account::new(quotas.limit(region, account::CONCURRENCY))))
        };
        Self {
            functions: Mutex::default(),
            mappings: Mutex::default(),
            accounts: regions.iter().map(account).collect(),
            events: Room::new(EVENTS_MAX, EVENTS_BYTES_MAX),
        }
    }

    /// The function of this name or ARN.
    pub(crate) fn function(&self, region: &str, name: &str) -> Result<Arc<Function>, AwsError> {
        let name = function::bare_name(name);
        let found = self.functions.lock().get(&(region.to_owned(), name.to_owned())).cloned();
        found.ok_or_else(|| {
            AwsError::new(404, "ResourceNotFoundException", format!("Function not found: {region}:{name}"))
        })
    }

    /// The concurrency of a Region.
    fn account(&self, region: &str) -> Result<Arc<Account>, AwsError> {
        self.accounts.get(region).cloned().ok_or_else(|| {
            AwsError::new(404, "ResourceNotFoundException", format!("The twin has no Region {region}"))
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
        self.run(world, &function, payload, Wish::default()).await.map(|invoked| invoked.output)
    }

    /// Invokes a function as wished. Every invocation passes here.
    async fn run(
        &self,
        world: &Arc<World>,
        function: &Arc<Function>,
        payload: Bytes,
        wish: Wish,
    ) -> Result<Invoked, AwsError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large(PAYLOAD_BYTES_MAX));
        }
        let (clock, shutdown, function) = (world.clock, world.shutdown.clone(), Arc::clone(function));
        let task = world.tasks.spawn(async move { function.invoke(clock, &shutdown, payload, wish).await });
        task.await.unwrap_or_else(|e| Err(AwsError::new(500, "ServiceException", e.to_string())))
    }

    /// Invokes a function and does not wait. Failures are retried, as AWS does.
    pub(crate) fn invoke_event(
        &self,
        world: &Arc<World>,
        region: &str,
        name: &str,
        payload: Bytes,
    ) -> Result<(), AwsError> {
        let function = self.function(region, name)?;
        if payload.len() > EVENT_BYTES_MAX {
            return Err(too_large(EVENT_BYTES_MAX));
        }
        let place =
            self.events.take(payload.len()).ok_or_else(|| crate::api::throttled("lambda", "Invoke"))?;
        let world = Arc::clone(world);
        let tasks = world.tasks.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = world.shutdown.cancelled() => {}
                () = event::run(&world, &function, payload, place) => {}
            }
        });
        Ok(())
    }
}

/// AWS bounds the bytes of all code and not the number of functions: this is its error for that.
fn check_count<T>(functions: &BTreeMap<(String, String), T>, region: &str) -> Result<(), AwsError> {
    if functions.keys().filter(|(r, _)| r == region).count() < FUNCTIONS_MAX {
        return Ok(());
    }
    let message =
        format!("Code storage limit exceeded. The twin has at most {FUNCTIONS_MAX} functions in a Region");
    Err(AwsError::new(400, "CodeStorageExceededException", message))
}

fn too_large(bytes_max: usize) -> AwsError {
    let message = format!("Request must be smaller than {bytes_max} bytes for the InvokeFunction operation");
    AwsError::new(413, "RequestTooLargeException", message)
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
    let output = world.lambda.invoke(world, &function.region, &function.name, event).await;
    Some(url::reply(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_so_many_functions() {
        let mut functions: BTreeMap<_, _> =
            (0..FUNCTIONS_MAX).map(|n| (("us-east-1".to_owned(), n.to_string()), n)).collect();
        let refused = check_count(&functions, "us-east-1").unwrap_err();
        assert_eq!((refused.status, refused.code), (400, "CodeStorageExceededException"));
        check_count(&functions, "us-west-2").unwrap();
        functions.pop_first();
        check_count(&functions, "us-east-1").unwrap();
    }
}
