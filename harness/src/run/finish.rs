//! The end of every run, however the steps ended: heal, converge, stop the fleet, undo, and list what is left.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use gameday_report::record::{EndReason, Event, StepState};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{Ended, Game, Played, halt::Halt};

/// Devices get this long to say goodbye.
const FLEET_STOP: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);
/// Acknowledgements under way get this long.
const SETTLE: Duration = Duration::from_secs(1);
/// Devices that are being made get this long.
const WORKSHOP_STOP: Duration = Duration::from_secs(20);
/// When something is left, the undo is gone through again after this pause, this often.
const SWEEP_AGAIN: Duration = Duration::from_secs(2);
const SWEEPS_MAX: u32 = 3;

impl Game {
    /// Ends the run; the answer is its last line.
    pub(super) async fn finish(
        &mut self,
        played: Played,
        halt: &Halt,
        guards: JoinSet<()>,
    ) -> (EndReason, Option<String>) {
        let mut played = played;
        if matches!(played, Played::Stopped) {
            self.stopped();
        }
        if !self.broken.get_mut().is_empty() {
            self.output.line("      healing what is still broken");
            self.cure().await;
        }
        if matches!(played, Played::Completed) {
            tokio::select! {
                () = self.converge() => {}
                () = halt.called() => {
                    self.stopped();
                    played = Played::Stopped;
                }
            }
        }
        // What comes now has to come, whatever they see and whoever calls.
        drop(guards);
        halt.over();
        self.stop_workshop().await;
        self.stop_fleet().await;
        if let Err(error) = self.recorder.ledger().save(&self.folder) {
            tracing::error!(error = %format!("{error:#}"), "the ledger cannot be written");
        }
        self.clean_up().await;
        self.watch_stop.cancel();
        for calls in self.aws.calls.list() {
            self.recorder.event(Event::Api(calls));
        }
        match played {
            Played::Completed => (EndReason::Completed, None),
            Played::Stopped => {
                let (reason, why) = halt.why().unwrap_or((EndReason::Operator, "stopped".to_owned()));
                (reason, Some(why))
            }
            Played::Ended(Ended { reason, why }) => (reason, Some(why)),
            Played::Failed(error) => (EndReason::Error, Some(format!("{error:#}"))),
        }
    }

    /// The step that was under way has ended too.
    fn stopped(&self) {
        let step = self
            .recorder
            .live(|live| live.step().map(|(index, name, label)| (index, name.to_owned(), label.to_owned())));
        if let Some((index, name, label)) = step {
            self.step(index, &name, &label, StepState::Stopped, None);
        }
    }

    /// Ends the load and gives the secondary its time to catch up.
    async fn converge(&mut self) {
        let Some(fleet) = self.fleet.clone() else { return };
        fleet.load_until_us.store(self.recorder.now_us(), Relaxed);
        fleet.load_stop.cancel();
        let index = u32::try_from(self.scenario.step.len() + 1).unwrap_or(u32::MAX);
        let label = "Let the secondary catch up";
        self.output.status("converge");
        self.step(index, "converge", label, StepState::Began, None);
        // What was sent last has its time to be acknowledged before anything is said to be behind.
        tokio::time::sleep(SETTLE).await;
        let limit = Instant::now() + *self.scenario.converge_at_most;
        while self.recorder.ledger().behind() > 0 && Instant::now() < limit {
            tokio::time::sleep(POLL).await;
        }
        let behind = self.recorder.ledger().behind();
        let (state, detail) = if behind == 0 {
            (StepState::Completed, None)
        } else {
            (StepState::TimedOut, Some(format!("{behind} devices have writes that the secondary lacks")))
        };
        self.step(index, "converge", label, state, detail);
    }

    /// Devices that are being made are finished: half of one could not be found again.
    async fn stop_workshop(&self) {
        let Some(workshop) = &self.workshop else { return };
        workshop.stop.cancel();
        workshop.tasks.close();
        if timeout(WORKSHOP_STOP, workshop.tasks.wait()).await.is_err() {
            tracing::warn!(
                devices = workshop.tasks.len(),
                "devices that were being made did not come to an end"
            );
        }
    }

    async fn stop_fleet(&mut self) {
        if let Some(fleet) = &self.fleet {
            fleet.stop.cancel();
        }
        self.device_tasks.close();
        if timeout(FLEET_STOP, self.device_tasks.wait()).await.is_err() {
            tracing::warn!(devices = self.device_tasks.len(), "devices did not stop in time");
        }
    }

    /// Undoes everything and proves it.
    async fn clean_up(&mut self) {
        let index = u32::try_from(self.scenario.step.len() + 2).unwrap_or(u32::MAX);
        let label = "Clean up in both Regions";
        self.output.line(&format!("      {label}"));
        self.step(index, "clean-up", label, StepState::Began, None);
        let failed = self.journal.undo_all(&self.aws, &self.output).await;
        for (change, why) in &failed {
            self.output.line(&format!("NOT UNDONE: {}", change.left(why)));
        }
        let mut left = self.sweep().await;
        for _ in 1..SWEEPS_MAX {
            if matches!(left, Ok(0)) {
                break;
            }
            // What the replicator had under way may have come after its devices were deleted.
            tokio::time::sleep(SWEEP_AGAIN).await;
            self.journal.repeat(&self.aws).await;
            left = self.sweep().await;
        }
        let (state, detail) = match (failed.len(), left) {
            (0, Ok(0)) => (StepState::Completed, None),
            (failed, Ok(left)) => {
                (StepState::Failed, Some(format!("{failed} undos failed, {left} things are left")))
            }
            (_, Err(error)) => {
                (StepState::Failed, Some(format!("what is left could not be listed: {error:#}")))
            }
        };
        self.step(index, "clean-up", label, state, detail);
    }
}
