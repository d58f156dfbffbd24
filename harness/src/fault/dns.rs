//! The fleet's name: answered as it was, or not answered.

use std::time::Duration;

use anyhow::bail;
use gameday_twin::{DnsFailure, Fault};
use tokio::time::Instant;

use super::{
    Breakage, FaultEntry, Parameter, Takes, Without,
    catalogue::{Colour, Targets, Touches},
    ground::{Ground, PROOF_MAX, Struck, seconds},
    region::NOT_LISTED,
};

/// An answer that still names the primary so long after its health check has failed is stale: Route 53 changes it at once.
const STALE_PROOF: Duration = Duration::from_secs(3);
/// Questions in a row that get no answer: one may be lost on its way.
const UNANSWERED: u32 = 2;
const POLL: Duration = Duration::from_millis(500);

pub(super) static STALE: FaultEntry = FaultEntry {
    name: "dns-stale",
    label: "DNS stale",
    colour: Colour::Detection,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "The fleet's name is answered as it was when the fault began, whatever the health checks say.",
    parameters: &[],
    proof: "the primary is unhealthy for 3 s and the name still points to it: needs a fault beside it that the health check sees",
    cure_proof: NOT_LISTED,
    strike: |ground, _| Box::pin(stale(ground)),
};

pub(super) static FAILING: FaultEntry = FaultEntry {
    name: "dns-failing",
    label: "DNS failing",
    colour: Colour::Detection,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "Questions for the fleet's name fail.",
    parameters: &[Parameter {
        name: "how",
        takes: Takes::OneOf(&["servfail", "silent"]),
        without: Without::Is("servfail"),
        what: "refused with SERVFAIL, or not answered",
    }],
    proof: "two questions in a row are not answered",
    cure_proof: NOT_LISTED,
    strike: |ground, breakage| Box::pin(failing(ground, breakage)),
};

fn fault(ground: &Ground<'_>, how: DnsFailure) -> Fault {
    let name = ground.deployment.fleet_name.trim_end_matches('.').to_owned();
    Fault::Dns { name: Some(name), how, share: gameday_twin::Share::ALL }
}

async fn stale(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let at = ground.switch_on(&STALE, "global", fault(&ground, DnsFailure::Stale)).await?;
    let detail = "the fleet's name keeps its answer".to_owned();
    Ok(Struck { at, detail, proof: Box::pin(kept(ground)) })
}

/// Waits until the primary is unhealthy, and then whether its name is still answered.
async fn kept(ground: Ground<'_>) -> anyhow::Result<String> {
    let (board, secondary) = (ground.recorder.board(), ground.target.secondary());
    if !board.wait(PROOF_MAX, |board| board.primary_healthy == Some(false)).await {
        bail!("the primary stayed healthy for {}, so that its name had no other answer", seconds(PROOF_MAX));
    }
    let moved = |board: &crate::measure::State| board.answer_region.as_deref() == Some(secondary);
    if board.look(|board| board.secondary_healthy) != Some(true) {
        bail!("the secondary is not healthy either, so that the name had no other answer");
    }
    if board.wait(STALE_PROOF, moved).await {
        bail!("the name moved to the secondary");
    }
    // What nobody answers is not stale.
    let answer = ground.resolver.cname(&ground.deployment.fleet_name).await?;
    if ground.target.region_of(&answer.host) != Some(ground.target.primary()) {
        bail!("the name points to {}", answer.host);
    }
    Ok(format!("the name pointed to the primary {} after it was unhealthy", seconds(STALE_PROOF)))
}

async fn failing<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let how = if breakage.text("how") == Some("silent") { DnsFailure::Silent } else { DnsFailure::Servfail };
    let at = ground.switch_on(&FAILING, "global", fault(&ground, how)).await?;
    let detail = "questions for the fleet's name fail".to_owned();
    Ok(Struck { at, detail, proof: Box::pin(unanswered(ground)) })
}

async fn unanswered(ground: Ground<'_>) -> anyhow::Result<String> {
    let (limit, mut in_a_row) = (Instant::now() + PROOF_MAX, 0);
    while Instant::now() < limit {
        in_a_row = match ground.resolver.cname(&ground.deployment.fleet_name).await {
            Ok(_) => 0,
            Err(_) => in_a_row + 1,
        };
        if in_a_row == UNANSWERED {
            return Ok(format!("{UNANSWERED} questions in a row for the fleet's name were not answered"));
        }
        tokio::time::sleep(POLL).await;
    }
    bail!("questions were answered for {}", seconds(PROOF_MAX))
}
