//! The quotas of AWS IoT as the twin's Service Quotas tells them: what applies, and AWS's own defaults.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{calls::Counted, http::Http};

pub(crate) const REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];
/// What the names of quotas of calls end with.
const SUFFIX: &str = " API TPS";
/// Above what a reader of everything reaches.
const LIFTED_PER_S: f64 = 1e9;

/// The quota of one operation in one Region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quota {
    pub(crate) applied_per_s: f64,
    pub(crate) default_per_s: f64,
}

/// By Region and operation.
#[derive(Debug)]
pub(crate) struct Quotas(BTreeMap<(String, String), Quota>);

impl Quotas {
    pub(crate) async fn read(http: &mut Http) -> Result<Self> {
        let mut quotas = BTreeMap::new();
        for region in REGIONS {
            let defaults: BTreeMap<String, f64> =
                rates(http, region, "ListAWSDefaultServiceQuotas").await?.into_iter().collect();
            for (operation, applied_per_s) in rates(http, region, "ListServiceQuotas").await? {
                let default_per_s = *defaults.get(&operation).context("a quota without a default")?;
                quotas.insert((region.to_owned(), operation), Quota { applied_per_s, default_per_s });
            }
        }
        Ok(Self(quotas))
    }

    pub(crate) fn of(&self, region: &str, operation: &str) -> Option<Quota> {
        self.0.get(&(region.to_owned(), operation.to_owned())).copied()
    }

    pub(crate) fn of_count(&self, count: &Counted) -> Option<Quota> {
        (count.service == "iot").then(|| self.of(&count.region, &count.operation)).flatten()
    }

    /// Takes all of them away, for a reader of everything after the figure.
    pub(crate) async fn lift(&self, http: &mut Http) -> Result<()> {
        for (region, operation) in self.0.keys() {
            let code = format!("{operation}{SUFFIX}");
            let setting = json!({"region": region, "code": code, "value": LIFTED_PER_S});
            http.call("twin", "PUT", "/_twin/quotas", setting.to_string()).await?;
        }
        Ok(())
    }
}

/// Operations of a Region and their calls a second.
async fn rates(http: &mut Http, region: &str, operation: &str) -> Result<Vec<(String, f64)>> {
    let (mut rates, mut next) = (Vec::new(), Value::Null);
    for service in ["iotcore", "iot"] {
        loop {
            let mut ask = json!({"ServiceCode": service, "MaxResults": 100});
            if !next.is_null() {
                ask["NextToken"] = next;
            }
            let target = format!("ServiceQuotasV20190624.{operation}");
            let page = http.rpc(region, "servicequotas", &target, &ask).await?;
            rates.extend(page["Quotas"].as_array().into_iter().flatten().filter_map(|quota| {
                let operation = quota["QuotaName"].as_str()?.strip_suffix(SUFFIX)?;
                Some((operation.to_owned(), quota["Value"].as_f64()?))
            }));
            next = page["NextToken"].clone();
            if next.is_null() {
                break;
            }
        }
    }
    Ok(rates)
}
