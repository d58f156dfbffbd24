//! The last look of a run, into its record.

use super::Game;
use crate::sweep::{Certificates, Sweep};

impl Game {
    /// Lists what is left; the answer is how much.
    pub(super) async fn sweep(&self) -> anyhow::Result<usize> {
        let issued =
            self.workshop.as_ref().map(|workshop| workshop.issued.lock().clone()).unwrap_or_default();
        let certificates = Certificates::Issued(issued);
        let sweep = Sweep { aws: &self.aws, run: &self.id, certificates, output: &self.output };
        let (events, left) = sweep.run().await?;
        for event in events {
            self.recorder.event(event);
        }
        Ok(left)
    }
}
