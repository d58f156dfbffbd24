//! The function `reconcile`.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

use super::replica::{account, mode};
use super::{Error, RECONCILE, called, region, tell, variable};
use crate::aws::{AwsRegion, EventTable, ProgressTable, StateTable, SystemClock};
use crate::look::{Names, Regions};
use crate::metrics;
use crate::mode::Mode;
use crate::ports::Clock;
use crate::reconcile;

struct Walk {
    primary: AwsRegion,
    secondary: AwsRegion,
    names: Names,
    documents: EventTable,
    state: StateTable,
    progress: ProgressTable,
    mode: Mode,
}

pub(super) async fn run() -> Result<(), Error> {
    let (primary, secondary) = (region("PRIMARY_REGION")?, variable("SECONDARY_REGION")?);
    let names = Names { account: account(&primary).await?, primary, secondary };
    let primary = Box::pin(AwsRegion::connect(&names.primary)).await;
    let secondary = Box::pin(AwsRegion::connect(&names.secondary)).await;
    let (here, there) = (primary.clients().dynamodb(), secondary.clients().dynamodb());
    let (events, documents) = (variable("EVENTS_TABLE")?, variable("DOCUMENTS_TABLE")?);
    let walk = Walk {
        documents: EventTable::new(here.clone(), events, Some(documents), names.primary.clone()),
        progress: ProgressTable::new(here, variable("PROGRESS_TABLE")?),
        state: StateTable::new(there, variable("STATE_TABLE")?),
        mode: mode()?,
        primary,
        secondary,
        names,
    };
    let walk = &walk;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        Box::pin(handle(walk, event.context.deadline))
    }))
    .await
}

async fn handle(walk: &Walk, deadline_ms: u64) -> Result<(), Error> {
    let Walk { primary, secondary, names, documents, state, progress, mode } = walk;
    documents.beat(SystemClock.now_ms()).await?;
    // Anew each time: what is known of policies is of one run.
    let regions = Regions::new(primary, secondary, &SystemClock, names.clone());
    let identities = *mode == Mode::Complete;
    let run = reconcile::run(&regions, documents, state, progress, identities, deadline_ms);
    let report = Box::pin(run).await?;
    let sum = |count: fn(&crate::sync::Counts) -> u64| report.counts.values().map(count).sum::<u64>();
    let mut values = vec![("finished", "Count", json!(u8::from(report.finished)))];
    // A report is of the whole walk, which may take many runs.
    if report.finished {
        values.push(("synced", "Count", json!(sum(|counts| counts.synced))));
        values.push(("removed", "Count", json!(sum(|counts| counts.removed))));
        values.push(("errors", "Count", json!(sum(|counts| counts.errors))));
    }
    tell(&metrics::line(&called(RECONCILE), SystemClock.now_ms(), &values));
    Ok(())
}
