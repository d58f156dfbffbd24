//! A health check's path and what it means.

use anyhow::{Context, bail};
use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::Instant;

use crate::aws::{Aws, describe};

/// Gives a health check's path its last character back, if it lacks it, and reads back that it is the path before. The answer
/// is when it was acknowledged.
pub(super) async fn restore_path(
    aws: &Aws,
    id: &str,
    last: char,
    path_sha256: &str,
) -> anyhow::Result<Instant> {
    let now = health_check(aws, id).await?;
    if sha256(&now.path) == path_sha256 {
        return Ok(Instant::now());
    }
    let whole = format!("{}{last}", now.path);
    if sha256(&whole) != path_sha256 {
        bail!("the health check's path was changed by someone else; it is left as it is");
    }
    set_path(aws, id, &whole, now.version).await
}

/// What a health check asks for and means, and the version that it was read at.
pub(in crate::fault) struct HealthCheck {
    pub(in crate::fault) path: String,
    pub(in crate::fault) inverted: bool,
    pub(in crate::fault) version: i64,
}

/// Reads a health check.
pub(in crate::fault) async fn health_check(aws: &Aws, id: &str) -> anyhow::Result<HealthCheck> {
    let got = aws.route53.get_health_check().health_check_id(id).send().await;
    let got = got.map_err(|e| anyhow::anyhow!(describe(&e)))?;
    let check = got.health_check().context("Route 53 answered without the health check")?;
    let config = check.health_check_config().context("the health check has no configuration")?;
    let path = config.resource_path().context("the health check has no path")?.to_owned();
    let inverted = config.inverted().unwrap_or(false);
    Ok(HealthCheck { path, inverted, version: check.health_check_version() })
}

/// Sets a health check's path if it is still at `version`, and reads it back. The answer is when it was acknowledged: from then
/// on it acts, however long the reading takes.
pub(in crate::fault) async fn set_path(
    aws: &Aws,
    id: &str,
    path: &str,
    version: i64,
) -> anyhow::Result<Instant> {
    let update = aws.route53.update_health_check().health_check_id(id).health_check_version(version);
    update.resource_path(path).send().await.map_err(|e| anyhow::anyhow!(describe(&e)))?;
    let acknowledged = Instant::now();
    if health_check(aws, id).await?.path != path {
        bail!("the health check's path reads back as something else");
    }
    Ok(acknowledged)
}

/// Says whether a health check means the opposite of what its checkers find, and reads it back. The answer is when it was
/// acknowledged.
pub(in crate::fault) async fn set_inverted(aws: &Aws, id: &str, inverted: bool) -> anyhow::Result<Instant> {
    let now = health_check(aws, id).await?;
    if now.inverted == inverted {
        return Ok(Instant::now());
    }
    let update = aws.route53.update_health_check().health_check_id(id).health_check_version(now.version);
    update.inverted(inverted).send().await.map_err(|e| anyhow::anyhow!(describe(&e)))?;
    let acknowledged = Instant::now();
    if health_check(aws, id).await?.inverted != inverted {
        bail!("the health check reads back as it was");
    }
    Ok(acknowledged)
}

/// SHA-256 as hex: what may be written down of a text that holds a secret.
pub(crate) fn sha256(text: &str) -> String {
    sha256_of(text.as_bytes())
}

/// The same of bytes.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
