//! The program's own log. Level and parts by `GAMEDAY_LOG`, as in `GAMEDAY_LOG=gameday=debug`.

use std::{fs::OpenOptions, io::IsTerminal as _, path::Path, sync::Mutex};

use tracing_subscriber::EnvFilter;

/// Sends the log to a file.
pub(crate) fn to_file(path: &Path) -> anyhow::Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    // In a test a log may be there already, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(filter())
        .with_writer(Mutex::new(file))
        .try_init();
    Ok(())
}

/// Sends the log to standard error.
pub(crate) fn to_stderr() {
    let _ = tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter())
        .with_writer(std::io::stderr)
        .try_init();
}

fn filter() -> EnvFilter {
    EnvFilter::try_from_env("GAMEDAY_LOG").unwrap_or_else(|_| {
        EnvFilter::new("info,aws=warn,hickory_server=warn,hickory_resolver=warn,hickory_net=warn,rumqttc=error,rustls=error")
    })
}
