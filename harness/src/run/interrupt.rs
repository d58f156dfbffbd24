//! Ctrl-C, SIGTERM and SIGHUP. The first stops the run, which then heals and cleans up. A second Ctrl-C or SIGTERM gives that up:
//! what is left is said with the way to undo it, and the run ends. No other signal does anything, and none ends it silently.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gameday_report::record::{Act, ActKind, ActLog, EndReason, Folder};
use jiff::Timestamp;
use replicator::signals::{self, Signal};

use super::halt::Halt;
use crate::output::Output;

/// A second signal that comes sooner is the same one: a terminal and a supervisor send several, and people press twice.
const SAME: Duration = Duration::from_secs(1);

/// Watches for signals. From the moment that this returns none ends the process.
pub(super) fn watch(folder: Folder, halt: Halt, output: Arc<Output>) -> std::io::Result<()> {
    let mut first: Option<Instant> = None;
    let mut given_up = false;
    signals::watch(move |signal| {
        let name = signal.name();
        match first {
            None => {
                first = Some(Instant::now());
                note(&folder, name);
                let doing = if halt.call(EndReason::Operator, format!("stopped by {name}")) {
                    "stopping: healing and cleaning up"
                } else {
                    "it heals and cleans up already"
                };
                output.line(&format!("{doing} (again: give that up, and say what is left)"));
            }
            Some(at) if at.elapsed() < SAME || signal == Signal::HangUp => {
                output.line(&format!("{name}: still healing and cleaning up"));
            }
            Some(_) if given_up => output.line(&format!("{name}: ending, as was said")),
            Some(_) => {
                given_up = true;
                note(&folder, name);
                halt.abandon();
            }
        }
    })
}

/// A signal is something that somebody did.
fn note(folder: &Folder, name: &str) {
    let act = Act { wall: Timestamp::now(), act: ActKind::Signal, text: name.to_owned(), by: None };
    if let Err(error) = ActLog::append(folder, &act) {
        tracing::error!(error = %format!("{:#}", anyhow::Error::from(error)), "a signal is not in the record");
    }
}
