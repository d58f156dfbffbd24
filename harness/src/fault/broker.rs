//! Grey failures of the primary's broker: it lets clients in, and does not do what they came for.

use gameday_twin::Fault;

use super::{
    Breakage, FaultEntry, Parameter, Takes, Without,
    catalogue::{Colour, Targets, Touches},
    ground::{Ground, Struck},
    region::NOT_LISTED,
};

const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "topic",
        takes: Takes::Text,
        without: Without::All("all topics but those that begin with $"),
        what: "the topic filter of the messages",
    },
    Parameter {
        name: "share",
        takes: Takes::Share,
        without: Without::Is("100%"),
        what: "how many of the messages, by chance",
    },
];

pub(super) static LOSES: FaultEntry = FaultEntry {
    name: "broker-loses-messages",
    label: "primary broker loses messages",
    colour: Colour::Region,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "The primary's broker accepts connections, subscriptions and messages, acknowledges, and delivers to nobody.",
    parameters: PARAMETERS,
    proof: "the twin counts messages that it lost",
    cure_proof: NOT_LISTED,
    strike: |ground, breakage| Box::pin(loses(ground, breakage)),
};

pub(super) static MUTE: FaultEntry = FaultEntry {
    name: "broker-never-acknowledges",
    label: "primary broker never acknowledges",
    colour: Colour::Region,
    targets: Targets::Twin,
    touches: Touches::Region,
    what: "The primary's broker delivers what it is sent, and never acknowledges it.",
    parameters: PARAMETERS,
    proof: "the twin counts messages that it did not acknowledge",
    cure_proof: NOT_LISTED,
    strike: |ground, breakage| Box::pin(mute(ground, breakage)),
};

async fn loses<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let region = ground.target.primary();
    let fault = Fault::BrokerGrey {
        region: region.to_owned(),
        topic: breakage.text("topic").map(str::to_owned),
        subscribers: true,
        rules: true,
        share: breakage.twin_share(),
    };
    let detail = format!("{region} acknowledges messages and loses them");
    ground.strike_by_hits(&LOSES, region, fault, detail, "messages were lost").await
}

async fn mute<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let region = ground.target.primary();
    let fault = Fault::BrokerMute {
        region: region.to_owned(),
        topic: breakage.text("topic").map(str::to_owned),
        share: breakage.twin_share(),
    };
    let detail = format!("{region} takes messages and does not acknowledge them");
    ground.strike_by_hits(&MUTE, region, fault, detail, "messages were not acknowledged").await
}
