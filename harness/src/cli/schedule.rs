//! `gameday schedule`.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use gameday_report::ExitCode;

use super::usage;
use crate::{
    output::{data, to_stderr},
    plan::{Aim, Plan},
    results::Bucket,
    scenario::Scenario,
    schedule::{Engine, Every, Kept, Order},
};

/// Arguments of `gameday schedule`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday schedule scenarios/smoke.toml --on kubernetes --every 'day at 03:30' --results s3://game-days/smoke
  gameday schedule scenarios/smoke.toml --on systemd --every 'monday at 06:00' --results /srv/game-days
  gameday schedule scenarios/full-rehearsal.toml --on eventbridge --every '0 6 1 * *' --results s3://game-days/full --out review

Files are written, and nothing is applied: their first lines say how that is done. Times are UTC. What is
scheduled plays on a twin of its own; who is told how it ended is the scenario's [notify].")]
pub(super) struct Schedule {
    /// The scenario file.
    scenario: PathBuf,
    /// Who starts it.
    #[arg(long)]
    on: Engine,
    /// When: `day at 03:30`, `weekday at 06:00`, `monday at 06:00`, `month on 1 at 06:00`, or cron's five fields.
    #[arg(long, value_name = "WHEN")]
    every: Every,
    /// Where run folders are kept: a bucket; on systemd a folder; on Kubernetes the name of a
    /// `PersistentVolumeClaim`.
    #[arg(long, value_name = "s3://BUCKET/PREFIX|FOLDER")]
    results: Option<String>,
    /// The folder that the files are written to. Nothing that is there is written over.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// The container, as harness/Containerfile builds it and a registry has it.
    #[arg(long, default_value = "gameday:latest")]
    image: String,
    /// systemd: where the executable is.
    #[arg(long, value_name = "PATH", default_value = "/usr/local/bin/gameday")]
    program: PathBuf,
    /// Change a value of the scenario, as path=value. May be given more than once.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

impl Schedule {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let kept = self.results.as_deref().map(kept).transpose()?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
        if self.image.is_empty() || !self.image.chars().all(is_plain) {
            return Err(usage(format!("--image {}: is no name of an image", self.image)).into());
        }
        if !self.set.is_empty() && self.on == Engine::Github {
            return Err(usage(
                "a workflow plays the file of its repository: change that one, and not by --set",
            )
            .into());
        }
        let scenario = Scenario::load(&self.scenario, &self.set)?;
        let steps = Plan::of(&scenario, Aim::twin(&scenario.twin))?.duration_s_max;
        let run_by = (self.image, self.program);
        let order =
            Order::new(self.scenario, scenario, Duration::from_secs_f64(steps), self.every, kept, run_by);
        let drafts = order.and_then(|order| order.drafts(self.on)).map_err(usage)?;
        fs::create_dir_all(&self.out).with_context(|| format!("{} cannot be made", self.out.display()))?;
        let paths: Vec<PathBuf> = drafts.iter().map(|draft| self.out.join(&draft.name)).collect();
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            return Err(there(path).into());
        }
        for (path, draft) in paths.iter().zip(&drafts) {
            write(path, &draft.text)?;
            data(&path.display().to_string());
        }
        to_stderr("for review: nothing was applied, and the first lines of each say how that is done");
        Ok(ExitCode::Pass)
    }
}

fn kept(text: &str) -> anyhow::Result<Kept> {
    if text.starts_with("s3://") {
        return Ok(Kept::Bucket(
            text.parse::<Bucket>().map_err(|why| usage(format!("--results {text}: {why}")))?,
        ));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err(
            usage(format!("--results {text}: a folder of letters, digits, '-', '_', '.' and '/'")).into()
        );
    }
    Ok(Kept::Folder(text.into()))
}

fn there(path: &Path) -> super::UsageError {
    usage(format!("{} is there, and is not written over", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow::Error::from(there(path)),
        _ => anyhow::Error::from(error).context(format!("{} cannot be written", path.display())),
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("{} is not whole", path.display()))
}
