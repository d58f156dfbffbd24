//! Ctrl-C, SIGTERM and SIGHUP: the first stops the run, which then heals and cleans up; every later one says what is still to be
//! undone. Nothing exits silently.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{journal::Journal, output::Output};

/// A token that the first signal cancels. From the moment that this returns no signal ends the process.
pub(super) fn watch(journal: Arc<Journal>, output: Arc<Output>) -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that goes away must not leave the faults behind.
    let mut hang_up = signal(SignalKind::hangup())?;
    let stopped = CancellationToken::new();
    let token = stopped.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
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
    Ok(token)
}
