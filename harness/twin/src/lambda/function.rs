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
    instance::{Instance, Spec},
    pool::Pool,
};
use crate::{clock::Clock, error::AwsError, world::World};

/// How often idle instances are looked at.
const REAP_PERIOD: Duration = Duration::from_secs(10);

/// What a function's description says besides what its instances need.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) runtime: String,
    pub(crate) role: String,
    pub(crate) description: String,
    pub(crate) code_size: usize,
    pub(crate) code_sha256: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) revision: String,
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
    pub(crate) spec: Spec,
    pub(crate) settings: Settings,
    pub(crate) pool: Pool,
    pub(crate) permissions: Mutex<BTreeMap<String, Json>>,
    url: Mutex<Option<FunctionUrl>>,
    /// Cancelled when the function is deleted.
    pub(crate) gone: CancellationToken,
}

impl Function {
    pub(crate) fn new(spec: Spec, settings: Settings) -> Self {
        Self {
            spec,
            settings,
            pool: Pool::default(),
            permissions: Mutex::default(),
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

    /// Runs one invocation, on an idle instance or a new one.
    pub(crate) async fn invoke(
        &self,
        clock: Clock,
        shutdown: &CancellationToken,
        payload: Bytes,
    ) -> Result<InvokeOutput, AwsError> {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Err(AwsError::new(503, "ServiceException", "The twin is stopping")),
            () = self.gone.cancelled() => {
                Err(AwsError::new(404, "ResourceNotFoundException", "The function has been deleted"))
            }
            output = self.run(clock, payload) => output,
        }
    }

    async fn run(&self, clock: Clock, payload: Bytes) -> Result<InvokeOutput, AwsError> {
        // Whoever waits longer than an invocation may take has been throttled in all but name.
        let mut lease = self.pool.acquire(self.spec.timeout).await?;
        let started = match lease.instance.take() {
            Some(instance) => Ok(instance),
            None => Instance::start(&self.spec).await,
        };
        let answer = match started {
            Ok(mut instance) => {
                let answer = instance.run(&self.spec, clock, payload).await;
                if instance.is_alive() {
                    lease.keep(instance);
                }
                answer
            }
            Err(why) => Err(why),
        };
        Ok(match answer {
            Ok(payload) => InvokeOutput { payload, function_error: None },
            Err(payload) => InvokeOutput { payload, function_error: Some("Unhandled".to_owned()) },
        })
    }

    /// The function as AWS describes it.
    pub(crate) fn configuration(&self) -> Json {
        json!({
            "FunctionName": self.spec.name,
            "FunctionArn": self.spec.arn,
            "Runtime": self.settings.runtime,
            "Role": self.settings.role,
            "Handler": self.spec.handler,
            "CodeSize": self.settings.code_size,
            "CodeSha256": self.settings.code_sha256,
            "Description": self.settings.description,
            "Timeout": self.spec.timeout.as_secs(),
            "MemorySize": self.spec.memory_mb,
            "LastModified": self.settings.created.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
            "Version": "$LATEST",
            "Environment": {"Variables": self.spec.environment},
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.settings.revision,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
        })
    }
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
    let name =
        name.split_once(":function:").or_else(|| name.split_once("function:")).map_or(name, |(_, n)| n);
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests;
