//! `gameday restore`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use gameday_report::{ExitCode, record::Folder};

use super::{at::TargetArgs, block_on, usage};
use crate::{
    log,
    output::Output,
    restore::{OTHERS_MAX, Place, Restore as Restoring},
};

/// Arguments of `gameday restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday restore runs/region-failover/latest
  gameday restore k2x81mqa
  gameday restore /mnt/runs/20261123T101500Z-k2x81mqa --target http://127.0.0.1:4566

It needs the run folder only, and may be called again, from any machine. A run that goes on is refused (14); one that is stuck is
taken over with --force. 0: nothing is left. 20: something is, and is named with what to do by hand.")]
pub(super) struct Restore {
    /// A run folder, or the id of a run below --out.
    run: String,
    /// Where run folders are.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    /// Kill the run's process if it is still there, and take over.
    #[arg(long)]
    force: bool,
    /// The twin of the run is gone for good, and with it everything that the run made.
    #[arg(long, conflicts_with_all = ["target", "primary", "secondary"])]
    forget: bool,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        log::to_stderr();
        let path = find(&self.run, &self.out)?;
        block_on(async {
            let place = if self.forget {
                Some(Place::Gone)
            } else if self.target.is_given() || !Folder::at(&path).events().is_file() {
                let reached = self.target.reach().await?;
                let twin = reached.twin().cloned().map(Box::new);
                Some(Place::Reached(Box::new(reached.aws), twin))
            } else {
                None
            };
            let restoring = Restoring {
                folder: Folder::at(&path),
                place,
                takes_over: self.force,
                others_max: OTHERS_MAX,
                output: Arc::new(Output::new()),
            };
            Box::pin(restoring.run()).await
        })
    }
}

/// The run folder that is meant: a path, or the id of one in `<out>/<scenario>/<time>-<id>`.
fn find(run: &str, out: &Path) -> anyhow::Result<PathBuf> {
    let path = Path::new(run);
    if path.is_dir() {
        return Ok(fs::canonicalize(path)?);
    }
    let ending = format!("-{run}");
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
        entries
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && !path.is_symlink())
            .collect::<Vec<_>>()
    };
    let is_meant =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&ending));
    let mut found: Vec<PathBuf> =
        folders(out).iter().flat_map(|scenario| folders(scenario)).filter(is_meant).collect();
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(fs::canonicalize(path)?),
        (Some(_), false) => {
            Err(usage(format!("several runs in {} end with {run}: give the folder", out.display())).into())
        }
        (None, _) => Err(usage(format!(
            "{run} is no folder, and no run in {} has this id; --out says where runs are",
            out.display()
        ))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_its_folder_and_by_its_id() {
        let out = tempfile::tempdir().unwrap();
        let run = out.path().join("quick/20261123T101500Z-k2x81mqa");
        fs::create_dir_all(&run).unwrap();
        std::os::unix::fs::symlink(&run, out.path().join("quick/latest-k2x81mqa")).unwrap();
        let run = fs::canonicalize(run).unwrap();
        assert_eq!(find("k2x81mqa", out.path()).unwrap(), run);
        assert_eq!(find(run.to_str().unwrap(), Path::new("nowhere")).unwrap(), run);
        assert!(find("2x81mqa", out.path()).unwrap_err().to_string().contains("no run in"));
        fs::create_dir_all(out.path().join("other/20261123T101500Z-k2x81mqa")).unwrap();
        assert!(find("k2x81mqa", out.path()).unwrap_err().to_string().contains("several"));
    }
}
