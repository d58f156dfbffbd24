//! Watches the conditions that end a run, from its first step until it has converged: metrics, a file, an address. What is pressed
//! before a run begins refuses it.

mod button;
mod http;

use std::time::Duration;

use anyhow::bail;
use gameday_report::record::{EndReason, Event};
use tokio::task::JoinSet;

use self::button::Button;
use super::halt::Halt;
use crate::{aws::Aws, gauge::Condition, measure::Recorder, output::Output, scenario::Stop};

/// Metrics are read, and the file is looked for, so often.
const PERIOD: Duration = Duration::from_millis(500);

/// What the watchers share.
#[derive(Clone)]
struct Guard {
    recorder: Recorder,
    aws: Aws,
    halt: Halt,
    output: std::sync::Arc<Output>,
}

/// Refuses a run that would have to end at once, or whose conditions cannot be watched.
pub(crate) async fn ready(stop: &Stop) -> anyhow::Result<()> {
    if !stop.alarms.is_empty() {
        bail!(
            "the scenario stops by CloudWatch alarms ([stop] alarms: {}), and a twin has no CloudWatch: give --set 'stop.alarms=[]'",
            stop.alarms.join(", ")
        );
    }
    if let Some(path) = &stop.file {
        match Button::look(path) {
            Ok(Button::Released) => {}
            Ok(Button::Pressed) => {
                bail!("{} is there: [stop] file says that no run goes on while it is", path.display())
            }
            Err(error) => bail!("{} cannot be looked for, as [stop] file asks: {error}", path.display()),
        }
    }
    if let Some(http) = &stop.http
        && let Err(why) = http::ask_often(http).await
    {
        bail!("{}: {why}: [stop] http says that no run goes on while it is so", http.url);
    }
    Ok(())
}

/// Watches until dropped.
pub(super) fn watch(
    stop: &Stop,
    recorder: Recorder,
    aws: Aws,
    halt: Halt,
    output: std::sync::Arc<Output>,
) -> JoinSet<()> {
    let guard = Guard { recorder, aws, halt, output };
    let mut watchers = JoinSet::new();
    let conditions = stop.conditions();
    if !conditions.is_empty() {
        watchers.spawn(guard.clone().metrics(conditions));
    }
    if let Some(path) = stop.file.clone() {
        watchers.spawn(guard.clone().file(path));
    }
    if let Some(asked) = stop.http.clone() {
        watchers.spawn(guard.http(asked));
    }
    watchers
}

impl Guard {
    fn stop(&self, detail: &str) {
        if self.halt.call(EndReason::StopCondition, detail.to_owned()) {
            self.output.line(&format!("STOP: {detail}; healing and cleaning up"));
        }
    }

    /// Says, on the screen and in the record, that something cannot be watched.
    fn cannot(&self, text: String) {
        self.output.line(&format!("      {text}"));
        self.recorder.event(Event::Note { text });
    }

    async fn metrics(self, conditions: Vec<Condition>) {
        loop {
            tokio::time::sleep(PERIOD).await;
            let now_us = self.recorder.now_us();
            let mut reading = self.recorder.live(|live| live.reading(now_us));
            (reading.api_calls, reading.api_throttled) = self.aws.calls.total();
            let held =
                self.recorder.window(|window| conditions.iter().find_map(|c| c.holds(window, &reading)));
            if let Some(detail) = held {
                return self.stop(&detail);
            }
        }
    }

    async fn file(self, path: std::path::PathBuf) {
        let mut unread = false;
        loop {
            // One that hangs, on a network's file system, holds up nobody else.
            let looked_at = path.clone();
            match tokio::task::spawn_blocking(move || Button::look(&looked_at)).await {
                Ok(Ok(Button::Pressed)) => {
                    return self.stop(&format!("the file {} is there", path.display()));
                }
                Ok(Err(error)) if !unread => {
                    unread = true;
                    self.cannot(format!(
                        "The stop file {} cannot be looked for: {error}. Until it can, it stops nothing.",
                        path.display()
                    ));
                }
                Ok(Ok(Button::Released)) => unread = false,
                _ => {}
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn http(self, asked: crate::scenario::Http) {
        let mut failures = 0;
        loop {
            tokio::time::sleep(*asked.every).await;
            match http::ask(&asked).await {
                Ok(()) => failures = 0,
                Err(why) => {
                    failures += 1;
                    tracing::warn!(url = asked.url, failures, why, "the address that can stop the run");
                    if failures >= asked.failures {
                        let times = if failures == 1 {
                            String::new()
                        } else {
                            format!(", {failures} times in a row")
                        };
                        return self.stop(&format!("{}: {why}{times}", asked.url));
                    }
                }
            }
        }
    }
}
