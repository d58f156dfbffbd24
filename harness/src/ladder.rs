//! The quota ladder: finds by calling what an account's quota of an operation really is. Rungs of calls at a steady rate, open
//! loop, go up until something is throttled or the cap is reached; then the rate that goes through is measured above the quota,
//! confirmed below it, and the bucket's size and the time until it gives again are looked for.
//!
//! Every call is harmless: it names what does not exist, or asks what changes nothing, so that nothing has to be undone.
//! [`climb`] never offers more than its cap, stops when the answers are neither, and says how sure each figure is; a rate that
//! this machine could not offer is never taken for the account's.

mod calls;
mod course;
mod mqtt;
mod rung;

use std::collections::BTreeMap;

use serde::Serialize;

pub(crate) use calls::{CALLS, Callers, HarmlessCall, With};
use course::Course;
pub(crate) use mqtt::{Endpoint, MQTT_CALLS, MqttCall, Over};
pub(crate) use rung::{Answer, Rung, Seen};

/// What a ladder found of one operation in one Region. Rates are calls a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// AWS's name.
    pub(crate) operation: String,
    pub(crate) region: String,
    /// Never more than this was offered.
    pub(crate) cap_per_s: f64,
    /// The highest rate of a rung in which nothing was throttled, and which the quota holds.
    pub(crate) good_per_s: Option<f64>,
    /// The lowest rate of a rung in which something was.
    pub(crate) throttled_per_s: Option<f64>,
    /// What goes through in the long run while more is offered: the quota.
    pub(crate) sustained_per_s: Option<f64>,
    /// The most that `sustained_per_s` may be off, as a share of it.
    pub(crate) error_share: Option<f64>,
    /// Calls that went through at once after a rest, beyond what the rate gave meanwhile: the bucket's size.
    pub(crate) burst_calls: Option<f64>,
    /// From the last throttled call of a burst to the next that went through.
    pub(crate) recovery_ms: Option<f64>,
    /// How it showed: `429 ThrottlingException` and how often, `silence`.
    pub(crate) shown_as: BTreeMap<String, u64>,
    /// Calls made in all.
    pub(crate) calls: u64,
    pub(crate) end: End,
}

/// Why a ladder ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// The quota was reached and measured.
    Measured,
    /// Nothing was throttled up to the cap: the quota is at least the last good rate.
    CapReached,
    /// This machine could not offer the rate; nothing is said of the account beyond the last good rate.
    Bottleneck,
    /// Calls were answered with something that no quota explains; the text is the last such answer.
    Failed(String),
}

/// One harmless call: its answer, within a bound of its own.
pub(crate) trait Call {
    fn call(&self) -> impl Future<Output = Answer> + Send + 'static;
}

/// Climbs, and tells each rung and what was seen on it.
pub(crate) async fn climb(
    operation: &str,
    region: &str,
    cap_per_s: f64,
    call: &impl Call,
    mut tell: impl FnMut(&Rung, &Seen),
) -> Finding {
    let mut course = Course::new(cap_per_s);
    let (mut calls, mut shown_as) = (0, BTreeMap::new());
    while let Some(rung) = course.next() {
        let seen = rung.offer(call).await;
        tell(&rung, &seen);
        calls += seen.calls.len() as u64;
        for shown in seen.shown() {
            *shown_as.entry(shown.to_owned()).or_default() += 1;
        }
        course.saw(&rung, &seen);
    }
    let found = course.found();
    Finding {
        operation: operation.to_owned(),
        region: region.to_owned(),
        cap_per_s,
        good_per_s: found.good_per_s,
        throttled_per_s: found.throttled_per_s,
        sustained_per_s: found.sustained.map(|(per_s, _)| per_s),
        error_share: found.sustained.map(|(_, error_share)| error_share),
        burst_calls: found.burst_calls,
        recovery_ms: found.recovery.map(|recovery| recovery.as_secs_f64() * 1_000.0),
        shown_as,
        calls,
        end: course.end(),
    }
}

/// As a person says it.
pub(crate) fn per_s(rate_per_s: f64) -> String {
    let places = usize::from(rate_per_s < 100.0);
    format!("{rate_per_s:.places$}/s")
}
