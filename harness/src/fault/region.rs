//! The primary Region is lost, or half lost.

use std::time::Duration;

use anyhow::bail;
use gameday_twin::Fault;
use tokio::time::timeout;

use super::{
    FaultEntry,
    catalogue::{Colour, Targets, Touches},
    ground::{Ground, Struck},
};

/// An API call that is not answered within this time shows a dark Region.
const DARK_PROOF_S: u64 = 2;
pub(super) const NOT_LISTED: &str = "the twin no longer lists it";

pub(super) static DARK: FaultEntry = FaultEntry {
    name: "primary-region-dark",
    label: "primary Region dark",
    colour: Colour::Region,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "The primary Region is cut off: no MQTT, no HTTPS, no API, no replication out of it.",
    parameters: &[],
    proof: "an API call to the Region is not answered",
    cure_proof: NOT_LISTED,
    strike: |ground, _| Box::pin(dark(ground)),
};

pub(super) static HALF_DARK: FaultEntry = FaultEntry {
    name: "primary-region-half-dark",
    label: "primary Region half dark",
    colour: Colour::Region,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "What is sent to the primary arrives and takes effect; nothing comes back, and its tables' writes stay there.",
    parameters: &[],
    proof: "an API call to the Region is not answered",
    cure_proof: NOT_LISTED,
    strike: |ground, _| Box::pin(half_dark(ground)),
};

async fn dark(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let region = ground.target.primary();
    let at = ground.switch_on(&DARK, region, Fault::RegionDark { region: region.to_owned() }).await?;
    Ok(Struck { at, detail: format!("{region} is cut off in the twin"), proof: Box::pin(unanswered(ground)) })
}

async fn half_dark(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let region = ground.target.primary();
    let at =
        ground.switch_on(&HALF_DARK, region, Fault::RegionHalfDark { region: region.to_owned() }).await?;
    Ok(Struck {
        at,
        detail: format!("{region} hears and does not speak"),
        proof: Box::pin(unanswered(ground)),
    })
}

async fn unanswered(ground: Ground<'_>) -> anyhow::Result<String> {
    let call = ground.aws.primary.iot.describe_endpoint().endpoint_type("iot:Data-ATS").send();
    match timeout(Duration::from_secs(DARK_PROOF_S), call).await {
        Err(_) => Ok(format!("DescribeEndpoint in the primary was not answered for {DARK_PROOF_S} s")),
        Ok(_) => bail!("the primary still answers API calls"),
    }
}
