//! Calls of the AWS API: throttled, or slow. Whoever makes them is hit: the replicator's functions, devices over HTTPS, and
//! gameday itself.

use gameday_twin::{ApiFailure, Fault, Moment};

use super::{
    Breakage, FaultEntry, Parameter, Takes, Without,
    catalogue::{Colour, Targets, Touches},
    devices::REGION,
    ground::{Ground, Struck, seconds},
    region::NOT_LISTED,
};

const SERVICE: Parameter = Parameter {
    name: "service",
    takes: Takes::OneOf(&["iot", "iotdata", "dynamodb", "lambda", "sqs", "states"]),
    without: Without::Is("iot"),
    what: "whose calls",
};
const API: Parameter = Parameter {
    name: "api",
    takes: Takes::Text,
    without: Without::All("all of the service"),
    what: "the calls, by AWS's names, with * and ?, as \"Describe*\"",
};
const SHARE: Parameter = Parameter {
    name: "share",
    takes: Takes::Share,
    without: Without::Is("100%"),
    what: "how many of the calls, by chance",
};
const DELAY: Parameter =
    Parameter { name: "delay", takes: Takes::Time, without: Without::Is("2s"), what: "how late" };

pub(super) static THROTTLED: FaultEntry = FaultEntry {
    name: "api-throttled",
    label: "API throttle storm",
    colour: Colour::Replication,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "Calls get the service's own throttling error, as when somebody else in the account uses the quota up.",
    parameters: &[REGION, SERVICE, API, SHARE],
    proof: "the twin counts calls that it throttled",
    cure_proof: NOT_LISTED,
    strike: |ground, breakage| Box::pin(throttled(ground, breakage)),
};

pub(super) static SLOW: FaultEntry = FaultEntry {
    name: "api-slow",
    label: "API slow",
    colour: Colour::Replication,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "Calls are carried out late, and with them the functions that make them.",
    parameters: &[REGION, SERVICE, API, SHARE, DELAY],
    proof: "the twin counts calls that it held up",
    cure_proof: NOT_LISTED,
    strike: |ground, breakage| Box::pin(slow(ground, breakage)),
};

fn fault(region: &str, breakage: &Breakage, how: ApiFailure) -> Fault {
    Fault::Api {
        region: Some(region.to_owned()),
        service: breakage.text("service").map(str::to_owned),
        operation: breakage.text("api").map(str::to_owned),
        when: Moment::Before,
        how,
        share: breakage.twin_share(),
    }
}

async fn throttled<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let region = ground.clients(breakage.text("region")).region.as_str();
    let detail = format!("calls are throttled in {region}");
    let fault = fault(region, breakage, ApiFailure::Throttle);
    ground.strike_by_hits(&THROTTLED, region, fault, detail, "calls were throttled").await
}

async fn slow<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let region = ground.clients(breakage.text("region")).region.as_str();
    let delay = breakage.time("delay");
    let detail = format!("calls are {} late in {region}", seconds(delay));
    let fault = fault(region, breakage, ApiFailure::DelayMs(u64::try_from(delay.as_millis())?));
    ground.strike_by_hits(&SLOW, region, fault, detail, "calls were held up").await
}
