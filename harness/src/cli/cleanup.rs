//! `gameday cleanup`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use gameday_report::{ExitCode, record::Folder};

use super::{at::TargetArgs, block_on, usage};
use crate::{
    cleanup::{delete, discover, is_id},
    lease, log,
    output::{Output, data},
};

/// Arguments of `gameday cleanup`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday cleanup --dry-run
  gameday cleanup k2x81mqa
  gameday cleanup --all --target aws --primary eu-west-1 --secondary eu-central-1

It finds what runs have left by the marks that all of it carries, in both Regions, and needs no run folder. With one,
`gameday restore` does more: it heals faults, and finds certificates that nothing leads to. Deployments and fleets that stay are
not touched: `gameday destroy` and `gameday fleet delete` take them down by name. A run that goes on on this machine, with its
folder below --out, is left alone; so is, unless it is named, one whose lease has not ended, wherever it is. 0: nothing is left. 20: something is.")]
pub(super) struct Cleanup {
    /// The runs, by their ids.
    #[arg(value_parser = id)]
    run: Vec<String>,
    /// Every run of which something is found.
    #[arg(long, conflicts_with = "run")]
    all: bool,
    /// Say what would be deleted, and delete nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where run folders are.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
}

fn id(text: &str) -> Result<String, String> {
    if is_id(text) {
        Ok(text.to_owned())
    } else {
        Err("the id of a run is eight small letters and digits".to_owned())
    }
}

impl Cleanup {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.run.is_empty() && !self.all && !self.dry_run {
            return Err(usage("which runs? Give their ids, or --all; --dry-run lists them").into());
        }
        log::to_stderr();
        block_on(self.clean())
    }

    async fn clean(self) -> anyhow::Result<ExitCode> {
        let reached = self.target.reach().await?;
        let found = discover(&reached.aws).await?;
        let output = Output::new();
        let wanted: Vec<String> =
            if self.run.is_empty() { found.keys().cloned().collect() } else { self.run };
        if wanted.is_empty() {
            data("nothing is left of any run");
        }
        let (mut left, going) = (Vec::new(), going_on(&self.out));
        let leased = if self.all { lease::in_the_way(&reached.aws).await? } else { None };
        for run in wanted {
            if going.contains(&run) {
                output.line(&format!("run {run} goes on, and is left alone"));
                continue;
            }
            if let Some(lease) = leased.as_ref().filter(|lease| lease.run == run) {
                output.line(&format!("{lease}, and is left alone; by its id it is deleted all the same"));
                continue;
            }
            let what =
                found.get(&run).map_or_else(|| "  nothing by its marks\n".to_owned(), ToString::to_string);
            output.data(&format!("run {run}\n{}", what.trim_end()));
            if !self.dry_run {
                left.extend(delete(&reached.aws, &run, &output).await?);
                output.data(&format!(
                    "run {run}: {}",
                    if left.is_empty() { "nothing is left" } else { "not all is deleted" }
                ));
            }
        }
        output.finish();
        for left in &left {
            output.line(&format!("LEFT: {left}"));
        }
        Ok(if left.is_empty() { ExitCode::Pass } else { ExitCode::UndoIncomplete })
    }
}

/// The ids of the runs that go on below that folder.
fn going_on(out: &Path) -> Vec<String> {
    let folders = |path: &Path| {
        fs::read_dir(path)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .collect::<Vec<_>>()
    };
    let runs = folders(out).into_iter().flat_map(|scenario| folders(&scenario));
    let is_open = |path: &PathBuf| Folder::at(path).is_open().unwrap_or(true);
    runs.filter(is_open)
        .filter_map(|path| Some(path.file_name()?.to_str()?.rsplit('-').next()?.to_owned()))
        .collect()
}
