//! Ctrl-C, SIGTERM and SIGHUP while something is worked on: nothing new is begun, and the command says what becomes of the rest.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output::Output;

/// A token that the first signal cancels. Each signal is answered with `said`, and none ends the process.
pub(crate) fn stop_on_signal(output: &Arc<Output>, said: &'static str) -> std::io::Result<CancellationToken> {
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
            output.line(said);
            stopped.cancel();
        }
    });
    Ok(token)
}
