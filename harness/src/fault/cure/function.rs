//! A function's concurrency, its variables, and the stream that it is handed.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aws_sdk_lambda::types::{Environment, LastUpdateStatus};
use tokio::time::{Instant, sleep};

use super::health_check::sha256;
use crate::aws::{Missing, RegionClients, describe};

/// AWS takes some seconds for a change of a function, and up to a minute for one of a mapping.
const SETTLED_S_MAX: u64 = 90;
const POLL: Duration = Duration::from_millis(250);

/// The concurrency that is reserved for a function.
pub(in crate::fault) async fn reserved(
    clients: &RegionClients,
    function: &str,
) -> anyhow::Result<Option<i32>> {
    let got = clients.lambda.get_function_concurrency().function_name(function).send().await;
    Ok(got.map_err(|e| anyhow!(describe(&e)))?.reserved_concurrent_executions())
}

/// Reserves concurrency for a function, or none of its own, and reads it back. A function that is gone needs none. The answer
/// is when it was acknowledged.
pub(in crate::fault) async fn set_reserved(
    clients: &RegionClients,
    function: &str,
    to: Option<i32>,
) -> anyhow::Result<Instant> {
    let there = if let Some(to) = to {
        let put = clients.lambda.put_function_concurrency().function_name(function);
        put.reserved_concurrent_executions(to).send().await.missing_ok()?.is_some()
    } else {
        let delete = clients.lambda.delete_function_concurrency().function_name(function);
        delete.send().await.missing_ok()?.is_some()
    };
    let at = Instant::now();
    if there && reserved(clients, function).await? != to {
        bail!("the concurrency of {function} reads back as something else");
    }
    Ok(at)
}

/// Changes one variable of a function, if nobody else has changed the function meanwhile, waits until that acts, and reads it
/// back. The answer is when it was acknowledged.
pub(in crate::fault) async fn change_variable(
    clients: &RegionClients,
    function: &str,
    variable: &str,
    change: impl Fn(&str) -> anyhow::Result<Option<String>>,
) -> anyhow::Result<Instant> {
    let got = clients.lambda.get_function_configuration().function_name(function).send().await;
    let got = got.map_err(|e| anyhow!(describe(&e)))?;
    let mut all =
        got.environment().and_then(|environment| environment.variables()).cloned().unwrap_or_default();
    let value = all.get_mut(variable).with_context(|| format!("{function} has no {variable}"))?;
    let Some(to) = change(value)? else { return Ok(Instant::now()) };
    value.clone_from(&to);
    let update = clients.lambda.update_function_configuration().function_name(function);
    let update = update.environment(Environment::builder().set_variables(Some(all)).build());
    update.set_revision_id(got.revision_id).send().await.map_err(|e| anyhow!(describe(&e)))?;
    let at = Instant::now();
    while at.elapsed() < Duration::from_secs(SETTLED_S_MAX) {
        let got = clients.lambda.get_function_configuration().function_name(function).send().await;
        let got = got.map_err(|e| anyhow!(describe(&e)))?;
        if got.last_update_status() == Some(&LastUpdateStatus::InProgress) {
            sleep(POLL).await;
            continue;
        }
        let now = got.environment().and_then(|environment| environment.variables()?.get(variable));
        if now != Some(&to) {
            bail!("{variable} of {function} reads back as something else");
        }
        return Ok(at);
    }
    bail!("a change of {function} did not come to an end within {SETTLED_S_MAX} s")
}

/// Gives a variable its last character back, if it lacks it.
pub(super) async fn restore_variable(
    clients: &RegionClients,
    function: &str,
    variable: &str,
    last: char,
    value_sha256: &str,
) -> anyhow::Result<Instant> {
    change_variable(clients, function, variable, |now| {
        if sha256(now) == value_sha256 {
            return Ok(None);
        }
        let whole = format!("{now}{last}");
        if sha256(&whole) != value_sha256 {
            bail!("{variable} of {function} was changed by someone else; it is left as it is");
        }
        Ok(Some(whole))
    })
    .await
}

/// Switches an event source mapping on or off, and waits until it is. The answer is when it was acknowledged; none: there is
/// no such mapping.
pub(in crate::fault) async fn set_mapping(
    clients: &RegionClients,
    mapping: &str,
    on: bool,
) -> anyhow::Result<Option<Instant>> {
    let update = clients.lambda.update_event_source_mapping().uuid(mapping).enabled(on);
    if update.send().await.missing_ok()?.is_none() {
        return Ok(None);
    }
    let (at, wanted) = (Instant::now(), if on { "Enabled" } else { "Disabled" });
    while at.elapsed() < Duration::from_secs(SETTLED_S_MAX) {
        let got = clients.lambda.get_event_source_mapping().uuid(mapping).send().await.missing_ok()?;
        let Some(got) = got else { return Ok(None) };
        if got.state() == Some(wanted) {
            return Ok(Some(at));
        }
        sleep(POLL).await;
    }
    bail!("the mapping {mapping} was not {wanted} within {SETTLED_S_MAX} s")
}
