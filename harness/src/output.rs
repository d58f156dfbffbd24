//! What a person sees while a run goes: live lines on a terminal, plain lines in a pipe, JSON lines for programs. Data goes to
//! standard output, everything else to standard error. The only place that prints.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::live::Status;

/// Where progress goes.
#[derive(Debug)]
pub(crate) struct Output {
    screen: Option<Screen>,
    is_json: bool,
    /// The last plain line, so that it is not said twice.
    last: Mutex<String>,
}

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Lines that are drawn over and over.
    Live,
    /// A line each time.
    Plain,
    /// A JSON object a line.
    Json,
}

/// The live lines: what is done now, and below it how the run stands.
#[derive(Debug)]
struct Screen {
    all: MultiProgress,
    bar: ProgressBar,
    below: Mutex<Vec<ProgressBar>>,
}

impl Output {
    /// Live on a terminal, plain elsewhere.
    pub(crate) fn new() -> Self {
        Self::told(None)
    }

    /// As asked for.
    pub(crate) fn told(progress: Option<Progress>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let is_live = match progress {
            None => is_terminal,
            Some(progress) => progress == Progress::Live && is_terminal,
        };
        Self {
            screen: is_live.then(Screen::new),
            is_json: progress == Some(Progress::Json),
            last: Mutex::default(),
        }
    }

    /// How it is told.
    pub(crate) fn progress(&self) -> Progress {
        match (&self.screen, self.is_json) {
            (Some(_), _) => Progress::Live,
            (None, false) => Progress::Plain,
            (None, true) => Progress::Json,
        }
    }

    /// Something happened that stays on the screen.
    pub(crate) fn line(&self, text: &str) {
        match &self.screen {
            Some(screen) => screen.all.suspend(|| to_stderr(text)),
            None if self.is_json => json(&serde_json::json!({"wall": Timestamp::now(), "line": text.trim()})),
            None => to_stderr(text),
        }
    }

    /// A line of data that comes while something goes on.
    pub(crate) fn data(&self, text: &str) {
        match &self.screen {
            Some(screen) => screen.all.suspend(|| data(text)),
            None => data(text),
        }
    }

    /// What is done now. On a terminal it replaces what stood before; in a pipe it is a line when it is new.
    pub(crate) fn status(&self, text: &str) {
        if let Some(screen) = &self.screen {
            screen.bar.set_message(text.to_owned());
            return;
        }
        let mut last = self.last.lock();
        if *last != text {
            let indented = format!("      {text}");
            self.line(&indented);
            text.clone_into(&mut last);
        }
    }

    /// How the run stands. `is_talkative`: what is done now is told by [`Output::status`].
    pub(crate) fn standing(&self, status: &Status, is_talkative: bool) {
        match &self.screen {
            Some(screen) => screen.show(&status.lines(), is_talkative),
            None if self.is_json => json(&serde_json::json!({"wall": Timestamp::now(), "status": status})),
            None if is_talkative => {}
            None => to_stderr(&format!("      {}", status.line())),
        }
    }

    /// Whether the live line is there to be updated often.
    pub(crate) fn is_live(&self) -> bool {
        self.screen.is_some()
    }

    /// Takes the live lines away.
    pub(crate) fn finish(&self) {
        if let Some(screen) = &self.screen {
            for bar in screen.below.lock().drain(..) {
                bar.finish_and_clear();
            }
            screen.bar.finish_and_clear();
        }
    }
}

impl Screen {
    fn new() -> Self {
        let all = MultiProgress::new();
        let bar = all.add(ProgressBar::new_spinner());
        bar.set_style(style("{spinner:.cyan} {elapsed:>4} {wide_msg}"));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { all, bar, below: Mutex::default() }
    }

    fn show(&self, lines: &[String], is_talkative: bool) {
        let Some((first, rest)) = lines.split_first() else { return };
        if !is_talkative {
            self.bar.set_message(first.clone());
        }
        let mut below = self.below.lock();
        while below.len() < rest.len() {
            let bar = self.all.add(ProgressBar::new_spinner());
            bar.set_style(style("       {wide_msg}"));
            below.push(bar);
        }
        for (bar, line) in below.iter().zip(rest) {
            bar.set_message(line.clone());
            bar.tick();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn json(value: &serde_json::Value) {
    to_stderr(&value.to_string());
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
