//! An objective against what was measured. What was not measured is `Unknown`, and says why.

use crate::objective::{Metric, Objective, Op, Shape, Statistic, Target};
use crate::summary::ObjectiveRow;
use crate::units;
use crate::verdict::Verdict;

use super::Evidence;
use super::journeys::Journeys;
use super::spread::{at, histogram_at};

/// A number, in the unit of its target: microseconds, things or percent.
struct Measurement {
    value: f64,
    samples: u64,
    /// The true value is this or more.
    at_least: bool,
    /// What a reader should know of it.
    note: Option<String>,
}

/// Writes are written down when the run ends.
const NO_LEDGER: &str = "The run was killed before it wrote down its writes.";

type Measured = Result<Measurement, String>;

fn exactly(value: f64, samples: u64) -> Measurement {
    Measurement { value, samples, at_least: false, note: None }
}

/// The row of an objective as the scenario says it.
pub(crate) fn row(evidence: &Evidence<'_>, key: &str, condition: &str) -> ObjectiveRow {
    let mut row = ObjectiveRow {
        metric: key.to_owned(),
        condition: condition.to_owned(),
        measured: "not measured".to_owned(),
        value: None,
        value_unit: String::new(),
        target: None,
        samples: 0,
        verdict: Verdict::Unknown,
        why: String::new(),
    };
    let objective = match Objective::parse(key, condition) {
        Ok(objective) => objective,
        Err(error) => {
            row.why = format!("It is not an objective: {error}.");
            return row;
        }
    };
    let (unit, scale) = match objective.target {
        Target::DurationUs(_) => ("ms", 1e-3),
        Target::Count(_) => ("count", 1.0),
        Target::Percent(_) => ("percent", 1.0),
    };
    unit.clone_into(&mut row.value_unit);
    row.target = Some(objective.target.value() * scale);
    match measure(evidence, &objective) {
        Err(why) => row.why = why,
        Ok(mut measured) => {
            let unsettled = !evidence.completed && settles_late(objective.metric.name);
            if unsettled {
                measured.note = Some("the run ended before everything had its time".to_owned());
            }
            row.measured = text(&objective, &measured);
            row.value = Some(measured.value * scale);
            row.samples = measured.samples;
            row.verdict = if unsettled { Verdict::Unknown } else { verdict(&objective, &measured) };
            if row.verdict == Verdict::Fail
                && let Some(doubt) = doubt(evidence, &objective)
            {
                row.verdict = Verdict::Unknown;
                measured.note = Some(doubt.clone());
            }
            row.why = why(&objective, &measured, row.verdict);
        }
    }
    row
}

/// Counts that only mean something when devices and writes had their time to arrive: a run that was ended early cannot
/// be blamed for what it did not wait for.
fn settles_late(metric: &str) -> bool {
    // How ready devices were was settled when they were looked at.
    metric != "devices.not_ready"
        && ["writes.", "devices.", "rpo."].iter().any(|family| metric.starts_with(family))
}

/// What devices do because of a fault. Without the fault it would be no failure of theirs.
fn is_of_journeys(metric: &str) -> bool {
    ["failover.", "failback."].iter().any(|family| metric.starts_with(family))
        || ["devices.failed_over", "devices.failed_back", "devices.stranded"].contains(&metric)
}

/// Why an objective that was missed cannot be called so.
fn doubt<'a>(evidence: &'a Evidence<'_>, objective: &Objective) -> Option<&'a String> {
    let of_journeys = is_of_journeys(objective.metric.name);
    // A harness that is late measures each time as too long.
    let is_time = matches!(objective.target, Target::DurationUs(_));
    evidence
        .doubt
        .as_ref()
        .filter(|_| of_journeys)
        .or_else(|| evidence.slow.as_ref().filter(|_| of_journeys || is_time))
        .or_else(|| evidence.blind.as_ref().filter(|_| is_of_sight(objective.metric.name)))
}

/// What hangs on what was seen in the secondary.
fn is_of_sight(metric: &str) -> bool {
    ["writes.", "rpo."].iter().any(|family| metric.starts_with(family))
}

fn text(objective: &Objective, measured: &Measurement) -> String {
    let value = match objective.target {
        Target::DurationUs(_) => units::duration(measured.value),
        Target::Count(_) => units::number(measured.value),
        Target::Percent(_) => units::percent(measured.value),
    };
    if measured.at_least { format!("> {value}") } else { value }
}

fn verdict(objective: &Objective, measured: &Measurement) -> Verdict {
    let holds = objective.op.holds(measured.value, objective.target.value());
    // When the true value is this or more, only what that already decides is decided.
    let decided = !measured.at_least
        || match objective.op {
            Op::AtMost | Op::Below => !holds,
            Op::AtLeast | Op::Above => holds,
            Op::Equal => measured.value > objective.target.value(),
        };
    match (decided, holds) {
        (true, true) => Verdict::Pass,
        (true, false) => Verdict::Fail,
        (false, _) => Verdict::Unknown,
    }
}

fn why(objective: &Objective, measured: &Measurement, verdict: Verdict) -> String {
    let noun = match objective.metric.name.split('.').next() {
        _ if objective.metric.name.starts_with("failover.storm.") => "device",
        Some("failover" | "failback") if objective.metric.shape == Shape::Scalar => "break",
        Some("failover" | "failback" | "devices" | "connects") => "device",
        Some("writes" | "rpo") => "write",
        Some("api") => "call",
        Some("sends") => "send",
        _ => "sample",
    };
    let over = format!("Over {}", units::plural(measured.samples, noun));
    let note = measured.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
    match verdict {
        Verdict::Pass | Verdict::Fail => format!("{over}{note}."),
        Verdict::Unknown => format!("{over}{note}; it cannot be said."),
    }
}

fn measure(evidence: &Evidence<'_>, objective: &Objective) -> Measured {
    let name = objective.metric.name;
    let statistic = objective.statistic.unwrap_or(Statistic::Max);
    match name {
        "failover.outage" => {
            broken(evidence)?;
            journeys(&evidence.failovers, statistic, "failed over")
        }
        "failback.time" => {
            cured(evidence)?;
            journeys(&evidence.failbacks, statistic, "failed back")
        }
        "failback.outage" => at(&evidence.failback_outage_us, statistic.quantile())
            .map(|us| exactly(us as f64, evidence.failback_outage_us.len() as u64))
            .ok_or_else(|| "No device failed back.".to_owned()),
        "failover.detection" => {
            moment(evidence, "health check", |each| each.unhealthy_us, evidence.health_watched)
        }
        "failover.answer" => moment(evidence, "DNS answer", |each| each.answer_us, evidence.answer_watched),
        "failover.storm.ratio" | "failover.storm.time" => storm(evidence, name),
        "connects.throttled" => {
            broken(evidence)?;
            Ok(exactly(evidence.connects_throttled.unwrap_or(0) as f64, evidence.failovers.ways.len() as u64))
        }
        _ if objective.metric.shape == Shape::Distribution => latency(evidence, objective.metric, statistic),
        _ if name.starts_with("writes.") => writes(evidence, name),
        "devices.not_ready" => not_ready(evidence, objective),
        _ if name.starts_with("devices.") => devices(evidence, objective),
        _ if name.starts_with("rpo.") => rpo(evidence, objective),
        "api.throttled" => match &evidence.api {
            None => Err("The record has no API calls.".to_owned()),
            Some(rows) => {
                let calls = rows.iter().map(|row| row.ok + row.throttled + row.failed).sum();
                Ok(exactly(rows.iter().map(|row| row.throttled).sum::<u64>() as f64, calls))
            }
        },
        "sends.unsent" if evidence.harness.intended_sends > 0 => {
            Ok(exactly(evidence.harness.unsent_sends as f64, evidence.harness.intended_sends))
        }
        "sends.unsent" => Err("The record has no sends.".to_owned()),
        _ => Err(format!("{name} is not measured.")),
    }
}

fn storm(evidence: &Evidence<'_>, name: &str) -> Measured {
    broken(evidence)?;
    if evidence.failovers.ways.is_empty() {
        return Err("No device failed over.".to_owned());
    }
    let storm = evidence.storm.as_ref();
    let storm = storm.ok_or("The record does not say what CONNECT quota the secondary had.")?;
    let last = storm.shares.last().filter(|_| storm.missing == 0);
    let value = match name {
        "failover.storm.ratio" => {
            storm.ratio.ok_or("The whole fleet fits into the bucket of the quota: there was no storm.")?
        }
        // Of a device that did not come, the least is what those took that did.
        _ => last.or(storm.shares.last()).map_or(0.0, |share| share.took_ms * 1e3),
    };
    let at_least = storm.missing > 0;
    let note = at_least.then(|| format!("{} of them never came", units::count(storm.missing)));
    Ok(Measurement { at_least, note, ..exactly(value, storm.devices + storm.missing) })
}

fn broken(evidence: &Evidence<'_>) -> Result<(), String> {
    if evidence.timeline.breaks.is_empty() { Err("No fault was applied.".to_owned()) } else { Ok(()) }
}

fn cured(evidence: &Evidence<'_>) -> Result<(), String> {
    broken(evidence)?;
    let cured = evidence.timeline.breaks.iter().any(|each| each.cured_us.is_some());
    if cured { Ok(()) } else { Err("No fault was cured.".to_owned()) }
}

/// A percentile over the devices that came and those that did not: these count as longer than any that came.
fn journeys(journeys: &Journeys<'_>, statistic: Statistic, what: &str) -> Measured {
    let (us, at_least) =
        journeys.percentile_us(statistic.quantile()).ok_or_else(|| format!("No device {what}."))?;
    let note =
        (journeys.missing > 0).then(|| format!("{} of them never {what}", units::count(journeys.missing)));
    let samples = journeys.ways.len() as u64 + journeys.missing;
    Ok(Measurement { at_least, note, ..exactly(us as f64, samples) })
}

fn moment(
    evidence: &Evidence<'_>,
    what: &str,
    moment: impl Fn(&super::timeline::Break) -> Option<u64>,
    watched: bool,
) -> Measured {
    broken(evidence)?;
    if !watched {
        return Err(format!("The {what} was not watched."));
    }
    let breaks = &evidence.timeline.breaks;
    let took = |(index, each): (usize, &super::timeline::Break)| match moment(each) {
        Some(at_us) => (at_us.saturating_sub(each.began_us), false),
        None => (evidence.timeline.until_us(index).saturating_sub(each.began_us), true),
    };
    let (us, at_least) = breaks.iter().enumerate().map(took).max().unwrap_or_default();
    let note = at_least.then(|| format!("the {what} did not change while the fault lasted"));
    Ok(Measurement { at_least, note, ..exactly(us as f64, breaks.len() as u64) })
}

fn latency(evidence: &Evidence<'_>, metric: &Metric, statistic: Statistic) -> Measured {
    let measured = evidence.latencies.get(metric.name).ok_or("There are no samples.")?;
    let us = histogram_at(&measured.merged, statistic.quantile());
    Ok(exactly(us as f64, measured.merged.len()))
}

fn writes(evidence: &Evidence<'_>, name: &str) -> Measured {
    let ledger = &evidence.ledger;
    let acked = ledger.writes - ledger.unknown - ledger.rejected - ledger.unsent - ledger.unobserved;
    let (value, of) = match name {
        "writes.lost" => (ledger.lost, acked),
        "writes.stale" => (ledger.stale, acked),
        "writes.unknown" => (ledger.unknown, ledger.writes),
        "writes.rejected" => (ledger.rejected, ledger.writes),
        "writes.unsent" => (ledger.unsent, ledger.writes),
        _ => (ledger.visible, ledger.writes),
    };
    match (ledger.writes, of) {
        (0, _) if evidence.timeline.end.is_none() => Err(NO_LEDGER.to_owned()),
        (0, _) => Err("There were no shadow writes.".to_owned()),
        (_, 0) => Err("No shadow write was acknowledged.".to_owned()),
        _ => Ok(exactly(value as f64, of)),
    }
}

fn devices(evidence: &Evidence<'_>, objective: &Objective) -> Measured {
    let devices = &evidence.devices;
    let value = if objective.metric.name == "devices.connectable" {
        devices.connectable.ok_or("Nobody looked whether devices can connect in the secondary.")?
    } else {
        broken(evidence)?;
        if devices.connected_before_fault == 0 {
            return Err("No device was connected before the fault.".to_owned());
        }
        match objective.metric.name {
            "devices.failed_over" => devices.failed_over,
            "devices.failed_back" => return failed_back(evidence, objective),
            _ => devices.stranded,
        }
    };
    share(objective, value, devices.fleet, devices.fleet)
}

/// Of the devices that are to come home: one that stays because its strategy says so is no failure, and no success.
fn failed_back(evidence: &Evidence<'_>, objective: &Objective) -> Measured {
    cured(evidence)?;
    let (expected, fleet) = (evidence.devices.expected_back, evidence.devices.fleet);
    if expected == 0 {
        return Err("No device has a strategy that brings it home.".to_owned());
    }
    let measured = share(objective, evidence.devices.failed_back, expected, expected)?;
    let note = (expected < fleet).then(|| {
        let staying = units::plural(fleet - expected, "device");
        format!("{staying} more stay in the secondary by strategy and are not counted")
    });
    Ok(Measurement { note, ..measured })
}

/// The worst look. What could not be looked at, in whichever look, may be not ready as well.
fn not_ready(evidence: &Evidence<'_>, objective: &Objective) -> Measured {
    let mut worst: Option<Measurement> = None;
    for row in &evidence.readiness {
        let looked = row.ready + row.not_ready + row.unknown;
        if looked == 0 {
            return Err("There was no device to look at.".to_owned());
        }
        let measured = share(objective, row.not_ready, looked, looked)?;
        if worst.as_ref().is_none_or(|worst| measured.value > worst.value) {
            worst = Some(measured);
        }
    }
    let unknown: u64 = evidence.readiness.iter().map(|row| row.unknown).sum();
    let note = (unknown > 0).then(|| format!("{} could not be looked at", units::plural(unknown, "device")));
    let worst = worst.ok_or("No step looked whether the secondary would let devices in.")?;
    Ok(Measurement { at_least: unknown > 0, note, ..worst })
}

/// A number of devices, as a share of the fleet if the target is one.
fn share(objective: &Objective, value: u64, fleet: u64, samples: u64) -> Measured {
    match (objective.target, fleet) {
        (Target::Percent(_), 0) => Err("The fleet has no devices.".to_owned()),
        (Target::Percent(_), _) => Ok(exactly(value as f64 / fleet as f64 * 100.0, samples)),
        _ => Ok(exactly(value as f64, samples)),
    }
}

fn rpo(evidence: &Evidence<'_>, objective: &Objective) -> Measured {
    let rpo = evidence.rpo.as_ref().ok_or("No fault was applied.")?;
    if rpo.acked == 0 && evidence.ledger.writes == 0 && evidence.timeline.end.is_none() {
        return Err(NO_LEDGER.to_owned());
    }
    if rpo.acked == 0 {
        return Err("The primary acknowledged no write before the fault.".to_owned());
    }
    match objective.metric.name {
        "rpo.seconds" => Ok(exactly(rpo.age_ms * 1e3, rpo.acked)),
        "rpo.writes" => Ok(exactly(rpo.missing as f64, rpo.acked)),
        _ => share(objective, rpo.devices, evidence.devices.fleet, rpo.acked),
    }
}
