//! The function `repair`.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::replica::Replica;
use super::{Error, REPAIR, called, tell};
use crate::metrics;
use crate::ports::{Clock, World};
use crate::repair::{self, Report};

pub(super) async fn run() -> Result<(), Error> {
    let replica = Box::pin(Replica::from_environment()).await?;
    // Where the last run ended for want of time. Lost with the process: then it begins at the start.
    let next = Mutex::new(None);
    let (replica, next) = (&replica, &next);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        Box::pin(handle(replica, next, event.context.deadline))
    }))
    .await
}

async fn handle(replica: &Replica, next: &Mutex<Option<String>>, deadline_ms: u64) -> Result<Report, Error> {
    let mut next = next.lock().await;
    let report =
        repair::run(&replica.aws, &replica.policies, &replica.crowd, next.take(), deadline_ms).await?;
    next.clone_from(&report.next);
    let counts = [
        ("rows", report.rows),
        ("cleared", report.cleared),
        ("left", report.left),
        ("unreadable", report.unreadable),
        ("not_tried", report.not_tried),
    ];
    let values = counts.map(|(name, count)| (name, "Count", json!(count)));
    tell(&metrics::line(&called(REPAIR), replica.aws.clock().now_ms(), &values));
    Ok(report)
}
