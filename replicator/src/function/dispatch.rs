//! The function `dispatch`.

use lambda_runtime::{LambdaEvent, service_fn};

use super::replica::mode;
use super::{DISPATCH, Error, called, region, tell, variable};
use crate::aws::{Clients, ErrorTable, StateMachine, SystemClock};
use crate::batch::Response;
use crate::mode::Mode;
use crate::ports::Clock;
use crate::record::StreamEvent;
use crate::workflow;

struct Dispatcher {
    machine: StateMachine,
    errors: ErrorTable,
    region: String,
    mode: Mode,
}

pub(super) async fn run() -> Result<(), Error> {
    let region = region("SECONDARY_REGION")?;
    let clients = Box::pin(Clients::in_region(&region)).await;
    let dispatcher = Dispatcher {
        machine: StateMachine::new(&clients, variable("STATE_MACHINE_ARN")?),
        errors: ErrorTable::new(clients.dynamodb(), variable("ERROR_TABLE")?),
        mode: mode()?,
        region,
    };
    let dispatcher = &dispatcher;
    lambda_runtime::run(service_fn(|event: LambdaEvent<StreamEvent>| Box::pin(handle(dispatcher, event))))
        .await
}

async fn handle(dispatcher: &Dispatcher, event: LambdaEvent<StreamEvent>) -> Result<Response, Error> {
    let Dispatcher { machine, errors, region, mode } = dispatcher;
    let mut records = event.payload.records;
    records.retain(|record| mode.wants(record));
    let response = workflow::dispatch(machine, errors, &SystemClock, region, &records).await?;
    tell(&response.metrics.line(&called(DISPATCH), SystemClock.now_ms()));
    Ok(response)
}
