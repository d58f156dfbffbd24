//! A twin, `gameday` aimed at it, and the clients of both Regions.

mod operator;
mod region;
mod snapshot;

use std::{
    collections::BTreeSet,
    process::Output,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use aws_config::{BehaviorVersion, Region as AwsRegion, SdkConfig, retry::RetryConfig};
use serde_json::Value;

use crate::{TwinProcess, gameday};

pub use self::{operator::POLICY, region::Region, snapshot::Snapshot};

/// The Region in which devices live.
pub const PRIMARY: &str = "us-east-1";
/// The Region that is kept ready.
pub const SECONDARY: &str = "us-west-2";

/// A state is waited for this long, unless a case says otherwise.
pub const WAIT_MAX: Duration = Duration::from_mins(1);

/// How often a call is tried that is throttled.
const READ_ATTEMPTS_MAX: u32 = 12;

/// A twin and what looks at it.
#[derive(Debug)]
pub struct Site {
    /// The twin, which ends with this value.
    pub twin: TwinProcess,
    /// The Region that is mirrored.
    pub primary: Region,
    /// The Region that is kept ready.
    pub secondary: Region,
    /// Names and health checks.
    pub names: aws_sdk_route53::Client,
    /// Certificates of the secondary that came with the deployment, and of no device.
    equipment: BTreeSet<String>,
}

async fn config(url: &str, region: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(AwsRegion::new(region.to_owned()))
        .endpoint_url(url)
        // Under AWS's own quotas a reader of everything has to wait, too.
        .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS_MAX))
        .credentials_provider(aws_sdk_iot::config::Credentials::new("id", "secret", None, None, "test"))
        .load()
        .await
}

impl Site {
    /// Starts a twin with that multiple of AWS's quotas.
    pub async fn start(quota_scale: u32) -> Result<Self> {
        Ok(Self::of(TwinProcess::start_scaled(quota_scale)?).await)
    }

    /// Around a twin that runs.
    pub async fn of(twin: TwinProcess) -> Self {
        let url = twin.variable("AWS_ENDPOINT_URL").to_owned();
        let (primary, secondary) = (config(&url, PRIMARY).await, config(&url, SECONDARY).await);
        Self {
            twin,
            primary: Region::new(&primary),
            secondary: Region::new(&secondary),
            names: aws_sdk_route53::Client::new(&primary),
            equipment: BTreeSet::new(),
        }
    }

    /// Starts a twin with that multiple of AWS's quotas and deploys.
    pub async fn deploy(quota_scale: u32, more: &[&str]) -> Result<Self> {
        let mut site = Self::start(quota_scale).await?;
        site.does(&[&["deploy"][..], more].concat())?;
        site.equipment = site.secondary.certificate_ids().await?;
        Ok(site)
    }

    /// Runs `gameday` against the twin, which its variables name.
    pub fn gameday(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.twin.command(&gameday()?).args(arguments).output()?)
    }

    /// The same; the answer is its exit code, what it printed and what it said.
    pub fn ends(&self, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
        let output = self.gameday(arguments)?;
        let (printed, said) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        Ok((output.status.code(), printed, said))
    }

    /// The same; it must succeed. The answer is what it printed and what it said.
    pub fn does(&self, arguments: &[&str]) -> Result<(String, String)> {
        let (code, printed, said) = self.ends(arguments)?;
        ensure!(code == Some(0), "{arguments:?} ended with {code:?}: {printed}\n{said}");
        Ok((printed, said))
    }

    /// What `gameday outputs` says of a deployment.
    pub fn outputs(&self, postfix: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.does(&["outputs", "--json", "--postfix", postfix])?.0)?)
    }

    /// Sets a fault of the twin, in the words of `gameday twin fault set`; the answer is its id.
    pub fn fault(&self, words: &[&str]) -> Result<String> {
        Ok(self.does(&[&["twin", "fault", "set"][..], words].concat())?.0.trim().to_owned())
    }

    /// What there is in both Regions and beside them of the kinds that a deployment or a run makes.
    pub async fn leftovers(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (name, region) in [(PRIMARY, &self.primary), (SECONDARY, &self.secondary)] {
            found.extend(region.leftovers().await?.into_iter().map(|what| format!("{name}: {what}")));
        }
        let checks = self.names.list_health_checks().send().await?;
        found.extend(checks.health_checks().iter().map(|check| format!("health check {}", check.id())));
        let zones = self.names.list_hosted_zones().send().await?;
        found.extend(zones.hosted_zones().iter().map(|zone| format!("hosted zone {}", zone.name())));
        Ok(found)
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        self.twin.variable("AWS_ENDPOINT_URL").to_owned()
    }

    /// Disables or enables every mapping: the replicator rests, and nothing is lost.
    pub async fn pause(&self, paused: bool) -> Result<()> {
        for functions in [&self.primary.functions, &self.secondary.functions] {
            let mappings = functions.list_event_source_mappings().send().await?;
            for id in mappings.event_source_mappings().iter().filter_map(|mapping| mapping.uuid()) {
                functions.update_event_source_mapping().uuid(id).enabled(!paused).send().await?;
                let wanted = if paused { "Disabled" } else { "Enabled" };
                let began = Instant::now();
                while functions.get_event_source_mapping().uuid(id).send().await?.state() != Some(wanted) {
                    ensure!(began.elapsed() < WAIT_MAX, "the mapping {id} is not {wanted}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        Ok(())
    }

    /// Removes all that was deployed.
    pub fn destroy(&self) -> Result<()> {
        self.does(&["destroy"]).map(drop)
    }

    /// Waits until the secondary has that many certificates of devices, within a bound. Nothing but lists is looked at:
    /// under AWS's own quotas a reader of everything would take what the replicator needs.
    pub async fn arrived(&self, count: usize, within: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let certificates = self.secondary.certificate_ids().await?.difference(&self.equipment).count();
            if certificates >= count {
                return Ok(());
            }
            ensure!(
                began.elapsed() < within,
                "after {within:?} the secondary has {certificates} of {count} certificates"
            );
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// Waits until the secondary has what the primary has, within a bound.
    pub async fn converge(&self, within: Duration) -> Result<Duration> {
        let began = Instant::now();
        loop {
            let wanted = self.primary.snapshot().await?.moved(PRIMARY, SECONDARY)?;
            let differences = wanted.differences(&self.secondary.snapshot().await?);
            if differences.is_empty() {
                return Ok(began.elapsed());
            }
            if began.elapsed() > within {
                bail!(
                    "after {within:?} the Regions differ:\n{}\n{}",
                    differences.join("\n"),
                    self.errors().await?
                );
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// The rows of the error table, a line each.
    pub async fn errors(&self) -> Result<String> {
        let names = self.secondary.tables.list_tables().send().await?;
        let Some(table) = names.table_names().iter().find(|name| name.contains("error")) else {
            bail!("no error table in {:?}", names.table_names());
        };
        let rows = self.secondary.tables.scan().table_name(table).limit(50).send().await?;
        let lines = rows.items().iter().map(|row| {
            let text = |name: &str| row.get(name).and_then(|v| v.as_s().ok()).map_or("", String::as_str);
            format!("{} {}: {}: {}", text("device"), text("event"), text("what"), text("why"))
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Waits until no row is in the error table.
    pub async fn no_errors(&self, within: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let rows = self.errors().await?;
            if rows.is_empty() {
                return Ok(());
            }
            ensure!(began.elapsed() < within, "rows in the error table after {within:?}:\n{rows}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
