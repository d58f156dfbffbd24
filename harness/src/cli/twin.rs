//! `gameday twin`.

mod fault;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use gameday_report::ExitCode;
use gameday_twin::{Endpoints, Twin, TwinConfig};
use tokio::signal::unix::{SignalKind, signal};

use super::block_on;
use crate::{
    descriptors, log,
    output::{data, to_stderr},
};

/// As in a scenario.
const QUOTA_SCALE_MAX: f64 = 1e6;

/// Arguments of `gameday twin`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  rm -f twin.env; gameday twin --port 4566 --quota-scale 10 --env twin.env &
  until [ -s twin.env ]; do sleep 0.1; done; . ./twin.env
  aws iot list-things
  gameday twin fault set region-dark --region us-east-1
  gameday run scenarios/region-failover.toml --target http://127.0.0.1:4566

The variables point AWS clients at the twin; the Region that a client asks for is the Region that answers."
)]
pub(super) struct TwinCommand {
    #[command(subcommand)]
    of: Option<Of>,
    /// Port of the AWS API on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// AWS's default quotas are multiplied by this.
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    quota_scale: f64,
    /// Enforce no quota: nothing is throttled.
    #[arg(long, conflicts_with = "quota_scale")]
    no_quotas: bool,
    /// How long a write to a global table takes to the other Region, in milliseconds.
    #[arg(long, default_value_t = 200)]
    replication_delay_ms: u64,
    /// Also write the variables to this file, once everything listens.
    #[arg(long, value_name = "FILE")]
    env: Option<PathBuf>,
}

/// What else can be done with a twin than to run it.
#[derive(Debug, Subcommand)]
enum Of {
    /// Break and heal a twin that runs.
    Fault(fault::FaultCommand),
}

/// More than nothing: below that nothing could ever be called.
fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= QUOTA_SCALE_MAX => Ok(scale),
        _ => Err(format!(
            "a number greater than 0 and at most {QUOTA_SCALE_MAX}; for no quotas at all there is --no-quotas"
        )),
    }
}

impl TwinCommand {
    pub(super) fn run(mut self) -> anyhow::Result<ExitCode> {
        if let Some(Of::Fault(fault)) = self.of.take() {
            return fault.run();
        }
        block_on(self.serve())
    }

    async fn serve(self) -> anyhow::Result<ExitCode> {
        log::to_stderr();
        // What a twin before has left would point clients at nothing, or at something else.
        if let Some(path) = &self.env {
            remove(path)?;
        }
        // A descriptor for each client: as many as the system lets.
        let _ = descriptors::raise();
        let config = TwinConfig {
            quota_scale: self.quota_scale,
            quotas_enforced: !self.no_quotas,
            replication_delay: Duration::from_millis(self.replication_delay_ms),
            api_port: self.port,
            ..TwinConfig::default()
        };
        let twin = Twin::start(config).await.context("the twin did not start")?;
        let endpoints = twin.endpoints();
        let ca = endpoints.folder.join("ca.pem");
        std::fs::write(&ca, &endpoints.ca_pem)?;
        let variables = variables(&endpoints, &ca);
        if let Some(path) = &self.env {
            write_whole(path, &variables).with_context(|| format!("cannot write {}", path.display()))?;
        }
        data(variables.trim_end());
        to_stderr("the twin runs; Ctrl-C stops it, and nothing is kept");
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        twin.stop().await;
        if let Some(path) = &self.env {
            remove(path)?;
        }
        Ok(ExitCode::Pass)
    }
}

/// Writes a file that is there whole or not at all: somebody waits for it.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    if path.exists() && !is_file(path) {
        return std::fs::write(path, text);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// Removes the file of variables, if there is one. What is no plain file, as `/dev/stdout`, stays.
fn remove(path: &Path) -> anyhow::Result<()> {
    if !is_file(path) {
        return Ok(());
    }
    std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}

fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// Shell lines that point AWS clients, and MQTT clients, at the twin.
fn variables(endpoints: &Endpoints, ca: &std::path::Path) -> String {
    let mut lines = vec![
        format!("export AWS_ENDPOINT_URL={}", endpoints.api_url),
        "export AWS_ACCESS_KEY_ID=gameday AWS_SECRET_ACCESS_KEY=gameday".to_owned(),
    ];
    if let Some(primary) = endpoints.regions.first() {
        lines.push(format!("export AWS_REGION={0} AWS_DEFAULT_REGION={0}", primary.region));
    }
    lines.push(format!("export GAMEDAY_CA={}", ca.display()));
    lines.push(format!("export GAMEDAY_DNS={}", endpoints.dns));
    for (name, region) in ["PRIMARY", "SECONDARY"].iter().zip(&endpoints.regions) {
        lines.push(format!(
            "export GAMEDAY_{name}_REGION={} GAMEDAY_{name}_HOST={} GAMEDAY_{name}_ADDRESS={}",
            region.region, region.host, region.address
        ));
        lines.push(format!(
            "export GAMEDAY_{name}_MQTT_PORT={} GAMEDAY_{name}_HTTPS_PORT={}",
            region.mqtt_port, region.https_port
        ));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_more_than_nothing() {
        assert_eq!(scale("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "NaN", "inf", "1e7", "x"] {
            assert!(scale(wrong).unwrap_err().contains("--no-quotas"), "{wrong}");
        }
    }
}
