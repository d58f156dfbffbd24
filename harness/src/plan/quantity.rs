//! One kind of thing that a game day does, how much of it, and how fast.

use serde::Serialize;

use super::Phase;

/// Where something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    Primary,
    Secondary,
    /// Route 53 has no Regions.
    Global,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Caller {
    Harness,
    Devices,
    Replicator,
    HealthCheckers,
    CloudFormation,
}

/// So much of one thing, in one phase and place, by one caller.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Quantity {
    pub(crate) phase: Phase,
    pub(crate) place: Place,
    pub(crate) caller: Caller,
    /// As the twin counts calls: `iot`, `iotdata`; and `mqtt`, `shadow`, `rules`, `stream`, `lambda`, `states`.
    pub(crate) service: &'static str,
    /// An operation, or what is counted.
    pub(crate) unit: &'static str,
    pub(crate) least: f64,
    /// With every step at its limit.
    pub(crate) most: f64,
    /// The most of it in a second; none where its rate is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak_per_s: Option<f64>,
}

/// Units that are no API calls.
pub(crate) mod unit {
    pub(crate) const CONNECT: (&str, &str) = ("mqtt", "connect");
    pub(crate) const SUBSCRIBE: (&str, &str) = ("mqtt", "subscribe");
    /// From devices: messages and shadow updates alike.
    pub(crate) const PUBLISH: (&str, &str) = ("mqtt", "publish");
    /// To devices and observers.
    pub(crate) const DELIVERY: (&str, &str) = ("mqtt", "delivery");
    pub(crate) const CONNECTION_S: (&str, &str) = ("mqtt", "connection-second");
    /// A shadow's update over MQTT. Those of the replicator are API calls of `iotdata`.
    pub(crate) const SHADOW_UPDATE: (&str, &str) = ("shadow", "update");
    /// A message that matched a topic rule, and what the rule did.
    pub(crate) const RULE_EVALUATION: (&str, &str) = ("rules", "evaluation");
    pub(crate) const RULE_ACTION: (&str, &str) = ("rules", "action");
    /// A row of the event table, written by a rule.
    pub(crate) const ROW: (&str, &str) = ("dynamodb", "rule-row");
    /// A row of the event table as it comes to the other Region.
    pub(crate) const REPLICATED_ROW: (&str, &str) = ("dynamodb", "replicated-row");
    pub(crate) const STREAM_RECORD: (&str, &str) = ("stream", "record");
    pub(crate) const INVOCATION: (&str, &str) = ("lambda", "invocation");
    pub(crate) const TRANSITION: (&str, &str) = ("states", "transition");
    /// Questions for the fleet's name, were none answered on the way.
    pub(crate) const DNS_QUERY: (&str, &str) = ("dns", "query");
    pub(crate) const CHECK_REQUEST: (&str, &str) = ("apigateway", "health-check-request");
}

impl Quantity {
    /// Whether it is a call of an AWS API, as the twin counts them.
    pub(crate) fn is_call(&self) -> bool {
        let is_counted_otherwise = ["mqtt", "shadow", "rules", "stream", "apigateway", "dns"]
            .contains(&self.service)
            || [unit::ROW, unit::REPLICATED_ROW, unit::INVOCATION, unit::TRANSITION]
                .contains(&(self.service, self.unit));
        !is_counted_otherwise
    }
}
