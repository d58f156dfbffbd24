//! Cures of faults: what undoes them, and reads back that they are gone.

use std::fmt::Write;

use anyhow::{Context, bail};
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_route53::types::HealthCheckConfig;

use crate::{
    aws::{Aws, describe},
    target,
};

/// A pending change of a health check is tried this often when somebody else changed it between.
const VERSION_ATTEMPTS_MAX: u32 = 3;
/// Switches a fault of the twin off and reads back that it is.
pub(super) async fn switch_off(api_url: &str, fault: &gameday_twin::Fault) -> anyhow::Result<()> {
    target::switch_fault(api_url, fault, false).await?;
    if target::active_faults(api_url).await?.contains(fault) {
        bail!("the twin still has {fault:?}");
    }
    Ok(())
}

/// A health check's configuration.
pub(crate) async fn health_check(aws: &Aws, id: &str) -> anyhow::Result<HealthCheckConfig> {
    let got = aws.route53.get_health_check().health_check_id(id).send().await;
    let got = got.map_err(|e| anyhow::anyhow!(describe(&e)))?;
    let check = got.health_check().context("Route 53 answered without the health check")?;
    check.health_check_config().cloned().context("the health check has no configuration")
}

/// Gives a health check's path its last character back, if it lacks it, and reads back that it is the path before.
pub(super) async fn restore_path(aws: &Aws, id: &str, last: char, path_sha256: &str) -> anyhow::Result<()> {
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
pub(crate) async fn set_path(aws: &Aws, id: &str, path: &str) -> anyhow::Result<()> {
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

/// SHA-256 as hex: what may be written down of a text that holds a secret.
pub(crate) fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
