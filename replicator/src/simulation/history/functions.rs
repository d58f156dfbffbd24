//! The functions as their mappings start them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::pipeline::{Done, Message};
use crate::capture::{Capture, Later, Shows};
use crate::document::Key;
use crate::event::{Event, What};
use crate::policy::Policies;
use crate::ports::Clock;
use crate::simulation::{Function, Looker};
use crate::{batch, repair, workflow};

/// How long the function that applies events may run.
const REPLICATE_MS_MAX: u64 = 60_000;

/// How long the repair may run.
const REPAIR_MS_MAX: u64 = 55_000;

/// How long the function that looks may run.
const LOOK_MS_MAX: u64 = 60_000;

/// Applies a batch.
pub(super) async fn replicate(world: Function, policies: Arc<Policies>, records: Vec<Value>) -> Done {
    let deadline_ms = world.now_ms() + REPLICATE_MS_MAX;
    let response = batch::apply(&world, &policies, &records, deadline_ms).await.ok()?;
    Some(response.failures.into_iter().map(|failure| failure.sequence).collect())
}

/// Delivers a message to the function that looks.
pub(super) async fn look(source: Looker, capture: Arc<Capture>, message: Message) -> Done {
    let queued = |body: &Value| json!({"messageId": "m", "eventSource": "aws:sqs", "body": body.to_string()});
    let record = match message {
        Message::Call(call) => queued(&call),
        Message::Later(later) => queued(&serde_json::to_value(later).ok()?),
        Message::Row(mut record) => {
            record["eventSource"] = json!("aws:dynamodb");
            record
        }
    };
    let deadline_ms = source.0.now_ms() + LOOK_MS_MAX;
    let event = json!({ "Records": [record] });
    let response = capture.handle(&source, &source.0, &event, deadline_ms).await.ok()?;
    response.failures.is_empty().then(Vec::new)
}

/// Looks at everything that one of the Regions has or that a document is of.
pub(super) async fn reconcile(source: Looker, capture: Arc<Capture>) -> Done {
    let since_ms = source.0.now_ms();
    let keys = {
        let inner = source.0.link.inner();
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        for region in [&inner.primary, &inner.secondary] {
            keys.extend(region.things.keys().cloned().map(Key::Identity));
            keys.extend(region.certificates.keys().cloned().map(Key::Certificate));
            keys.extend(region.policies.keys().cloned().map(Key::Policy));
            keys.extend(region.groups.keys().cloned().map(Key::GroupPolicies));
        }
        for row in inner.events.rows.values() {
            let event = Event::read(row).ok()?;
            if let What::Document(document) = event.what {
                keys.insert(document.key);
            }
        }
        keys
    };
    for look in keys {
        let later = Later { look, since_ms, shows: Shows::Whatever, tries: 0, failures: 0 };
        look_later(&source, &capture, later).await?;
    }
    Some(Vec::new())
}

async fn look_later(source: &Looker, capture: &Arc<Capture>, later: Later) -> Option<()> {
    look(source.clone(), capture.clone(), Message::Later(later)).await.map(drop)
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
    repair::run(&world, &Policies::default(), None, deadline_ms).await.ok().map(|_| Vec::new())
}
