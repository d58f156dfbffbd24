//! The functions `apply` and `give-up`: the state machine's tasks. Their input is a stream's record.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

use super::replica::Replica;
use super::{APPLY, Again, Error, called, tell};
use crate::metrics::Metrics;
use crate::ports::{Clock, World};
use crate::{record, workflow};

pub(super) async fn run_apply() -> Result<(), Error> {
    let replica = Box::pin(Replica::from_environment()).await?;
    let replica = &replica;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| Box::pin(apply(replica, event.payload)))).await
}

async fn apply(replica: &Replica, input: Value) -> Result<(), Again> {
    if !replica.mode.wants(&input) {
        return Ok(());
    }
    let applied = workflow::apply(&replica.aws, &replica.policies, &input).await;
    let now_ms = replica.aws.clock().now_ms();
    let mut metrics = Metrics { again: usize::from(applied.is_err()), ..Metrics::default() };
    // Of what fails, too: an execution that waits for its next attempt is late already.
    metrics.lag_ms.extend(record::created_ms(&input).map(|created_ms| now_ms.saturating_sub(created_ms)));
    tell(&metrics.line(&called(APPLY), now_ms));
    applied.map_err(Again)
}

pub(super) async fn run_give_up() -> Result<(), Error> {
    let replica = Box::pin(Replica::from_environment()).await?;
    let replica = &replica;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| Box::pin(give_up(replica, event.payload))))
        .await
}

async fn give_up(replica: &Replica, input: Value) -> Result<(), Again> {
    workflow::give_up(&replica.aws, &input).await.map_err(Again)
}
