//! The topic rules that hand events of the primary to the replicator.

use anyhow::anyhow;

use super::{
    Breakage, Cure, FaultEntry, Parameter, Takes, Without,
    catalogue::{Colour, Targets, Touches},
    courier::{Cargo, Way},
    ground::{Ground, Struck},
};
use crate::{aws::describe, deploy::rule_prefix};

const SHADOWS: &str = "classic-shadows";
const THINGS: &str = "thing-events";

pub(super) static DISABLED: FaultEntry = FaultEntry {
    name: "rule-disabled",
    label: "topic rule disabled",
    colour: Colour::Replication,
    targets: Targets::TwinAndAws,
    touches: Touches::Deployment,
    what: "A topic rule of the replicator in the primary is disabled: what it would have taken is not caught up on afterwards, \
           but by a reconciliation.",
    parameters: &[Parameter {
        name: "rule",
        takes: Takes::OneOf(&[SHADOWS, THINGS]),
        without: Without::Is(SHADOWS),
        what: "which",
    }],
    proof: "a shadow or thing made in the primary is not in the secondary, where one before the fault was",
    cure_proof: "the rule was read back as enabled",
    strike: |ground, breakage| Box::pin(disable(ground, breakage)),
};

async fn disable<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let (which, clients) = (breakage.text("rule").unwrap_or(SHADOWS), &ground.aws.primary);
    let rule = rule_prefix(ground.run) + &which.replace('-', "_");
    let way = Way::open(&ground, if which == THINGS { Cargo::Thing } else { Cargo::Shadow }).await?;
    ground.intend(&DISABLED, &clients.region, Cure::TopicRule { rule: rule.clone() })?;
    clients.iot.disable_topic_rule().rule_name(&rule).send().await.map_err(|e| anyhow!(describe(&e)))?;
    let at = tokio::time::Instant::now();
    Ok(Struck {
        at,
        detail: format!("{rule} is disabled in {}", clients.region),
        proof: Box::pin(way.closed(ground)),
    })
}
