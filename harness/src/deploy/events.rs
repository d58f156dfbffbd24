//! Registry events, which AWS has switched off unless someone asked for them.

use anyhow::{Context, anyhow};
use aws_sdk_iot::types::{Configuration, EventType};

use crate::aws::{RegionClients, describe};

/// What the topic rules take. Associations and the hierarchy come with things and groups.
const KINDS: [EventType; 4] =
    [EventType::Thing, EventType::ThingGroup, EventType::ThingGroupMembership, EventType::ThingType];

/// The kinds that are wanted and off.
pub(crate) async fn off(clients: &RegionClients) -> anyhow::Result<Vec<String>> {
    let now = clients.iot.describe_event_configurations().send().await;
    let now = now
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("the registry events of {} are not known", clients.region))?;
    let is_on = |kind: &EventType| {
        now.event_configurations().and_then(|kinds| kinds.get(kind)).is_some_and(Configuration::enabled)
    };
    Ok(KINDS.iter().filter(|kind| !is_on(kind)).map(|kind| kind.as_str().to_owned()).collect())
}

/// Switches kinds on or off.
pub(crate) async fn switch<'a>(
    clients: &RegionClients,
    kinds: impl IntoIterator<Item = &'a str>,
    on: bool,
) -> anyhow::Result<()> {
    let mut call = clients.iot.update_event_configurations();
    let mut is_any = false;
    for kind in kinds {
        is_any = true;
        call = call.event_configurations(kind.into(), Configuration::builder().enabled(on).build());
    }
    if !is_any {
        return Ok(());
    }
    let word = if on { "on" } else { "off" };
    call.send()
        .await
        .map(drop)
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("registry events could not be switched {word} in {}", clients.region))
}
