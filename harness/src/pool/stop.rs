//! Ctrl-C, SIGTERM and SIGHUP while a fleet is worked on: what is under way is finished, nothing new is begun.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output::Output;

/// A token that the first signal cancels.
pub(crate) fn stop_on_signal(output: &Arc<Output>) -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (token, output) = (CancellationToken::new(), output.clone());
    let stopped = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            output.line("stopping: what is under way is finished; the same command goes on later");
            stopped.cancel();
        }
    });
    Ok(token)
}
