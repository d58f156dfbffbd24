//! The function `jitr`.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

use super::{Error, region, variable};
use crate::aws::AwsRegion;
use crate::jitr::{self, POLICY_NAME, Settings};

pub(super) async fn run() -> Result<(), Error> {
    let settings = Settings {
        region: region("REGION")?,
        policy: variable("IOT_POLICY_NAME").unwrap_or_else(|_| POLICY_NAME.to_owned()),
        shares_things: variable("SHARES_THINGS").is_ok_and(|text| text == "true"),
    };
    let region = Box::pin(AwsRegion::connect(&settings.region)).await;
    let (region, settings) = (&region, &settings);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        Box::pin(async move { Ok::<(), Error>(jitr::register(region, settings, &event.payload).await?) })
    }))
    .await
}
