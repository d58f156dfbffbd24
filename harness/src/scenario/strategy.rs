//! How devices find their Region: one strategy for all of them, or several by share.

use std::fmt;

use gameday_report::record::{self, Guide};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        self, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use super::{SPAN_MAX, Span, share};

/// Strategies that one scenario may compare: more could not be told apart in a report.
const STRATEGIES_MAX: usize = 6;
/// Attempts or answers in a row that a scenario may ask for.
const IN_A_ROW_MAX: u32 = 100;
/// How far from 1 shares may add up: they are written with a few digits.
const SHARES_TOLERANCE: f64 = 1e-6;

/// The strategy of every device, or strategies by share.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Strategies {
    /// All devices have this one.
    All(Strategy),
    /// Each has one of these.
    Shared(#[schemars(length(min = 1, max = STRATEGIES_MAX))] Vec<Share>),
}

/// A strategy and its share of the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Share {
    /// From 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// The strategy.
    #[serde(flatten)]
    pub strategy: Strategy,
}

/// How a device finds its Region.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// It connects to what the fleet's CNAME resolves to, asks again on a period, and follows a change.
    Cname(Cname),
    /// It knows the endpoints of both Regions, goes to the other one when one fails, and comes home when the primary
    /// answers again.
    DualEndpoint(DualEndpoint),
    /// It fails over by the name or by both endpoints, and stays in the secondary until somebody moves it.
    Sticky(Sticky),
}

/// Settings of the strategy `cname`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cname {
    /// It asks its resolver this often. The answer's TTL is respected between.
    pub every: Span,
}

/// Settings of the strategy `dual-endpoint`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DualEndpoint {
    /// Attempts that fail in a row before it goes to the other endpoint.
    #[schemars(range(min = 1, max = IN_A_ROW_MAX))]
    pub failures: u32,
    /// While it is in the secondary it tries this often whether the primary lets it in.
    pub probe: Span,
    /// Probes in a row that have to succeed before it comes home.
    #[schemars(range(min = 1, max = IN_A_ROW_MAX))]
    pub successes: u32,
}

/// Settings of the strategy `sticky`: `every` or `failures`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Sticky {
    /// It follows the fleet's name, and asks this often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// It knows both endpoints: attempts that fail in a row before it goes to the other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = IN_A_ROW_MAX))]
    pub failures: Option<u32>,
}

impl Default for DualEndpoint {
    fn default() -> Self {
        Self { failures: 3, probe: Span::seconds(10), successes: 3 }
    }
}

impl Strategy {
    /// Its name, as scenarios write it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Cname(_) => "cname",
            Self::DualEndpoint(_) => "dual-endpoint",
            Self::Sticky(_) => "sticky",
        }
    }

    /// What sends its devices elsewhere.
    pub(crate) const fn guide(&self) -> Guide {
        match self {
            Self::Cname(_) | Self::Sticky(Sticky { every: Some(_), .. }) => Guide::Name,
            Self::DualEndpoint(_) | Self::Sticky(_) => Guide::Endpoints,
        }
    }

    /// Whether its devices come home by themselves.
    pub(crate) const fn fails_back(&self) -> bool {
        !matches!(self, Self::Sticky(_))
    }

    /// What is wrong with it: the key below it, and what to do.
    fn check(&self) -> Result<(), (String, String)> {
        let kind = self.kind();
        let span = |key: &str, span: Span, least: Span| {
            let said = format!("must be {least} to 24h");
            if span < least || span > SPAN_MAX { Err((format!("{kind}.{key}"), said)) } else { Ok(()) }
        };
        let count = |key: &str, count: u32| {
            let said = format!("must be 1 to {IN_A_ROW_MAX}");
            if (1..=IN_A_ROW_MAX).contains(&count) { Ok(()) } else { Err((format!("{kind}.{key}"), said)) }
        };
        match self {
            Self::Cname(cname) => span("every", cname.every, EVERY_MIN),
            Self::DualEndpoint(dual) => {
                count("failures", dual.failures)?;
                count("successes", dual.successes)?;
                span("probe", dual.probe, PROBE_MIN)
            }
            Self::Sticky(Sticky { every: Some(every), failures: None }) => span("every", *every, EVERY_MIN),
            Self::Sticky(Sticky { every: None, failures: Some(failures) }) => count("failures", *failures),
            Self::Sticky(_) => {
                let said = "follows the fleet's name (every) or knows both endpoints (failures): give one";
                Err((kind.to_owned(), said.to_owned()))
            }
        }
    }
}

/// A resolver is not asked more often.
const EVERY_MIN: Span = Span::milliseconds(100);
/// AWS takes one CONNECT a second of a client id; two seconds leave room for jitter.
const PROBE_MIN: Span = Span::seconds(2);

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = |n: u32, noun: &str| gameday_report::units::plural(u64::from(n), noun);
        match self {
            Self::Cname(cname) => write!(f, "cname, asked every {}", cname.every),
            Self::DualEndpoint(DualEndpoint { failures, probe, successes }) => write!(
                f,
                "dual-endpoint, switches after {}, probes every {probe}, home after {}",
                times(*failures, "failure"),
                times(*successes, "answer")
            ),
            Self::Sticky(Sticky { every: Some(every), .. }) => {
                write!(f, "sticky, asked every {every}, stays")
            }
            Self::Sticky(Sticky { failures, .. }) => {
                write!(f, "sticky, switches after {}, stays", times(failures.unwrap_or(0), "failure"))
            }
        }
    }
}

impl Strategies {
    /// Each strategy with its share, in order.
    pub(crate) fn shares(&self) -> Vec<(f64, &Strategy)> {
        match self {
            Self::All(strategy) => vec![(1.0, strategy)],
            Self::Shared(shares) => shares.iter().map(|each| (each.share, &each.strategy)).collect(),
        }
    }

    /// How many of so many devices each has.
    pub(crate) fn counts(&self, devices: u32) -> Vec<u32> {
        let shares: Vec<f64> = self.shares().into_iter().map(|(share, _)| share).collect();
        share::counts(&shares, devices)
    }

    /// Whether any device comes home by itself.
    pub(crate) fn any_fails_back(&self) -> bool {
        self.shares().iter().any(|(_, strategy)| strategy.fails_back())
    }

    /// Devices of so many that probe the primary while they are in the secondary.
    pub(crate) fn probing(&self, devices: u32) -> u32 {
        let counts = self.counts(devices);
        let shares = self.shares();
        let probing = shares.iter().zip(counts).filter(|((_, s), _)| matches!(s, Strategy::DualEndpoint(_)));
        probing.map(|(_, count)| count).sum()
    }

    /// As the record knows them. Where there are several of a kind, their names have their places behind them.
    pub(crate) fn recorded(&self, devices: u32) -> Vec<record::Strategy> {
        let shares = self.shares();
        let is_alone = |kind| shares.iter().filter(|(_, each)| each.kind() == kind).count() == 1;
        let recorded = |(place, ((_, strategy), devices)): (usize, (&(f64, &Strategy), u32))| {
            let kind = strategy.kind();
            record::Strategy {
                name: if is_alone(kind) { kind.to_owned() } else { format!("{kind} {}", place + 1) },
                label: strategy.to_string(),
                devices,
                guide: strategy.guide(),
                fails_back: strategy.fails_back(),
            }
        };
        shares.iter().zip(self.counts(devices)).enumerate().map(recorded).collect()
    }

    /// The first thing that is wrong: key path and what to do.
    pub(super) fn check(&self, devices: u32) -> Result<(), (String, String)> {
        const HERE: &str = "fleet.strategy";
        let shares = match self {
            Self::All(strategy) => {
                return strategy.check().map_err(|(key, said)| (format!("{HERE}.{key}"), said));
            }
            Self::Shared(shares) => shares,
        };
        if shares.is_empty() || shares.len() > STRATEGIES_MAX {
            return Err((HERE.to_owned(), format!("a list has 1 to {STRATEGIES_MAX} strategies")));
        }
        for (place, each) in shares.iter().enumerate() {
            each.strategy.check().map_err(|(key, said)| (format!("{HERE}.{place}.{key}"), said))?;
            if !(each.share > 0.0 && each.share <= 1.0) {
                let said = "is a part of the fleet: more than 0, and at most 1";
                return Err((format!("{HERE}.{place}.share"), said.to_owned()));
            }
        }
        let sum: f64 = shares.iter().map(|each| each.share).sum();
        if (sum - 1.0).abs() > SHARES_TOLERANCE {
            let sum = (sum * 1e6).round() / 1e6;
            return Err((HERE.to_owned(), format!("shares add up to {sum}, and must add up to 1")));
        }
        if let Some(place) = self.counts(devices).iter().position(|count| *count == 0) {
            let said = format!("is none of {devices} devices: raise it, or fleet.devices");
            return Err((format!("{HERE}.{place}.share"), said));
        }
        Ok(())
    }
}

impl fmt::Display for Strategies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(strategy) => strategy.fmt(f),
            Self::Shared(shares) => {
                let said = shares.iter().map(|each| {
                    format!("{} {}", gameday_report::units::percent(each.share * 100.0), each.strategy)
                });
                f.write_str(&said.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// What is written where a strategy stands.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    share: Option<f64>,
    cname: Option<Cname>,
    dual_endpoint: Option<DualEndpoint>,
    sticky: Option<Sticky>,
}

impl Written {
    fn strategy(self) -> Result<(Option<f64>, Strategy), &'static str> {
        let mut strategies = [
            self.cname.map(Strategy::Cname),
            self.dual_endpoint.map(Strategy::DualEndpoint),
            self.sticky.map(Strategy::Sticky),
        ]
        .into_iter()
        .flatten();
        match (strategies.next(), strategies.next()) {
            (Some(strategy), None) => Ok((self.share, strategy)),
            (None, _) => Err("a strategy is one of `cname`, `dual-endpoint`, `sticky`"),
            (Some(_), Some(_)) => {
                Err("a device has one strategy; several are a list, each with its share of the fleet")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Strategies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrList;

        impl<'de> Visitor<'de> for OneOrList {
            type Value = Strategies;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a strategy, or a list of strategies with their shares")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Strategies, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(map))?;
                match written.strategy().map_err(de::Error::custom)? {
                    (None, strategy) => Ok(Strategies::All(strategy)),
                    (Some(_), _) => {
                        Err(de::Error::custom("a share is of a list: write [ { share = … }, … ]"))
                    }
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Strategies, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Strategies::Shared)
            }
        }

        deserializer.deserialize_any(OneOrList)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WithShare;

        // A visitor, and no conversion afterwards, so that an error knows where it stands.
        impl<'de> Visitor<'de> for WithShare {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a strategy with its share")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Share, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(map))?;
                match written.strategy().map_err(de::Error::custom)? {
                    (Some(share), strategy) => Ok(Share { share, strategy }),
                    (None, _) => Err(de::Error::custom("in a list each strategy has a share of the fleet")),
                }
            }
        }

        deserializer.deserialize_any(WithShare)
    }
}

#[cfg(test)]
mod tests;
