//! Service quotas of the IoT control plane, enforced per Region and operation as token buckets that hold one second's
//! worth. The numbers are AWS's defaults (`data/aws-iot-quotas.csv`), times a factor that a scenario may set.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::AwsError;

const DEFAULTS: &str = include_str!("../data/aws-iot-quotas.csv");

/// The quotas of all Regions.
#[derive(Debug)]
pub(crate) struct Quotas {
    /// Operation to calls per second.
    rate_per_s: BTreeMap<String, f64>,
    buckets: Mutex<BTreeMap<(String, String), Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Quotas {
    /// AWS's defaults times `scale`.
    pub(crate) fn new(scale: f64) -> Self {
        let rate_per_s =
            DEFAULTS.lines().skip(1).filter_map(parse).map(|(op, rate)| (op, rate * scale)).collect();
        Self { rate_per_s, buckets: Mutex::new(BTreeMap::new()) }
    }

    /// Takes one call of `operation` in `region`, or throttles it. An operation without a known quota is free.
    pub(crate) fn take(&self, region: &str, operation: &str) -> Result<(), AwsError> {
        self.take_at(region, operation, Instant::now())
    }

    fn take_at(&self, region: &str, operation: &str, now: Instant) -> Result<(), AwsError> {
        let Some(rate) = self.rate_per_s.get(operation).copied() else {
            return Ok(());
        };
        let full = rate.max(1.0);
        let mut buckets = self.buckets.lock();
        let bucket = buckets
            .entry((region.to_owned(), operation.to_owned()))
            .or_insert(Bucket { tokens: full, filled: now });
        bucket.tokens = (bucket.tokens + now.duration_since(bucket.filled).as_secs_f64() * rate).min(full);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return Err(AwsError::new(400, "ThrottlingException", "Rate exceeded"));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

/// `iotcore,L-64CBACAC,CreateThing API TPS,100,50,Y` to `("CreateThing", 100)`.
fn parse(line: &str) -> Option<(String, f64)> {
    let mut fields = line.split(',');
    let name = fields.nth(2)?.strip_suffix(" API TPS")?;
    Some((name.to_owned(), fields.next()?.parse().ok()?))
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
    }
}
