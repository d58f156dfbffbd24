//! One instance of a function: a child process in a group of its own, and the Runtime API that it polls.
//!
//! Dropping it kills the whole group. Its environment is the function's alone.

use std::{collections::BTreeMap, io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::runtime_api::{Answer, Invocation, Phase, RuntimeApi, failure};
use crate::{clock::Clock, fault::Faults};

/// How long the child may take to ask for its first invocation, as AWS has it.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Another thread may have the file open for writing for a moment while it starts a process of its own.
const BUSY_RETRIES_MAX: u32 = 20;
const BUSY_WAIT: Duration = Duration::from_millis(10);
/// What is logged in one piece.
const LOG_BYTES_MAX: usize = 8 * 1024;
/// Variables of our own that a child is given.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// What an instance needs to know of its function.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) region: String,
    pub(crate) handler: String,
    pub(crate) memory_mb: u32,
    pub(crate) timeout: Duration,
    /// Where the package is unpacked: the child's working folder.
    pub(crate) root: PathBuf,
    /// The AWS API endpoint.
    pub(crate) api_url: String,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) faults: Arc<Faults>,
}

/// A running instance.
#[derive(Debug)]
pub(crate) struct Instance {
    child: Child,
    group: Option<Pid>,
    api: Arc<RuntimeApi>,
    _server: DropGuard,
}

impl Instance {
    /// Starts a child and waits until it asks for work. An error is the description that a caller is given.
    pub(crate) async fn start(spec: &Spec) -> Result<Self, Bytes> {
        let server = CancellationToken::new();
        let guard = server.clone().drop_guard();
        let (api, address) =
            RuntimeApi::start(server).await.map_err(|e| failure("Runtime.Unavailable", &e.to_string()))?;
        let mut child = spawn(spec, &address).await.map_err(|e| {
            let message = format!("Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap]: {e}");
            failure("Runtime.InvalidEntrypoint", &message)
        })?;
        log(&spec.name, child.stdout.take());
        log(&spec.name, child.stderr.take());
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let mut instance = Self { child, group, api, _server: guard };
        let started = tokio::select! {
            phase = timeout(INIT_TIMEOUT, instance.api.started()) => phase,
            status = instance.child.wait() => return Err(exited("init", status)),
        };
        match started {
            Ok(Phase::Ready) => Ok(instance),
            Ok(Phase::Failed(why)) => Err(why),
            Ok(Phase::Starting) | Err(_) => {
                let message = format!("Error: Init timed out after {} seconds", INIT_TIMEOUT.as_secs());
                Err(failure("Sandbox.Timedout", &message))
            }
        }
    }

    /// Runs one invocation. After a time-out or the child's end the instance is of no more use.
    pub(crate) async fn run(&mut self, spec: &Spec, clock: Clock, payload: Bytes) -> Answer {
        let id = uuid::Uuid::new_v4().to_string();
        let timeout_ms = i64::try_from(spec.timeout.as_millis()).unwrap_or(i64::MAX);
        let answered = self.api.offer(Invocation {
            id: id.clone(),
            payload,
            deadline_ms: clock.now_ms().saturating_add(timeout_ms),
            function_arn: spec.arn.clone(),
        });
        tokio::select! {
            // An answer counts even if the child ends right after it.
            biased;
            answer = answered => {
                answer.unwrap_or_else(|_| Err(failure("Runtime.Unavailable", "Error: the runtime API ended")))
            }
            status = self.child.wait() => Err(exited(&id, status)),
            () = spec.faults.function_killed(&spec.region, &spec.name) => {
                self.kill();
                Err(exited(&id, self.child.wait().await))
            }
            () = sleep(spec.timeout) => {
                self.kill();
                let seconds = spec.timeout.as_secs_f64();
                let message = format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds");
                Err(failure("Sandbox.Timedout", &message))
            }
        }
    }

    /// Whether the child still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None)) && self.group.is_some()
    }

    /// Kills the child and what it has started. Only once: later the group's number could be another's.
    fn kill(&mut self) {
        if let Some(group) = self.group.take()
            && let Err(error) = kill_process_group(group, Signal::KILL)
        {
            tracing::trace!(%error, "no process was left of a function's group");
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn spawn(spec: &Spec, api_address: &str) -> io::Result<Child> {
    let mut command = Command::new(spec.root.join("bootstrap"));
    command
        .current_dir(&spec.root)
        .env_clear()
        .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env("_HANDLER", &spec.handler)
        .env("AWS_LAMBDA_RUNTIME_API", api_address)
        .env("AWS_REGION", &spec.region)
        .env("AWS_DEFAULT_REGION", &spec.region)
        .env("AWS_LAMBDA_FUNCTION_NAME", &spec.name)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string())
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", spec.name))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", uuid::Uuid::new_v4().simple().to_string())
        .env("LAMBDA_TASK_ROOT", &spec.root)
        .env("AWS_ACCESS_KEY_ID", "twin")
        .env("AWS_SECRET_ACCESS_KEY", "twin")
        .env("AWS_ENDPOINT_URL", &spec.api_url)
        .envs(&spec.environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut retries = 0;
    loop {
        match command.spawn() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy && retries < BUSY_RETRIES_MAX => {
                retries += 1;
                sleep(BUSY_WAIT).await;
            }
            spawned => return spawned,
        }
    }
}

fn exited(id: &str, status: io::Result<std::process::ExitStatus>) -> Bytes {
    let status = status.map_or_else(|e| e.to_string(), |s| s.to_string());
    failure("Runtime.ExitError", &format!("RequestId: {id} Error: Runtime exited with error: {status}"))
}

/// Takes what the child writes to the log, until it ends.
fn log(name: &str, output: Option<impl AsyncRead + Unpin + Send + 'static>) {
    let Some(mut output) = output else { return };
    let function = name.to_owned();
    tokio::spawn(async move {
        let mut buffer = vec![0; LOG_BYTES_MAX];
        while let Ok(count @ 1..) = output.read(&mut buffer).await {
            for line in String::from_utf8_lossy(&buffer[..count]).lines() {
                tracing::debug!(function, "{line}");
            }
        }
    });
}
