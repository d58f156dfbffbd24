//! `gameday fleet delete`.

use std::sync::Arc;

use clap::Args;
use gameday_report::ExitCode;

use super::{Named, STOPPING, elsewhere, home};
use crate::{
    cli::{at::TargetArgs, leave::Leave},
    descriptors,
    output::{Output, data, to_stderr},
    pool::{Creation, Deletion, Delivery, Doomed, Pool, Progress, SETTLE, doomed},
    stop::stop_on_signal,
};

/// Arguments of `gameday fleet delete`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday fleet delete lamps
  gameday fleet delete lamps --yes
  gameday fleet delete lamps --forget

Things with their shadows, certificates, the fleet's own policy and its CA are deleted in both Regions, and the folder with the
keys after them. What others attached to a device is detached and stays. Exits with 0 if nothing is left; what is left is named,
with what to do by hand, and the exit code is 20: the same command goes on.")]
pub(super) struct Delete {
    #[command(flatten)]
    named: Named,
    /// Do it. Without this it is only said what would be deleted.
    #[arg(long, conflicts_with = "forget")]
    yes: bool,
    /// Delete the folder alone: for a fleet of a twin that is gone.
    #[arg(long)]
    forget: bool,
    #[command(flatten)]
    leave: Leave,
    #[command(flatten)]
    target: TargetArgs,
    /// Print what would be deleted as JSON.
    #[arg(long)]
    json: bool,
}

impl Delete {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let (fleets, name) = (&self.named.folder.fleets, &self.named.name);
        let Some((pool, _lock)) = Pool::open_to_change(fleets, name)? else {
            if (self.yes || self.forget) && Pool::sweep(fleets, name)? {
                to_stderr(&format!("fleet {name} was deleted before, and now its keys are, too"));
                return Ok(ExitCode::Pass);
            }
            return Err(self.named.nothing());
        };
        if self.forget {
            let folder = pool.path().to_owned();
            pool.remove()?;
            to_stderr(&format!("{} is deleted, and nothing else", folder.display()));
            return Ok(ExitCode::Pass);
        }
        if !self.yes {
            let doomed = doomed(&pool)?;
            if self.json {
                data(&serde_json::to_string_pretty(&doomed)?);
            } else {
                tell(&doomed);
            }
            return Ok(ExitCode::Pass);
        }
        // What is left of devices keeps the states of their shards open.
        descriptors::raise();
        let output = Arc::new(Output::new());
        let done = Box::pin(self.delete(pool, &output)).await;
        output.finish();
        done
    }

    async fn delete(&self, mut pool: Pool, output: &Arc<Output>) -> anyhow::Result<ExitCode> {
        let name = self.named.name.clone();
        if pool.manifest.making.is_some() {
            let reached = self.target.reach().await?;
            let home = home(&reached).await?;
            if let Some(error) = elsewhere(&pool, &home) {
                return Err(error);
            }
            self.leave.apply(&reached.aws).await;
            let stop = stop_on_signal(output, STOPPING)?;
            let mut creation = Creation {
                pool: &mut pool,
                aws: &reached.aws,
                home,
                delivery: Delivery::default(),
                output: output.clone(),
                progress: Progress::new(output.clone()),
                settle: SETTLE,
                stop: stop.clone(),
            };
            let left = Box::pin(Deletion::new(&mut creation).run()).await?;
            for left in &left {
                output.line(&format!("NOT DELETED: {left}"));
            }
            if stop.is_cancelled() {
                return Ok(ExitCode::Operator);
            }
            if !left.is_empty() {
                return Ok(ExitCode::UndoIncomplete);
            }
        }
        pool.remove()?;
        output.finish();
        to_stderr(&format!("fleet {name} is deleted"));
        Ok(ExitCode::Pass)
    }
}

fn tell(doomed: &Doomed) {
    let Doomed { fleet, home, things, first, last, certificates, policy, authorities, folder, .. } = doomed;
    data(&format!("fleet {fleet} would be deleted:"));
    match home {
        None => data("  nothing was made of it but keys"),
        Some(home) => {
            data(&format!("  in {home}:"));
            data(&format!("  {things} things, {first} to {last}, with their shadows"));
            data(&format!("  {certificates} certificates"));
        }
    }
    if let Some(policy) = policy {
        data(&format!("  policy {policy}"));
    }
    for region in authorities {
        data(&format!("  the fleet's CA in {region}"));
    }
    if doomed.bulk_registration {
        data("  a bulk registration is under way: it would be stopped first");
    }
    data(&format!("  {} with all private keys", folder.display()));
    if doomed.seconds_at_least > 0 {
        data(&format!("  at AWS's default quotas in {} s at least", doomed.seconds_at_least));
    }
    to_stderr("nothing was deleted; --yes does it");
}
