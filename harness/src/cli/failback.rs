//! `gameday failback`: what changed in the secondary during an outage goes home, as a plan first.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use gameday_report::ExitCode;
use replicator::failback::{self, Ending, Journal, Options, Plan, Subject};

use super::{at::At, block_on};
use crate::{
    deploy::Replica,
    log,
    output::{Output, data, to_stderr},
    stop::stop_on_signal,
};

/// What a signal is answered with.
const STOPPING: &str = "ending after what is worked on; --apply with the same plan goes on";

/// Arguments of `gameday failback`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday failback --out plan.json
  gameday failback --apply plan.json

Without --apply nothing is changed: the plan says what would be taken home, merged, kept,
overwritten or brought back. --apply carries out the plan that was read, and refuses what is not
as the plan saw it; it may be given again, and goes on. What it has cut and not given back, if it was
killed, is in a file beside the plan, FILE.cut.

Exits with 1 if something was refused or failed, with 11 if the plan has gaps: what could not be
compared, and with 13 if a signal ended it before the last item.")]
pub(super) struct Failback {
    #[command(flatten)]
    at: At,
    /// Write the plan to this file, to carry it out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Carry out the plan in this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "resurrect", "deletions"])]
    apply: Option<PathBuf>,
    /// Bring back what was deleted in the primary and is in the secondary still.
    #[arg(long)]
    resurrect: bool,
    /// Delete in the primary what was deleted in the secondary.
    #[arg(long)]
    deletions: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Failback {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            log::to_stderr();
            let replica = self.at.replica().await?;
            if !replica.is_paused {
                to_stderr(
                    "NOTE: replication was not paused by gameday deploy --pause. Unless it was paused by hand, it changes what \
                     is compared here, and takes back what goes home.",
                );
            }
            let output = Arc::new(Output::new());
            let done = match &self.apply {
                None => Box::pin(self.plan(&replica, &output)).await,
                Some(path) => Box::pin(self.carry_out(&replica, path, &output)).await,
            };
            output.finish();
            done
        })
    }

    async fn plan(&self, replica: &Replica, output: &Output) -> anyhow::Result<ExitCode> {
        let options = Options {
            resurrect: self.resurrect,
            deletions: self.deletions,
            identities: replica.identities,
            ..Options::default()
        };
        if let Some(out) = &self.out
            && !journal(out)?.is_empty()
        {
            bail!(
                "{0} was begun and ended halfway: give gameday failback --apply {0} again first",
                out.display()
            );
        }
        let compared = AtomicUsize::new(0);
        let on_progress = |count: usize| {
            let compared = compared.fetch_add(count, Relaxed) + count;
            output.status(&format!("compared: {compared}"));
        };
        let plan = failback::plan(&replica.both.regions(), &replica.state, &options, &on_progress).await;
        output.finish();
        let plan = plan.map_err(|failure| anyhow!("the Regions could not be compared: {failure}"))?;
        if let Some(out) = &self.out {
            std::fs::write(out, serde_json::to_vec_pretty(&plan)?)
                .with_context(|| format!("cannot write {}", out.display()))?;
        }
        self.print(&plan)?;
        to_stderr(&match &self.out {
            Some(out) => format!("nothing was changed; gameday failback --apply {}", out.display()),
            None => "nothing was changed; --out FILE keeps the plan, to carry it out".to_owned(),
        });
        Ok(if plan.gaps.is_empty() { ExitCode::Pass } else { ExitCode::Inconclusive })
    }

    async fn carry_out(
        &self,
        replica: &Replica,
        path: &Path,
        output: &Arc<Output>,
    ) -> anyhow::Result<ExitCode> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let plan: Plan = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no plan of gameday failback", path.display()))?;
        let journal = journal(path)?;
        let stop = stop_on_signal(output, STOPPING)?;
        let on_progress = |subject: &Subject, ending: &Ending| match ending {
            Ending::Done | Ending::Already => output.status(&subject.to_string()),
            Ending::Refused(why) | Ending::Failed(why) => output.line(&format!("      {subject}: {why}")),
        };
        let is_over = || stop.is_cancelled();
        let regions = replica.both.regions();
        let applied = failback::apply(&regions, &plan, &journal, &on_progress, &is_over).await;
        output.finish();
        let applied = applied.map_err(|failure| anyhow!("{failure}"))?;
        self.print(&applied)?;
        Ok(match applied.totals() {
            [.., 0, 0] if applied.left > 0 => ExitCode::Operator,
            _ if applied.is_clean() => ExitCode::Pass,
            _ => ExitCode::Error,
        })
    }

    fn print<T: std::fmt::Display + serde::Serialize>(&self, value: &T) -> anyhow::Result<()> {
        let text = if self.json { serde_json::to_string_pretty(value)? } else { value.to_string() };
        data(text.trim_end());
        Ok(())
    }
}

fn journal(plan: &Path) -> anyhow::Result<Journal> {
    Journal::beside(plan).with_context(|| format!("cannot read the journal beside {}", plan.display()))
}
