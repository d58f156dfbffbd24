//! What is billed of a plan: calls that AWS charges for, messages, rules, rows, functions.

use std::collections::BTreeMap;

use super::price::Item;
use crate::plan::{Caller, Phase, Quantity, Sizes, unit};

/// Calls that AWS charges for as registry operations; those of certificates and policies are not among them. From AWS's page
/// of additional details.
pub(super) const CHARGED: [&str; 16] = [
    "AddThingToThingGroup",
    "AttachThingPrincipal",
    "CreateThing",
    "CreateThingGroup",
    "CreateThingType",
    "DescribeThing",
    "DescribeThingGroup",
    "DescribeThingType",
    "ListPrincipalThings",
    "ListThingGroups",
    "ListThingGroupsForThing",
    "ListThingPrincipals",
    "ListThings",
    "ListThingsInThingGroup",
    "ListThingTypes",
    "UpdateThing",
];
/// KB of a row of the event table, the guide's own number.
pub(super) const ROW_KB: f64 = 2.0;
/// What a run of a function takes.
pub(super) const REPLICATOR_GB_S: f64 = 0.25 * 0.3;
pub(super) const HEALTH_GB_S: f64 = 0.5 * 1.0;
/// A message through a queue is sent, received and deleted.
pub(super) const QUEUE_CALLS: f64 = 3.0;
/// HTTPS, latency, and an interval of ten seconds.
const CHECK_OPTIONS: f64 = 3.0;
const CHECKS: f64 = 2.0;

/// How much of each item, at the least and at the most.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Usage(BTreeMap<Item, (f64, f64)>);

impl Usage {
    /// All items that are used at all.
    pub(super) fn items(&self) -> impl Iterator<Item = (Item, (f64, f64))> {
        self.0.iter().map(|(item, range)| (*item, *range)).filter(|(_, (_, most))| *most > 0.0)
    }

    pub(super) fn add(&mut self, item: Item, (least, most): (f64, f64)) {
        let sum = self.0.entry(item).or_default();
        *sum = (sum.0 + least, sum.1 + most);
    }

    pub(super) fn exactly(&mut self, item: Item, count: f64) {
        self.add(item, (count, count));
    }

    /// One run of a plan, were it on AWS.
    pub(crate) fn of_run(quantities: &[Quantity], sizes: Sizes) -> Self {
        let mut usage = Self::default();
        for quantity in quantities {
            usage.count(quantity, sizes);
        }
        // Whether a part of a month is billed as such is not said: at the most all of it. A zone that goes within twelve hours
        // is free.
        usage.add(Item::Route53Check, (0.0, CHECKS));
        usage.add(Item::Route53CheckOption, (0.0, CHECKS * CHECK_OPTIONS));
        usage.add(Item::Route53Zone, (0.0, 1.0));
        usage
    }

    /// Calls of an API, by the names that SDKs give services.
    pub(super) fn call(&mut self, service: &str, operation: &str, count: f64) {
        match (service, operation) {
            ("iot", operation) if CHARGED.contains(&operation) => self.exactly(Item::IotOperation, count),
            ("iot data plane", _) => self.exactly(Item::IotOperation, count),
            ("dynamodb", "PutItem" | "UpdateItem") => self.exactly(Item::DynamodbWrite, count),
            ("dynamodb", "GetItem" | "Scan") => self.exactly(Item::DynamodbRead, count),
            _ => {}
        }
    }

    fn count(&mut self, quantity: &Quantity, sizes: Sizes) {
        let range = (quantity.least, quantity.most);
        let times = |by: f64| (range.0 * by, range.1 * by);
        match (quantity.service, quantity.unit) {
            ("iot", operation) if CHARGED.contains(&operation) => self.add(Item::IotOperation, range),
            ("iotdata", _) | unit::SHADOW_UPDATE => self.add(Item::IotOperation, times(sizes.shadow_kb)),
            unit::PUBLISH | unit::DELIVERY if quantity.caller == Caller::Devices => {
                self.add(Item::IotMessage, times(sizes.message_units));
            }
            unit::CONNECT | unit::SUBSCRIBE | unit::PUBLISH => self.add(Item::IotMessage, range),
            // Who subscribes acknowledges, and that is a message too.
            unit::DELIVERY => self.add(Item::IotMessage, times(2.0)),
            unit::CONNECTION_S => self.add(Item::IotConnectionMinute, times(1.0 / 60.0)),
            unit::RULE_EVALUATION => self.add(Item::IotRule, range),
            unit::RULE_ACTION => self.add(Item::IotAction, range),
            unit::ROW | unit::REPLICATED_ROW => self.add(Item::DynamodbReplicatedWrite, times(ROW_KB)),
            // Documents go into the event table, which is global.
            ("dynamodb", "PutItem") if quantity.phase == Phase::Provision => {
                self.add(Item::DynamodbReplicatedWrite, times(ROW_KB));
            }
            ("dynamodb", "PutItem" | "UpdateItem") => self.add(Item::DynamodbWrite, range),
            ("dynamodb", "GetItem" | "Scan") => self.add(Item::DynamodbRead, range),
            ("sqs", "SendMessage") => self.add(Item::SqsRequest, times(QUEUE_CALLS)),
            unit::DNS_QUERY => self.add(Item::Route53Query, range),
            unit::CHECK_REQUEST => self.add(Item::ApigatewayRequest, range),
            unit::INVOCATION => {
                self.add(Item::LambdaRequest, range);
                let is_check = quantity.caller == Caller::HealthCheckers;
                let gb_s = if is_check { HEALTH_GB_S } else { REPLICATOR_GB_S };
                self.add(Item::LambdaGbSecond, times(gb_s));
            }
            _ => {}
        }
    }
}
