//! The secondary does not take the fleet: AWS lets in so many CONNECTs a second of an account and Region, and nobody asked for
//! more there.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep};

use super::{
    Breakage, Cure, FaultEntry, Parameter, Takes, Without,
    catalogue::{Colour, Targets, Touches},
    ground::{Ground, PROOF_MAX, Struck, seconds},
};
use crate::target::{quota, set_quota};

/// AWS's code of the CONNECTs a second of an account.
const CONNECTS: &str = "L-AEA1E176";
const POLL: Duration = Duration::from_millis(500);

pub(super) static TOO_SMALL: FaultEntry = FaultEntry {
    name: "secondary-too-small",
    label: "secondary too small",
    colour: Colour::Region,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "The secondary takes only so many CONNECTs a second, health checks included. It acts when the fleet arrives: it needs a \
           fault beside it that makes it fail over.",
    parameters: &[Parameter {
        name: "connects_per_s",
        takes: Takes::Count,
        without: Without::Is("5"),
        what: "how many CONNECTs a second it takes",
    }],
    proof: "the twin counts CONNECTs that the quota refused",
    cure_proof: "the quota before was read back",
    strike: |ground, breakage| Box::pin(shrink(ground, breakage)),
};

async fn shrink<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let (url, region) = (ground.target.endpoints.api_url.as_str(), ground.target.secondary());
    let (before, to) = (quota(url, region, CONNECTS).await?, breakage.count("connects_per_s"));
    let value = before.value.context("the twin enforces no quotas")?;
    let cure = Cure::Quota { api_url: url.to_owned(), code: CONNECTS.to_owned(), value };
    ground.intend(&TOO_SMALL, region, cure)?;
    set_quota(url, region, CONNECTS, f64::from(to)).await?;
    let at = Instant::now();
    let proof = Box::pin(async move {
        let limit = Instant::now() + PROOF_MAX;
        while Instant::now() < limit {
            let refused = quota(url, region, CONNECTS).await?.refused.saturating_sub(before.refused);
            if refused > 0 {
                return Ok(format!("{refused} CONNECTs were refused by the quota, as the twin counts"));
            }
            sleep(POLL).await;
        }
        bail!("no CONNECT was refused within {}", seconds(PROOF_MAX))
    });
    Ok(Struck { at, detail: format!("{region} takes {to} CONNECTs a second, and {value} before"), proof })
}
