//! How right a run's numbers are: what is in its run folder, held against the ground truth of the twin that it ran on.
//!
//! Both were timed by the same machine, each by its own monotonic clock; the wall clock, which both write beside every line,
//! says how these two lie to each other. An error is what was measured less what is true: positive is too late.

mod errors;
mod truth;

use std::path::Path;

use anyhow::{Context, Result};
use gameday_report::record::{Direction, Event, FaultState, Folder, Move, Record};

pub use self::errors::Errors;
use self::truth::Facts;
pub use self::truth::{control, switch_on};

/// A window of the run's clock is this much wider for the truth: by so much two clocks may be misread.
const SLACK_US: i64 = 1_000;

/// A run beside what happened.
#[derive(Debug)]
pub struct Comparison {
    /// Replication lag, write by write.
    pub lag: Errors,
    /// The two moments of which a lag is made.
    pub lag_moments: Vec<Errors>,
    /// Moments that the whole fleet has in common.
    pub common: Vec<Errors>,
    /// Moments of each device, by direction.
    pub devices: Vec<Errors>,
    /// What one side has and the other has not.
    pub unmatched: Vec<String>,
}

/// Reads the run folder, and the truth from the twin at `url`.
pub fn compare(folder: &Path, url: &str) -> Result<Comparison> {
    let record = Folder::open(folder)?.read()?;
    let began_ns = began_ns(&record).context("a record without events")?;
    let facts = Facts::read(url, began_ns)?;
    let (mut unmatched, mut common) = (Vec::new(), Vec::new());
    moments(&record, &facts, &mut common, &mut unmatched);
    let (lag, lag_moments) = writes(&record, &facts, &mut unmatched);
    let mut devices = Vec::new();
    for (direction, name) in
        [(Direction::First, "first"), (Direction::Failover, "failover"), (Direction::Failback, "failback")]
    {
        devices.extend(ways(&record, &facts, direction, name, &mut unmatched));
    }
    Ok(Comparison { lag, lag_moments, common, devices, unmatched })
}

/// When the run's clock began, on the wall clock: the middle of what its lines say.
fn began_ns(record: &Record) -> Option<i64> {
    let mut began: Vec<i64> = record
        .events
        .iter()
        .filter_map(|entry| {
            let wall = i64::try_from(entry.wall.as_nanosecond()).ok()?;
            Some(wall - i64::try_from(entry.at_us).ok()? * 1_000)
        })
        .collect();
    began.sort_unstable();
    began.get(began.len() / 2).copied()
}

/// A moment of the record, as the truth counts.
fn us(at_us: u64) -> i64 {
    i64::try_from(at_us).unwrap_or(i64::MAX)
}

/// The one of some times that lies nearest.
fn nearest(times: impl IntoIterator<Item = i64>, to: i64) -> Option<i64> {
    times.into_iter().min_by_key(|at| at.abs_diff(to))
}

/// Faults, health and answer: each line of the record beside the fact of its kind that lies nearest.
fn moments(record: &Record, facts: &Facts, common: &mut Vec<Errors>, unmatched: &mut Vec<String>) {
    let mut hold = |what: String, at_us: u64, truth: Option<i64>| match truth {
        Some(truth) => common.push(Errors::of(&what, vec![us(at_us) - truth])),
        None => unmatched.push(format!("{what}: no such fact")),
    };
    for entry in &record.events {
        let at = us(entry.at_us);
        match &entry.event {
            Event::Fault { fault, label, state, .. }
                if matches!(state, FaultState::Applied | FaultState::Cured) =>
            {
                let on = *state == FaultState::Applied;
                let times = facts.faults(fault, on);
                hold(
                    format!("{label}: {}", if on { "applied" } else { "cured" }),
                    entry.at_us,
                    nearest(times, at),
                );
            }
            // Without it the health became known, and did not change.
            Event::Health { region, healthy, read_us: Some(_), .. } => {
                let what = format!("{region} {}", if *healthy { "healthy" } else { "unhealthy" });
                hold(what, entry.at_us, nearest(facts.health(*healthy), at));
            }
            Event::Answer { name, target, resolution_us: Some(_), region } => {
                hold(format!("answer: {region}"), entry.at_us, nearest(facts.due(name, target), at));
            }
            _ => {}
        }
    }
}

/// Each write of the primary that was seen in the secondary.
fn writes(record: &Record, facts: &Facts, unmatched: &mut Vec<String>) -> (Errors, Vec<Errors>) {
    let (primary, secondary) = (&record.info.primary, &record.info.secondary);
    let (mut lags, mut acks, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for write in record.ledger.iter().filter(|write| write.region.as_ref() == Some(primary)) {
        let name = || format!("{} write {}", write.device, write.seq);
        let Some((made, state)) = facts.written(primary, &write.device, write.seq) else {
            if write.acked_us.is_some() {
                unmatched.push(format!("{}: acknowledged, and the primary never had it", name()));
            }
            continue;
        };
        let arrived = facts.arrived(secondary, &write.device, state);
        match (write.acked_us, write.visible_us, arrived) {
            (Some(acked), Some(visible), Some(arrived)) => {
                // Seen before the acknowledgement was here: no lag, says the record.
                let (acked, visible) = (us(acked), us(visible));
                lags.push((visible - acked).max(0) - (arrived - made));
                acks.push(acked - made);
                seen.push(visible - arrived);
            }
            (_, Some(_), None) => unmatched.push(format!("{}: seen, and the secondary never had it", name())),
            (_, None, Some(_)) => unmatched.push(format!("{}: it arrived, and was not seen", name())),
            _ => {}
        }
    }
    let moments = vec![Errors::of("write: acknowledged", acks), Errors::of("write: visible", seen)];
    (Errors::of("replication lag", lags), moments)
}

/// The ways of all devices in one direction.
fn ways(
    record: &Record,
    facts: &Facts,
    direction: Direction,
    name: &str,
    unmatched: &mut Vec<String>,
) -> Vec<Errors> {
    const MOMENTS: [&str; 6] = ["resolver", "address", "TCP", "TLS", "CONNACK", "first publish"];
    let mut columns: [Vec<i64>; 6] = Default::default();
    for entry in &record.events {
        let Event::Moved(way) = &entry.event else { continue };
        if way.direction != direction {
            continue;
        }
        for ((column, moment), error) in columns.iter_mut().zip(MOMENTS).zip(errors(record, facts, way)) {
            match error {
                Some(error) => column.push(error),
                None => unmatched.push(format!("{} {name}: {moment} is in no fact", way.device)),
            }
        }
    }
    columns
        .into_iter()
        .zip(MOMENTS)
        .filter(|(column, _)| !column.is_empty())
        .map(|(column, moment)| Errors::of(&format!("{name}: {moment}"), column))
        .collect()
}

/// By how much each moment of a way is wrong.
fn errors(record: &Record, facts: &Facts, way: &Move) -> [Option<i64>; 6] {
    let host = record.events.iter().find_map(|entry| match &entry.event {
        Event::Answer { region, target, .. } if *region == way.region => Some(target.as_str()),
        _ => None,
    });
    let fleet = record.events.iter().find_map(|entry| match &entry.event {
        Event::Answer { name, .. } => Some(name.as_str()),
        _ => None,
    });
    // Nobody can say which of all answers was this device's. It was one between question and answer, and so the error is
    // this or less.
    let answered = |name: Option<&str>, from: Option<u64>, to: u64| {
        let first = facts.reply(name?, host?, us(from?) - SLACK_US, us(to) + SLACK_US)?;
        Some(us(to) - first)
    };
    let seat = facts.seat(&way.region, &way.device, us(way.connack_us));
    let (tcp, tls) = seat.map_or((None, None), |seat| facts.handshake(&way.region, seat));
    let topic = format!("dt/gameday/{}", way.device);
    let published = seat.and_then(|seat| facts.published(&way.region, &topic, seat.at));
    [
        answered(fleet, way.asked_us, way.resolved_us),
        answered(host, Some(way.attempt_us), way.dns_us),
        tcp.map(|at| us(way.tcp_us) - at),
        tls.map(|at| us(way.tls_us) - at),
        seat.map(|seat| us(way.connack_us) - seat.at),
        published.map(|at| us(way.first_ack_us) - at),
    ]
}
