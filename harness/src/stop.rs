//! Ctrl-C, SIGTERM and SIGHUP while something is worked on: nothing new is begun, and the command says what becomes of the rest.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output::Output;

/// A token that the first signal cancels. From the moment that this returns no signal ends the process; each is answered by `told`,
/// which is told whether it is the first.
pub(crate) fn on_signal(mut told: impl FnMut(bool) + Send + 'static) -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that goes away must not leave behind what was made.
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
            told(!stopped.is_cancelled());
            stopped.cancel();
        }
    });
    Ok(token)
}

/// The same; every signal is answered with `said`.
pub(crate) fn stop_on_signal(output: &Arc<Output>, said: &'static str) -> std::io::Result<CancellationToken> {
    let output = output.clone();
    on_signal(move |_| output.line(said))
}
