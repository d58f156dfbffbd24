//! The dead-man's switch of a run: there before anything is broken, gone when everything is healed.

use std::time::Duration;

use super::Game;
use crate::{journal::UNDO_MAX, switch};

/// Nothing of a run takes to the second what it may.
const MARGIN: Duration = Duration::from_mins(1);

impl Game {
    /// Starts it, unless it is there. An embedded twin needs none: nothing of it outlives the run's process.
    pub(super) async fn arm(&self) -> anyhow::Result<()> {
        if self.target.is_embedded() || self.journal.has_switch() {
            return Ok(());
        }
        let limit = self.steps_left_max + *self.scenario.converge_at_most + UNDO_MAX + MARGIN;
        let switch = switch::arm(&self.journal, &self.folder, limit).await?;
        let (pid, minutes) = (switch.pid, limit.as_secs().div_ceil(60));
        self.output.line(&format!(
            "      dead-man's switch: process {pid} restores when this one is gone, or after {minutes} min"
        ));
        Ok(())
    }

    /// Ends it, unless something is broken still.
    pub(super) async fn disarm(&self) {
        if let Err(error) = self.journal.end_switch(&self.aws).await {
            self.output.line(&format!("      {error:#}"));
        }
    }
}
