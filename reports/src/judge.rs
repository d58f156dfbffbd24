//! What a record means. [`judge`] is a pure function of the record: no clock, no files, and no way to fail, so that the
//! same run folder has the same verdict for ever, and a broken one is `Unknown` and never a panic.

mod checks;
mod fleet;
mod harness;
mod journeys;
mod latency;
mod measure;
mod observer;
mod spread;
mod stage;
mod steady;
mod storm;
mod stragglers;
mod strategies;
mod timeline;
mod trace;
mod undo;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

pub use harness::{
    CLOCK_STEP_MAX_MS, CPU_FULL_SECONDS_MAX_PERCENT, DESCRIPTORS_MAX_PERCENT, LATE_SENDS_MAX_PERCENT,
    TIMER_DELAY_P99_MAX_MS,
};

use crate::record::{Act, Direction, EndReason, Event, Record};
use crate::summary::{
    ActRow, ApiRow, Devices, FaultRow, HarnessHealth, Ledger, ObjectiveRow, ReadinessRow, Rpo,
    SUMMARY_FORMAT, StoppingRow, Storm, Stragglers, StrategyRow, Summary, Undo,
};
use crate::units;
use crate::verdict::{ExitCode, Verdict};
use journeys::Journeys;
use latency::Measured;
use spread::ms;
use timeline::Timeline;
use trace::Trace;

const NAMES_LISTED: usize = 20;
const ACTS_LISTED: usize = 200;

/// What the record comes to, before it is held against the objectives.
struct Evidence<'a> {
    timeline: Timeline,
    failovers: Journeys<'a>,
    failbacks: Journeys<'a>,
    /// Sorted.
    failback_outage_us: Vec<u64>,
    strategies: Vec<StrategyRow>,
    stragglers: Stragglers,
    storm: Option<Storm>,
    /// None: nothing was broken.
    connects_throttled: Option<u64>,
    latencies: BTreeMap<String, Measured>,
    ledger: Ledger,
    rpo: Option<Rpo>,
    readiness: Vec<ReadinessRow>,
    devices: Devices,
    api: Option<Vec<ApiRow>>,
    harness: HarnessHealth,
    /// Every step was gone through.
    completed: bool,
    /// Why the devices' ways cannot be held against an objective.
    doubt: Option<String>,
    /// Why no time can: it may be the harness's own.
    slow: Option<String>,
    /// Why no write can be called lost.
    blind: Option<String>,
    health_watched: bool,
    answer_watched: bool,
}

impl<'a> Evidence<'a> {
    fn of(record: &'a Record) -> Self {
        let timeline = Timeline::of(record);
        let traces = trace::traces(record);
        let harness = harness::health(record);
        let any = |wanted: fn(&Event) -> bool| record.events.iter().any(|entry| wanted(&entry.event));
        let failovers = journeys::failovers(traces.values(), &timeline);
        Self {
            stragglers: stragglers::stragglers(&failovers, &traces, &timeline),
            storm: storm::storm(record, &timeline, &failovers),
            connects_throttled: storm::throttled(record, &timeline),
            failovers,
            failbacks: journeys::failbacks(traces.values(), &timeline),
            failback_outage_us: failback_outage(traces.values()),
            strategies: strategies::rows(record, &traces, &timeline),
            latencies: latency::latencies(record),
            ledger: writes::ledger(&record.info, &record.ledger),
            rpo: writes::rpo(&record.info, &record.ledger, &timeline),
            readiness: fleet::readiness(record),
            devices: devices(record, &traces, &timeline),
            api: fleet::api(record),
            slow: harness::doubt(&harness),
            blind: observer::doubt(record),
            harness,
            completed: matches!(timeline.end, Some((EndReason::Completed, _))),
            doubt: timeline.doubt(),
            health_watched: any(|event| matches!(event, Event::Health { .. })),
            answer_watched: any(|event| matches!(event, Event::Answer { .. })),
            timeline,
        }
    }
}

/// The verdict of a record, and the numbers that it rests on.
pub fn judge(record: &Record) -> Summary {
    let evidence = Evidence::of(record);
    let undo = undo::undo(record, &evidence.timeline);
    let mut objectives: Vec<ObjectiveRow> = record
        .info
        .objectives
        .iter()
        .map(|(key, condition)| measure::row(&evidence, key, condition))
        .collect();
    let steady = steady::check(record);
    let mut checks = checks::checks(&evidence.timeline, steady, objectives.len(), &evidence.harness, &undo);
    checks.extend(observer::observer(record));
    let ended = evidence.timeline.end.as_ref().map(|(reason, _)| *reason);
    if ended == Some(EndReason::NotSteady) {
        objectives.iter_mut().for_each(steady::of_no_day);
    }
    let verdicts = objectives.iter().map(|row| row.verdict).chain(checks.iter().map(|row| row.verdict));
    let verdict = Verdict::combine(verdicts);
    let exit = exit(ended, verdict, &undo);
    let mut summary = Summary {
        format: SUMMARY_FORMAT,
        run: record.info.clone(),
        began: record.events.first().map(|entry| entry.wall),
        duration_ms: ms(evidence.timeline.end_us),
        ended,
        verdict,
        exit_code: exit.code(),
        exit,
        reason: String::new(),
        objectives,
        checks,
        faults: faults(&evidence.timeline, record),
        steps: evidence.timeline.steps.clone(),
        stopping: stopping(record),
        acts: acts(record),
        preflight: steady::preflight(record),
        readiness: evidence.readiness,
        devices: evidence.devices.clone(),
        failover: evidence.failovers.waterfall(
            evidence.timeline.first(timeline::Break::detected_us),
            evidence.timeline.first(timeline::Break::answered_us),
        ),
        stragglers: evidence.stragglers,
        storm: evidence.storm,
        failback: evidence.failbacks.waterfall(
            evidence.timeline.first(timeline::Break::recovered_us),
            evidence.timeline.first(timeline::Break::answered_back_us),
        ),
        failback_outage: spread::distribution(&evidence.failback_outage_us),
        strategies: evidence.strategies,
        latencies: evidence.latencies.into_iter().map(|(name, measured)| (name, measured.latency)).collect(),
        observation: observer::observation(record),
        ledger: evidence.ledger,
        rpo: evidence.rpo,
        fleet: fleet::fleet(record),
        api_throttled: evidence.api.iter().flatten().map(|row| row.throttled).sum(),
        api: evidence.api.unwrap_or_default(),
        undo,
        harness: evidence.harness,
        notes: notes(record),
    };
    summary.reason = reason(&summary);
    summary
}

/// What the process ends with. An incomplete undo outranks everything; how the run ended outranks what it measured.
fn exit(ended: Option<EndReason>, verdict: Verdict, undo: &Undo) -> ExitCode {
    if !undo.complete {
        return ExitCode::UndoIncomplete;
    }
    match (ended, verdict) {
        (Some(EndReason::Refused), _) => ExitCode::Refused,
        (Some(EndReason::Operator), _) => ExitCode::Operator,
        (Some(EndReason::StopCondition), _) => ExitCode::StopCondition,
        (Some(EndReason::Error), _) => ExitCode::Error,
        (Some(EndReason::NotSteady), _) | (_, Verdict::Unknown) => ExitCode::Inconclusive,
        (_, Verdict::Fail) => ExitCode::Missed,
        (_, Verdict::Pass) => ExitCode::Pass,
    }
}

fn reason(summary: &Summary) -> String {
    let rows = &summary.objectives;
    let failed: Vec<&str> =
        rows.iter().filter(|row| row.verdict == Verdict::Fail).map(|row| row.metric.as_str()).collect();
    let total = units::plural(rows.len() as u64, "objective");
    let mut said = Vec::new();
    if summary.exit == ExitCode::UndoIncomplete {
        let undo = summary.checks.iter().find(|row| row.name == "undo").map_or("", |row| row.why.as_str());
        said.push(format!("Not everything was undone: {undo}"));
    }
    if !failed.is_empty() {
        said.push(format!("{} of {total} missed: {}.", failed.len(), failed.join(", ")));
    }
    let checks =
        summary.checks.iter().filter(|row| row.verdict == Verdict::Unknown).map(|row| row.why.clone());
    let unknown = rows.iter().filter(|row| row.verdict == Verdict::Unknown);
    let unknown = unknown.map(|row| format!("{}: {}", row.metric, row.why));
    match (said.is_empty(), checks.chain(unknown).next()) {
        (false, _) => {}
        (true, Some(why)) => said.push(format!("It cannot be said whether the objectives were met. {why}")),
        (true, None) => said.push(format!("{total} met.")),
    }
    said.join(" ")
}

fn faults(timeline: &Timeline, record: &Record) -> Vec<FaultRow> {
    let row = |window: &timeline::Window| {
        let (noticed, noticed_us) = timeline.noticed(window);
        FaultRow {
            fault: window.fault.clone(),
            label: window.label.clone(),
            applied_ms: ms(window.applied_us),
            proved_ms: window.proved_us.map(ms),
            cured_ms: window.cured_us.map(ms),
            cure_proved_ms: window.cure_proved_us.map(ms),
            evidence: window.evidence.clone(),
            colour: window.colour.clone(),
            noticed,
            noticed_ms: noticed_us.map(ms),
            debt: window.cured_us.and_then(|cured| writes::debt(&record.info, &record.ledger, cured)),
        }
    };
    timeline.windows.iter().map(row).collect()
}

fn stopping(record: &Record) -> Option<StoppingRow> {
    record.events.iter().find_map(|entry| match &entry.event {
        Event::Stopping { reason, detail } => {
            Some(StoppingRow { at_ms: ms(entry.at_us), reason: *reason, detail: detail.clone() })
        }
        _ => None,
    })
}

/// What people did, on the run's clock: theirs is taken to agree with it.
fn acts(record: &Record) -> Vec<ActRow> {
    let Some(began) = record.events.first() else { return Vec::new() };
    let row = |act: &Act| {
        let since_us = act.wall.duration_since(began.wall).as_micros().max(0);
        let at_us = began.at_us.saturating_add(u64::try_from(since_us).unwrap_or(u64::MAX));
        ActRow { at_ms: ms(at_us), wall: act.wall, act: act.act, text: act.text.clone(), by: act.by.clone() }
    };
    record.acts.iter().take(ACTS_LISTED).map(row).collect()
}

/// Of each device that failed back, how long it was without service on its way; sorted.
fn failback_outage<'a: 't, 't>(traces: impl IntoIterator<Item = &'t Trace<'a>>) -> Vec<u64> {
    let moves = traces.into_iter().flat_map(|trace| &trace.moves);
    // Until it left of its own will it was served, whenever its last publish happened to be due.
    let outage = |way: &&&crate::record::Move| {
        Some(way.first_ack_us.saturating_sub(way.left_us.max(way.last_ack_us)?))
    };
    let mut outages: Vec<u64> =
        moves.filter(|way| way.direction == Direction::Failback).filter_map(|way| outage(&way)).collect();
    outages.sort_unstable();
    outages
}

fn devices(record: &Record, traces: &BTreeMap<&str, Trace<'_>>, timeline: &Timeline) -> Devices {
    let connectable: BTreeSet<&str> = record
        .events
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Connectable { device, .. } => Some(device.as_str()),
            _ => None,
        })
        .collect();
    let went = |direction| traces.values().filter(move |trace| trace.went(direction));
    let of_strategies = record.info.strategies.iter().filter(|strategy| strategy.fails_back);
    let mut devices = Devices {
        fleet: u64::from(record.info.devices),
        expected_back: if record.info.strategies.is_empty() {
            u64::from(record.info.devices)
        } else {
            of_strategies.map(|strategy| u64::from(strategy.devices)).sum()
        },
        connected: traces.values().filter(|trace| !trace.moves.is_empty()).count() as u64,
        connectable: (!connectable.is_empty()).then_some(connectable.len() as u64),
        failed_over: went(Direction::Failover).count() as u64,
        failed_back: went(Direction::Failback).filter(|trace| trace.fails_back()).count() as u64,
        ..Devices::default()
    };
    if let Some(each) = timeline.breaks.first() {
        devices.connected_before_fault =
            traces.values().filter(|trace| trace.connected_before(each.began_us)).count() as u64;
        let stranded: Vec<&str> =
            traces.iter().filter(|(_, trace)| trace.stranded(each.began_us)).map(|(name, _)| *name).collect();
        devices.stranded = stranded.len() as u64;
        devices.stranded_names = stranded.into_iter().take(NAMES_LISTED).map(str::to_owned).collect();
    }
    devices
}

fn notes(record: &Record) -> Vec<String> {
    let said = record.events.iter().filter_map(|entry| match &entry.event {
        Event::Note { text } => Some(text.clone()),
        _ => None,
    });
    record.notes.iter().cloned().chain(said).collect()
}

#[cfg(test)]
mod tests;
