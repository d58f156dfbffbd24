//! What becomes of a fleet that moves at once: the bound that the CONNECT quota draws.
//!
//! A bucket that is full at the first CONNECT and asked without a pause lets nobody in earlier. Health checks take CONNECTs of the
//! same quota, and a device that is refused waits: so the last one is in between that bound and the one of what health
//! checks leave, and a longest wait of the back-off.

use std::time::Duration;

use gameday_report::record::{Backoff, Quota, QuotaStorm};

use super::{Applied, phase};
use crate::{
    plan::{Influx, Limited, Plan},
    scenario::Scenario,
};

/// What a bucket holds that nobody says anything of, in seconds of its rate. So the twin's do.
const BURST_S: f64 = 1.0;

/// What a bucket of this rate holds: one at the least.
pub(crate) fn burst(quota_per_s: f64) -> f64 {
    (quota_per_s * BURST_S).max(1.0)
}

pub(super) fn storm(plan: &Plan, influx: &Influx, scenario: &Scenario, applied: &Applied) -> QuotaStorm {
    let region = plan.aim.region(influx.place);
    let quota = applied.of(&Limited::Code(Quota::CONNECTS, "CONNECT"), region).map(|quota| quota.value);
    let backoff = &scenario.fleet.backoff;
    let whole_ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let bound = |quota_per_s: f64| Bound { influx: *influx, quota_per_s, burst: burst(quota.unwrap_or(0.0)) };
    let most_s = |quota: f64| {
        let left = quota - influx.others_per_s;
        let wait_s = if influx.per_s > quota { backoff.max.as_secs_f64() } else { 0.0 };
        (left > 0.0).then(|| bound(left).last_s() + wait_s)
    };
    QuotaStorm {
        phase: phase(influx.phase).to_owned(),
        region: region.to_owned(),
        devices: u64::from(plan.devices).min(whole(influx.devices)),
        offered_per_s: influx.per_s,
        quota_per_s: quota,
        burst: quota.map_or(0.0, burst),
        others_per_s: influx.others_per_s,
        backoff: Backoff { min_ms: whole_ms(*backoff.min), max_ms: whole_ms(*backoff.max) },
        time_least_s: quota.map(|quota| bound(quota).last_s()),
        time_most_s: quota.and_then(most_s),
        wait_mean_s: quota.map(|quota| bound(quota).mean_s()),
    }
}

struct Bound {
    influx: Influx,
    quota_per_s: f64,
    burst: f64,
}

impl Bound {
    /// When so many can be in: they have come, and the bucket has let them in.
    fn at_s(&self, place: f64) -> f64 {
        let came_s = (place - 1.0).max(0.0) / self.influx.per_s;
        let beyond = (place - self.burst).max(0.0);
        if beyond > 0.0 { came_s.max(beyond / self.quota_per_s) } else { came_s }
    }

    fn last_s(&self) -> f64 {
        self.at_s(self.influx.devices)
    }

    fn mean_s(&self) -> f64 {
        let devices = whole(self.influx.devices).max(1);
        (1..=devices).map(|place| self.at_s(place as f64)).sum::<f64>() / devices as f64
    }
}

fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates at both ends")]
    let whole = number.round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Phase, Place};

    #[test]
    fn the_bound_is_a_full_bucket_asked_without_a_pause_and_no_one_is_in_before_they_came() {
        let influx = Influx {
            phase: Phase::Failover,
            place: Place::Secondary,
            devices: 60.0,
            per_s: 60.0,
            others_per_s: 1.6,
        };
        let slow = Bound { influx, quota_per_s: 10.0, burst: 10.0 };
        assert!((slow.last_s() - 5.0).abs() < 1e-9, "50 beyond the bucket: {}", slow.last_s());
        // Ten come in the first sixth of a second, and fifty at a tenth of a second each: 0.1 to 5 s.
        let mean_s = slow.mean_s();
        assert!((mean_s - (0.75 + 127.5) / 60.0).abs() < 0.1, "{mean_s}");
        let fast = Bound { influx, quota_per_s: 500.0, burst: 500.0 };
        assert!((fast.last_s() - 59.0 / 60.0).abs() < 1e-9, "nobody waits: {}", fast.last_s());
    }
}
