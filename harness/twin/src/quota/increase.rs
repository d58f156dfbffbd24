//! Requests for more of a quota, as AWS keeps them: nobody decides here, so that each stays pending until the quota itself is set.

use parking_lot::Mutex;

/// Requests that are kept; AWS takes some tens at a time.
const INCREASES_MAX: usize = 1_000;

/// A request for more.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Increase {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) service: &'static str,
    pub(crate) code: &'static str,
    pub(crate) desired: f64,
    /// Seconds since the epoch.
    pub(crate) created_s: i64,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// One for the same quota in the same Region is open.
    Open,
    /// There are too many.
    Full,
}

/// All requests, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Increases {
    all: Mutex<Vec<Increase>>,
}

impl Increases {
    /// Takes one, unless the same is open.
    pub(crate) fn take(&self, increase: Increase) -> Result<(), NotTaken> {
        let mut all = self.all.lock();
        let is_same = |other: &Increase| (&other.region, other.code) == (&increase.region, increase.code);
        if all.iter().any(is_same) {
            return Err(NotTaken::Open);
        }
        if all.len() >= INCREASES_MAX {
            return Err(NotTaken::Full);
        }
        all.push(increase);
        Ok(())
    }

    /// Those of a Region, of one service or of all.
    pub(crate) fn of(&self, region: &str, service: Option<&str>) -> Vec<Increase> {
        let all = self.all.lock();
        let is_wanted =
            |each: &&Increase| each.region == region && service.is_none_or(|service| each.service == service);
        all.iter().filter(is_wanted).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_of_a_quota_is_open_at_a_time_in_each_region() {
        let increases = Increases::default();
        let asked = |region: &str, code| {
            let (id, region) = (format!("{region}-{code}"), region.to_owned());
            increases.take(Increase { id, region, service: "iotcore", code, desired: 9.0, created_s: 0 })
        };
        assert_eq!(asked("us-east-1", "L-1"), Ok(()));
        assert_eq!(asked("us-east-1", "L-1"), Err(NotTaken::Open));
        assert_eq!((asked("us-west-2", "L-1"), asked("us-east-1", "L-2")), (Ok(()), Ok(())));
        assert_eq!(increases.of("us-east-1", Some("iotcore")).len(), 2);
        assert_eq!(
            (increases.of("us-west-2", None).len(), increases.of("us-west-2", Some("iot")).len()),
            (1, 0)
        );
    }
}
