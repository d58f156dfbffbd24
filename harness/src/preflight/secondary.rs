//! Whether the secondary is healthy, where a deployment that stays has a health check there: a fleet is not sent to a Region that
//! does not serve.

use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_sdk_route53::types::HealthCheckObservation;
use futures::FutureExt;
use replicator::templates::HEALTH;
use tokio::time::sleep;

use super::{Check, Finding, Ground, Stage};
use crate::{
    aws::{Aws, describe},
    deploy::{STACK_PREFIX, Stacks, output_of, tag_of},
    measure::is_healthy,
    names::RUN_ATTRIBUTE,
};

pub(super) static CHECK: Check = Check {
    name: "secondary",
    label: "The secondary is healthy",
    stage: Stage::There,
    can_be_ignored: true,
    look: |ground| look(ground).boxed_local(),
};

/// A check that was just made has results within its interval.
const LOOKS_MAX: u32 = 35;
/// Route 53's API takes five calls a second of an account.
const PERIOD: Duration = Duration::from_secs(1);

async fn look(ground: &Ground<'_>) -> Finding {
    let region = &ground.aws.secondary.region;
    let stacks = Stacks::quiet(&ground.aws.secondary).named(STACK_PREFIX, &format!("-{}", HEALTH.name)).await;
    let stacks = match stacks {
        Ok(stacks) => stacks,
        Err(error) => return Finding::unknown(format!("{error:#}")),
    };
    // Those of runs go with them.
    let stacks: Vec<_> = stacks.iter().filter(|stack| tag_of(stack, RUN_ATTRIBUTE).is_none()).collect();
    for stack in &stacks {
        let name = stack.stack_name().unwrap_or_default();
        let Ok(check) = output_of(stack, "HealthCheck") else { continue };
        match health(ground.aws, &check).await {
            Ok(Some(true)) => {}
            Ok(Some(false)) => {
                return Finding::refused(format!(
                    "{region} is unhealthy by the health check of {name} ({check}): find out why before a fleet is sent there"
                ));
            }
            Ok(None) => {
                return Finding::unknown(format!(
                    "the health check of {name} ({check}) has no result yet: wait a minute"
                ));
            }
            Err(error) => return Finding::unknown(format!("{error:#}")),
        }
    }
    match stacks.len() {
        0 => Finding::passed("no deployment that stays has a health check there"),
        _ => Finding::passed(format!("{region} is healthy by the health checks that are deployed")),
    }
}

/// What the checkers say; none of them has said anything: nothing. A failed probe is none yet, as the first of a function that was
/// just deployed: unhealthy is what is so at every look.
async fn health(aws: &Aws, check: &str) -> anyhow::Result<Option<bool>> {
    let mut known = None;
    for look in 1..=LOOKS_MAX {
        let status = aws.route53.get_health_check_status().health_check_id(check).send().await;
        let status =
            status.map_err(|e| anyhow!(describe(&e))).with_context(|| format!("health check {check}"))?;
        let said: Vec<bool> = status.health_check_observations().iter().filter_map(is_success).collect();
        if !said.is_empty() {
            known = Some(is_healthy(said.iter().filter(|well| **well).count(), said.len()));
        }
        if known == Some(true) {
            break;
        }
        if look < LOOKS_MAX {
            sleep(PERIOD).await;
        }
    }
    Ok(known)
}

fn is_success(observation: &HealthCheckObservation) -> Option<bool> {
    Some(observation.status_report()?.status()?.starts_with("Success"))
}
