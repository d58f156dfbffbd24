//! Whether the quotas of both Regions hold a fleet: what the plan asks of each, phase by phase, beside what applies.
//!
//! A row whose quota nobody knows is unknown and never ok. The same function makes the report of `gameday quota` and the one in
//! a run folder.

mod applied;
mod more;
mod show;
mod storm;

use std::collections::BTreeMap;

use gameday_report::record::{QuotaReport, QuotaRow, QuotaVerdict};

pub(crate) use applied::Applied;
pub(crate) use show::show;
pub(crate) use storm::burst;

use crate::{
    cost::Dispatch,
    plan::{Demand, Limited, Phase, Place, Plan, of_workflow},
    scenario::Scenario,
};

/// Above this share of a quota a row is tight. The harness paces itself to just this.
const TIGHT: f64 = 0.8;
/// Shares are made by division.
const ROUNDING: f64 = 1e-9;
/// Of calls that only the rehearsal makes: deployment, readiness, faults, undo.
const GAME_DAY: &str = "game day";
const PROVISIONING: &str = "provisioning";
const STEADY: &str = "steady";

/// A phase as people say it who have no game day in mind.
fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Load => STEADY,
        Phase::Provision => PROVISIONING,
        Phase::Failover => "failover",
        Phase::Failback => "failback",
        Phase::Preflight | Phase::Deploy | Phase::Readiness | Phase::Break | Phase::Heal | Phase::Undo => {
            GAME_DAY
        }
    }
}

/// In the order in which they come.
fn order(phase: &str) -> usize {
    let all = [STEADY, PROVISIONING, "failover", "failback", GAME_DAY];
    all.iter().position(|each| *each == phase).unwrap_or(all.len())
}

/// The report of a plan beside what applies.
pub(crate) fn report(plan: &Plan, scenario: &Scenario, applied: &Applied, dispatch: Dispatch) -> QuotaReport {
    let workflow = if dispatch == Dispatch::Workflow { of_workflow(&plan.demands) } else { Vec::new() };
    // Phases of the game day itself are one: of each quota the most.
    let mut most: BTreeMap<(usize, Place, Limited, bool), &Demand> = BTreeMap::new();
    for demand in plan.demands.iter().chain(&workflow) {
        let key = (order(phase(demand.phase)), demand.place, demand.limited, demand.is_level);
        let bound = |demand: &Demand| demand.timed.unwrap_or(0.0) + demand.untimed;
        let kept = most.entry(key).or_insert(demand);
        if bound(demand) > bound(kept) {
            *kept = demand;
        }
    }
    let mut rows: Vec<QuotaRow> = most.into_values().map(|demand| row(plan, demand, applied)).collect();
    rows.sort_by(|a, b| {
        let share = |row: &QuotaRow| row.share.unwrap_or(-1.0);
        (order(&a.phase).cmp(&order(&b.phase)))
            .then_with(|| share(b).total_cmp(&share(a)))
            .then_with(|| (&a.what, &a.region).cmp(&(&b.what, &b.region)))
    });
    let storms: Vec<_> =
        plan.influxes.iter().map(|influx| storm::storm(plan, influx, scenario, applied)).collect();
    let requests = more::requests(plan, &rows, &storms);
    let mut notes = applied.notes(&plan.aim);
    notes.extend(plan.faults.iter().filter(|fault| !fault.calls_known).map(|fault| {
        format!("The plan does not know which calls the fault {} makes: they are not counted.", fault.name)
    }));
    QuotaReport {
        title: plan.title.clone(),
        devices: u64::from(plan.devices),
        primary: plan.aim.primary.clone(),
        secondary: plan.aim.secondary.clone(),
        source: applied.source.clone(),
        verdict: verdict(&rows),
        tightest: tightest(&rows),
        rows,
        storms,
        requests,
        notes,
    }
}

/// The worst of all. Calls of the rehearsal itself decide only where they exceed a quota: gameday paces them, or makes them one after
/// another and again when they are throttled.
fn verdict(rows: &[QuotaRow]) -> QuotaVerdict {
    let deciding = rows.iter().filter(|row| row.phase != GAME_DAY || row.verdict == QuotaVerdict::Exceeded);
    deciding.map(|row| row.verdict).max().unwrap_or(QuotaVerdict::Unknown)
}

/// The row that takes most of its quota. Provisioning is paced to four fifths, and only named when it takes more; what the rehearsal
/// alone calls, when it exceeds its quota.
fn tightest(rows: &[QuotaRow]) -> Option<usize> {
    let is_named = |row: &QuotaRow| match row.phase.as_str() {
        _ if row.is_count => false,
        GAME_DAY => row.verdict == QuotaVerdict::Exceeded,
        PROVISIONING => row.share > Some(TIGHT + ROUNDING),
        _ => true,
    };
    let all = rows.iter().enumerate().filter(|(_, row)| is_named(row));
    let all = all.filter_map(|(place, row)| Some((place, row.share?)));
    // Of equal ones the first.
    all.reduce(|most, each| if each.1 > most.1 { each } else { most }).map(|(place, _)| place)
}

fn row(plan: &Plan, demand: &Demand, applied: &Applied) -> QuotaRow {
    let region = plan.aim.region(demand.place);
    let elsewhere = match demand.place {
        Place::Primary => Some(Place::Secondary),
        Place::Secondary => Some(Place::Primary),
        Place::Global => None,
    };
    let quota = applied.of(&demand.limited, region);
    let value = quota.as_ref().map(|quota| quota.value);
    let peak = demand.timed.unwrap_or(0.0) + demand.untimed;
    let share = |of: f64| value.map(|value| if value > 0.0 { of / value } else { f64::MAX });
    let (verdict, why) = match (&demand.limited, share(peak), share(demand.timed.unwrap_or(0.0))) {
        (Limited::Free(_, why), ..) => (QuotaVerdict::Unlimited, *why),
        (_, Some(all), _) if all <= TIGHT + ROUNDING => (QuotaVerdict::Ok, ""),
        (_, Some(all), _) if all <= 1.0 + ROUNDING => (QuotaVerdict::Tight, ""),
        (_, _, Some(timed)) if timed > 1.0 => (QuotaVerdict::Exceeded, ""),
        (_, Some(_), _) => {
            (QuotaVerdict::Unknown, "one after another as fast as answered, and again when throttled")
        }
        (_, None, _) => (QuotaVerdict::Unknown, "no quota of it is known"),
    };
    let share = if verdict == QuotaVerdict::Unknown { None } else { share(peak) };
    QuotaRow {
        phase: phase(demand.phase).to_owned(),
        what: demand.limited.what().to_owned(),
        region: if demand.place == Place::Global { "global".to_owned() } else { region.to_owned() },
        unit: if demand.is_level { "at a time" } else { "per second" }.to_owned(),
        sustained: demand.sustained,
        peak,
        is_count: demand.timed.is_none(),
        quota_elsewhere: elsewhere
            .and_then(|place| applied.of(&demand.limited, plan.aim.region(place)))
            .map(|quota| quota.value),
        quota,
        share,
        verdict,
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests;
