//! `gameday status`: how a run stands, from its folder alone, whether it goes on, has ended, or was killed.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;
use clap::Args;
use gameday_report::{
    ExitCode, Verdict,
    record::{Event, Folder, Record, UndoState, merge},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::usage;
use crate::{
    live::{Lag, Live, RunState, Status as Standing},
    measure::Metric,
    output::data,
    runs,
    scenario::Scenario,
    text::plain,
};

/// Lag is of the last so much.
const OVER_US: u64 = 10_000_000;

/// Arguments of `gameday status`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday status
  gameday status k2x81mqa --json
  gameday status runs/region-failover/latest")]
pub(super) struct Status {
    /// A run folder, a run's id, or `latest`.
    #[arg(default_value = runs::LATEST)]
    run: String,
    /// Where run folders are.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// What is said of a run.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    standing: Standing,
    folder: PathBuf,
    /// What was judged, once it was.
    judged: Option<Judged>,
}

/// Of a run's summary.
#[derive(Debug, Serialize, Deserialize)]
struct Judged {
    verdict: Verdict,
    exit_code: u8,
    reason: String,
}

impl Status {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let folder = runs::find(&self.out, &self.run).map_err(|error| usage(format!("{error:#}")))?;
        let told = told(&folder)?;
        if self.json {
            data(&serde_json::to_string(&told)?);
            return Ok(ExitCode::Pass);
        }
        for line in lines(&told) {
            data(&line);
        }
        Ok(ExitCode::Pass)
    }
}

fn told(folder: &Folder) -> anyhow::Result<Told> {
    // In this order: a run that ends in between has said so.
    let is_open = folder.is_open()?;
    let record = folder.read().with_context(|| format!("{} cannot be read", folder.path().display()))?;
    let mut live = Live::default();
    for entry in &record.events {
        live.take(entry.at_us, &entry.event);
    }
    for act in &record.acts {
        live.take_act(act.clone());
    }
    let has_ended = matches!(record.events.last().map(|entry| &entry.event), Some(Event::RunEnded { .. }));
    let state = match (has_ended, is_open, live.is_stopping()) {
        (true, _, _) => RunState::Ended,
        (false, false, _) => RunState::Killed,
        (false, true, true) => RunState::Stopping,
        (false, true, false) => RunState::Running,
    };
    let goes_on = matches!(state, RunState::Running | RunState::Stopping);
    let now_us = if goes_on { now_us(&record).max(live.last_us()) } else { live.last_us() };
    let scenario = Scenario::load(&folder.scenario(), &[]).ok();
    let mut standing = live.status(now_us, state, scenario.as_ref());
    standing.to_undo = Some(to_undo(&record));
    if goes_on {
        let lag = |metric: Metric| {
            let intervals = &record.histograms.get(metric.name())?.intervals;
            let is_recent = |start_us: u64| start_us.saturating_add(OVER_US) >= now_us;
            let recent = intervals.iter().filter(|interval| is_recent(interval.start_us));
            merge(recent.map(|interval| &interval.histogram)).as_ref().map(Lag::of)
        };
        standing.replication_lag = lag(Metric::ShadowReplication);
        standing.publish_ack = lag(Metric::PublishAck);
    }
    let summary = std::fs::read(folder.summary()).ok();
    let judged = summary.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(Told { standing, folder: folder.path().to_owned(), judged })
}

/// Where the run's clock is now, by this machine's.
fn now_us(record: &Record) -> u64 {
    let since = record.events.first().map(|first| Timestamp::now().duration_since(first.wall));
    since.and_then(|since| u64::try_from(since.as_micros()).ok()).unwrap_or(0)
}

/// Changes that are not undone, by the last line of each.
fn to_undo(record: &Record) -> u64 {
    let states: BTreeMap<u64, UndoState> = record.undo.iter().map(|entry| (entry.id, entry.state)).collect();
    states.values().filter(|state| **state != UndoState::Undone).count() as u64
}

fn lines(told: &Told) -> Vec<String> {
    let standing = &told.standing;
    let mut lines = vec![format!("{}  run {}, {}", standing.title, standing.run, told.folder.display())];
    lines.extend(standing.lines().into_iter().map(|line| format!("  {line}")));
    for act in &standing.acts {
        let by = act.by.as_ref().map(|by| format!(" by {}", plain(by))).unwrap_or_default();
        let what = format!("{:?}", act.act).to_lowercase();
        lines.push(format!("  {} {what}{by}: {}", act.wall.strftime("%H:%M:%S UTC"), plain(&act.text)));
    }
    if let Some(judged) = &told.judged {
        lines.push(format!("  exit {}: {}", judged.exit_code, judged.reason));
    }
    if standing.state == RunState::Killed && standing.to_undo.is_some_and(|left| left > 0) {
        lines.push(format!("  what it changed stands: gameday restore {}", told.folder.display()));
    }
    lines
}
