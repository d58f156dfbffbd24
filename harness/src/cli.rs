//! The command line: each command is a file, `main` maps what it returns to the exit code and prints errors once.

mod abort;
mod at;
mod cleanup;
mod cost;
mod deploy;
mod doctor;
mod failback;
mod faults;
mod fleet;
mod function;
mod init;
mod kept;
mod leave;
mod limits;
mod note;
mod plan;
mod predict;
mod pubsub;
mod quota;
mod readiness;
mod report;
mod restore;
mod run;
mod schedule;
mod schema;
mod shadow_compare;
mod started;
mod status;
mod switch;
mod twin;
mod validate;
mod verify;

use std::{fmt::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};
use gameday_report::ExitCode as Exit;

use crate::{output::to_stderr, scenario::ScenarioError};

/// Rehearses the loss of an AWS Region for an AWS IoT fleet.
#[derive(Debug, Parser)]
#[command(name = "gameday", version, about, after_help = after_help(), max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario and write its report.
    Run(run::Run),
    /// Say whether a run would go on: what it looks at before it changes anything.
    Doctor(doctor::Doctor),
    /// Say how a run stands: its phase, what is broken, where the devices are.
    Status(status::Status),
    /// Write down what somebody did, on a run's timeline.
    Note(note::Note),
    /// End a run from elsewhere: it heals and cleans up.
    Abort(abort::Abort),
    /// Say what a scenario would make, call, break and undo, how long it takes, and what of the quotas: offline.
    Plan(plan::PlanCommand),
    /// Say what a game day costs a run, and the replicator a month; offline, by dated prices.
    Cost(cost::Cost),
    /// Say how long a scenario would take with a fleet of any size, with its range; or check that against a run.
    Predict(predict::Predict),
    /// Write a commented scenario, or copy one of the library.
    Init(init::Init),
    /// Print the JSON Schema of scenario files, for editors.
    Schema(schema::Schema),
    /// Write, for review, what runs a scenario on a timer: files for EventBridge, Kubernetes, systemd or GitHub.
    Schedule(schedule::Schedule),
    /// Check scenario files; say where and what is wrong.
    Validate(validate::Validate),
    /// Make summary, JUnit and HTML report again, from a run folder alone.
    Report(report::Report),
    /// Heal and undo what a run left that was killed, from its run folder alone.
    Restore(restore::Restore),
    /// Find what runs have left in an account, by its marks, and delete it.
    Cleanup(cleanup::Cleanup),
    /// Deploy the replicator and the health checks, to the twin or to AWS, or change what is deployed.
    Deploy(deploy::Deploy),
    /// Take down what `gameday deploy` deployed, and nothing else.
    Destroy(deploy::Destroy),
    /// Print what is deployed: tables, queues, health checks.
    Outputs(deploy::Outputs),
    /// Bring home what changed in the secondary during an outage: first a plan, which changes nothing.
    Failback(failback::Failback),
    /// Say whether the secondary would let each device in today.
    Readiness(readiness::Readiness),
    /// Say whether the shadows of both Regions are the same; or write some, and time their way.
    ShadowCompare(shadow_compare::ShadowCompare),
    /// Check a deployment with a device: does it arrive, is it let in by both Regions, does it go again?
    Verify(verify::Verify),
    /// Make, look at, compare and delete fleets that stay: devices for many game days.
    Fleet(fleet::FleetCommand),
    /// Publish and hear as a device does, and follow a name from Region to Region.
    Pubsub(pubsub::Pubsub),
    /// Find by calling what a quota really is.
    Quota(quota::Quota),
    /// List what can be broken, with parameters, proofs and cures.
    Faults(faults::Faults),
    /// Run the twin on its own, for the AWS CLI, SDKs and MQTT clients.
    Twin(twin::TwinCommand),
    /// Restore a run whose process is gone (a run starts this).
    #[command(hide = true)]
    Switch(switch::Switch),
    /// Run a function of the replicator as AWS Lambda does (the twin starts this).
    #[command(hide = true)]
    Function(function::Function),
}

/// What was asked for makes no sense. The text says why, and what would.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

fn usage(why: impl Into<String>) -> UsageError {
    UsageError(why.into())
}

/// Runs a command to its end on all cores.
fn block_on(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(command);
    // Tasks that are still there have nothing left to do.
    runtime.shutdown_background();
    exit
}

fn after_help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:>2}  {}: {}", exit.code(), exit.name(), exit.meaning());
    }
    text.push_str("\nExample:\n  gameday run scenarios/region-failover.toml\n");
    text
}

/// Parses arguments, carries out the command, and gives the exit code of the design's table.
pub fn main() -> ExitCode {
    // Usage errors end here with 2, as in the table.
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Run(run) => run.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Status(status) => status.run(),
        Command::Note(note) => note.run(),
        Command::Abort(abort) => abort.run(),
        Command::Plan(plan) => plan.run(),
        Command::Cost(cost) => cost.run(),
        Command::Predict(predict) => predict.run(),
        Command::Init(init) => init.run(),
        Command::Schema(schema) => schema.run(),
        Command::Schedule(schedule) => schedule.run(),
        Command::Validate(validate) => Ok(validate.run()),
        Command::Report(report) => report.run(),
        Command::Restore(restore) => restore.run(),
        Command::Cleanup(cleanup) => cleanup.run(),
        Command::Deploy(deploy) => deploy.run(),
        Command::Destroy(destroy) => destroy.run(),
        Command::Outputs(outputs) => outputs.run(),
        Command::Failback(failback) => failback.run(),
        Command::Readiness(readiness) => readiness.run(),
        Command::ShadowCompare(compare) => compare.run(),
        Command::Verify(verify) => verify.run(),
        Command::Fleet(fleet) => fleet.run(),
        Command::Pubsub(pubsub) => pubsub.run(),
        Command::Quota(quota) => quota.run(),
        Command::Faults(faults) => faults.run(),
        Command::Twin(twin) => twin.run(),
        Command::Switch(switch) => switch.run(),
        Command::Function(function) => function.run(),
    };
    let exit = outcome.unwrap_or_else(|error| {
        to_stderr(&format!("error: {error:#}"));
        let is_usage = error.is::<ScenarioError>() || error.is::<UsageError>();
        if is_usage { Exit::Usage } else { Exit::Error }
    });
    ExitCode::from(exit.code())
}
