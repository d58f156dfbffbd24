//! The undo journal of a command that makes something for as long as it runs, in a folder that goes when all is undone.

use std::path::{Path, PathBuf};

use anyhow::Context;
use gameday_report::record::Folder;
use jiff::Timestamp;

use crate::{journal::Journal, output::to_stderr};

/// A journal and its folder.
pub(super) struct Kept {
    pub(super) journal: Journal,
    path: PathBuf,
}

impl Kept {
    /// In `<out>/<command>/<time>-<id>`.
    pub(super) fn create(out: &Path, command: &str, id: &str) -> anyhow::Result<Self> {
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let path = out.join(command).join(format!("{time}-{id}"));
        let folder = Folder::create(&path).context("the folder of the undo journal could not be made")?;
        Ok(Self { journal: Journal::create(&folder)?, path })
    }

    /// Removes the folder, or says what is left and where it is written down.
    pub(super) fn close(self, left: &[String]) {
        if left.is_empty() {
            drop(self.journal);
            // A folder that stays says no more than that it could not be deleted; what is above it goes if there is nothing else.
            let _ = std::fs::remove_dir_all(&self.path);
            for above in self.path.ancestors().skip(1).take(2) {
                let _ = std::fs::remove_dir(above);
            }
            return;
        }
        for left in left {
            to_stderr(&format!("NOT UNDONE: {left}"));
        }
        to_stderr(&format!("the undo journal is {}", self.path.join("undo.ndjson").display()));
    }
}
