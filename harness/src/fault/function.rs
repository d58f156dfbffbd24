//! The functions of the deployment: not let run, or killed while they do.

use std::time::Duration;

use anyhow::{anyhow, bail};
use aws_sdk_lambda::{
    config::{Builder, retry::RetryConfig},
    error::ProvideErrorMetadata,
};
use aws_smithy_types::Blob;
use gameday_twin::Fault;
use tokio::time::{Instant, sleep};

use super::{
    Breakage, Cure, FaultEntry, Parameter, Takes, Without,
    catalogue::{Colour, Targets, Touches},
    cure::{reserved, set_reserved},
    ground::{Ground, PROOF_MAX, Struck, seconds},
    region::NOT_LISTED,
};
use crate::aws::{RegionClients, describe};

const REPLICATE: &str = "replicate";
const CAPTURE: &str = "capture";
const HEALTH: &str = "health";
const POLL: Duration = Duration::from_millis(500);

const FUNCTION: Parameter = Parameter {
    name: "function",
    takes: Takes::OneOf(&[REPLICATE, CAPTURE, HEALTH]),
    without: Without::Is(REPLICATE),
    what: "which: replicate in the secondary, capture or health in the primary",
};

pub(super) static THROTTLED: FaultEntry = FaultEntry {
    name: "function-throttled",
    label: "function throttled",
    colour: Colour::Replication,
    targets: Targets::TwinAndAws,
    touches: Touches::Deployment,
    what: "A function has a reserved concurrency of 0: Lambda does not let it run.",
    parameters: &[FUNCTION],
    proof: "Lambda refuses an invocation with TooManyRequestsException",
    cure_proof: "the concurrency before was read back",
    strike: |ground, breakage| Box::pin(throttled(ground, breakage)),
};

pub(super) static KILLED: FaultEntry = FaultEntry {
    name: "function-killed",
    label: "function killed",
    colour: Colour::Replication,
    targets: Targets::Twin,
    touches: Touches::Deployment,
    what: "The process of a function is killed as soon as it has been given an event.",
    parameters: &[
        FUNCTION,
        Parameter {
            name: "share",
            takes: Takes::Share,
            without: Without::Is("100%"),
            what: "how many of the invocations, by chance",
        },
    ],
    proof: "the twin counts invocations that it killed",
    cure_proof: NOT_LISTED,
    strike: |ground, breakage| Box::pin(killed(ground, breakage)),
};

/// Where a function runs, and an event that it does nothing for.
fn place<'a>(ground: &Ground<'a>, which: &str) -> (&'a RegionClients, &'static str) {
    match which {
        HEALTH => (&ground.aws.primary, "{}"),
        CAPTURE => (&ground.aws.primary, r#"{"Records":[]}"#),
        _ => (&ground.aws.secondary, r#"{"Records":[]}"#),
    }
}

async fn throttled<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let which = breakage.text("function").unwrap_or(REPLICATE);
    let ((clients, event), function) = (place(&ground, which), ground.function(which));
    let before = reserved(clients, &function).await?;
    let cure = Cure::FunctionConcurrency { function: function.clone(), reserved: before };
    ground.intend(&THROTTLED, &clients.region, cure)?;
    let at = set_reserved(clients, &function, Some(0)).await?;
    let detail = format!("the concurrency of {function} in {} reads back as 0", clients.region);
    Ok(Struck { at, detail, proof: Box::pin(refused(clients, function, event)) })
}

/// Waits until Lambda does not let a function run.
async fn refused(clients: &RegionClients, function: String, event: &str) -> anyhow::Result<String> {
    let limit = Instant::now() + PROOF_MAX;
    while Instant::now() < limit {
        let invoke = clients.lambda.invoke().function_name(&function).payload(Blob::new(event));
        let once = Builder::new().retry_config(RetryConfig::disabled());
        match invoke.customize().config_override(once).send().await {
            Err(error) if error.code() == Some("TooManyRequestsException") => {
                return Ok(format!("Lambda refused to run {function}: TooManyRequestsException"));
            }
            Err(error) => return Err(anyhow!(describe(&error))),
            Ok(_) => sleep(POLL).await,
        }
    }
    bail!("{function} still ran after {}", seconds(PROOF_MAX))
}

async fn killed<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let which = breakage.text("function").unwrap_or(REPLICATE);
    let ((clients, _), function) = (place(&ground, which), ground.function(which));
    let fault = Fault::FunctionKill {
        region: clients.region.clone(),
        function: function.clone(),
        after_ms: 0,
        share: breakage.twin_share(),
    };
    let detail = format!("{function} is killed in {}", clients.region);
    ground.strike_by_hits(&KILLED, &clients.region, fault, detail, "invocations were killed").await
}
