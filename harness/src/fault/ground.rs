//! What faults work on, and what they have in common: the journal before the change, the record after it, proofs that wait
//! within a bound.

use std::{fmt::Display, time::Duration};

use anyhow::bail;
use futures::future::BoxFuture;
use gameday_report::record::{Event, FaultState};
use tokio::time::Instant;

use super::{Breakage, Cure, FaultEntry};
use crate::{
    aws::{Aws, RegionClients},
    deploy::{Deployment, stack_prefix},
    fleet::{Made, Resolver},
    journal::{Change, Journal},
    measure::{Recorder, State},
    target::{self, Target},
};

/// A proof is given up after this long, whatever the break's own limit is.
pub(super) const PROOF_MAX: Duration = Duration::from_mins(10);
/// What was broken before has this long to be over: what still fails by itself shows nothing of a fault.
const STEADY_MAX: Duration = Duration::from_secs(10);
/// How often the world is asked.
const POLL: Duration = Duration::from_millis(200);

/// What faults work on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) run: &'a str,
    pub(crate) seed: u64,
    pub(crate) aws: &'a Aws,
    pub(crate) target: &'a Target,
    pub(crate) deployment: &'a Deployment,
    pub(crate) devices: &'a [Made],
    /// The policy of the devices.
    pub(crate) policy: &'a str,
    pub(crate) resolver: &'a Resolver,
    pub(crate) journal: &'a Journal,
    pub(crate) recorder: &'a Recorder,
    /// The faults of the break.
    pub(crate) faults: &'a [Breakage],
    /// Somebody else cures each fault at once, and says nothing.
    pub(crate) is_spoilt: bool,
}

/// What a fault did, and how it will be seen to act.
pub(crate) struct Struck<'a> {
    /// When the call that breaks was acknowledged.
    pub(super) at: Instant,
    /// What was changed.
    pub(super) detail: String,
    /// Ends with the evidence; an error says why there is none.
    pub(super) proof: BoxFuture<'a, anyhow::Result<String>>,
}

/// A fault that was applied and not yet seen to act.
pub(crate) struct Acting<'a> {
    breakage: &'a Breakage,
    proof: BoxFuture<'a, anyhow::Result<String>>,
}

impl<'a> Ground<'a> {
    /// Applies a fault. Its cure is in the journal before anything changes.
    pub(crate) async fn apply(self, breakage: &'a Breakage) -> anyhow::Result<Acting<'a>> {
        let Struck { at, detail, proof } = (breakage.entry().strike)(self, breakage).await?;
        self.record(breakage, FaultState::Applied, detail, at);
        if self.is_spoilt {
            self.spoil(breakage.entry()).await?;
        }
        Ok(Acting { breakage, proof })
    }

    /// Waits until a fault is seen to act. `false`: it was not.
    pub(crate) async fn prove(self, acting: Acting<'a>) -> bool {
        let Acting { breakage, proof } = acting;
        match proof.await {
            Ok(evidence) => {
                self.record(breakage, FaultState::Proved, evidence, Instant::now());
                true
            }
            Err(error) => {
                tracing::warn!(fault = breakage.entry().name, error = %format!("{error:#}"), "not seen to act");
                false
            }
        }
    }

    /// Writes down where a fault stands, and since when.
    pub(crate) fn record(&self, breakage: &Breakage, state: FaultState, detail: String, since: Instant) {
        let (fault, label) = (breakage.entry().name.to_owned(), breakage.label());
        let colour = Some(breakage.entry().colour.css().to_owned());
        let event = Event::Fault { fault, label, state, detail, colour };
        self.recorder.event_at(self.recorder.clock().us(since), event);
    }

    /// Writes the cure down. Only when this returns may anything be changed.
    pub(super) fn intend(&self, entry: &FaultEntry, region: &str, cure: Cure) -> anyhow::Result<()> {
        self.journal.intend(Change::Fault { fault: entry.name.to_owned(), region: region.to_owned(), cure })
    }

    /// Cures a fault as another process would that has the journal and nothing else; the run is not told.
    async fn spoil(&self, entry: &FaultEntry) -> anyhow::Result<()> {
        for change in self.journal.standing_faults(entry.name) {
            let Change::Fault { region, cure, .. } = serde_json::from_str(&serde_json::to_string(&change)?)?
            else {
                continue;
            };
            cure.apply(self.aws, &region).await?;
        }
        Ok(())
    }

    /// Waits, within a bound, until something holds that a fault will change. A fault that finds it changed already cannot be
    /// seen to act.
    pub(super) async fn is_steady(&self, holds: impl Fn(&State) -> bool) -> bool {
        self.recorder.board().wait(STEADY_MAX, holds).await
    }

    /// Whether the break has this fault, too.
    pub(super) fn has(&self, entry: &FaultEntry) -> bool {
        self.faults.iter().any(|fault| fault.entry().name == entry.name)
    }

    /// The clients of `primary` or `secondary`.
    pub(super) fn clients(&self, which: Option<&str>) -> &'a RegionClients {
        if which == Some("secondary") { &self.aws.secondary } else { &self.aws.primary }
    }

    /// The name of a function of the run's own deployment.
    pub(super) fn function(&self, which: &str) -> String {
        stack_prefix(self.run) + which
    }

    /// Switches a fault of the twin on.
    pub(super) async fn switch_on(
        &self,
        entry: &FaultEntry,
        region: &str,
        fault: gameday_twin::Fault,
    ) -> anyhow::Result<Instant> {
        let api_url = self.target.endpoints.api_url.clone();
        self.intend(entry, region, Cure::Twin { api_url: api_url.clone(), fault: fault.clone() })?;
        target::switch_fault(&api_url, &fault, true).await?;
        Ok(Instant::now())
    }

    /// Breaks by a fault of the twin, and proves it by what the twin says that it hit.
    pub(super) async fn strike_by_hits(
        self,
        entry: &'static FaultEntry,
        region: &'a str,
        fault: gameday_twin::Fault,
        detail: String,
        hit: &'static str,
    ) -> anyhow::Result<Struck<'a>> {
        let at = self.switch_on(entry, region, fault.clone()).await?;
        Ok(Struck { at, detail, proof: Box::pin(async move { self.hits(&fault, hit).await }) })
    }

    /// Waits until a fault of the twin has hit something; `hit` says what.
    pub(super) async fn hits(&self, fault: &gameday_twin::Fault, hit: &str) -> anyhow::Result<String> {
        let limit = Instant::now() + PROOF_MAX;
        while Instant::now() < limit {
            let states = target::fault_states(&self.target.endpoints.api_url).await?;
            let hits = states.iter().find(|state| state.fault == *fault).map_or(0, |state| state.hits);
            if hits > 0 {
                return Ok(format!("{hits} {hit}, as the twin counts"));
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("it hit nothing within {}", seconds(PROOF_MAX))
    }
}

/// A time for a reader.
pub(super) fn seconds(time: Duration) -> impl Display {
    format!("{:.1} s", time.as_secs_f64())
}
