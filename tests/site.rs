//! A twin with the replicator deployed into it by the binary, and the clients of both Regions.

mod operator;
mod snapshot;

use std::{
    process::Output,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aws_config::{BehaviorVersion, Region as AwsRegion, SdkConfig, retry::RetryConfig};
use serde_json::Value;

use crate::{TwinProcess, run};

pub use self::{
    operator::POLICY,
    snapshot::{Region, Snapshot},
};

/// A state is waited for this long, unless a case says otherwise.
pub const WAIT_MAX: Duration = Duration::from_mins(1);

/// How often a call is tried that is throttled.
const READ_ATTEMPTS_MAX: u32 = 12;

/// A twin and what was deployed into it.
#[derive(Debug)]
pub struct Site {
    /// The twin, which ends with this value.
    pub twin: TwinProcess,
    /// The Region that is mirrored.
    pub primary: Region,
    /// The Region that is kept ready.
    pub secondary: Region,
    /// What `gameday outputs --json` said.
    pub outputs: Value,
}

fn succeeded(what: &str, output: &Output) -> Result<()> {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{what}: {:?}\n{out}\n{err}", output.status.code());
    Ok(())
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

async fn region(url: &str, name: &str) -> Region {
    let config = config(url, name).await;
    Region {
        iot: aws_sdk_iot::Client::new(&config),
        data: aws_sdk_iotdataplane::Client::new(&config),
        tables: aws_sdk_dynamodb::Client::new(&config),
        functions: aws_sdk_lambda::Client::new(&config),
    }
}

impl Site {
    /// Starts a twin with that multiple of AWS's quotas and deploys.
    pub async fn deploy(quota_scale: u32, more: &[&str]) -> Result<Self> {
        let twin = TwinProcess::start_scaled(quota_scale)?;
        let url = twin.variable("AWS_ENDPOINT_URL").to_owned();
        let arguments: Vec<&str> =
            ["deploy", "--target", &url].into_iter().chain(more.iter().copied()).collect();
        succeeded("deploy", &run(&arguments)?)?;
        let outputs = run(&["outputs", "--target", &url, "--json"])?;
        succeeded("outputs", &outputs)?;
        let outputs = serde_json::from_slice(&outputs.stdout).context("outputs are JSON")?;
        let (primary, secondary) = (region(&url, "us-east-1").await, region(&url, "us-west-2").await);
        Ok(Self { twin, primary, secondary, outputs })
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
        succeeded("destroy", &run(&["destroy", "--target", &self.url()])?)
    }

    /// Waits until the secondary has that many certificates, within a bound. One call a look: under AWS's own quotas a
    /// reader of everything would take what the replicator needs.
    pub async fn arrived(&self, count: usize, within: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let certificates =
                self.secondary.iot.list_certificates().page_size(250).send().await?.certificates().len();
            if certificates >= count {
                return Ok(());
            }
            ensure!(
                began.elapsed() < within,
                "after {within:?} the secondary has {certificates} certificates"
            );
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// Waits until the secondary has what the primary has, within a bound.
    pub async fn converge(&self, within: Duration) -> Result<Duration> {
        let began = Instant::now();
        loop {
            let differences = self.primary.snapshot().await?.differences(&self.secondary.snapshot().await?);
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
