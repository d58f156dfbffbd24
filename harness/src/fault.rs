//! Faults: what can be broken, how it is cured, and the proof that it acted. The catalogue is one table; a fault is one
//! entry in it and one arm in each of `apply` and `proof`.

use std::{fmt::Write, time::Duration};

use anyhow::{Context, bail};
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_route53::types::HealthCheckConfig;
use gameday_report::record::{Event, FaultState};
use serde::{Deserialize, Serialize};

use crate::{
    aws::{Aws, describe},
    deploy::Deployment,
    journal::{Change, Cure, Journal},
    measure::Recorder,
    target::{self, Target},
};

/// A fault by the name that scenarios use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultName {
    /// The primary's health check asks for a path that is one character short, as the archived guide breaks it.
    PrimaryHealthCheck,
    /// The primary Region is cut off: no MQTT, no HTTPS, no API, no replication out of it.
    PrimaryRegionDark,
    /// The global table takes nothing from the primary to the secondary.
    ReplicationPaused,
}

/// One line of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct FaultEntry {
    /// Which.
    pub fault: FaultName,
    /// Its name in scenarios and records.
    pub name: &'static str,
    /// Its name for a reader.
    pub label: &'static str,
    /// Targets that have it.
    pub targets: &'static str,
    /// What shows that it acts.
    pub proof: &'static str,
}

/// Every fault.
pub const CATALOGUE: [FaultEntry; 3] = [
    FaultEntry {
        fault: FaultName::PrimaryHealthCheck,
        name: "primary-health-check",
        label: "primary health check broken",
        targets: "twin, aws",
        proof: "Route 53 reports the check as unhealthy",
    },
    FaultEntry {
        fault: FaultName::PrimaryRegionDark,
        name: "primary-region-dark",
        label: "primary Region dark",
        targets: "twin",
        proof: "an API call to the Region is not answered",
    },
    FaultEntry {
        fault: FaultName::ReplicationPaused,
        name: "replication-paused",
        label: "replication paused",
        targets: "twin",
        proof: "a row written in the primary's table is not in the secondary's",
    },
];

impl FaultName {
    /// Its line in the catalogue.
    pub fn entry(self) -> &'static FaultEntry {
        CATALOGUE.iter().find(|entry| entry.fault == self).unwrap_or(&CATALOGUE[0])
    }
}

/// A pending change of a health check is tried this often when somebody else changed it between.
const VERSION_ATTEMPTS_MAX: u32 = 3;
/// An API call that is not answered within this time shows a dark Region.
const DARK_PROOF_S: u64 = 2;
/// A row that did not replicate within this time shows paused replication.
const PAUSE_PROOF_S: u64 = 3;
/// The health check has this long to be seen unhealthy.
const UNHEALTHY_PROOF_S_MAX: u64 = 180;

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
        let detail = match fault {
            FaultName::PrimaryHealthCheck => self.break_path().await?,
            FaultName::PrimaryRegionDark => {
                self.switch_on(fault, gameday_twin::Fault::RegionDark { region: primary.clone() }).await?;
                format!("{primary} is cut off in the twin")
            }
            FaultName::ReplicationPaused => {
                self.switch_on(fault, gameday_twin::Fault::ReplicationPaused { region: primary.clone() })
                    .await?;
                format!("writes to the global table stay in {primary}")
            }
        };
        self.record(fault, FaultState::Applied, detail);
        Ok(())
    }

    /// Waits, within a bound, until the fault is seen to act. `false`: it was not.
    pub(crate) async fn prove(&self, fault: FaultName) -> bool {
        let proof = match fault {
            FaultName::PrimaryHealthCheck => self.unhealthy().await,
            FaultName::PrimaryRegionDark => self.unanswered().await,
            FaultName::ReplicationPaused => self.not_replicated().await,
        };
        match proof {
            Ok(evidence) => {
                self.record(fault, FaultState::Proved, evidence);
                true
            }
            Err(error) => {
                tracing::warn!(fault = fault.entry().name, error = %format!("{error:#}"), "not seen to act");
                false
            }
        }
    }

    pub(crate) fn record(&self, fault: FaultName, state: FaultState, detail: String) {
        let entry = fault.entry();
        self.recorder.event(Event::Fault {
            fault: entry.name.to_owned(),
            label: entry.label.to_owned(),
            state,
            detail,
        });
    }

    /// The guide's own fault: the path of the check loses its last character, so that its secret no longer fits.
    async fn break_path(&self) -> anyhow::Result<String> {
        let check = &self.deployment.primary_check;
        let config = health_check(self.aws, check).await?;
        let path = config.resource_path().context("the health check has no path")?.to_owned();
        let mut short = path.clone();
        let last = short.pop().context("the health check's path is empty")?;
        self.journal.intend(Change::Fault {
            fault: FaultName::PrimaryHealthCheck.entry().name.to_owned(),
            region: "global".to_owned(),
            cure: Cure::HealthCheckPath { health_check: check.clone(), last, path_sha256: sha256(&path) },
        })?;
        set_path(self.aws, check, &short).await?;
        Ok(format!("the path of health check {check} lost its last character"))
    }

    async fn switch_on(&self, fault: FaultName, what: gameday_twin::Fault) -> anyhow::Result<()> {
        self.journal.intend(Change::Fault {
            fault: fault.entry().name.to_owned(),
            region: self.target.primary().to_owned(),
            cure: Cure::Twin { api_url: self.target.endpoints.api_url.clone(), fault: what.clone() },
        })?;
        target::switch_fault(&self.target.endpoints.api_url, &what, true).await
    }

    async fn unhealthy(&self) -> anyhow::Result<String> {
        let seen = self
            .recorder
            .board()
            .wait(Duration::from_secs(UNHEALTHY_PROOF_S_MAX), |board| board.primary_healthy == Some(false));
        if !seen.await {
            bail!("the health check was still healthy after {UNHEALTHY_PROOF_S_MAX} s");
        }
        Ok("Route 53 reports the primary's health check as unhealthy".to_owned())
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
        tokio::time::sleep(Duration::from_secs(PAUSE_PROOF_S)).await;
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
        Ok(format!("a row written in the primary was not in the secondary after {PAUSE_PROOF_S} s"))
    }
}

/// Switches a fault of the twin off and reads back that it is.
pub(crate) async fn switch_off(api_url: &str, fault: &gameday_twin::Fault) -> anyhow::Result<()> {
    target::switch_fault(api_url, fault, false).await?;
    if target::active_faults(api_url).await?.contains(fault) {
        bail!("the twin still has {fault:?}");
    }
    Ok(())
}

async fn health_check(aws: &Aws, id: &str) -> anyhow::Result<HealthCheckConfig> {
    let got = aws.route53.get_health_check().health_check_id(id).send().await;
    let got = got.map_err(|e| anyhow::anyhow!(describe(&e)))?;
    let check = got.health_check().context("Route 53 answered without the health check")?;
    check.health_check_config().cloned().context("the health check has no configuration")
}

/// Gives a health check's path its last character back, if it lacks it, and reads back that it is the path before.
pub(crate) async fn restore_path(aws: &Aws, id: &str, last: char, path_sha256: &str) -> anyhow::Result<()> {
    let config = health_check(aws, id).await?;
    let now = config.resource_path().context("the health check has no path")?;
    if sha256(now) == path_sha256 {
        return Ok(());
    }
    let whole = format!("{now}{last}");
    if sha256(&whole) != path_sha256 {
        bail!("the health check's path was changed by someone else; it is left as it is");
    }
    set_path(aws, id, &whole).await
}

/// Sets a health check's path, with its version as compare-and-set, and reads it back.
async fn set_path(aws: &Aws, id: &str, path: &str) -> anyhow::Result<()> {
    for attempt in 1..=VERSION_ATTEMPTS_MAX {
        let got = aws.route53.get_health_check().health_check_id(id).send().await;
        let got = got.map_err(|e| anyhow::anyhow!(describe(&e)))?;
        let version = got.health_check().map(aws_sdk_route53::types::HealthCheck::health_check_version);
        let update = aws.route53.update_health_check().health_check_id(id).set_health_check_version(version);
        match update.resource_path(path).send().await {
            Ok(_) => break,
            Err(error) if attempt == VERSION_ATTEMPTS_MAX => bail!(describe(&error)),
            Err(error) => tracing::warn!(error = describe(&error), "health check changed between, once more"),
        }
    }
    if health_check(aws, id).await?.resource_path() != Some(path) {
        bail!("the health check's path reads back as something else");
    }
    Ok(())
}

fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_has_each_fault_once_under_the_name_that_scenarios_use() {
        for entry in CATALOGUE {
            assert_eq!(serde_json::to_value(entry.fault).unwrap(), entry.name);
            assert_eq!(CATALOGUE.iter().filter(|e| e.fault == entry.fault).count(), 1);
        }
    }
}
