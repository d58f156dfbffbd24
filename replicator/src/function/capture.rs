//! The function `capture`.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

use super::replica::{account, mode};
use super::{CAPTURE, Error, called, region, tell, variable};
use crate::aws::{AwsSource, Queue};
use crate::batch::Response;
use crate::capture::Capture;
use crate::ports::{Clock, Source};

struct Watch {
    source: AwsSource,
    queue: Queue,
    capture: Capture,
}

pub(super) async fn run() -> Result<(), Error> {
    let region = region("PRIMARY_REGION")?;
    let (events, documents) = (variable("EVENTS_TABLE")?, variable("DOCUMENTS_TABLE")?);
    let source = Box::pin(AwsSource::connect(account(&region).await?, &region, events, documents)).await;
    let queue = Queue::new(source.region().clients(), variable("QUEUE_URL")?);
    let watch = Watch { source, queue, capture: Capture::new(mode()?) };
    let watch = &watch;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| Box::pin(handle(watch, event)))).await
}

async fn handle(watch: &Watch, event: LambdaEvent<Value>) -> Result<Response, Error> {
    let Watch { source, queue, capture } = watch;
    let response = capture.handle(source, queue, &event.payload, event.context.deadline).await?;
    tell(&response.metrics.line(&called(CAPTURE), source.clock().now_ms()));
    Ok(response)
}
