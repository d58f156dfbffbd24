//! `gameday deploy`, `gameday destroy` and `gameday outputs`: the replicator and the health checks, by the same templates on
//! the twin and on AWS.

mod outputs;

use anyhow::Context;
use clap::{Args, ValueEnum};
use gameday_report::ExitCode;

pub(super) use outputs::Outputs;

use super::{
    at::{At, Reached},
    block_on, usage,
};
use crate::{
    deploy::{self, Concurrency, Destruction, Installation, Package, Settings},
    log,
    output::{Output, data, to_stderr},
};

/// Arguments of `gameday deploy`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday deploy --target http://127.0.0.1:4566
  gameday deploy --target aws --primary eu-west-1 --secondary eu-central-1 \\
    --code 's3://my-artefacts-{region}/replicator-7.zip'

It may be done again at any time: what is there is changed into what is asked for, and the rest stays as it is.
Registry events that are off in the primary are switched on; `gameday destroy` switches off those, and only those.
On AWS a trail of CloudTrail must record management events in the primary: without it changes of certificates and
policies are only seen by the reconcile, every 30 minutes.")]
pub(super) struct Deploy {
    #[command(flatten)]
    at: At,
    /// How events are applied: in order from the stream, or by one execution of a state machine each.
    #[arg(long, value_enum, default_value_t = Dispatch::Direct)]
    dispatch: Dispatch,
    /// Devices register themselves in both Regions with a CA of their own, and get this policy, made if it is not there.
    #[arg(long, value_name = "POLICY")]
    just_in_time: Option<String>,
    /// Apply nothing for now: events wait in the stream, which remembers 24 hours.
    #[arg(long)]
    pause: bool,
    /// Trace with X-Ray.
    #[arg(long)]
    tracing: bool,
    /// `own` keeps some of the account's concurrency for the functions that need it for certain. `shared` keeps none: for an
    /// account whose limit is so low that AWS lets nothing be kept (100 instances have to stay free). Other functions can
    /// then starve the health checks.
    #[arg(long, value_enum, default_value_t = Concurrency::Own)]
    concurrency: Concurrency,
    /// The SNS topic that is told of alarms; `{region}` in it is the Region of the alarm.
    #[arg(long, value_name = "ARN", default_value = "")]
    alarm_topic: String,
    /// Seconds between the requests of one of Route 53's health checkers.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = interval)]
    interval: u64,
    /// Results in a row that change a health checker's opinion.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10))]
    failures: u32,
    /// Give the health checks new certificates and new query strings.
    #[arg(long)]
    rotate: bool,
    /// AWS only: the functions' package. `{region}` in it is the Region, since a function takes its package from there.
    #[arg(long, value_name = "s3://BUCKET/KEY")]
    code: Option<String>,
    /// AWS only: what the package was built for.
    #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
    architecture: Architecture,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dispatch {
    Direct,
    Workflow,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Architecture {
    Arm64,
    #[value(name = "x86_64")]
    X86,
}

fn interval(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(seconds @ (10 | 30)) => Ok(seconds),
        _ => Err("Route 53 asks every 10 or every 30 seconds".to_owned()),
    }
}

/// Arguments of `gameday destroy`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  gameday destroy --target http://127.0.0.1:4566

What cannot be taken down is named, with what to do by hand, and the exit code is 20. It may be done again.")]
pub(super) struct Destroy {
    #[command(flatten)]
    at: At,
}

impl Deploy {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.deploy())
    }

    async fn deploy(self) -> anyhow::Result<ExitCode> {
        log::to_stderr();
        let output = Output::new();
        let deployed = Box::pin(self.put(&output)).await;
        output.finish();
        deployed.map(|()| ExitCode::Pass)
    }

    async fn put(self, output: &Output) -> anyhow::Result<()> {
        let reached = self.at.reach().await?;
        let (package, folder) = self.package(&reached).await?;
        let settings = Settings {
            dispatch: match self.dispatch {
                Dispatch::Direct => "direct",
                Dispatch::Workflow => "workflow",
            },
            just_in_time_policy: self.just_in_time,
            is_paused: self.pause,
            is_traced: self.tracing,
            concurrency: self.concurrency,
            alarm_topic: self.alarm_topic,
            interval_s: self.interval,
            failures: self.failures,
            rotate: self.rotate,
        };
        let installation = Installation {
            postfix: &self.at.postfix,
            aws: &reached.aws,
            place: &reached.place().await?,
            package: &package,
            settings: &settings,
            output,
            journal: None,
        };
        let installed = installation.put_all().await;
        // Once a stack may name the folder, it has to stay.
        let _kept = folder.map(tempfile::TempDir::keep);
        let installed = installed.context("it is not deployed; the command may be given again")?;
        output.line(&format!("deployed: gameday-{} in both Regions", self.at.postfix));
        data(&format!("primary health check    {}", installed.primary_check));
        data(&format!("secondary health check  {}", installed.secondary_check));
        Ok(())
    }

    /// The functions' package, and a new folder if it is one.
    async fn package(&self, reached: &Reached) -> anyhow::Result<(Package, Option<tempfile::TempDir>)> {
        if let Some(twin) = reached.twin() {
            if self.code.is_some() {
                return Err(usage("--code is for AWS: on the twin this executable is the package").into());
            }
            if let Some((bucket, key)) = deploy::deployed_package(&reached.aws, &self.at.postfix).await?
                && deploy::is_current_package(&bucket, &key)
            {
                return Ok((Package::in_folder(std::path::Path::new(&key))?, None));
            }
            let folder = deploy::write_package(&twin.folder, &self.at.postfix)?;
            return Ok((Package::in_folder(folder.path())?, Some(folder)));
        }
        let code = self.code.as_deref().unwrap_or_default();
        let (bucket, key) = code
            .strip_prefix("s3://")
            .and_then(|path| path.split_once('/'))
            .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
            .ok_or_else(|| usage("AWS needs --code s3://BUCKET/KEY: where the functions' package is"))?;
        let architecture = match self.architecture {
            Architecture::Arm64 => "arm64",
            Architecture::X86 => "x86_64",
        };
        Ok((Package { bucket: bucket.to_owned(), key: key.to_owned(), architecture }, None))
    }
}

impl Destroy {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.destroy())
    }

    async fn destroy(self) -> anyhow::Result<ExitCode> {
        log::to_stderr();
        let reached = self.at.reach().await?;
        let output = Output::new();
        let destruction = Destruction { postfix: &self.at.postfix, aws: &reached.aws, output: &output };
        let done = Box::pin(destruction.run()).await;
        output.finish();
        let done = done?;
        for left in &done.left {
            to_stderr(&format!("NOT DESTROYED: {left}"));
        }
        if !done.left.is_empty() {
            return Ok(ExitCode::UndoIncomplete);
        }
        match done.stacks {
            0 => to_stderr(&format!("nothing of gameday-{} was there", self.at.postfix)),
            stacks => to_stderr(&format!("destroyed: {stacks} stacks of gameday-{}", self.at.postfix)),
        }
        Ok(ExitCode::Pass)
    }
}
