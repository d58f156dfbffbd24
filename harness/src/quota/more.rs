//! What to ask AWS for: one request a quota and Region, for the phase that asks most of it.

use std::{collections::BTreeMap, fmt::Write as _};

use gameday_report::record::{Quota, QuotaRequest, QuotaRow, QuotaStorm, QuotaVerdict};

use super::{GAME_DAY, STEADY};
use crate::plan::{Plan, number, span};

/// What is asked for above the peak, so that the peak is four fifths of it.
const MARGIN: f64 = 1.25;

/// Of the rows that are tight or exceed their quota, but for what the rehearsal alone calls.
pub(super) fn requests(plan: &Plan, rows: &[QuotaRow], storms: &[QuotaStorm]) -> Vec<QuotaRequest> {
    let mut most: BTreeMap<(&str, &str), (&QuotaRow, f64)> = BTreeMap::new();
    let is_asked = |row: &&QuotaRow| {
        row.phase != GAME_DAY && matches!(row.verdict, QuotaVerdict::Tight | QuotaVerdict::Exceeded)
    };
    for row in rows.iter().filter(is_asked) {
        let Some(quota) = &row.quota else { continue };
        let kept = most.entry((quota.code.as_str(), row.region.as_str())).or_insert((row, row.peak));
        if row.peak > kept.1 {
            *kept = (row, row.peak);
        }
    }
    most.into_values().filter_map(|(row, _)| request(plan, row, storms)).collect()
}

fn request(plan: &Plan, row: &QuotaRow, storms: &[QuotaStorm]) -> Option<QuotaRequest> {
    let quota = row.quota.as_ref()?;
    let desired = sensible(row.peak * MARGIN);
    let unit = if row.unit == "per second" { "a second" } else { "at a time" };
    let mut reason = format!(
        "In {}{}, {} devices need up to {} {} {unit} in {}, and {} apply.",
        row.phase,
        if row.phase == STEADY { " state" } else { "" },
        number(f64::from(plan.devices)),
        number(row.peak),
        row.what,
        row.region,
        number(quota.value),
    );
    let storm = storms.iter().find(|storm| storm.phase == row.phase && storm.region == row.region);
    if let (Some(storm), Quota::CONNECTS) = (storm, quota.code.as_str()) {
        let from = if row.phase == "failover" { &plan.aim.primary } else { &plan.aim.secondary };
        let _ = write!(reason, " All of them come from {from} at once");
        if let Some(least_s) = storm.time_least_s {
            let _ = write!(reason, "; as it is the last one is let in after {} at the least", span(least_s));
        }
        reason.push('.');
    }
    if quota.adjustable {
        let _ = write!(reason, " {} leaves a quarter of the peak as room.", number(desired));
    } else {
        reason.push_str(" AWS does not raise it: the scenario has to ask for less.");
    }
    Some(QuotaRequest {
        region: row.region.clone(),
        service: quota.service.clone(),
        code: quota.code.clone(),
        name: quota.name.clone(),
        applied: quota.value,
        desired: quota.adjustable.then_some(desired),
        reason,
    })
}

/// The next number up that a person would ask for: of two digits.
fn sensible(number: f64) -> f64 {
    if number <= 10.0 {
        return number.ceil().max(1.0);
    }
    let step = 10_f64.powf(number.log10().floor() - 1.0);
    (number / step - 1e-9).ceil() * step
}

/// The command that makes a request by hand.
pub(super) fn command(request: &QuotaRequest) -> Option<String> {
    let desired = request.desired?;
    Some(format!(
        "aws service-quotas request-service-quota-increase --region {} --service-code {} --quota-code {} --desired-value {desired}",
        request.region, request.service, request.code,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_a_round_number_above_what_is_needed() {
        let asked = [0.2, 3.1, 10.0, 12.5, 127.0, 130.0, 625.0, 999.0, 31_250.0].map(sensible);
        let expected = [1.0, 4.0, 10.0, 13.0, 130.0, 130.0, 630.0, 1_000.0, 32_000.0];
        for (asked, expected) in asked.into_iter().zip(expected) {
            assert!((asked - expected).abs() < 1e-6, "{asked} is not {expected}");
        }
    }
}
