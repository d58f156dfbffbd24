//! Faults: applying them, and the proof that they act. Cures are in the journal before anything changes. A fault is one
//! entry in the catalogue and one arm in each of `apply` and `prove`.

mod catalogue;

use std::time::Duration;

use anyhow::{Context, bail};
use gameday_report::record::{Event, FaultState};
use tokio::time::Instant;

pub use catalogue::{CATALOGUE, FaultEntry, FaultName};

use crate::{
    aws::{Aws, describe},
    deploy::Deployment,
    journal::{Change, Cure, Journal, health_check_path, set_path, sha256},
    measure::Recorder,
    target::{self, Target},
};

/// An API call that is not answered within this time shows a dark Region.
const DARK_PROOF_S: u64 = 2;
/// A row that did not replicate within this time, beyond the delay that it always has, shows paused replication.
const PAUSE_PROOF_S: u64 = 3;
/// The health check has this long to be seen unhealthy.
const UNHEALTHY_PROOF_S_MAX: u64 = 600;

/// What faults work on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) aws: &'a Aws,
    pub(crate) target: &'a Target,
    pub(crate) deployment: &'a Deployment,
    pub(crate) journal: &'a Journal,
    pub(crate) recorder: &'a Recorder,
}

impl Ground<'_> {
    /// Applies a fault. Its cure is in the journal before anything changes.
    pub(crate) async fn apply(&self, fault: FaultName) -> anyhow::Result<()> {
        let primary = self.target.primary().to_owned();
        let (acknowledged, detail) = match fault {
            FaultName::PrimaryHealthCheck => self.break_path().await?,
            FaultName::PrimaryRegionDark => {
                let dark = gameday_twin::Fault::RegionDark { region: primary.clone() };
                (self.switch_on(fault, dark).await?, format!("{primary} is cut off in the twin"))
            }
            FaultName::ReplicationPaused => {
                let paused = gameday_twin::Fault::ReplicationPaused { region: primary.clone() };
                let detail = format!("writes to the global table stay in {primary}");
                (self.switch_on(fault, paused).await?, detail)
            }
        };
        self.record(fault, FaultState::Applied, detail, acknowledged);
        Ok(())
    }

    /// Waits, within a bound, until the fault is seen to act. `false`: it was not. `with` are the faults of its break, of
    /// which one may do alone what this one is judged by.
    pub(crate) async fn prove(&self, fault: FaultName, with: &[FaultName]) -> bool {
        let proof = match fault {
            FaultName::PrimaryHealthCheck => self.unhealthy(with).await,
            FaultName::PrimaryRegionDark => self.unanswered().await,
            FaultName::ReplicationPaused => self.not_replicated().await,
        };
        match proof {
            Ok(evidence) => {
                self.record(fault, FaultState::Proved, evidence, Instant::now());
                true
            }
            Err(error) => {
                tracing::warn!(fault = fault.entry().name, error = %format!("{error:#}"), "not seen to act");
                false
            }
        }
    }

    /// Writes down where a fault stands, and since when.
    pub(crate) fn record(&self, fault: FaultName, state: FaultState, detail: String, since: Instant) {
        let entry = fault.entry();
        let event =
            Event::Fault { fault: entry.name.to_owned(), label: entry.label.to_owned(), state, detail };
        self.recorder.event_at(self.recorder.clock().us(since), event);
    }

    /// The guide's own fault: the path of the check loses its last character, so that its secret no longer fits.
    async fn break_path(&self) -> anyhow::Result<(Instant, String)> {
        let check = &self.deployment.primary_check;
        let now = health_check_path(self.aws, check).await?;
        let mut short = now.path.clone();
        let last = short.pop().context("the health check's path is empty")?;
        self.journal.intend(Change::Fault {
            fault: FaultName::PrimaryHealthCheck.entry().name.to_owned(),
            region: "global".to_owned(),
            cure: Cure::HealthCheckPath { health_check: check.clone(), last, path_sha256: sha256(&now.path) },
        })?;
        let acknowledged = set_path(self.aws, check, &short, now.version).await?;
        Ok((acknowledged, format!("the path of health check {check} reads back without its last character")))
    }

    async fn switch_on(&self, fault: FaultName, what: gameday_twin::Fault) -> anyhow::Result<Instant> {
        self.journal.intend(Change::Fault {
            fault: fault.entry().name.to_owned(),
            region: self.target.primary().to_owned(),
            cure: Cure::Twin { api_url: self.target.endpoints.api_url.clone(), fault: what.clone() },
        })?;
        target::switch_fault(&self.target.endpoints.api_url, &what, true).await?;
        Ok(Instant::now())
    }

    async fn unhealthy(&self, with: &[FaultName]) -> anyhow::Result<String> {
        let seen = self
            .recorder
            .board()
            .wait(Duration::from_secs(UNHEALTHY_PROOF_S_MAX), |board| board.primary_healthy == Some(false));
        if !seen.await {
            bail!("the health check was still healthy after {UNHEALTHY_PROOF_S_MAX} s");
        }
        Ok(unhealthy_by(with))
    }

    async fn unanswered(&self) -> anyhow::Result<String> {
        let call = self.aws.primary.iot.describe_endpoint().endpoint_type("iot:Data-ATS").send();
        match tokio::time::timeout(Duration::from_secs(DARK_PROOF_S), call).await {
            Err(_) => Ok(format!("DescribeEndpoint in the primary was not answered for {DARK_PROOF_S} s")),
            Ok(_) => bail!("the primary still answers API calls"),
        }
    }

    async fn not_replicated(&self) -> anyhow::Result<String> {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        let (table, key) = (&self.deployment.events_table, "gameday-probe".to_owned());
        let put = self.aws.primary.dynamodb.put_item().table_name(table);
        // A row of the secondary's own origin is not an event to the replicator.
        put.item("device", S(key.clone()))
            .item("event", S("probe".to_owned()))
            .item("origin", S(self.target.secondary().to_owned()))
            .send()
            .await
            .map_err(|e| anyhow::anyhow!(describe(&e)))?;
        let wait = Duration::from_millis(self.target.endpoints.replication_delay_ms)
            + Duration::from_secs(PAUSE_PROOF_S);
        tokio::time::sleep(wait).await;
        let get = self.aws.secondary.dynamodb.get_item().table_name(table);
        let got = get
            .key("device", S(key))
            .key("event", S("probe".to_owned()))
            .send()
            .await
            .map_err(|e| anyhow::anyhow!(describe(&e)))?;
        if got.item().is_some() {
            bail!("a row still replicates");
        }
        Ok(format!("a row written in the primary was not in the secondary after {:.1} s", wait.as_secs_f64()))
    }
}

/// What an unhealthy check shows of its broken path.
fn unhealthy_by(with: &[FaultName]) -> String {
    let mut evidence = "Route 53 reports the primary's health check as unhealthy".to_owned();
    if with.contains(&FaultName::PrimaryRegionDark) {
        evidence.push_str("; the Region is dark too, which alone would do that");
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_that_another_fault_may_account_for_says_so() {
        let (check, dark) = (FaultName::PrimaryHealthCheck, FaultName::PrimaryRegionDark);
        assert!(!unhealthy_by(&[check, FaultName::ReplicationPaused]).contains("alone"));
        assert!(
            unhealthy_by(&[check, dark]).ends_with("; the Region is dark too, which alone would do that")
        );
    }
}
