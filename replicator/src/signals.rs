//! Ctrl-C, SIGTERM and SIGHUP for commands that bring to an end what they have in hand.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// A signal that ends a process which does not watch for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What a supervisor sends.
    Terminate,
    /// The terminal went away.
    HangUp,
}

impl Signal {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::HangUp => "SIGHUP",
        }
    }
}

/// Tells of each signal. From the moment that this returns none of them ends the process.
///
/// # Errors
/// When the process may not watch for signals.
pub fn watch(mut told: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that goes away must not leave behind what was made.
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            told(tokio::select! {
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
                _ = hang_up.recv() => Signal::HangUp,
            });
        }
    });
    Ok(())
}
