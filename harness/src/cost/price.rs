//! The prices, as the file has them.

use anyhow::{Context, bail};

const FILE: &str = include_str!("../../data/prices.csv");
const COLUMNS: usize = 11;

/// What is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    IotConnectionMinute,
    IotMessage,
    IotOperation,
    IotRule,
    IotAction,
    DynamodbWrite,
    DynamodbReplicatedWrite,
    DynamodbRead,
    StatesTransition,
    LambdaRequest,
    LambdaGbSecond,
    Route53Check,
    Route53CheckOption,
    Route53Zone,
    Route53Query,
    Route53PolicyRecord,
    ApigatewayRequest,
    SqsRequest,
}

impl Item {
    #[cfg(test)]
    const ALL: [Self; 18] = [
        Self::IotConnectionMinute,
        Self::IotMessage,
        Self::IotOperation,
        Self::IotRule,
        Self::IotAction,
        Self::DynamodbWrite,
        Self::DynamodbReplicatedWrite,
        Self::DynamodbRead,
        Self::StatesTransition,
        Self::LambdaRequest,
        Self::LambdaGbSecond,
        Self::Route53Check,
        Self::Route53CheckOption,
        Self::Route53Zone,
        Self::Route53Query,
        Self::Route53PolicyRecord,
        Self::ApigatewayRequest,
        Self::SqsRequest,
    ];

    /// Its name in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IotConnectionMinute => "iot-connection-minute",
            Self::IotMessage => "iot-message",
            Self::IotOperation => "iot-operation",
            Self::IotRule => "iot-rule",
            Self::IotAction => "iot-action",
            Self::DynamodbWrite => "dynamodb-write",
            Self::DynamodbReplicatedWrite => "dynamodb-replicated-write",
            Self::DynamodbRead => "dynamodb-read",
            Self::StatesTransition => "states-transition",
            Self::LambdaRequest => "lambda-request",
            Self::LambdaGbSecond => "lambda-gb-second",
            Self::Route53Check => "route53-check",
            Self::Route53CheckOption => "route53-check-option",
            Self::Route53Zone => "route53-zone",
            Self::Route53Query => "route53-query",
            Self::Route53PolicyRecord => "route53-policy-record",
            Self::ApigatewayRequest => "apigateway-request",
            Self::SqsRequest => "sqs-request",
        }
    }
}

/// Of when prices are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// As they are now, as far as the file knows.
    Newest,
    /// As they were that day, as `2021-05-01`.
    Day(&'static str),
}

/// One line of the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Price {
    pub(crate) item: &'static str,
    pub(crate) service: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) per: f64,
    pub(crate) usd: f64,
    pub(crate) region: &'static str,
    since: &'static str,
    until: &'static str,
    /// Whose price it is.
    pub(crate) source: &'static str,
    /// Where it was read, and on which day.
    pub(crate) read_at: &'static str,
    pub(crate) read: &'static str,
}

/// All prices.
#[derive(Debug)]
pub(crate) struct Prices {
    lines: Vec<Price>,
}

impl Prices {
    /// As the file has them.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let lines = FILE.lines().skip(1).enumerate();
        let lines = lines.map(|(n, line)| parse(line).with_context(|| format!("data/prices.csv:{}", n + 2)));
        Ok(Self { lines: lines.collect::<Result<_, _>>()? })
    }

    /// The price of an item; an error if none is known, so that nothing is ever billed at nothing.
    pub(crate) fn of(&self, item: Item, moment: Moment) -> anyhow::Result<&Price> {
        let holds = |price: &&Price| {
            price.item == item.name()
                && match moment {
                    Moment::Newest => price.until.is_empty(),
                    // Days are written so that they sort as texts.
                    Moment::Day(day) => price.since <= day && (price.until.is_empty() || day < price.until),
                }
        };
        let found = self.lines.iter().find(holds);
        found.with_context(|| format!("no price of {} is known for that time", item.name()))
    }

    /// The days on which the oldest and the newest of the prices in force were read.
    pub(crate) fn read_between(&self) -> (&'static str, &'static str) {
        let days = self.lines.iter().filter(|price| price.until.is_empty()).map(|price| price.read);
        (days.clone().min().unwrap_or_default(), days.max().unwrap_or_default())
    }
}

fn parse(line: &'static str) -> anyhow::Result<Price> {
    let fields: Vec<&str> = line.split(',').collect();
    let [item, service, unit, per, usd, region, since, until, source, read_at, read] = fields.as_slice()
    else {
        bail!("{} fields and not {COLUMNS}", fields.len());
    };
    let (per, usd): (f64, f64) = (per.parse()?, usd.parse()?);
    if !(per > 0.0 && usd > 0.0) {
        bail!("a price and what it is for are more than nothing");
    }
    Ok(Price { item, service, unit, per, usd, region, since, until, source, read_at, read })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_has_one_price_with_its_source_and_day() {
        let prices = Prices::read().unwrap();
        for item in Item::ALL {
            let newest: Vec<&Price> =
                prices.lines.iter().filter(|p| p.item == item.name() && p.until.is_empty()).collect();
            assert_eq!(newest.len(), 1, "{}", item.name());
        }
        for price in &prices.lines {
            assert!(Item::ALL.iter().any(|item| item.name() == price.item), "{price:?} is of nothing");
            assert!(price.source.starts_with("https://") && !price.read_at.is_empty(), "{price:?}");
            assert!(price.read.parse::<jiff::civil::Date>().is_ok(), "{price:?}");
        }
    }

    #[test]
    fn a_day_has_the_prices_of_its_time() {
        let prices = Prices::read().unwrap();
        let usd = |moment| prices.of(Item::DynamodbReplicatedWrite, moment).unwrap().usd.to_string();
        assert_eq!(usd(Moment::Day("2021-05-01")), "1.875");
        assert_eq!(usd(Moment::Day("2024-11-01")), "0.625");
        assert_eq!(usd(Moment::Newest), "0.625");
        let before = prices.of(Item::LambdaGbSecond, Moment::Day("2021-05-01"));
        assert!(before.unwrap_err().to_string().contains("no price of lambda-gb-second"));
    }
}
