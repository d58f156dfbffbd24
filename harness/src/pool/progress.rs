//! How far work on a fleet is: a live line on a terminal, a line for each tenth in a pipe.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::output::Output;

/// Lines of a pipe for each piece of work.
const PARTS: u32 = 10;

/// How far it is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    output: Option<Arc<Output>>,
    work: Mutex<Work>,
}

#[derive(Debug)]
struct Work {
    what: &'static str,
    began: Instant,
    before: u32,
    done: u32,
    all: u32,
    /// The part that was said last.
    said: Option<u32>,
}

impl Default for Work {
    fn default() -> Self {
        Self { what: "", began: Instant::now(), before: 0, done: 0, all: 0, said: None }
    }
}

impl Progress {
    pub(crate) fn new(output: Arc<Output>) -> Self {
        Self { output: Some(output), work: Mutex::default() }
    }

    /// Said to nobody.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self::default()
    }

    /// Begins a piece of work, of which something may be done already.
    pub(crate) fn begin(&self, what: &'static str, done: u32, all: u32) {
        *self.work.lock() = Work { what, before: done, done, all, ..Work::default() };
        self.say();
    }

    /// So many are done in all.
    pub(crate) fn at(&self, done: u32) {
        self.work.lock().done = done;
        self.say();
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        self.work.lock().done += 1;
        self.say();
    }

    fn say(&self) {
        let Some(output) = &self.output else { return };
        let mut work = self.work.lock();
        if let Some(line) = work.line(output.is_live()) {
            output.status(&line);
        }
    }
}

impl Work {
    /// What is to be said now, if anything.
    fn line(&mut self, live: bool) -> Option<String> {
        let part = self.done.saturating_mul(PARTS).checked_div(self.all).unwrap_or(PARTS);
        let is_new = self.said.replace(part) != Some(part);
        if !live && !is_new {
            return None;
        }
        let made = f64::from(self.done.saturating_sub(self.before));
        let rate = made / self.began.elapsed().as_secs_f64().max(1e-3);
        let rate = if made > 0.0 { format!(", {rate:.0} a second") } else { String::new() };
        Some(format!("{}: {} of {}{rate}", self.what, self.done, self.all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_a_line_for_each_tenth_and_a_terminal_every_one() {
        let work = || Work { what: "keys", all: 1_000, ..Work::default() };
        let lines = |live| {
            let mut work = work();
            (0..=1_000)
                .filter_map(|done| {
                    work.done = done;
                    work.line(live)
                })
                .collect::<Vec<_>>()
        };
        let piped = lines(false);
        assert_eq!(piped.len(), 11);
        assert_eq!(piped[0], "keys: 0 of 1000");
        assert!(piped[10].starts_with("keys: 1000 of 1000, "), "{}", piped[10]);
        assert_eq!(lines(true).len(), 1_001);
    }

    #[test]
    fn nothing_to_do_is_done() {
        let mut work = Work { what: "keys", ..Work::default() };
        assert_eq!(work.line(false).unwrap(), "keys: 0 of 0");
        assert_eq!(work.line(false), None);
    }
}
