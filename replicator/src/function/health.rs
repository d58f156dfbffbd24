//! The function `health`.

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

use super::Error;
use crate::health::{self, Settings, probe::Probe};

pub(super) async fn run() -> Result<(), Error> {
    let settings = Settings::from_environment(|name| std::env::var(name).ok())?;
    let probe = Arc::new(Probe::new(&settings)?);
    let query_string: Arc<str> = settings.query_string.into();
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let (probe, query_string) = (Arc::clone(&probe), Arc::clone(&query_string));
        Box::pin(async move { Ok::<_, Error>(health::answer(&probe, &query_string, &event.payload).await) })
    }))
    .await
}
