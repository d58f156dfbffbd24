//! The lease of a run: taken before anything else is changed, renewed as long as the run lives, its clean-up included, and given
//! back as the last of the undo. An embedded twin needs none: nobody else comes there.

use std::sync::Arc;

use gameday_report::record::{EndReason, Event};
use tokio::time::{Instant, sleep, timeout};

use super::{Ended, Game, halt::Halt};
use crate::{
    aws::RegionClients,
    journal::Change,
    lease::{self, LASTS, RENEWAL, Renewed, Taken},
    measure::Recorder,
    output::Output,
};

impl Game {
    /// Takes it, and keeps it; a game day that was quicker refuses this one.
    pub(super) async fn take_lease(&self) -> anyhow::Result<()> {
        if self.target.is_embedded() {
            return Ok(());
        }
        let clients = self.aws.secondary.clone();
        self.journal.intend(Change::Lease { region: clients.region.clone(), run: self.id.clone() })?;
        match lease::take(&self.aws, &self.id).await? {
            Taken::Held(other) => {
                let why = format!("another game day was quicker: {other}");
                Err(Ended { reason: EndReason::Refused, why }.into())
            }
            Taken::Ours(version) => {
                self.watch(
                    Keeper {
                        clients,
                        run: self.id.clone(),
                        version,
                        halt: self.halt.clone(),
                        recorder: self.recorder.clone(),
                        output: self.output.clone(),
                    }
                    .keep(),
                );
                Ok(())
            }
        }
    }
}

/// Who renews it.
struct Keeper {
    clients: RegionClients,
    run: String,
    version: i64,
    halt: Halt,
    recorder: Recorder,
    output: Arc<Output>,
}

impl Keeper {
    async fn keep(mut self) {
        let (mut renewed, mut is_late) = (Instant::now(), false);
        loop {
            sleep(RENEWAL).await;
            match timeout(RENEWAL, lease::renew(&self.clients, &self.run, self.version)).await {
                Ok(Ok(Renewed::Lasts(version))) => {
                    self.version = version;
                    (renewed, is_late) = (Instant::now(), false);
                }
                Ok(Ok(Renewed::Lost(by))) => return self.lost(by.as_ref()),
                Ok(Err(error)) => tracing::warn!(error = %format!("{error:#}"), "the lease was not renewed"),
                Err(_) => tracing::warn!("the lease was not renewed: no answer"),
            }
            if renewed.elapsed() > LASTS && !is_late {
                is_late = true;
                let text = format!(
                    "The lease in {} could not be renewed for {} s: another game day may begin.",
                    self.clients.region,
                    LASTS.as_secs()
                );
                self.output.line(&format!("      {text}"));
                self.recorder.event(Event::Note { text });
            }
        }
    }

    /// Two game days at once measure neither: this one ends. Once it is cleaning up anyway the lease may be given back already.
    fn lost(&self, by: Option<&lease::Lease>) {
        let whose = by.map_or_else(|| "somebody deleted it".to_owned(), ToString::to_string);
        let why = format!("the lease in {} is lost: {whose}", self.clients.region);
        if self.halt.call(EndReason::Error, why.clone()) {
            self.output.line(&format!("STOP: {why}; healing and cleaning up"));
        }
    }
}
