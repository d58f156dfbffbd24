//! Service quotas of AWS IoT: AWS's defaults (`data/aws-iot-quotas.csv`), what applies in each Region of the twin, and the
//! enforcement of the control plane's calls per second as token buckets that hold one second's worth.
//!
//! A Region's applied value is the default times the twin's scale, unless it was set on its own over the control API.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::AwsError;

const DEFAULTS: &str = include_str!("../data/aws-iot-quotas.csv");
/// What names of calls per second end with.
const RATE_SUFFIX: &str = " API TPS";
/// Regions in which AWS's defaults are smaller.
const SELECT_REGIONS: [&str; 10] = [
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

/// One quota as AWS publishes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quota {
    /// `iotcore` or `iot`.
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
        if SELECT_REGIONS.contains(&region) { self.default_select } else { self.default }
    }

    /// The operation whose calls per second this limits.
    pub(crate) fn operation(&self) -> Option<&'static str> {
        self.name.strip_suffix(RATE_SUFFIX)
    }
}

/// A quota that is set on its own. Sent as JSON to the control API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaSetting {
    /// The Region.
    pub(crate) region: String,
    /// The quota's code.
    pub(crate) code: String,
    /// What applies from now on.
    pub(crate) value: f64,
}

/// The quotas of all Regions.
#[derive(Debug)]
pub(crate) struct Quotas {
    list: Vec<Quota>,
    /// Operation to its place in the list.
    rates: BTreeMap<&'static str, usize>,
    scale: f64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By Region and code.
    set: BTreeMap<(String, &'static str), f64>,
    /// By Region and operation.
    buckets: BTreeMap<(String, &'static str), Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Quotas {
    /// AWS's defaults, those of calls per second times `scale`.
    pub(crate) fn new(scale: f64) -> Self {
        let list: Vec<Quota> = DEFAULTS.lines().skip(1).filter_map(parse).collect();
        let rates = list.iter().enumerate().filter_map(|(n, quota)| Some((quota.operation()?, n))).collect();
        Self { list, rates, scale, state: Mutex::default() }
    }

    /// What AWS's defaults of calls per second are multiplied by.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// Every quota, by service and code.
    pub(crate) fn list(&self) -> &[Quota] {
        &self.list
    }

    /// What applies in a Region.
    pub(crate) fn applied(&self, quota: &Quota, region: &str) -> f64 {
        let set = self.state.lock().set.get(&(region.to_owned(), quota.code)).copied();
        set.unwrap_or_else(|| self.unset(quota, region))
    }

    /// Sets a quota in a Region; `false` if there is none with this code.
    pub(crate) fn set(&self, setting: &QuotaSetting) -> bool {
        let Some(quota) = self.list.iter().find(|quota| quota.code == setting.code) else {
            return false;
        };
        self.state.lock().set.insert((setting.region.clone(), quota.code), setting.value);
        true
    }

    /// Takes one call of `operation` in `region`, or throttles it. An operation without a known quota is free.
    pub(crate) fn take(&self, region: &str, operation: &str) -> Result<(), AwsError> {
        self.take_at(region, operation, Instant::now())
    }

    fn take_at(&self, region: &str, operation: &str, now: Instant) -> Result<(), AwsError> {
        let Some((operation, quota)) =
            self.rates.get_key_value(operation).and_then(|(name, n)| Some((*name, self.list.get(*n)?)))
        else {
            return Ok(());
        };
        let mut state = self.state.lock();
        let set = state.set.get(&(region.to_owned(), quota.code)).copied();
        let rate = set.unwrap_or_else(|| self.unset(quota, region));
        let full = rate.max(1.0);
        let bucket = state
            .buckets
            .entry((region.to_owned(), operation))
            .or_insert(Bucket { tokens: full, filled: now });
        bucket.tokens = (bucket.tokens + now.duration_since(bucket.filled).as_secs_f64() * rate).min(full);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return Err(AwsError::new(400, "ThrottlingException", "Rate exceeded"));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn unset(&self, quota: &Quota, region: &str) -> f64 {
        let default = quota.default_in(region);
        if quota.operation().is_some() { default * self.scale } else { default }
    }
}

/// `iotcore,L-64CBACAC,CreateThing API TPS,100,50,Y`; values may carry a unit, as in `60 Seconds`. A value that is no
/// number is left out: the twin could not say what it is.
fn parse(line: &'static str) -> Option<Quota> {
    let fields: Vec<&str> = line.split(',').collect();
    let [service, code, name @ .., default, select, adjustable] = fields.as_slice() else {
        return None;
    };
    // A name that holds a comma would come apart; there is none.
    let [name] = name else { return None };
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

    #[test]
    fn a_second_grants_what_aws_grants() {
        let (quotas, began) = (Quotas::new(1.0), Instant::now());
        let granted =
            |operation, now| (0..500).filter(|_| quotas.take_at("us-east-1", operation, now).is_ok()).count();
        assert_eq!(granted("CreateThing", began), 100);
        assert_eq!(granted("DescribeThing", began), 350, "another operation has its own");
        assert!(quotas.take_at("us-west-2", "CreateThing", began).is_ok(), "the other Region has its own");
        assert_eq!(granted("CreateThing", began + Duration::from_millis(500)), 50);
        assert_eq!(granted("ListJobs", began), 500, "what has no quota is free");
    }

    #[test]
    fn a_quota_may_be_set_in_one_region() {
        let (quotas, began) = (Quotas::new(1.0), Instant::now());
        let setting = QuotaSetting { region: "us-west-2".into(), code: "L-64CBACAC".into(), value: 7.0 };
        assert!(quotas.set(&setting));
        assert!(!quotas.set(&QuotaSetting { code: "L-0".into(), ..setting }));
        let granted =
            |region| (0..500).filter(|_| quotas.take_at(region, "CreateThing", began).is_ok()).count();
        assert_eq!((granted("us-east-1"), granted("us-west-2")), (100, 7));
    }

    #[test]
    fn every_line_of_the_data_is_read_or_has_no_number() {
        let quotas = Quotas::new(2.0);
        let unread = DEFAULTS.lines().skip(1).filter(|line| parse(line).is_none()).count();
        assert_eq!(quotas.list().len() + unread, DEFAULTS.lines().count() - 1);
        assert!(unread < 20, "{unread} lines without a number");
        let quota = quotas.list().iter().find(|q| q.code == "L-64CBACAC").unwrap();
        assert_eq!((quota.default_in("us-west-1"), quota.default_in("us-east-1")), (50.0, 100.0));
        assert!((quotas.applied(quota, "us-east-1") - 200.0).abs() < 1e-9, "rates are scaled");
        let size = quotas.list().iter().find(|q| q.code == "L-724130CC").unwrap();
        assert_eq!((size.unit, quotas.applied(size, "us-east-1")), (Some("Bytes"), 64.0));
    }
}
