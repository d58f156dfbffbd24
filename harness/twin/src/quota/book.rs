//! Quotas for those who plan: what would apply in each Region of a twin, looked up without one.

use super::{Quota, QuotaSetting, Quotas};

/// What applies in each Region: AWS's defaults, the rates of an account times a scale, and what was set on its own.
#[derive(Debug)]
pub struct QuotaBook {
    quotas: Quotas,
}

/// A quota, and what of it applies in a Region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AppliedQuota {
    /// Service Quotas' code of the service, for example `iotcore`.
    pub service: &'static str,
    /// For example `L-64CBACAC`.
    pub code: &'static str,
    /// For example `CreateThing API TPS`.
    pub name: &'static str,
    /// What applies.
    pub value: f64,
    /// Whether AWS raises it when asked to.
    pub adjustable: bool,
    /// Whether Service Quotas lists it; AWS enforces some that it does not.
    pub listed: bool,
}

impl QuotaBook {
    /// Of these Regions. Settings of other Regions and of unknown codes are left out.
    pub fn new(scale: f64, settings: &[QuotaSetting], regions: &[String]) -> Self {
        let quotas = Quotas::new(scale, true, regions);
        for setting in settings {
            quotas.set(setting);
        }
        Self { quotas }
    }

    /// The quota of an operation's calls per second; none if AWS publishes none.
    pub fn of_calls(&self, region: &str, service: &str, operation: &str) -> Option<AppliedQuota> {
        let at = *self.quotas.rates.get(&(service, operation))?;
        self.applied(self.quotas.list.get(at)?, region)
    }

    /// The quota of that code; none if there is no such quota or Region.
    pub fn of_code(&self, region: &str, code: &str) -> Option<AppliedQuota> {
        let at = *self.quotas.codes.get(code)?;
        self.applied(self.quotas.list.get(at)?, region)
    }

    fn applied(&self, quota: &Quota, region: &str) -> Option<AppliedQuota> {
        let value = self.quotas.applied(quota, region);
        value.is_finite().then_some(AppliedQuota {
            service: quota.service,
            code: quota.code,
            name: quota.name,
            value,
            adjustable: quota.adjustable,
            listed: quota.is_listed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_what_the_twin_would_enforce() {
        let setting = QuotaSetting { region: "us-west-2".into(), code: "L-AEA1E176".into(), value: 7.0 };
        let book = QuotaBook::new(10.0, &[setting], &["us-east-1".to_owned(), "us-west-2".to_owned()]);
        let value = |quota: Option<AppliedQuota>| quota.map(|quota| quota.value);
        assert_eq!(value(book.of_calls("us-east-1", "iot", "CreateThing")), Some(1_000.0));
        assert_eq!(value(book.of_calls("us-east-1", "iot", "SearchIndex")), Some(150.0));
        assert_eq!(value(book.of_calls("us-east-1", "iot", "NoSuchCall")), None);
        assert_eq!(value(book.of_code("us-west-2", "L-AEA1E176")), Some(7.0), "set on its own");
        assert_eq!(
            value(book.of_code("us-east-1", "L-083F3861")),
            Some(100.0),
            "a connection's is not scaled"
        );
        assert_eq!(book.of_code("mars-1", "L-083F3861"), None);
    }
}
