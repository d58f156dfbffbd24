//! The two examples of the archived solution's implementation guide (May 2021), line by line: what the guide says, what follows from its
//! own quantities at the prices of that time, and why where the two differ. Then the same fleets under our replicator, today.

use serde::Serialize;

use super::{
    bill::Bill,
    month::{Dispatch, Month},
    price::{Item, Moment, Prices},
    usage::ROW_KB,
};

const MAY_2021: Moment = Moment::Day("2021-05-01");
/// As the guide's deployment had them: HTTPS with latency, every thirty seconds.
const CHECKS: f64 = 2.0;
const OPTIONS: f64 = 4.0;
/// A line is the guide's if it rounds to it, as it rounded: to a cent, or in its first digits.
const CENT: f64 = 0.005;
const ROUNDED: f64 = 0.015;

/// Whether a line can be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Agreement {
    /// To the cent.
    Equal,
    /// The guide rounded.
    Rounded,
    /// It differs, and the reason is given.
    Differs,
}

/// One line of an example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct GuideLine {
    pub(crate) service: &'static str,
    pub(crate) guide_usd: f64,
    pub(crate) derived_usd: f64,
    pub(crate) agreement: Agreement,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
}

/// One example, and its fleet under our replicator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) new_devices: f64,
    pub(crate) shadow_updates: f64,
    pub(crate) guide_usd: f64,
    pub(crate) derived_usd: f64,
    pub(crate) lines: Vec<GuideLine>,
    pub(crate) direct: Bill,
    pub(crate) workflow: Bill,
}

/// What the guide says of one example, and where it goes wrong.
struct Said {
    name: &'static str,
    new_devices: f64,
    shadow_updates: f64,
    total: f64,
    iot: f64,
    dynamodb: (f64, &'static str),
    states: (f64, &'static str),
    lambda: (f64, &'static str),
}

const SAID: [Said; 2] = [
    Said {
        name: "Example 1",
        new_devices: 72_000.0,
        shadow_updates: 150_000.0,
        total: 70.14,
        iot: 0.31,
        dynamodb: (
            2.00,
            "rows of 2 KB in two Regions come to $1.67; the rest is storage, reads and failed rows, whose number is not given",
        ),
        states: (5.50, ""),
        lambda: (
            7.33,
            "requests alone come to $0.09; the time of a run is not given ($7.24 would be 0.98 GB-s each, 3.9 s at 256 MB)",
        ),
    },
    Said {
        name: "Example 2",
        new_devices: 7_200_000.0,
        shadow_updates: 40_000_000.0,
        total: 276.08,
        iot: 66.08,
        dynamodb: (
            27.50,
            "thirteen times too low: rows of 2 KB in two Regions, the way in which Example 1 is counted, come to $354",
        ),
        states: (
            118.0,
            "a slip by a factor of ten: 47.2 million transitions at $0.025 a thousand are $1,180",
        ),
        lambda: (9.50, "less than the requests alone; the time of a run is not given"),
    },
];

/// Both examples.
pub(crate) fn examples(prices: &Prices) -> anyhow::Result<Vec<Example>> {
    SAID.iter().map(|said| example(said, prices)).collect()
}

fn example(said: &Said, prices: &Prices) -> anyhow::Result<Example> {
    let usd = |item: Item, quantity: f64| -> anyhow::Result<f64> {
        let price = prices.of(item, MAY_2021)?;
        Ok(quantity / price.per * price.usd)
    };
    let events = said.new_devices + said.shadow_updates;
    // The guide bills one operation and one rule an event, and no rule action.
    let iot = usd(Item::IotOperation, events)? + usd(Item::IotRule, events)?;
    let dynamodb = usd(Item::DynamodbReplicatedWrite, events * ROW_KB * 2.0)?;
    let states = usd(Item::StatesTransition, events)?;
    // One for the stream's record, one for the execution.
    let lambda = usd(Item::LambdaRequest, events * 2.0)?;
    let checks = usd(Item::Route53Check, CHECKS)? + usd(Item::Route53CheckOption, OPTIONS)?;
    let record = usd(Item::Route53PolicyRecord, 1.0)?;
    let lines = vec![
        line("AWS IoT Core", said.iot, iot, ""),
        line("Amazon DynamoDB", said.dynamodb.0, dynamodb, said.dynamodb.1),
        line("AWS Step Functions", said.states.0, states, said.states.1),
        line("AWS Lambda", said.lambda.0, lambda, said.lambda.1),
        line("Route 53 health checks", 5.00, checks, ""),
        line("Route 53 policy record", 50.00, record, ""),
    ];
    let month = Month {
        new_devices: said.new_devices,
        shadow_updates: said.shadow_updates,
        shadow_kb: 1.0,
        // Whose names the guide's devices ask for, and how often, is not said.
        dns_queries_max: 0.0,
        check_interval_s: 30.0,
    };
    let bill = |dispatch| Bill::of(&month.usage(dispatch), prices, Moment::Newest);
    Ok(Example {
        name: said.name,
        new_devices: said.new_devices,
        shadow_updates: said.shadow_updates,
        guide_usd: said.total,
        derived_usd: lines.iter().map(|line| line.derived_usd).sum(),
        lines,
        direct: bill(Dispatch::Direct)?,
        workflow: bill(Dispatch::Workflow)?,
    })
}

fn line(service: &'static str, guide_usd: f64, derived_usd: f64, reason: &'static str) -> GuideLine {
    let apart = (guide_usd - derived_usd).abs();
    let agreement = if apart <= CENT {
        Agreement::Equal
    } else if apart <= guide_usd * ROUNDED {
        Agreement::Rounded
    } else {
        Agreement::Differs
    };
    let reason = (agreement == Agreement::Differs).then_some(reason);
    GuideLine { service, guide_usd, derived_usd, agreement, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> Vec<Example> {
        examples(&Prices::read().unwrap()).unwrap()
    }

    fn cents(usd: f64) -> String {
        format!("{usd:.2}")
    }

    #[test]
    fn the_guides_lines_add_up_to_its_totals() {
        for example in both() {
            let sum: f64 = example.lines.iter().map(|line| line.guide_usd).sum();
            assert_eq!(cents(sum), cents(example.guide_usd), "{}", example.name);
        }
        assert_eq!(
            both().iter().map(|example| cents(example.guide_usd)).collect::<Vec<_>>(),
            ["70.14", "276.08"]
        );
    }

    #[test]
    fn what_can_be_derived_is_equal_and_what_cannot_has_its_reason() {
        use Agreement::{Differs, Equal, Rounded};
        let of = |n: usize| {
            both()[n].lines.iter().map(|line| (line.agreement, cents(line.derived_usd))).collect::<Vec<_>>()
        };
        let is = |agreement, usd: &str| (agreement, usd.to_owned());
        assert_eq!(
            of(0),
            [
                is(Equal, "0.31"),
                is(Differs, "1.67"),
                is(Rounded, "5.55"),
                is(Differs, "0.09"),
                is(Equal, "5.00"),
                is(Equal, "50.00")
            ]
        );
        assert_eq!(
            of(1),
            [
                is(Equal, "66.08"),
                is(Differs, "354.00"),
                is(Differs, "1180.00"),
                is(Differs, "18.88"),
                is(Equal, "5.00"),
                is(Equal, "50.00")
            ]
        );
        for line in both().iter().flat_map(|example| &example.lines) {
            assert_eq!(line.reason.is_some(), line.agreement == Differs, "{line:?}");
            assert!(line.reason.is_none_or(|reason| reason.len() > 20), "{line:?}");
        }
    }

    #[test]
    fn the_workflow_costs_what_its_transitions_and_runs_do() {
        for example in both() {
            let (direct, workflow) = (&example.direct, &example.workflow);
            let states = workflow.lines.iter().find(|line| line.service == "AWS Step Functions").unwrap();
            assert!(direct.lines.iter().all(|line| line.service != "AWS Step Functions"));
            let more = workflow.usd_min - direct.usd_min;
            assert!(more > states.usd_min && more < states.usd_min * 1.2, "{}: {more}", example.name);
        }
    }
}
