//! The function `replicate`.

use lambda_runtime::{LambdaEvent, service_fn};

use super::replica::Replica;
use super::{Error, REPLICATE, called, tell};
use crate::batch::{self, Response};
use crate::ports::{Clock, World};
use crate::record::StreamEvent;

pub(super) async fn run() -> Result<(), Error> {
    let replica = Box::pin(Replica::from_environment()).await?;
    let replica = &replica;
    lambda_runtime::run(service_fn(|event: LambdaEvent<StreamEvent>| Box::pin(handle(replica, event)))).await
}

async fn handle(replica: &Replica, event: LambdaEvent<StreamEvent>) -> Result<Response, Error> {
    let Replica { aws, policies, crowd, mode } = replica;
    let mut records = event.payload.records;
    records.retain(|record| mode.wants(record));
    let response = batch::apply(aws, policies, crowd, &records, event.context.deadline).await?;
    tell(&response.metrics.line(&called(REPLICATE), aws.clock().now_ms()));
    Ok(response)
}
