//! The peak of each rate beside the quota that limits it.

use std::collections::BTreeMap;

use gameday_twin::{AppliedQuota, QuotaBook};
use serde::Serialize;

use super::{Aim, Demand, Limited, Phase, Place};

/// A peak and its quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Headroom {
    /// What is limited, as a reader says it: an operation, `CONNECT`, `inbound messages`.
    pub(crate) what: String,
    pub(crate) region: String,
    /// In which phase its peak is.
    pub(crate) phase: Phase,
    /// In a second; of `connections`, at a time.
    pub(crate) peak: f64,
    pub(crate) quota: f64,
    pub(crate) quota_code: &'static str,
    pub(crate) quota_name: &'static str,
    pub(crate) adjustable: bool,
    /// Of the quota, what the peak takes: above 1 it is too small.
    pub(crate) share: f64,
}

/// All of them, the tightest first. What is not timed has no peak.
pub(super) fn all(demands: &[Demand], aim: &Aim) -> Vec<Headroom> {
    let book = aim.quotas();
    let mut peaks: BTreeMap<(Place, Limited), (Phase, f64)> = BTreeMap::new();
    for demand in demands {
        let Some(peak) = demand.timed else { continue };
        let most = peaks.entry((demand.place, demand.limited)).or_insert((demand.phase, peak));
        if peak > most.1 {
            *most = (demand.phase, peak);
        }
    }
    let mut all: Vec<Headroom> = peaks
        .into_iter()
        .filter_map(|((place, limited), (phase, peak))| {
            let region = aim.region(place);
            let quota = limited.quota(&book, region)?;
            Some(Headroom {
                what: limited.what().to_owned(),
                region: region.to_owned(),
                phase,
                peak,
                quota: quota.value,
                quota_code: quota.code,
                quota_name: quota.name,
                adjustable: quota.adjustable,
                share: if quota.value > 0.0 { peak / quota.value } else { f64::MAX },
            })
        })
        .collect();
    all.sort_by(|a, b| {
        b.share.total_cmp(&a.share).then_with(|| (&a.what, &a.region).cmp(&(&b.what, &b.region)))
    });
    all
}

impl Limited {
    /// The quota as a book has it; none if AWS publishes none.
    pub(crate) fn quota(&self, book: &QuotaBook, region: &str) -> Option<AppliedQuota> {
        match self {
            Self::Code(code, _) => book.of_code(region, code),
            Self::Calls(service, operation) => book.of_calls(region, service, operation),
            Self::Free(..) => None,
        }
    }
}
