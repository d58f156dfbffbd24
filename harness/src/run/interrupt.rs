//! Ctrl-C and SIGTERM: the first stops the run, which then heals and cleans up; every later one says what is still to be
//! undone. Nothing exits silently.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{journal::Journal, output::Output};

/// A token that the first signal cancels.
pub(super) fn watch(journal: Arc<Journal>, output: Arc<Output>) -> CancellationToken {
    let stopped = CancellationToken::new();
    let token = stopped.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            tracing::error!("signals cannot be caught");
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stopped.is_cancelled() {
                let left = journal.standing();
                output.line(&format!("still undoing, {} changes left:", left.len()));
                for change in left {
                    output.line(&format!("      {change}"));
                }
            } else {
                output.line("stopping: healing and cleaning up (again: what is left to undo)");
                stopped.cancel();
            }
        }
    });
    token
}
