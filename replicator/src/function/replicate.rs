//! The function `replicate`.

use lambda_runtime::{LambdaEvent, service_fn};

use super::{Error, variable};
use crate::aws::{Aws, Settings};
use crate::batch::{self, Response};
use crate::policy::Policies;
use crate::record::StreamEvent;

pub(super) async fn run() -> Result<(), Error> {
    let settings = Settings {
        primary_region: variable("PRIMARY_REGION")?,
        secondary_region: variable("SECONDARY_REGION").or_else(|_| variable("AWS_REGION"))?,
        state_table: variable("STATE_TABLE")?,
        error_table: variable("ERROR_TABLE")?,
    };
    let aws = Box::pin(Aws::connect(settings)).await?;
    let policies = Policies::default();
    let (aws, policies) = (&aws, &policies);
    lambda_runtime::run(service_fn(|event: LambdaEvent<StreamEvent>| Box::pin(handle(aws, policies, event))))
        .await
}

async fn handle(aws: &Aws, policies: &Policies, event: LambdaEvent<StreamEvent>) -> Result<Response, Error> {
    let records = &event.payload.records;
    Ok(batch::apply(aws, policies, records, event.context.deadline).await?)
}
