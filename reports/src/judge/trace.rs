//! What each device did, in the order of the record.

use std::collections::BTreeMap;

use crate::record::{Direction, Event, Guide, Move, Record, Strategy};

/// An attempt to connect that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed {
    pub(crate) at_us: u64,
    pub(crate) in_primary: bool,
    pub(crate) connack: Option<u8>,
    pub(crate) alert: Option<u8>,
    /// TLS was established, and then the endpoint ended the connection without a CONNACK.
    pub(crate) is_cut_off: bool,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    pub(crate) at_us: u64,
    pub(crate) from_primary: bool,
}

/// What one device did, in the order of the record.
#[derive(Debug, Default)]
pub(crate) struct Trace<'a> {
    pub(crate) device: &'a str,
    pub(crate) moves: Vec<&'a Move>,
    /// Its strategy; none in records of old.
    pub(crate) strategy: Option<&'a Strategy>,
    pub(crate) failed: Vec<Failed>,
    pub(crate) left: Vec<Left>,
    pub(super) last_acked_us: Option<u64>,
    pub(super) last_intended_us: Option<u64>,
}

fn of<'a, 'm>(traces: &'m mut BTreeMap<&'a str, Trace<'a>>, device: &'a str) -> &'m mut Trace<'a> {
    traces.entry(device).or_insert_with(|| Trace { device, ..Trace::default() })
}

/// What each device did.
pub(crate) fn traces(record: &Record) -> BTreeMap<&str, Trace<'_>> {
    let strategies: BTreeMap<&str, &Strategy> =
        record.info.strategies.iter().map(|strategy| (strategy.name.as_str(), strategy)).collect();
    let mut traces: BTreeMap<&str, Trace<'_>> = BTreeMap::new();
    let is_primary = |region: &str| region == record.info.primary;
    for entry in &record.events {
        let at_us = entry.at_us;
        match &entry.event {
            Event::Moved(way) => {
                let trace = of(&mut traces, &way.device);
                trace.strategy = trace.strategy.or_else(|| strategies.get(way.strategy.as_str()).copied());
                trace.moves.push(way);
            }
            Event::Left { device, region, .. } => {
                of(&mut traces, device).left.push(Left { at_us, from_primary: is_primary(region) });
            }
            Event::ConnectFailed { device, region, stage, connack, alert, cut_off, .. } => {
                of(&mut traces, device).failed.push(Failed {
                    at_us,
                    in_primary: is_primary(region),
                    connack: *connack,
                    alert: *alert,
                    is_cut_off: *cut_off && stage == "connack",
                });
            }
            _ => {}
        }
    }
    for write in &record.ledger {
        if let Some(trace) = traces.get_mut(write.device.as_str()) {
            trace.last_acked_us = trace.last_acked_us.max(write.acked_us);
            trace.last_intended_us = trace.last_intended_us.max(Some(write.intended_us));
        }
    }
    for trace in traces.values_mut() {
        trace.moves.sort_by_key(|way| way.first_ack_us);
    }
    traces
}

impl Trace<'_> {
    /// What sends it elsewhere.
    pub(crate) fn guide(&self) -> Guide {
        self.strategy.map_or_else(Guide::default, |strategy| strategy.guide)
    }

    /// Whether it is expected to come home by itself.
    pub(crate) fn fails_back(&self) -> bool {
        self.strategy.is_none_or(|strategy| strategy.fails_back)
    }

    /// Whether it ever went that way.
    pub(crate) fn went(&self, direction: Direction) -> bool {
        self.moves.iter().any(|way| way.direction == direction)
    }

    pub(crate) fn connected_before(&self, at_us: u64) -> bool {
        self.moves.iter().any(|way| way.first_ack_us < at_us)
    }

    /// Connected before the break, and never an acknowledged publish again. Silence alone is no evidence: the device
    /// must have lost its connection, or have had a write to make.
    pub(crate) fn stranded(&self, began_us: u64) -> bool {
        let acked = self.moves.iter().any(|way| way.first_ack_us >= began_us)
            || self.last_acked_us.is_some_and(|at| at >= began_us);
        let tried = self.left.iter().any(|left| left.at_us >= began_us)
            || self.last_intended_us.is_some_and(|at| at >= began_us);
        self.connected_before(began_us) && !acked && tried
    }
}
