//! Ctrl-C, SIGTERM and SIGHUP: the first stops the run, which then heals and cleans up; every later one says what is still to be
//! undone. Nothing exits silently.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{journal::Journal, output::Output, stop::on_signal};

/// A token that the first signal cancels. From the moment that this returns no signal ends the process.
pub(super) fn watch(journal: Arc<Journal>, output: Arc<Output>) -> std::io::Result<CancellationToken> {
    on_signal(move |is_first| {
        if is_first {
            output.line("stopping: healing and cleaning up (again: what is left to undo)");
            return;
        }
        let left = journal.standing();
        output.line(&format!("still undoing, {} changes left:", left.len()));
        for change in left {
            output.line(&format!("      {change}"));
        }
    })
}
