//! Cures of faults: what undoes them, and reads back that they are gone.

use anyhow::{Context, bail};
use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::Instant;

use crate::{
    aws::{Aws, describe},
    target,
};

/// Switches a fault of the twin off and reads back that it is. The answer is when it was acknowledged.
pub(super) async fn switch_off(api_url: &str, fault: &gameday_twin::Fault) -> anyhow::Result<Instant> {
    target::switch_fault(api_url, fault, false).await?;
    let acknowledged = Instant::now();
    if target::fault_states(api_url).await?.iter().any(|state| state.fault == *fault) {
        bail!("the twin still has the fault");
    }
    Ok(acknowledged)
}

/// Gives a health check's path its last character back, if it lacks it, and reads back that it is the path before. The answer
/// is when it was acknowledged.
pub(super) async fn restore_path(
    aws: &Aws,
    id: &str,
    last: char,
    path_sha256: &str,
) -> anyhow::Result<Instant> {
    let now = health_check_path(aws, id).await?;
    if sha256(&now.path) == path_sha256 {
        return Ok(Instant::now());
    }
    let whole = format!("{}{last}", now.path);
    if sha256(&whole) != path_sha256 {
        bail!("the health check's path was changed by someone else; it is left as it is");
    }
    set_path(aws, id, &whole, now.version).await
}

/// A health check's path, and the version that it was read at.
pub(crate) struct HealthCheckPath {
    pub(crate) path: String,
    pub(crate) version: i64,
}

/// Reads a health check's path.
pub(crate) async fn health_check_path(aws: &Aws, id: &str) -> anyhow::Result<HealthCheckPath> {
    let got = aws.route53.get_health_check().health_check_id(id).send().await;
    let got = got.map_err(|e| anyhow::anyhow!(describe(&e)))?;
    let check = got.health_check().context("Route 53 answered without the health check")?;
    let config = check.health_check_config().context("the health check has no configuration")?;
    let path = config.resource_path().context("the health check has no path")?.to_owned();
    Ok(HealthCheckPath { path, version: check.health_check_version() })
}

/// Sets a health check's path if it is still at `version`, and reads it back. The answer is when it was acknowledged: from then
/// on it acts, however long the reading takes.
pub(crate) async fn set_path(aws: &Aws, id: &str, path: &str, version: i64) -> anyhow::Result<Instant> {
    let update = aws.route53.update_health_check().health_check_id(id).health_check_version(version);
    update.resource_path(path).send().await.map_err(|e| anyhow::anyhow!(describe(&e)))?;
    let acknowledged = Instant::now();
    if health_check_path(aws, id).await?.path != path {
        bail!("the health check's path reads back as something else");
    }
    Ok(acknowledged)
}

/// SHA-256 as hex: what may be written down of a text that holds a secret.
pub(crate) fn sha256(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}
