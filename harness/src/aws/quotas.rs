//! Service Quotas of an account in one Region: the quotas that apply, be they AWS's defaults or raised, and requests for more.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow, ensure};
use aws_sdk_servicequotas::{
    operation::request_service_quota_increase::RequestServiceQuotaIncreaseError, types::RequestStatus,
};
use gameday_report::record::QuotaRequest;

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

/// What became of a request for more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It was made; its id.
    Made(String),
    /// One for the same quota is open.
    Pending,
    /// AWS does not raise it.
    Fixed,
}

/// Codes of a service's quotas for more of which a request is open.
///
/// # Errors
/// Service Quotas does not answer, or has more pages than are read.
pub(crate) async fn pending(clients: &RegionClients, service: &str) -> anyhow::Result<BTreeSet<String>> {
    let (mut codes, mut token) = (BTreeSet::new(), None);
    for _ in 0..PAGES_MAX {
        let page = clients.quotas.list_requested_service_quota_change_history().service_code(service);
        let page = page.set_next_token(token).send().await.map_err(|e| anyhow!(describe(&e)));
        let page =
            page.with_context(|| format!("the requests for more of {service} in {}", clients.region))?;
        for request in page.requested_quotas.unwrap_or_default() {
            let is_open = matches!(request.status, Some(RequestStatus::Pending | RequestStatus::CaseOpened));
            codes.extend(request.quota_code.filter(|_| is_open));
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(codes);
        }
    }
    ensure!(token.is_none(), "{service} has more than {PAGES_MAX} pages of requests");
    Ok(codes)
}

/// Asks AWS for more, unless that was asked for already.
///
/// # Errors
/// Service Quotas refuses it, or does not answer.
pub(crate) async fn ask_for_more(
    clients: &RegionClients,
    request: &QuotaRequest,
    pending: &BTreeSet<String>,
) -> anyhow::Result<Asked> {
    let Some(desired) = request.desired else { return Ok(Asked::Fixed) };
    if pending.contains(&request.code) {
        return Ok(Asked::Pending);
    }
    let call = clients.quotas.request_service_quota_increase();
    let call = call.service_code(&request.service).quota_code(&request.code).desired_value(desired);
    match call.send().await {
        Ok(answer) => Ok(Asked::Made(answer.requested_quota.and_then(|asked| asked.id).unwrap_or_default())),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(RequestServiceQuotaIncreaseError::is_resource_already_exists_exception) =>
        {
            Ok(Asked::Pending)
        }
        Err(error) => Err(anyhow!(describe(&error))).with_context(|| {
            format!("more of {} in {} could not be asked for", request.name, clients.region)
        }),
    }
}
