//! Cold start of a function: from the start of its process to its first request for an invocation, at a Runtime API that
//! does nothing else. The environment is what the twin and the templates give it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use gameday_tests::gameday;
use tokio::{
    io::AsyncReadExt,
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

const GOAL_MS: f64 = 50.0;
const STARTS: usize = 20;
const START_MAX: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 4_096;
const FUNCTIONS: [&str; 4] = ["replicate", "capture", "dispatch", "apply"];

/// One start.
#[derive(Debug, Clone, Copy)]
struct Start {
    wall_ms: f64,
    /// None: not Linux.
    cpu_ms: Option<f64>,
}

/// What the twin runs, and what AWS Lambda runs if it is built.
pub(crate) async fn starts() -> Result<()> {
    let gameday = gameday()?;
    let bootstrap = gameday.with_file_name("bootstrap");
    of(&gameday, &["function"]).await?;
    if bootstrap.is_file() {
        of(&bootstrap, &[]).await
    } else {
        println!("cold start of {}: skipped, it is not built", bootstrap.display());
        Ok(())
    }
}

async fn of(executable: &Path, arguments: &[&str]) -> Result<()> {
    let size_mib = fs::metadata(executable)?.len() as f64 / 1_048_576.0;
    let called: PathBuf = executable.iter().chain(arguments.iter().map(AsRef::as_ref)).collect();
    println!("cold start of {} ({size_mib:.0} MiB), {STARTS} starts each:", called.display());
    for function in FUNCTIONS {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(start(executable, arguments, function).await.with_context(|| function.to_owned())?);
        }
        starts.sort_by(|a, b| a.wall_ms.total_cmp(&b.wall_ms));
        let (median, worst) = (starts[STARTS / 2], starts[STARTS - 1]);
        let cpu = median.cpu_ms.map_or_else(|| "unknown".to_owned(), |ms| format!("{ms:.1} ms"));
        let reached = if median.wall_ms < GOAL_MS { "reached" } else { "MISSED" };
        println!(
            "    {function:<12}median {:.1} ms ({cpu} on the CPU), at most {:.1} ms; {:.2}x of {GOAL_MS} ms ({reached})",
            median.wall_ms,
            worst.wall_ms,
            median.wall_ms / GOAL_MS
        );
    }
    Ok(())
}

async fn start(executable: &Path, arguments: &[&str], function: &str) -> Result<Start> {
    let api = TcpListener::bind("127.0.0.1:0").await?;
    let arn = "arn:aws:states:us-west-2:123456789012:stateMachine:replicate";
    let mut command = Command::new(executable);
    command
        .args(arguments)
        .env_clear()
        .env("_HANDLER", function)
        .env("AWS_LAMBDA_RUNTIME_API", api.local_addr()?.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", function)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_REGION", "us-west-2")
        .env("AWS_ACCESS_KEY_ID", "twin")
        .env("AWS_SECRET_ACCESS_KEY", "twin")
        // Nothing is called before the first invocation.
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .envs([("PRIMARY_REGION", "us-east-1"), ("SECONDARY_REGION", "us-west-2"), ("MODE", "complete")])
        .envs([("STATE_TABLE", "state"), ("ERROR_TABLE", "errors"), ("EVENTS_TABLE", "events")])
        .env("DOCUMENTS_TABLE", "documents")
        .envs([("ACCOUNT_ID", "123456789012"), ("QUEUE_URL", "http://127.0.0.1:1/queue")])
        .env("STATE_MACHINE_ARN", arn)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let began = Instant::now();
    let mut child = command.spawn()?;
    let head = timeout(START_MAX, asked(&api)).await.context("it does not ask for work")??;
    let wall_ms = began.elapsed().as_secs_f64() * 1_000.0;
    let cpu_ms = cpu_ms(&child);
    child.kill().await?;
    ensure!(head.starts_with("GET ") && head.contains("/runtime/invocation/next"), "it asks for {head:?}");
    Ok(Start { wall_ms, cpu_ms })
}

/// The first line of what it asks for.
async fn asked(api: &TcpListener) -> Result<String> {
    let (mut stream, _) = api.accept().await?;
    let mut head = Vec::new();
    while !head.contains(&b'\n') && head.len() < HEAD_BYTES_MAX {
        ensure!(stream.read_buf(&mut head).await? > 0, "it closed its connection");
    }
    Ok(String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned())
}

/// Time of its main thread, the only one that it has by then.
fn cpu_ms(child: &Child) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{}/schedstat", child.id()?)).ok()?;
    let ns: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(ns / 1e6)
}
