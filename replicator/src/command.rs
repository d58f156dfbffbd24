//! The command line: the Region syncers, the way home, the readiness sweep.
//!
//! | Exit | |
//! |---|---|
//! | 0 | all of it was done; the secondary is ready |
//! | 1 | something failed, was refused, or is not ready: what is said |
//! | 2 | the command was not understood |
//!
//! What is asked for goes to standard output, how it gets on to standard error.

mod failback;
mod ready;
mod role;
mod sync;

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::aws::{AwsRegion, Both, quota_share};
use crate::mode::Mode;
use crate::sync::{WORKERS, WORKERS_MAX};

/// What a command ends with when it cannot go on.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// A command that was not understood, whether its flags or the environment say it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misuse(String);

/// What [`Misuse`] exits with; so does the parser of the command line.
const MISUSED: u8 = 2;

/// Keeps a secondary AWS Region ready for an AWS IoT fleet.
#[derive(Debug, Parser)]
#[command(name = "replicator", version)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Brings what is in the primary to the secondary, or to the event table
    Sync(sync::Sync),
    /// Brings home what changed in the secondary during an outage
    #[command(subcommand)]
    Failback(failback::Failback),
    /// Says whether each device would be let in by the secondary today
    Ready(ready::Ready),
    /// Prints the policy of the role that `sync` needs, for a task of AWS Fargate say
    Role(role::Role),
}

/// What all commands need. Each may be in the environment instead.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Common {
    /// The Region in which devices live [env: `PRIMARY_REGION`]
    #[arg(long, global = true)]
    primary_region: Option<String>,
    /// The Region that is kept ready [env: `SECONDARY_REGION`]
    #[arg(long, global = true)]
    secondary_region: Option<String>,
    /// The account; looked up if it is not said [env: `ACCOUNT_ID`]
    #[arg(long, global = true)]
    account: Option<String>,
    /// complete, or just-in-time: certificates and policies are left alone [env: `MODE`]
    #[arg(long, global = true)]
    mode: Option<String>,
    /// How much is worked on at once, 1 to 50 [env: `MAX_WORKERS`; default: 10]
    #[arg(long, global = true)]
    max_workers: Option<usize>,
    /// Answers in JSON
    #[arg(long, global = true)]
    json: bool,
}

/// Runs the command of this process.
pub async fn main() -> ExitCode {
    start_log();
    let Cli { common, command } = Cli::parse();
    let done = match command {
        Command::Sync(sync) => Box::pin(sync.run(&common)).await,
        Command::Failback(failback) => Box::pin(failback.run(&common)).await,
        Command::Ready(ready) => Box::pin(ready.run(&common)).await,
        Command::Role(role) => role.run(&common),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            tell(&format!("replicator: {why}"));
            ExitCode::from(code(&why))
        }
    }
}

fn code(why: &Error) -> u8 {
    if why.is::<Misuse>() { MISUSED } else { 1 }
}

/// The same, for those who only say what is wrong.
fn misuse(why: impl Into<String>) -> Error {
    Misuse(why.into()).into()
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LOG_LEVEL");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    // An error means that there is a log already, which is as good.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).try_init().ok();
}

/// Says how it gets on.
fn tell(line: &str) {
    // Whoever closed standard error does not want to know.
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// Says how it gets on, each thing once however often it is reported.
#[derive(Debug, Default)]
struct Told {
    last: Mutex<String>,
}

impl Told {
    fn tell(&self, line: &str) {
        if self.is_new(line) {
            tell(line);
        }
    }

    fn is_new(&self, line: &str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *last != line;
        line.clone_into(&mut last);
        is_new
    }
}

/// What went wrong with a file, and with which.
fn of_file(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |why| format!("{}: {why}", path.display()).into()
}

/// Answers, in JSON if that is wanted.
fn answer<T: Display + Serialize>(json: bool, value: &T) -> Result<(), Error> {
    let text = if json { serde_json::to_string_pretty(value)? + "\n" } else { value.to_string() };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// What a flag says, else what the environment says; an empty variable says nothing.
fn said(flag: Option<&String>, variable: &str) -> Option<String> {
    flag.cloned().or_else(|| std::env::var(variable).ok()).filter(|value| !value.is_empty())
}

fn needed(flag: Option<&String>, variable: &str, name: &str) -> Result<String, Error> {
    said(flag, variable).ok_or_else(|| misuse(format!("{name} or {variable} has to say which")))
}

/// A query, if it asks for less than all things: that is a list, for which no index is needed.
fn query(flag: Option<&String>) -> Option<String> {
    said(flag, "QUERY_STRING").filter(|query| query != "thingName:*")
}

impl Common {
    async fn connect(&self) -> Result<Both, Error> {
        quota_share().map_err(misuse)?;
        let primary = needed(self.primary_region.as_ref(), "PRIMARY_REGION", "--primary-region")?;
        let secondary = needed(self.secondary_region.as_ref(), "SECONDARY_REGION", "--secondary-region")?;
        if primary == secondary {
            return Err(misuse(format!("{primary} is both the primary and the secondary Region")));
        }
        let connecting =
            async { futures::join!(AwsRegion::connect(&primary), AwsRegion::connect(&secondary)) };
        let (here, there) = Box::pin(connecting).await;
        let account = match said(self.account.as_ref(), "ACCOUNT_ID") {
            Some(account) => account,
            None => Box::pin(here.clients().account()).await?,
        };
        Ok(Both::new(here, there, account))
    }

    fn workers(&self) -> Result<usize, Error> {
        workers(self.max_workers, said(None, "MAX_WORKERS"))
    }

    fn identities(&self) -> Result<bool, Error> {
        let mode: Result<Mode, _> = said(self.mode.as_ref(), "MODE").unwrap_or_default().parse();
        Ok(mode.map_err(|unknown| misuse(unknown.to_string()))? == Mode::Complete)
    }
}

/// What the flag says, else what the environment says.
fn workers(flag: Option<usize>, environment: Option<String>) -> Result<usize, Error> {
    let workers = match (flag, environment) {
        (Some(workers), _) => workers,
        (None, Some(text)) => {
            text.parse().map_err(|_| misuse(format!("MAX_WORKERS is no number: {text}")))?
        }
        (None, None) => WORKERS,
    };
    if (1..=WORKERS_MAX).contains(&workers) {
        return Ok(workers);
    }
    Err(misuse(format!("--max-workers or MAX_WORKERS is 1 to {WORKERS_MAX}, not {workers}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_come_after_the_command_or_before_it() {
        let cli = Cli::try_parse_from(["replicator", "ready", "--primary-region", "a", "--json"]).unwrap();
        assert!(cli.common.json);
        assert_eq!(cli.common.primary_region.as_deref(), Some("a"));
        assert!(Cli::try_parse_from(["replicator", "failback"]).is_err());
    }

    #[test]
    fn what_is_not_understood_exits_with_two_and_a_failure_with_one() {
        let wrong = |flag, text: Option<&str>| workers(flag, text.map(str::to_owned)).unwrap_err();
        for why in [wrong(None, Some("many")), wrong(None, Some("0")), wrong(Some(51), None)] {
            assert_eq!(code(&why), 2, "{why}");
        }
        assert_eq!(workers(None, Some("50".into())).unwrap(), 50);
        assert_eq!(workers(Some(1), Some("many".into())).unwrap(), 1);
        let run = |arguments: &[&str]| {
            let cli = Cli::try_parse_from(["replicator"].iter().chain(arguments)).unwrap();
            let Command::Sync(sync) = cli.command else { panic!("it is a sync") };
            sync.options(&cli.common)
        };
        for arguments in [
            &["sync", "--sync-mode", "fast"][..],
            &["sync", "--mode", "jitr"],
            &["sync", "--max-workers", "0"],
            &["sync", "--orphans", "remove"],
        ] {
            assert_eq!(code(&run(arguments).unwrap_err()), 2, "{arguments:?}");
        }
        assert_eq!(run(&["sync", "--sync-mode", "repair"]).unwrap().mode, crate::sync::Mode::Repair);
        assert_eq!(code(&needed(Some(&String::new()), "NO_SUCH_VARIABLE", "--such").unwrap_err()), 2);
        assert_eq!(code(&crate::outcome::Failure::transient("list", "throttled").into()), 1);
    }

    #[test]
    fn what_is_reported_again_is_said_once() {
        let told = Told::default();
        assert_eq!(["a", "a", "b", "a"].map(|line| told.is_new(line)), [true, false, true, true]);
    }

    #[test]
    fn a_query_for_all_things_is_none() {
        assert_eq!(query(Some(&"thingName:*".into())), None);
        assert_eq!(query(Some(&"thingName:a*".into())), Some("thingName:a*".into()));
    }
}
