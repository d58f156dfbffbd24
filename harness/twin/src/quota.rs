//! Service quotas: AWS's defaults (`data/aws-quotas.csv`), what applies in each Region of the twin, and the limits that enforce
//! them. A call's quota is a token bucket of its operation and Region; most hold one second's worth.
//!
//! What applies is AWS's default, the rates of an account times the twin's scale, unless it was set on its own over the
//! control API. Quotas can be switched off as a whole: then nothing is counted, and Service Quotas goes on answering.

mod book;
mod data_plane;
mod increase;
mod limit;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use book::{AppliedQuota, QuotaBook};
pub(crate) use data_plane::DataPlane;
pub(crate) use increase::{Increase, Increases, NotTaken};
pub(crate) use limit::Limit;

const DEFAULTS: &str = include_str!("../data/aws-quotas.csv");
/// What names of an operation's calls per second end with; AWS has no one way to say it, and one of them is its own slip.
const RATE_SUFFIXES: [&str; 5] = [
    " API TPS",
    " throttle token refill rate per second",
    " API throttle limit",
    " API trottle limit",
    " rate",
];
/// And with what the name of its bucket's size ends, where AWS publishes one.
const BURST_SUFFIX: &str = " throttle token bucket size";
/// Codes of limits that AWS enforces and Service Quotas does not list.
const UNLISTED_PREFIX: &str = "twin:";
/// Regions in which AWS's defaults of IoT are smaller.
pub const SELECT_REGIONS: [&str; 10] = [
    "eu-north-1",
    "me-south-1",
    "me-central-1",
    "eu-west-3",
    "ap-east-1",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "ca-central-1",
    "cn-northwest-1",
];
/// Regions in which those of Step Functions are larger.
const STATES_LARGE_REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];

/// One quota as AWS publishes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quota {
    /// For example `iotcore`.
    pub(crate) service: &'static str,
    /// For example `L-64CBACAC`.
    pub(crate) code: &'static str,
    /// For example `CreateThing API TPS`.
    pub(crate) name: &'static str,
    default: f64,
    default_select: f64,
    /// What the number counts, where AWS says it: `Bytes`, `Seconds`.
    pub(crate) unit: Option<&'static str>,
    pub(crate) adjustable: bool,
}

impl Quota {
    /// AWS's default in a Region.
    pub(crate) fn default_in(&self, region: &str) -> f64 {
        let select = match self.service {
            "states" => !STATES_LARGE_REGIONS.contains(&region),
            _ => SELECT_REGIONS.contains(&region),
        };
        if select { self.default_select } else { self.default }
    }

    /// The operation whose calls per second this limits.
    pub(crate) fn operation(&self) -> Option<&'static str> {
        let operation = RATE_SUFFIXES.iter().find_map(|suffix| self.name.strip_suffix(suffix))?;
        operation.chars().all(|c| c.is_ascii_alphanumeric()).then_some(operation)
    }

    /// Whether it is called this: its code or its name.
    fn is(&self, called: &str) -> bool {
        self.code == called || self.name == called
    }

    /// Whether Service Quotas lists it.
    pub(crate) fn is_listed(&self) -> bool {
        !self.code.starts_with(UNLISTED_PREFIX)
    }

    /// A rate of the account, which the scale raises. What AWS does not raise, it does not either.
    fn is_scaled(&self) -> bool {
        self.operation().is_some()
            || (self.adjustable && self.name.contains("second"))
            || self.name.ends_with(BURST_SUFFIX)
            || !self.is_listed()
    }
}

/// A quota that is set on its own. Sent as JSON to the control API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaSetting {
    /// The Region.
    pub region: String,
    /// The quota's code or its name, as AWS has them.
    pub code: String,
    /// What applies from now on.
    pub value: f64,
}

impl QuotaSetting {
    /// What is wrong with it, in words: a quota that AWS does not have, a value that none can have.
    ///
    /// # Errors
    /// The message.
    pub fn check(&self) -> Result<(), String> {
        if !(self.value >= 0.0 && self.value.is_finite()) {
            return Err(format!("a quota is 0 or more, and not {}", self.value));
        }
        if !DEFAULTS.lines().filter_map(parse).any(|quota| quota.is(&self.code)) {
            return Err(format!(
                "{:?} is no quota: give AWS's code, as L-64CBACAC, or its name, as CreateThing API TPS",
                self.code
            ));
        }
        Ok(())
    }
}

/// A quota, and how often it refused something. What the control API answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Refused {
    pub(crate) region: String,
    pub(crate) service: &'static str,
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    /// What applies now.
    pub(crate) value: f64,
    /// How often it refused something since the twin started.
    pub(crate) refused: u64,
}

impl Refused {
    fn of(region: &str, quota: &Quota, limit: &Limit) -> Self {
        Self {
            region: region.to_owned(),
            service: quota.service,
            code: quota.code,
            name: quota.name,
            value: limit.applied(),
            refused: limit.refused(),
        }
    }
}

/// The quotas of all Regions.
#[derive(Debug)]
pub(crate) struct Quotas {
    list: Vec<Quota>,
    /// Service and operation to its place in the list.
    rates: BTreeMap<(&'static str, &'static str), usize>,
    /// Code to its place in the list.
    codes: BTreeMap<&'static str, usize>,
    scale: f64,
    enforced: bool,
    /// By Region, in the order of the list.
    limits: BTreeMap<String, Vec<Arc<Limit>>>,
    /// What was asked for.
    pub(crate) increases: Increases,
}

impl Quotas {
    /// AWS's defaults, rates of the account times `scale`; counted only if `enforced`.
    pub(crate) fn new(scale: f64, enforced: bool, regions: &[String]) -> Self {
        let list: Vec<Quota> = DEFAULTS.lines().skip(1).filter_map(parse).collect();
        let rates = list.iter().enumerate();
        let rates = rates.filter_map(|(n, quota)| Some(((family(quota.service), quota.operation()?), n)));
        let limits = regions.iter().map(|region| {
            let limits = list.iter().map(|quota| {
                let value =
                    |quota: &Quota| quota.default_in(region) * if quota.is_scaled() { scale } else { 1.0 };
                let burst = quota.operation().map(|operation| format!("{operation}{BURST_SUFFIX}"));
                let burst =
                    list.iter().find(|q| q.service == quota.service && Some(q.name) == burst.as_deref());
                let burst_s = burst.map_or(1.0, |burst| value(burst) / value(quota));
                Arc::new(Limit::new(value(quota), burst_s, enforced))
            });
            (region.clone(), limits.collect())
        });
        let codes = list.iter().enumerate().map(|(n, quota)| (quota.code, n)).collect();
        let (rates, limits) = (rates.collect(), limits.collect());
        Self { rates, codes, scale, enforced, limits, list, increases: Increases::default() }
    }

    /// What AWS's defaults of rates are multiplied by.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// Whether anything is counted and refused.
    pub(crate) fn are_enforced(&self) -> bool {
        self.enforced
    }

    /// Every quota, by service and code.
    pub(crate) fn list(&self) -> &[Quota] {
        &self.list
    }

    /// What applies in a Region.
    pub(crate) fn applied(&self, quota: &Quota, region: &str) -> f64 {
        self.limit(region, quota.code).applied()
    }

    /// The limit of a quota in a Region; one that grants everything if there is none.
    pub(crate) fn limit(&self, region: &str, code: &str) -> Arc<Limit> {
        let at = self.codes.get(code);
        let limit = at.and_then(|n| self.limits.get(region)?.get(*n));
        limit.cloned().unwrap_or_else(|| Arc::new(Limit::new(f64::INFINITY, 1.0, false)))
    }

    /// Sets a quota in a Region; `false` if there is none of this code or name.
    pub(crate) fn set(&self, setting: &QuotaSetting) -> bool {
        let at = self.list.iter().position(|quota| quota.is(&setting.code));
        let limit = at.and_then(|n| self.limits.get(&setting.region)?.get(n));
        limit.inspect(|limit| limit.set(setting.value)).is_some()
    }

    /// Takes one call of a service's `operation` in `region`; `false` if it is throttled. An operation without a known
    /// quota is free.
    pub(crate) fn take(&self, region: &str, service: &str, operation: &str) -> bool {
        self.take_at(region, service, operation, Instant::now())
    }

    fn take_at(&self, region: &str, service: &str, operation: &str, now: Instant) -> bool {
        let at = self.rates.get(&(service, operation)).copied();
        let limit = at.and_then(|n| self.limits.get(region)?.get(n));
        limit.is_none_or(|limit| limit.take(now))
    }

    /// A quota of this code or name in a Region.
    pub(crate) fn of(&self, region: &str, code: &str) -> Option<Refused> {
        let at = self.list.iter().position(|quota| quota.is(code))?;
        let (quota, limit) = (self.list.get(at)?, self.limits.get(region)?.get(at)?);
        Some(Refused::of(region, quota, limit))
    }

    /// The quotas that refused something.
    pub(crate) fn refused(&self) -> Vec<Refused> {
        let all = self.limits.iter().flat_map(|(region, limits)| {
            self.list.iter().zip(limits).map(move |(quota, limit)| Refused::of(region, quota, limit))
        });
        all.filter(|quota| quota.refused > 0).collect()
    }
}

/// Two service codes are one API.
fn family(service: &'static str) -> &'static str {
    if service == "iotcore" { "iot" } else { service }
}

/// `iotcore,L-64CBACAC,CreateThing API TPS,100,50,Y`; values may carry a unit, as in `60 Seconds`, and a name that holds a
/// comma is in quotes. A value that is no number is left out: the twin could not say what it is.
fn parse(line: &'static str) -> Option<Quota> {
    let fields: Vec<&str> = match line.split_once('"').and_then(|(head, rest)| {
        rest.split_once('"')
            .map(|(name, tail)| (head.trim_end_matches(','), name, tail.trim_start_matches(',')))
    }) {
        Some((head, name, tail)) => head.split(',').chain([name]).chain(tail.split(',')).collect(),
        None => line.split(',').collect(),
    };
    let [service, code, name, default, select, adjustable] = fields.as_slice() else {
        return None;
    };
    let number = |text: &str| text.split(' ').next()?.parse::<f64>().ok();
    Some(Quota {
        service,
        code,
        name,
        default: number(default)?,
        default_select: number(select)?,
        unit: default.split_once(' ').map(|(_, unit)| unit),
        adjustable: *adjustable == "Y",
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn quotas(scale: f64, enforced: bool) -> Quotas {
        Quotas::new(scale, enforced, &["us-east-1".to_owned(), "us-west-2".to_owned()])
    }

    #[test]
    fn a_second_grants_what_aws_grants() {
        let (quotas, began) = (quotas(1.0, true), Instant::now());
        let granted = |service, operation, now| {
            (0..2_000).filter(|_| quotas.take_at("us-east-1", service, operation, now)).count()
        };
        assert_eq!(granted("iot", "CreateThing", began), 100);
        assert_eq!(granted("iot", "DescribeThing", began), 350, "another operation has its own");
        assert_eq!(granted("iot", "SearchIndex", began), 15, "and so has the other service code's");
        assert!(quotas.take_at("us-west-2", "iot", "CreateThing", began), "the other Region has its own");
        assert_eq!(granted("iot", "CreateThing", began + Duration::from_millis(500)), 50);
        assert_eq!(granted("iot", "TestAuthorization2", began), 2_000, "what has no quota is free");
        assert_eq!(granted("states", "StartExecution", began), 1_300, "a bucket larger than its rate");
        assert_eq!(granted("states", "StartExecution", began + Duration::from_secs(1)), 300);
        let refused = quotas.refused();
        let things = refused.iter().find(|q| q.code == "L-64CBACAC").unwrap();
        assert_eq!((things.region.as_str(), things.refused), ("us-east-1", 1_900 + 1_950));
    }

    #[test]
    fn a_quota_may_be_set_in_one_region() {
        let (quotas, began) = (quotas(1.0, true), Instant::now());
        let setting = QuotaSetting { region: "us-west-2".into(), code: "L-64CBACAC".into(), value: 7.0 };
        assert!(quotas.set(&setting));
        assert!(!quotas.set(&QuotaSetting { code: "L-0".into(), ..setting.clone() }));
        assert!(!quotas.set(&QuotaSetting { region: "eu-west-1".into(), ..setting }));
        let later = began + Duration::from_secs(2);
        let granted =
            |region| (0..500).filter(|_| quotas.take_at(region, "iot", "CreateThing", later)).count();
        assert_eq!((granted("us-east-1"), granted("us-west-2")), (100, 7));
    }

    #[test]
    fn a_code_finds_its_limit() {
        let quotas = quotas(1.0, true);
        for (quota, limit) in quotas.list().iter().zip(&quotas.limits["us-east-1"]) {
            assert!(Arc::ptr_eq(&quotas.limit("us-east-1", quota.code), limit), "{}", quota.code);
        }
        assert!(quotas.limit("us-east-1", "L-0").value().is_infinite());
    }

    #[test]
    fn switched_off_nothing_is_refused_and_all_is_told() {
        let quotas = quotas(1.0, false);
        let granted = (0..5_000).filter(|_| quotas.take("us-east-1", "iot", "CreateThing")).count();
        assert_eq!((granted, quotas.refused().len()), (5_000, 0));
        let quota = quotas.list().iter().find(|q| q.code == "L-64CBACAC").unwrap();
        assert!((quotas.applied(quota, "us-east-1") - 100.0).abs() < 1e-9);
    }

    #[test]
    fn every_line_of_the_data_is_read_or_has_no_number() {
        let quotas = quotas(2.0, true);
        let unread: Vec<&str> = DEFAULTS.lines().skip(1).filter(|line| parse(line).is_none()).collect();
        assert_eq!(quotas.list().len() + unread.len(), DEFAULTS.lines().count() - 1);
        assert!(unread.len() < 20, "{unread:?}");
        let quota = |code| quotas.list().iter().find(|q| q.code == code).unwrap();
        let things = quota("L-64CBACAC");
        assert_eq!((things.default_in("us-west-1"), things.default_in("us-east-1")), (50.0, 100.0));
        assert!((quotas.applied(things, "us-east-1") - 200.0).abs() < 1e-9, "rates are scaled");
        let size = quota("L-724130CC");
        assert_eq!((size.unit, quotas.applied(size, "us-east-1")), (Some("Bytes"), 64.0));
        assert!(
            (quotas.applied(quota("L-083F3861"), "us-east-1") - 100.0).abs() < 1e-9,
            "a connection's is not"
        );
        let quoted = quota("L-23F45906");
        assert_eq!(quoted.name, "Maximum number of in-flight, unacknowledged messages per thing");
    }
}
