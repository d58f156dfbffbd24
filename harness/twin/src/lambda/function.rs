//! A deployed function: what was asked for, its pool of instances, its URL and its permissions.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    InvokeOutput,
    account::Account,
    event::EventConfig,
    instance::{Instance, Spec},
    log::Log,
    pool::Pool,
};
use crate::{clock::Clock, error::AwsError, world::World};

/// How often idle instances are looked at.
const REAP_PERIOD: Duration = Duration::from_secs(10);

/// What a function's description says besides what its instances need.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) role: String,
    pub(crate) description: String,
    /// The queue that events go to which were given up.
    pub(crate) dead_letters: Option<String>,
    pub(crate) modified: Timestamp,
    pub(crate) revision: String,
}

/// A function's code and configuration, whole: an update makes another one.
#[derive(Debug)]
pub(crate) struct Deployed {
    pub(crate) spec: Spec,
    pub(crate) settings: Settings,
}

/// What an invocation is asked for besides its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// Its id, if it has one already: an event keeps one through all its tries.
    pub(crate) request_id: Option<String>,
    /// The end of what the function wrote.
    pub(crate) log: bool,
}

/// What an invocation came to, and under which id.
#[derive(Debug, Clone)]
pub(crate) struct Invoked {
    pub(crate) request_id: String,
    pub(crate) output: InvokeOutput,
    /// The end of what the function wrote, if it was asked for.
    pub(crate) log: Option<Vec<u8>>,
}

/// A function's URL.
#[derive(Debug, Clone)]
pub(crate) struct FunctionUrl {
    pub(crate) host: String,
    pub(crate) auth_type: String,
    pub(crate) created: Timestamp,
}

/// A deployed function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) arn: String,
    deployed: Mutex<Arc<Deployed>>,
    account: Arc<Account>,
    pub(crate) pool: Pool,
    pub(crate) permissions: Mutex<BTreeMap<String, Json>>,
    pub(crate) tags: Mutex<BTreeMap<String, String>>,
    /// How asynchronous invocations are treated, if that is set.
    pub(crate) event_config: Mutex<Option<EventConfig>>,
    url: Mutex<Option<FunctionUrl>>,
    /// Cancelled when the function is deleted.
    pub(crate) gone: CancellationToken,
}

impl Function {
    pub(crate) fn new(deployed: Deployed, account: Arc<Account>) -> Self {
        let spec = &deployed.spec;
        Self {
            name: spec.name.clone(),
            region: spec.region.clone(),
            arn: spec.arn.clone(),
            deployed: Mutex::new(Arc::new(deployed)),
            account,
            pool: Pool::default(),
            permissions: Mutex::default(),
            tags: Mutex::default(),
            event_config: Mutex::default(),
            url: Mutex::default(),
            gone: CancellationToken::new(),
        }
    }

    pub(crate) fn url(&self) -> Option<FunctionUrl> {
        self.url.lock().clone()
    }

    pub(crate) fn set_url(&self, url: Option<FunctionUrl>) -> Option<FunctionUrl> {
        std::mem::replace(&mut *self.url.lock(), url)
    }

    /// What is deployed now.
    pub(crate) fn deployed(&self) -> Arc<Deployed> {
        Arc::clone(&self.deployed.lock())
    }

    /// Deploys what was made of `before`, unless something else has been deployed since. Invocations under way end
    /// with what they began with.
    pub(crate) fn deploy(&self, before: &Arc<Deployed>, deployed: Deployed) -> Result<(), AwsError> {
        {
            let mut now = self.deployed.lock();
            if !Arc::ptr_eq(&now, before) {
                let message = format!(
                    "The operation cannot be performed at this time. An update is in progress for resource: {}",
                    self.arn
                );
                return Err(AwsError::new(409, "ResourceConflictException", message));
            }
            *now = Arc::new(deployed);
        }
        self.pool.renew();
        Ok(())
    }

    /// Runs one invocation, on an idle instance or a new one.
    pub(crate) async fn invoke(
        &self,
        clock: Clock,
        shutdown: &CancellationToken,
        payload: Bytes,
        wish: Wish,
    ) -> Result<Invoked, AwsError> {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Err(AwsError::new(503, "ServiceException", "The twin is stopping")),
            () = self.gone.cancelled() => {
                Err(AwsError::new(404, "ResourceNotFoundException", "The function has been deleted"))
            }
            output = self.run(clock, payload, wish) => output,
        }
    }

    async fn run(&self, clock: Clock, payload: Bytes, wish: Wish) -> Result<Invoked, AwsError> {
        // A reservation is the function's own; without one it has a share of the account's.
        let _slot = if self.pool.reserved().is_none() { Some(self.account.enter()?) } else { None };
        // Whoever waits longer than an invocation may take has been throttled in all but name.
        let mut lease = self.pool.acquire(self.deployed().spec.timeout).await?;
        let deployed = self.deployed();
        let spec = &deployed.spec;
        let request_id = wish.request_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let started = match lease.instance.take() {
            Some(instance) => {
                // What was written before is of other invocations.
                instance.log().clear();
                Ok(instance)
            }
            None => Instance::start(spec, &request_id).await,
        };
        let mut log = None;
        let answer = match started {
            Ok(mut instance) => {
                instance.log().line(&format!("START RequestId: {request_id} Version: $LATEST"));
                let began = Instant::now();
                let answer = instance.run(spec, clock, payload, &request_id).await;
                if wish.log {
                    log = Some(report(&instance, spec, &request_id, began.elapsed()).await);
                }
                if instance.is_alive() {
                    lease.keep(instance);
                }
                answer
            }
            Err(why) => Err(why),
        };
        let output = match answer {
            Ok(payload) => InvokeOutput { payload, function_error: None },
            Err(payload) => InvokeOutput { payload, function_error: Some("Unhandled".to_owned()) },
        };
        Ok(Invoked { request_id, output, log })
    }

    /// The function as AWS describes it.
    pub(crate) fn configuration(&self) -> Json {
        let deployed = self.deployed();
        let Deployed { spec, settings } = &*deployed;
        let mut configuration = json!({
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "Runtime": spec.runtime_name,
            "Role": settings.role,
            "Handler": spec.handler,
            "CodeSize": spec.package.size_bytes,
            "CodeSha256": spec.package.sha256,
            "Description": settings.description,
            "Timeout": spec.timeout.as_secs(),
            "MemorySize": spec.memory_mb,
            "LastModified": settings.modified.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
            "Version": "$LATEST",
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": settings.revision,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{}", self.name)},
        });
        if !spec.environment.is_empty() {
            configuration["Environment"] = json!({"Variables": spec.environment});
        }
        if let Some(queue) = &settings.dead_letters {
            configuration["DeadLetterConfig"] = json!({"TargetArn": queue});
        }
        configuration
    }
}

/// What a caller is given who asks for the log: AWS's lines around the function's own.
async fn report(instance: &Instance, spec: &Spec, request_id: &str, took: Duration) -> Vec<u8> {
    let mut tail = instance.tail().await;
    let ended = Log::default();
    ended.line(&format!("END RequestId: {request_id}"));
    let ms = took.as_secs_f64() * 1_000.0;
    ended.line(&format!(
        "REPORT RequestId: {request_id}\tDuration: {ms:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB\t",
        ms.ceil(),
        spec.memory_mb
    ));
    tail.extend(ended.tail());
    let over = tail.len().saturating_sub(super::log::TAIL_BYTES_MAX);
    tail.drain(..over);
    tail
}

/// Ends a function's instances: idle ones after a while, all with the function or the world.
pub(crate) async fn keep(world: Arc<World>, function: Arc<Function>) {
    loop {
        tokio::select! {
            () = world.shutdown.cancelled() => break,
            () = function.gone.cancelled() => break,
            () = tokio::time::sleep(REAP_PERIOD) => function.pool.reap(Instant::now()),
        }
    }
    function.pool.close();
}

/// A function's name, also where an ARN or a qualified name was given.
pub(crate) fn bare_name(name: &str) -> &str {
    split_name(name).0
}

/// The version or alias that a name or an ARN ends with.
pub(crate) fn qualifier(name: &str) -> Option<&str> {
    split_name(name).1
}

fn split_name(name: &str) -> (&str, Option<&str>) {
    let name =
        name.split_once(":function:").or_else(|| name.split_once("function:")).map_or(name, |(_, n)| n);
    name.split_once(':').map_or((name, None), |(name, qualifier)| (name, Some(qualifier)))
}

#[cfg(test)]
mod tests;
