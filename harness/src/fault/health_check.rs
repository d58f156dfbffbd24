//! The primary's health check fails although the Region is well: by its path, by what it means, by what its function knows.
//! And the other way round: it stays as it is, whatever happens.

use std::time::Duration;

use anyhow::{Context, bail};
use gameday_twin::Fault;

use super::{
    Cure, FaultEntry,
    catalogue::{Colour, Targets, Touches},
    cure::{change_variable, health_check, set_inverted, set_path, sha256},
    ground::{Ground, PROOF_MAX, Struck, seconds},
    region,
};

/// The variable of the health function that has the secret.
const SECRET_VARIABLE: &str = "QUERY_STRING";
/// The fleet's name stays where it has moved for as long as this, at the least.
const STAYS: Duration = Duration::from_secs(1);
/// What Route 53 makes of a check that says nothing of its checkers.
const READ_BACK: &str = "the check before was read back";

/// The guide's own fault.
pub(super) static PATH: FaultEntry = FaultEntry {
    name: "primary-health-check",
    label: "primary health check broken",
    colour: Colour::Detection,
    targets: Targets::TwinAndAws,
    touches: Touches::Deployment,
    what: "The path of the primary's health check loses its last character, so that its secret no longer fits.",
    parameters: &[],
    proof: "Route 53's checkers call the primary unhealthy",
    cure_proof: "the path before was read back",
    strike: |ground, _| Box::pin(path(ground)),
};

pub(super) static INVERTED: FaultEntry = FaultEntry {
    name: "primary-health-check-inverted",
    label: "primary health check inverted",
    colour: Colour::Detection,
    targets: Targets::TwinAndAws,
    touches: Touches::Deployment,
    what: "The primary's health check means the opposite of what its checkers find. They do not show it, so \
           that the report says the health check did not notice.",
    parameters: &[],
    proof: "the fleet's name points to the secondary",
    cure_proof: READ_BACK,
    strike: |ground, _| Box::pin(invert(ground)),
};

pub(super) static SECRET: FaultEntry = FaultEntry {
    name: "primary-health-secret",
    label: "primary health function refuses its checkers",
    colour: Colour::Detection,
    targets: Targets::TwinAndAws,
    touches: Touches::Deployment,
    what: "The secret that the primary's health function wants loses its last character: it refuses every checker.",
    parameters: &[],
    proof: "Route 53's checkers call the primary unhealthy",
    cure_proof: "the secret before was read back",
    strike: |ground, _| Box::pin(secret(ground)),
};

pub(super) static STUCK: FaultEntry = FaultEntry {
    name: "health-checks-stuck",
    label: "health checks stuck",
    colour: Colour::Detection,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "Route 53's checkers do not probe: each check keeps the state that it is in.",
    parameters: &[],
    proof: "the twin counts probes that were left out",
    cure_proof: "the twin no longer lists it",
    strike: |ground, _| Box::pin(stuck(ground)),
};

async fn path(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let was_healthy = is_healthy(ground).await;
    let check = &ground.deployment.primary_check;
    let now = health_check(ground.aws, check).await?;
    let mut short = now.path.clone();
    let last = short.pop().context("the health check's path is empty")?;
    let cure = Cure::HealthCheckPath { health_check: check.clone(), last, path_sha256: sha256(&now.path) };
    ground.intend(&PATH, "global", cure)?;
    let at = set_path(ground.aws, check, &short, now.version).await?;
    let detail = format!("the path of health check {check} reads back without its last character");
    Ok(Struck { at, detail, proof: Box::pin(unhealthy(ground, was_healthy)) })
}

async fn invert(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let (check, primary) = (&ground.deployment.primary_check, ground.target.primary());
    let was_there = ground.is_steady(|board| board.answer_region.as_deref() == Some(primary)).await;
    let inverted = health_check(ground.aws, check).await?.inverted;
    let cure = Cure::HealthCheckInversion { health_check: check.clone(), inverted };
    ground.intend(&INVERTED, "global", cure)?;
    let at = set_inverted(ground.aws, check, !inverted).await?;
    let detail = format!("health check {check} reads back inverted");
    Ok(Struck { at, detail, proof: Box::pin(answer_moved(ground, was_there)) })
}

async fn secret(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let was_healthy = is_healthy(ground).await;
    let (clients, function) = (&ground.aws.primary, ground.function("health"));
    let at = change_variable(clients, &function, SECRET_VARIABLE, |now| {
        let mut short = now.to_owned();
        let last = short.pop().context("the health function has no secret")?;
        let cure = Cure::FunctionVariable {
            function: function.clone(),
            variable: SECRET_VARIABLE.to_owned(),
            last,
            value_sha256: sha256(now),
        };
        ground.intend(&SECRET, &clients.region, cure)?;
        Ok(Some(short))
    })
    .await?;
    let detail = format!("{SECRET_VARIABLE} of {function} reads back without its last character");
    Ok(Struck { at, detail, proof: Box::pin(unhealthy(ground, was_healthy)) })
}

async fn stuck(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let detail = "Route 53's checkers rest".to_owned();
    let fault = Fault::HealthChecksStuck { check: None };
    ground.strike_by_hits(&STUCK, "global", fault, detail, "probes were left out").await
}

/// Whether the primary is healthy before its check is broken. What else is broken in the same moment does not count.
async fn is_healthy(ground: Ground<'_>) -> bool {
    ground.is_steady(|board| board.primary_healthy == Some(true)).await
}

/// Waits until the primary's check is unhealthy.
async fn unhealthy(ground: Ground<'_>, was_healthy: bool) -> anyhow::Result<String> {
    if !was_healthy {
        bail!("the health check was not healthy before");
    }
    let board = ground.recorder.board();
    if !board.wait(PROOF_MAX, |board| board.primary_healthy == Some(false)).await {
        bail!("the health check was still healthy after {}", seconds(PROOF_MAX));
    }
    Ok(unhealthy_by(ground.has(&region::DARK)))
}

/// What an unhealthy check shows of what was done to it.
fn unhealthy_by(is_dark: bool) -> String {
    let mut evidence = "Route 53 reports the primary's health check as unhealthy".to_owned();
    if is_dark {
        evidence.push_str("; the Region is dark too, which alone would do that");
    }
    evidence
}

/// Waits until the fleet's name points to the secondary, though the checkers call the primary healthy.
async fn answer_moved(ground: Ground<'_>, was_there: bool) -> anyhow::Result<String> {
    if !was_there {
        bail!("the fleet's name did not point to the primary before");
    }
    let secondary = ground.target.secondary();
    let board = ground.recorder.board();
    if !board.wait(PROOF_MAX, |board| board.answer_region.as_deref() == Some(secondary)).await {
        bail!("the fleet's name did not move within {}", seconds(PROOF_MAX));
    }
    // An answer of a moment, as between a change and somebody's undoing it, moves nobody.
    if board.wait(STAYS, |board| board.answer_region.as_deref() != Some(secondary)).await {
        bail!("the fleet's name moved, and was back within {}", seconds(STAYS));
    }
    if ground.recorder.board().look(|board| board.primary_healthy) == Some(false) {
        bail!("the checkers call the primary unhealthy, which alone would move the name");
    }
    Ok("the fleet's name points to the secondary, and the checkers call the primary healthy".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_that_another_fault_may_account_for_says_so() {
        assert!(!unhealthy_by(false).contains("alone"));
        assert!(unhealthy_by(true).ends_with("; the Region is dark too, which alone would do that"));
    }
}
