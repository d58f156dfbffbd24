//! Ctrl-C, SIGTERM and SIGHUP while something is worked on: nothing new is begun, and the command says what becomes of the rest.

use std::sync::Arc;

use replicator::signals;
use tokio_util::sync::CancellationToken;

use crate::output::Output;

/// A token that the first signal cancels. From the moment that this returns no signal ends the process; each is answered by `told`.
pub(crate) fn on_signal(mut told: impl FnMut() + Send + 'static) -> std::io::Result<CancellationToken> {
    let stopped = CancellationToken::new();
    let token = stopped.clone();
    signals::watch(move |_| {
        told();
        stopped.cancel();
    })?;
    Ok(token)
}

/// The same; every signal is answered with `said`.
pub(crate) fn stop_on_signal(output: &Arc<Output>, said: &'static str) -> std::io::Result<CancellationToken> {
    let output = output.clone();
    on_signal(move || output.line(said))
}
