//! How the run stands, for whoever looks on: the terminal, a pipe, the page.

use std::sync::Arc;

use crate::{
    journal::Journal,
    live::{Lag, RunState, Status},
    measure::{Metric, Recorder},
    scenario::Scenario,
};

/// Sees everything and changes nothing.
#[derive(Debug)]
pub(super) struct Onlooker {
    pub(super) recorder: Recorder,
    pub(super) journal: Arc<Journal>,
    pub(super) scenario: Scenario,
}

impl Onlooker {
    pub(super) fn status(&self) -> Status {
        let now_us = self.recorder.now_us();
        let mut status = self.recorder.live(|live| {
            let state = if live.is_stopping() { RunState::Stopping } else { RunState::Running };
            live.status(now_us, state, Some(&self.scenario))
        });
        let lag = |metric| self.recorder.window(|window| window.latency(metric).as_ref().map(Lag::of));
        status.replication_lag = lag(Metric::ShadowReplication);
        status.publish_ack = lag(Metric::PublishAck);
        status.to_undo = Some(self.journal.standing() as u64);
        status
    }
}
