//! One instance of a function: a child process in a group of its own, and the Runtime API that it polls.
//!
//! Dropping it kills the whole group. Its environment is the function's alone.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    log::Log,
    package::Package,
    runtime::Runtime,
    runtime_api::{Answer, Invocation, Phase, RuntimeApi, failure},
};
use crate::{clock::Clock, fault::Faults};

/// How long the child may take to ask for its first invocation, as AWS has it.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Another thread may have the file open for writing for a moment while it starts a process of its own.
const BUSY_RETRIES_MAX: u32 = 20;
const BUSY_WAIT: Duration = Duration::from_millis(10);
/// Variables of our own that a child is given.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "PYTHONPATH"];
/// How long what the child has just written may take to be read.
const LOG_WAIT: Duration = Duration::from_millis(10);

/// What an instance needs to know of its function.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) region: String,
    /// As it was asked for: `provided.al2023`.
    pub(crate) runtime_name: String,
    pub(crate) runtime: Runtime,
    pub(crate) handler: String,
    pub(crate) memory_mb: u32,
    pub(crate) timeout: Duration,
    /// The child's files and working folder.
    pub(crate) package: Arc<Package>,
    /// The AWS API endpoint.
    pub(crate) api_url: String,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) faults: Arc<Faults>,
}

/// The processes of an instance, to be killed once: later the group's number could be another's.
#[derive(Debug, Default)]
struct Group(Option<Pid>);

impl Group {
    /// Kills the child and what it has started.
    fn kill(&mut self) {
        let Some(group) = self.0.take() else { return };
        if let Err(error) = kill_process_group(group, Signal::KILL) {
            tracing::trace!(%error, "no process was left of a function's group");
        }
    }

    fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

/// A running instance.
#[derive(Debug)]
pub(crate) struct Instance {
    child: Child,
    group: Group,
    api: Arc<RuntimeApi>,
    log: Log,
    _server: DropGuard,
    _package: Arc<Package>,
}

impl Instance {
    /// Starts a child and waits until it asks for work. An error is the description that a caller is given.
    pub(crate) async fn start(spec: &Spec, request_id: &str) -> Result<Self, Bytes> {
        let server = CancellationToken::new();
        let guard = server.clone().drop_guard();
        let (api, address) =
            RuntimeApi::start(server).await.map_err(|e| failure("Runtime.Unavailable", &e.to_string()))?;
        let mut child = spawn(spec, &address).await.map_err(|e| {
            let message = format!(
                "RequestId: {request_id} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap \
                 /opt/bootstrap]: {e}"
            );
            failure("Runtime.InvalidEntrypoint", &message)
        })?;
        let log = Log::default();
        log.follow(&spec.name, child.stdout.take());
        log.follow(&spec.name, child.stderr.take());
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = Group(group);
        let mut instance =
            Self { child, group, api, log, _server: guard, _package: Arc::clone(&spec.package) };
        let started = tokio::select! {
            phase = timeout(INIT_TIMEOUT, instance.api.started()) => phase,
            status = instance.child.wait() => return Err(exited(request_id, status)),
        };
        match started {
            Ok(Phase::Ready) => Ok(instance),
            Ok(Phase::Failed(why)) => Err(why),
            Ok(Phase::Starting) | Err(_) => {
                let seconds = INIT_TIMEOUT.as_secs_f64();
                let message =
                    format!("RequestId: {request_id} Error: Init timed out after {seconds:.2} seconds");
                Err(failure("Sandbox.Timedout", &message))
            }
        }
    }

    /// Runs one invocation. After a time-out or the child's end the instance is of no more use.
    pub(crate) async fn run(
        &mut self,
        spec: &Spec,
        clock: Clock,
        payload: Bytes,
        request_id: &str,
    ) -> Answer {
        let timeout_ms = i64::try_from(spec.timeout.as_millis()).unwrap_or(i64::MAX);
        let answered = self.api.offer(Invocation {
            id: request_id.to_owned(),
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
            status = self.child.wait() => Err(exited(request_id, status)),
            () = spec.faults.function_killed(&spec.region, &spec.name) => {
                self.group.kill();
                Err(exited(request_id, self.child.wait().await))
            }
            () = sleep(spec.timeout) => {
                self.group.kill();
                let seconds = spec.timeout.as_secs_f64();
                let message = format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
                Err(failure("Sandbox.Timedout", &message))
            }
        }
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The end of what it has written, once that has been read.
    pub(crate) async fn tail(&self) -> Vec<u8> {
        sleep(LOG_WAIT).await;
        self.log.tail()
    }

    /// Whether the child still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None)) && self.group.is_there()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.group.kill();
    }
}

async fn spawn(spec: &Spec, api_address: &str) -> io::Result<Child> {
    let root = &spec.package.root;
    let mut command = match &spec.runtime {
        Runtime::Bootstrap => Command::new(root.join("bootstrap")),
        Runtime::Python(python) => {
            let mut command = Command::new(python);
            command.args(["-m", "awslambdaric", &spec.handler]);
            command
        }
    };
    command
        .current_dir(root)
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
        .env("LAMBDA_TASK_ROOT", root)
        .env("AWS_ACCESS_KEY_ID", "twin")
        .env("AWS_SECRET_ACCESS_KEY", "twin")
        .env("AWS_ENDPOINT_URL", &spec.api_url)
        .env("TZ", ":UTC");
    if let Runtime::Python(_) = spec.runtime {
        command.env("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", spec.runtime_name));
        command.env("PYTHONPATH", python_path(root.as_os_str().to_owned()));
    }
    if spec.package.is_folder() {
        command.env("PYTHONDONTWRITEBYTECODE", "1");
    }
    command
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

/// The package first, then what the twin itself was given.
fn python_path(mut root: OsString) -> OsString {
    if let Some(own) = std::env::var_os("PYTHONPATH") {
        root.push(":");
        root.push(own);
    }
    root
}

/// How Lambda tells that the process has ended: `exit status 1`, `signal: killed`.
fn exited(request_id: &str, status: io::Result<ExitStatus>) -> Bytes {
    let why = match status {
        Ok(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
        Ok(status) => format!("Runtime exited with error: {}", ending(status)),
        Err(error) => format!("Runtime exited with error: {error}"),
    };
    failure("Runtime.ExitError", &format!("RequestId: {request_id} Error: {why}"))
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "signal: killed".to_owned(),
        (None, Some(15)) => "signal: terminated".to_owned(),
        (None, Some(11)) => "signal: segmentation fault".to_owned(),
        (None, Some(6)) => "signal: aborted".to_owned(),
        (None, signal) => format!("signal: signal {}", signal.unwrap_or_default()),
    }
}
