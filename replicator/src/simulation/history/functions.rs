//! The functions as their mappings start them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::pipeline::{Done, Message};
use crate::capture::Capture;
use crate::crowd::Crowd;
use crate::look::{Names, Regions};
use crate::policy::Policies;
use crate::ports::Clock;
use crate::simulation::remote::Remote;
use crate::simulation::{ACCOUNT, Function, Looker, PRIMARY, SECONDARY, Side};
use crate::{batch, reconcile, repair, workflow};

/// How long the function that applies events may run.
const REPLICATE_MS_MAX: u64 = 60_000;

/// How long the repair may run.
const REPAIR_MS_MAX: u64 = 55_000;

/// How long the walk may run.
const RECONCILE_MS_MAX: u64 = 300_000;

/// How long the function that looks may run.
const LOOK_MS_MAX: u64 = 60_000;

/// Applies a batch.
pub(super) async fn replicate(world: Function, policies: Arc<Policies>, records: Vec<Value>) -> Done {
    let deadline_ms = world.now_ms() + REPLICATE_MS_MAX;
    let crowd = Crowd::new(batch::DEVICES_AT_ONCE_MAX);
    let response = batch::apply(&world, &policies, &crowd, &records, deadline_ms).await.ok()?;
    Some(response.failures.into_iter().map(|failure| failure.sequence).collect())
}

/// Delivers a message to the function that looks.
pub(super) async fn look(source: Looker, capture: Arc<Capture>, message: Message) -> Done {
    let queued = |body: &Value| json!({"messageId": "m", "eventSource": "aws:sqs", "body": body.to_string()});
    let deadline_ms = source.0.now_ms() + LOOK_MS_MAX;
    let record = match message {
        Message::Lost(lost) => {
            capture.handle(&source, &source.0, &lost, deadline_ms).await.ok()?;
            return Some(Vec::new());
        }
        Message::Call(call) => queued(&call),
        Message::Later(later) => queued(&serde_json::to_value(later).ok()?),
        Message::Row(mut record) => {
            record["eventSource"] = json!("aws:dynamodb");
            record
        }
    };
    let event = json!({ "Records": [record] });
    let response = capture.handle(&source, &source.0, &event, deadline_ms).await.ok()?;
    response.failures.is_empty().then(Vec::new)
}

/// Walks through both Regions. What it did not finish the next run goes on with.
pub(super) async fn reconcile(source: Looker) -> Done {
    let (here, link) = (&source.0, &source.0.link);
    let [primary, secondary] =
        [Side::Primary, Side::Secondary].map(|side| Remote { link: link.clone(), side });
    let names =
        Names { primary: PRIMARY.to_owned(), secondary: SECONDARY.to_owned(), account: ACCOUNT.to_owned() };
    let regions = Regions::new(&primary, &secondary, here, names);
    let deadline_ms = here.now_ms() + RECONCILE_MS_MAX;
    let report = reconcile::run(&regions, here, here, here, true, deadline_ms).await.ok()?;
    report.finished.then(Vec::new)
}

/// The task of the state machine.
pub(super) async fn task(world: Function, policies: Arc<Policies>, record: Value) -> Done {
    workflow::apply(&world, &policies, &record).await.ok().map(|()| Vec::new())
}

/// The end of an execution that was tried often enough.
pub(super) async fn give_up(world: Function, mut record: Value) -> Done {
    record["failure"] = json!({"Error": "Failed", "Cause": "tried often enough"});
    workflow::give_up(&world, &record).await.ok().map(|()| Vec::new())
}

/// Applies the error rows again.
pub(super) async fn repair(world: Function) -> Done {
    let deadline_ms = world.now_ms() + REPAIR_MS_MAX;
    let crowd = Crowd::new(batch::DEVICES_AT_ONCE_MAX);
    repair::run(&world, &Policies::default(), &crowd, None, deadline_ms).await.ok().map(|_| Vec::new())
}
