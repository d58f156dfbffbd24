//! What the secondary is kept ready by: the global table, and the stream that the replicator reads.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use gameday_twin::Fault;
use tokio::time::{Instant, sleep};

use super::{
    Breakage, Cure, FaultEntry, Parameter, Takes, Without,
    catalogue::{Colour, Targets, Touches},
    courier::{Cargo, Way},
    cure::set_mapping,
    ground::{Ground, PROOF_MAX, Struck, seconds},
    region::NOT_LISTED,
};
use crate::{aws::describe, names::new_id};

/// A row that did not replicate within this time, beyond the delay that it always has, shows paused replication.
const PAUSE_PROOF_S: u64 = 3;
const POLL: Duration = Duration::from_millis(50);

pub(super) static PAUSED: FaultEntry = FaultEntry {
    name: "replication-paused",
    label: "replication paused",
    colour: Colour::Replication,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "The global table takes nothing from the primary to the secondary; what waits arrives afterwards.",
    parameters: &[],
    proof: "a row written in the primary's table is not in the secondary's",
    cure_proof: NOT_LISTED,
    strike: |ground, _| Box::pin(paused(ground)),
};

pub(super) static SLOW: FaultEntry = FaultEntry {
    name: "replication-slow",
    label: "replication slow",
    colour: Colour::Replication,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "Writes to the global table take longer to the secondary.",
    parameters: &[Parameter {
        name: "delay",
        takes: Takes::Time,
        without: Without::Is("2s"),
        what: "how much longer",
    }],
    proof: "a row written in the primary's table takes that much longer to the secondary's",
    cure_proof: NOT_LISTED,
    strike: |ground, breakage| Box::pin(slow(ground, breakage)),
};

pub(super) static MAPPING: FaultEntry = FaultEntry {
    name: "stream-mapping-disabled",
    label: "replicator not fed",
    colour: Colour::Replication,
    targets: Targets::TwinAndAws,
    touches: Touches::Deployment,
    what: "The event source mappings that feed the replicator in the secondary are disabled; what waits in the streams \
           is applied afterwards.",
    parameters: &[],
    proof: "a shadow written in the primary is not in the secondary, where one before the fault was",
    cure_proof: "the mappings were read back as Enabled",
    strike: |ground, _| Box::pin(mapping(ground)),
};

async fn paused(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let region = ground.target.primary();
    let fault = Fault::ReplicationPaused { region: region.to_owned() };
    let at = ground.switch_on(&PAUSED, region, fault).await?;
    let detail = format!("writes to the global table stay in {region}");
    let wait = usual(&ground) + Duration::from_secs(PAUSE_PROOF_S);
    let proof = Box::pin(async move {
        if row(&ground, wait).await?.is_some() {
            bail!("a row still replicates");
        }
        Ok(format!("a row written in the primary was not in the secondary after {}", seconds(wait)))
    });
    Ok(Struck { at, detail, proof })
}

async fn slow<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let (region, delay) = (ground.target.primary(), breakage.time("delay"));
    let delay_ms = u64::try_from(delay.as_millis())?;
    let fault = Fault::ReplicationSlow { region: region.to_owned(), delay_ms };
    let at = ground.switch_on(&SLOW, region, fault).await?;
    let detail = format!("writes to the global table leave {region} {} later", seconds(delay));
    let proof = Box::pin(async move {
        match row(&ground, PROOF_MAX).await? {
            Some(took) if took >= delay => Ok(format!(
                "a row took {} to the secondary; without the fault {}",
                seconds(took),
                seconds(usual(&ground))
            )),
            Some(took) => bail!("a row took no more than {}", seconds(took)),
            None => bail!("a row was not in the secondary after {}", seconds(PROOF_MAX)),
        }
    });
    Ok(Struck { at, detail, proof })
}

async fn mapping(ground: Ground<'_>) -> anyhow::Result<Struck<'_>> {
    let (clients, function) = (&ground.aws.secondary, ground.function("replicate"));
    let list = clients.lambda.list_event_source_mappings().function_name(&function).send().await;
    let list = list.map_err(|e| anyhow!(describe(&e)))?;
    let fed = list.event_source_mappings().iter().filter(|mapping| mapping.state() == Some("Enabled"));
    let fed: Vec<String> = fed.filter_map(|mapping| mapping.uuid().map(str::to_owned)).collect();
    let way = Way::open(&ground, Cargo::Shadow).await?;
    let mut at = None;
    // Events and documents come by mappings of their own.
    for mapping in &fed {
        ground.intend(&MAPPING, &clients.region, Cure::Mapping { mapping: mapping.clone() })?;
        at = Some(set_mapping(clients, mapping, false).await?.context("the mapping is gone")?);
    }
    let at = at.context("nothing feeds the replicator")?;
    let detail = format!("{} of {function} read back as Disabled", fed.join(" and "));
    Ok(Struck { at, detail, proof: Box::pin(way.closed(ground)) })
}

/// What a write always takes.
fn usual(ground: &Ground<'_>) -> Duration {
    Duration::from_millis(ground.target.endpoints.replication_delay_ms)
}

/// Writes a row in the primary; the answer is how long it took to the secondary.
async fn row(ground: &Ground<'_>, patience: Duration) -> anyhow::Result<Option<Duration>> {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    let (table, key) = (&ground.deployment.events_table, format!("gameday-probe-{}", new_id()));
    let put = ground.aws.primary.dynamodb.put_item().table_name(table);
    // A row of the secondary's own origin is not an event to the replicator.
    put.item("device", S(key.clone()))
        .item("event", S("probe".to_owned()))
        .item("origin", S(ground.target.secondary().to_owned()))
        .send()
        .await
        .map_err(|e| anyhow!(describe(&e)))?;
    let began = Instant::now();
    loop {
        let get = ground.aws.secondary.dynamodb.get_item().table_name(table);
        let get = get.key("device", S(key.clone())).key("event", S("probe".to_owned()));
        if get.send().await.map_err(|e| anyhow!(describe(&e)))?.item().is_some() {
            return Ok(Some(began.elapsed()));
        }
        if began.elapsed() >= patience {
            return Ok(None);
        }
        sleep(POLL).await;
    }
}
