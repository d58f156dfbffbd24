//! What a person sees while a run goes: one live line on a terminal, plain lines in a pipe. Data goes to standard output,
//! everything else to standard error. The only place that prints.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// Where progress goes.
#[derive(Debug)]
pub(crate) struct Output {
    bar: Option<ProgressBar>,
    /// The last plain line, so that it is not said twice.
    last: Mutex<String>,
}

impl Output {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner:.cyan} {elapsed:>4} {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, last: Mutex::default() }
    }

    /// Something happened that stays on the screen.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| to_stderr(text)),
            None => to_stderr(text),
        }
    }

    /// A line of data that comes while something goes on.
    pub(crate) fn data(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| data(text)),
            None => data(text),
        }
    }

    /// How things stand now. On a terminal it replaces what stood before; in a pipe it is a line when it is new.
    pub(crate) fn status(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        } else {
            let mut last = self.last.lock();
            if *last != text {
                to_stderr(&format!("      {text}"));
                text.clone_into(&mut last);
            }
        }
    }

    /// Whether the live line is there to be updated often.
    pub(crate) fn is_live(&self) -> bool {
        self.bar.is_some()
    }

    /// Takes the live line away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A line of data.
pub(crate) fn data(text: &str) {
    // A reader that went away is no reason to fail.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line for people.
pub(crate) fn to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
