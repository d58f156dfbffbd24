//! What Service Quotas says of an account in one Region: the quotas that apply, be they AWS's defaults or raised.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, ensure};

use super::{RegionClients, describe};

/// Pages of a service's quotas at the most. AWS has some 300 for IoT, 100 a page.
const PAGES_MAX: usize = 50;

/// One quota as it applies to an account.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AppliedQuota {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) is_adjustable: bool,
}

/// The quotas of a service by their codes.
///
/// # Errors
/// Service Quotas does not answer, or has more pages than are read.
pub(crate) async fn applied_quotas(
    clients: &RegionClients,
    service: &str,
) -> anyhow::Result<BTreeMap<String, AppliedQuota>> {
    let mut quotas = BTreeMap::new();
    let mut token = None;
    for _ in 0..PAGES_MAX {
        let page = clients.quotas.list_service_quotas().service_code(service).set_next_token(token).send();
        let page = page.await.map_err(|e| anyhow!(describe(&e)));
        let page = page.with_context(|| format!("the quotas of {service} in {}", clients.region))?;
        for quota in page.quotas.unwrap_or_default() {
            if let (Some(code), Some(name), Some(value)) = (quota.quota_code, quota.quota_name, quota.value) {
                quotas.insert(code, AppliedQuota { name, value, is_adjustable: quota.adjustable });
            }
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(quotas);
        }
    }
    ensure!(token.is_none(), "{service} has more than {PAGES_MAX} pages of quotas");
    Ok(quotas)
}
