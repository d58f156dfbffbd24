//! The peak of each rate beside the quota that limits it.

use std::collections::BTreeMap;

use gameday_twin::{AppliedQuota, QuotaBook};
use serde::Serialize;

use super::{Aim, Caller, Phase, Place, Quantity, messages::Stay, quantity::unit};

/// Codes of quotas that are not of one operation.
const CONNECTS: &str = "L-AEA1E176";
const CONNECTIONS: &str = "L-75CAB723";
const INBOUND: &str = "L-4B33E451";
const OUTBOUND: &str = "L-FE4EDCF9";
const SUBSCRIBES: &str = "L-589D5E1D";
const SHADOWS: &str = "L-6CC6395A";
const RULES: &str = "L-5E9B88DA";
/// Messages that the service publishes for a shadow's update, which count as inbound ones: accepted and documents.
const SHADOW_REPLIES: f64 = 2.0;

/// A peak and its quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Headroom {
    /// What is limited, as a reader says it: an operation, `CONNECT`, `messages in`.
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

/// What comes together in a phase.
#[derive(Debug, Default)]
struct Peak {
    /// The harness has one pace for all its calls of an operation.
    harness_per_s: f64,
    others_per_s: f64,
}

impl Peak {
    fn add(&mut self, quantity: &Quantity, per_s: f64) {
        if quantity.caller == Caller::Harness && quantity.is_call() {
            self.harness_per_s = self.harness_per_s.max(per_s);
        } else {
            self.others_per_s += per_s;
        }
    }

    fn per_s(&self) -> f64 {
        self.harness_per_s + self.others_per_s
    }
}

/// What is summed up under one quota.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Limited {
    Code(&'static str, &'static str),
    Calls(&'static str, &'static str),
}

/// Under which quotas a quantity counts, and how much of it.
fn limited(quantity: &Quantity) -> Vec<(Limited, f64)> {
    let messages = Limited::Code(INBOUND, "messages in");
    let shadows = Limited::Code(SHADOWS, "shadow requests");
    match (quantity.service, quantity.unit) {
        unit::CONNECT => vec![(Limited::Code(CONNECTS, "CONNECT"), 1.0)],
        unit::SUBSCRIBE => vec![(Limited::Code(SUBSCRIBES, "SUBSCRIBE"), 1.0)],
        unit::PUBLISH => vec![(messages, 1.0)],
        unit::DELIVERY => vec![(Limited::Code(OUTBOUND, "messages out"), 1.0)],
        unit::SHADOW_UPDATE | ("iotdata", "UpdateThingShadow") => {
            vec![(shadows, 1.0), (messages, SHADOW_REPLIES)]
        }
        ("iotdata", _) => vec![(shadows, 1.0)],
        unit::RULE_EVALUATION => vec![(Limited::Code(RULES, "rule evaluations"), 1.0)],
        (service, operation) => vec![(Limited::Calls(service, operation), 1.0)],
    }
}

/// All of them, the tightest first.
pub(super) fn all(quantities: &[Quantity], stays: &[Stay], aim: &Aim) -> Vec<Headroom> {
    let book = aim.quotas();
    let mut peaks: BTreeMap<(Place, Limited), BTreeMap<Phase, Peak>> = BTreeMap::new();
    for quantity in quantities {
        let Some(peak) = quantity.peak_per_s else { continue };
        for (limited, times) in limited(quantity) {
            let phases = peaks.entry((quantity.place, limited)).or_default();
            phases.entry(quantity.phase).or_default().add(quantity, peak * times);
        }
    }
    let mut all: Vec<Headroom> = peaks
        .into_iter()
        .filter_map(|((place, limited), phases)| {
            let region = aim.region(place);
            let (quota, what) = found(&book, region, &limited)?;
            let peaks = phases.into_iter().map(|(phase, peak)| (phase, peak.per_s()));
            let (phase, peak) = peaks.max_by(|a, b| a.1.total_cmp(&b.1))?;
            Some(headroom(what, region, phase, peak, quota))
        })
        .collect();
    for place in [Place::Primary, Place::Secondary] {
        let devices =
            stays.iter().filter(|stay| stay.is_at(place)).map(|stay| stay.devices).fold(0.0, f64::max);
        let region = aim.region(place);
        if devices > 0.0
            && let Some(quota) = book.of_code(region, CONNECTIONS)
        {
            all.push(headroom("connections", region, Phase::Load, devices, quota));
        }
    }
    all.sort_by(|a, b| {
        b.share.total_cmp(&a.share).then_with(|| (&a.what, &a.region).cmp(&(&b.what, &b.region)))
    });
    all
}

fn found(book: &QuotaBook, region: &str, limited: &Limited) -> Option<(AppliedQuota, &'static str)> {
    match limited {
        Limited::Code(code, what) => Some((book.of_code(region, code)?, what)),
        Limited::Calls(service, operation) => Some((book.of_calls(region, service, operation)?, operation)),
    }
}

fn headroom(what: &str, region: &str, phase: Phase, peak: f64, quota: AppliedQuota) -> Headroom {
    Headroom {
        what: what.to_owned(),
        region: region.to_owned(),
        phase,
        peak,
        quota: quota.value,
        quota_code: quota.code,
        quota_name: quota.name,
        adjustable: quota.adjustable,
        share: if quota.value > 0.0 { peak / quota.value } else { f64::MAX },
    }
}
