//! The way of each device to the other Region, and the devices that did not come.
//!
//! A percentile over the devices that came back would praise a fleet of which half is gone. So devices that had to
//! come and did not are counted too, as longer than any that came: see [`Journeys::missing`].

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{Direction, Event, Move, Record};
use crate::summary::{DeviceStages, StageSpread, Waterfall};

use super::spread::{at, bins, distribution, ms, rank};
use super::timeline::{Break, Timeline};

const SLOWEST_LISTED: usize = 10;
const CURVE_POINTS: usize = 200;

/// The stages of a failover, in order: name and label.
pub(crate) const FAILOVER_STAGES: [(&str, &str); 9] = [
    ("detection", "Health check detection"),
    ("answer", "DNS answer change"),
    ("resolver", "Answer reaches the device"),
    ("leave", "Leave and back off"),
    ("dns", "Address lookup"),
    ("tcp", "TCP connect"),
    ("tls", "TLS handshake"),
    ("connack", "MQTT connect"),
    ("publish", "First publish"),
];

/// The stages of a failback.
pub(crate) const FAILBACK_STAGES: [(&str, &str); 9] = {
    let mut stages = FAILOVER_STAGES;
    stages[0] = ("recovery", "Health check recovery");
    stages
};

/// One device's way, counted from `origin_us`.
#[derive(Debug, Clone)]
pub(crate) struct Journey<'a> {
    pub(crate) way: &'a Move,
    pub(crate) origin_us: u64,
    pub(crate) health_us: Option<u64>,
    pub(crate) answer_us: Option<u64>,
}

impl Journey<'_> {
    pub(crate) fn total_us(&self) -> u64 {
        self.way.first_ack_us.saturating_sub(self.origin_us)
    }

    /// The stages in microseconds. They follow each other without a gap, so that they add up to the total.
    ///
    /// A moment that came later than the next one did not hold this device up (it may have found out for itself before
    /// the health check did): it is moved back to the next. A moment that is not known takes no time.
    pub(crate) fn stages_us(&self) -> [u64; 9] {
        let way = self.way;
        let mut ends = [
            self.health_us,
            self.answer_us,
            Some(way.resolved_us),
            Some(way.attempt_us),
            Some(way.dns_us),
            Some(way.tcp_us),
            Some(way.tls_us),
            Some(way.connack_us),
            Some(way.first_ack_us),
        ];
        let mut next = way.first_ack_us;
        for end in ends.iter_mut().rev().flatten() {
            *end = (*end).min(next);
            next = *end;
        }
        let mut from = self.origin_us;
        ends.map(|end| {
            let end = end.unwrap_or(from).max(from);
            let lasted = end - from;
            from = end;
            lasted
        })
    }

    fn row(&self) -> DeviceStages {
        DeviceStages {
            device: self.way.device.clone(),
            total_ms: ms(self.total_us()),
            attempts: self.way.attempts,
            stages_ms: self.stages_us().map(ms).to_vec(),
        }
    }
}

/// The ways of all devices in one direction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journeys<'a> {
    /// Fastest first.
    pub(crate) ways: Vec<Journey<'a>>,
    /// Devices that had to come and did not.
    pub(crate) missing: u64,
    /// The shortest time that such a device was away.
    pub(crate) missing_at_least_us: Option<u64>,
}

impl<'a> Journeys<'a> {
    fn new(mut ways: Vec<Journey<'a>>, missing_us: &[u64]) -> Self {
        ways.sort_by(|a, b| a.total_us().cmp(&b.total_us()).then_with(|| a.way.device.cmp(&b.way.device)));
        Self { ways, missing: missing_us.len() as u64, missing_at_least_us: missing_us.iter().copied().min() }
    }

    /// Of each device that came, how long it took; sorted.
    pub(crate) fn totals_us(&self) -> Vec<u64> {
        self.ways.iter().map(Journey::total_us).collect()
    }

    /// A percentile over the devices that came and those that did not, in microseconds, and whether the true value is
    /// that or more: devices that did not come count as longer than any that came.
    pub(crate) fn percentile_us(&self, quantile: f64) -> Option<(u64, bool)> {
        let all = self.ways.len() + usize::try_from(self.missing).unwrap_or(usize::MAX);
        let last_us = self.ways.last().map(Journey::total_us);
        match self.ways.get(rank(all, quantile).checked_sub(1)?) {
            Some(way) => Some((way.total_us(), false)),
            None => Some((self.missing_at_least_us.max(last_us)?, true)),
        }
    }

    /// The summary of these ways.
    pub(crate) fn waterfall(
        &self,
        names: &[(&str, &str); 9],
        health: Option<u64>,
        answer: Option<u64>,
    ) -> Waterfall {
        let totals = self.totals_us();
        let mut silence: Vec<u64> = self
            .ways
            .iter()
            .filter_map(|each| Some(each.way.first_ack_us.saturating_sub(each.way.last_ack_us?)))
            .collect();
        silence.sort_unstable();
        let device =
            |quantile| self.ways.get(rank(self.ways.len(), quantile).checked_sub(1)?).map(Journey::row);
        let p99_device = device(0.99);
        let longest = p99_device.as_ref().and_then(|row| {
            let longest = row.stages_ms.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
            (longest.1 > 0.0).then_some((longest, row.total_ms))
        });
        let p99 = self.percentile_us(0.99);
        Waterfall {
            p99_ms: p99.map(|(us, _)| ms(us)),
            p99_is_at_least: p99.is_some_and(|(_, at_least)| at_least),
            devices: self.ways.len() as u64,
            missing: self.missing,
            missing_at_least_ms: self.missing_at_least_us.map(ms),
            health_ms: health.map(ms),
            answer_ms: answer.map(ms),
            total: distribution(&totals),
            silence: distribution(&silence),
            stages: self.stage_spreads(names),
            set_by: longest.and_then(|((index, _), _)| names.get(index)).map(|(name, _)| (*name).to_owned()),
            set_by_percent: longest.map(|((_, took), total)| took / total * 100.0),
            median_device: device(0.5),
            p99_device,
            slowest: self.ways.iter().rev().take(SLOWEST_LISTED).map(Journey::row).collect(),
            bins: bins(&totals),
            returned: curve(&totals),
        }
    }

    fn stage_spreads(&self, names: &[(&str, &str); 9]) -> Vec<StageSpread> {
        if self.ways.is_empty() {
            return Vec::new();
        }
        let mut columns: [Vec<u64>; 9] = Default::default();
        for way in &self.ways {
            for (column, value) in columns.iter_mut().zip(way.stages_us()) {
                column.push(value);
            }
        }
        let spread = |(mut values, (stage, label)): (Vec<u64>, &(&str, &str))| {
            values.sort_unstable();
            let value = |quantile| at(&values, quantile).map_or(0.0, ms);
            StageSpread {
                stage: (*stage).to_owned(),
                label: (*label).to_owned(),
                p50_ms: value(0.5),
                p95_ms: value(0.95),
                p99_ms: value(0.99),
                max_ms: value(1.0),
            }
        };
        columns.into_iter().zip(names).map(spread).collect()
    }
}

/// How many had come by when, at most [`CURVE_POINTS`] points, the last one always among them.
fn curve(sorted: &[u64]) -> Vec<(f64, u64)> {
    let step = sorted.len().div_ceil(CURVE_POINTS).max(1);
    let mut points: Vec<(f64, u64)> = Vec::new();
    for (index, value) in sorted.iter().enumerate() {
        if (index + 1) % step == 0 || index + 1 == sorted.len() {
            points.push((ms(*value), index as u64 + 1));
        }
    }
    points
}

/// What one device did, in the order of the record.
#[derive(Debug, Default)]
pub(crate) struct Trace<'a> {
    pub(crate) moves: Vec<&'a Move>,
    /// When it lost or left a connection to the primary.
    left_primary_us: Vec<u64>,
    last_left_us: Option<u64>,
    last_acked_us: Option<u64>,
    last_intended_us: Option<u64>,
}

/// What each device did.
pub(crate) fn traces(record: &Record) -> BTreeMap<&str, Trace<'_>> {
    let mut traces: BTreeMap<&str, Trace<'_>> = BTreeMap::new();
    for entry in &record.events {
        match &entry.event {
            Event::Moved(way) => traces.entry(&way.device).or_default().moves.push(way),
            Event::Left { device, region, .. } => {
                let trace = traces.entry(device).or_default();
                trace.last_left_us = Some(entry.at_us);
                if *region == record.info.primary {
                    trace.left_primary_us.push(entry.at_us);
                }
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
    pub(crate) fn connected_before(&self, at_us: u64) -> bool {
        self.moves.iter().any(|way| way.first_ack_us < at_us)
    }

    /// Connected before the break, and never an acknowledged publish again. Silence alone is no evidence: the device
    /// must have lost its connection, or have had a write to make.
    pub(crate) fn stranded(&self, began_us: u64) -> bool {
        let acked = self.moves.iter().any(|way| way.first_ack_us >= began_us)
            || self.last_acked_us.is_some_and(|at| at >= began_us);
        let tried = self.last_left_us.is_some_and(|at| at >= began_us)
            || self.last_intended_us.is_some_and(|at| at >= began_us);
        self.connected_before(began_us) && !acked && tried
    }
}

/// The ways to the secondary, one a device and break.
pub(crate) fn failovers<'a>(traces: &BTreeMap<&'a str, Trace<'a>>, timeline: &Timeline) -> Journeys<'a> {
    let (mut ways, mut missing_us) = (Vec::new(), Vec::new());
    for trace in traces.values() {
        let mut came = BTreeSet::new();
        for way in trace.moves.iter().filter(|way| way.direction == Direction::Failover) {
            let Some(index) = timeline.break_before(way.first_ack_us) else { continue };
            let Some(each) = timeline.breaks.get(index) else { continue };
            if came.insert(index) {
                ways.push(journey(way, each.began_us, each.unhealthy_us, each.answer_us));
            }
        }
        for (index, each) in timeline.breaks.iter().enumerate() {
            let until_us = timeline.until_us(index);
            if !came.contains(&index) && stayed_away(trace, each, until_us) {
                missing_us.push(until_us - each.began_us);
            }
        }
    }
    Journeys::new(ways, &missing_us)
}

/// It lost the primary in the break and had no acknowledged publish anywhere until `until_us`.
fn stayed_away(trace: &Trace<'_>, each: &Break, until_us: u64) -> bool {
    let inside = |at: u64| at >= each.began_us && at < until_us;
    let left = trace.left_primary_us.iter().copied().find(|at| inside(*at));
    let back =
        |left: u64| trace.moves.iter().any(|way| way.first_ack_us >= left && way.first_ack_us <= until_us);
    left.is_some_and(|left| !back(left)) || trace.stranded(each.began_us)
}

/// The ways back to the primary, one a device and break.
pub(crate) fn failbacks<'a>(traces: &BTreeMap<&'a str, Trace<'a>>, timeline: &Timeline) -> Journeys<'a> {
    let (mut ways, mut missing_us) = (Vec::new(), Vec::new());
    for trace in traces.values() {
        let mut came = BTreeSet::new();
        for way in trace.moves.iter().filter(|way| way.direction == Direction::Failback) {
            let Some(index) = timeline.cure_before(way.first_ack_us) else { continue };
            let Some((each, cured_us)) =
                timeline.breaks.get(index).and_then(|each| Some((each, each.cured_us?)))
            else {
                continue;
            };
            if came.insert(index) {
                ways.push(journey(way, cured_us, each.healthy_us, each.answer_back_us));
            }
        }
        for (index, each) in timeline.breaks.iter().enumerate() {
            let Some(cured_us) = each.cured_us else { continue };
            let until_us = timeline.back_until_us(index);
            let last = trace.moves.iter().rfind(|way| way.first_ack_us <= until_us);
            let stayed = last
                .is_some_and(|way| way.direction == Direction::Failover && way.first_ack_us >= each.began_us);
            if stayed && !came.contains(&index) {
                missing_us.push(until_us.saturating_sub(cured_us));
            }
        }
    }
    Journeys::new(ways, &missing_us)
}

fn journey(way: &Move, origin_us: u64, health_us: Option<u64>, answer_us: Option<u64>) -> Journey<'_> {
    Journey { way, origin_us, health_us, answer_us }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn way(times: [u64; 7]) -> Move {
        let [resolved_us, attempt_us, dns_us, tcp_us, tls_us, connack_us, first_ack_us] = times;
        Move {
            device: "d".into(),
            direction: Direction::Failover,
            region: "r".into(),
            last_ack_us: None,
            left_us: None,
            resolved_us,
            attempt_us,
            dns_us,
            tcp_us,
            tls_us,
            connack_us,
            first_ack_us,
            attempts: 1,
        }
    }

    #[test]
    fn a_device_that_found_out_for_itself_is_not_held_up_by_the_health_check() {
        let way = way([1_000, 1_200, 1_210, 1_220, 1_260, 1_300, 1_400]);
        let journey = journey(&way, 900, Some(5_000), Some(6_000));
        assert_eq!(journey.stages_us(), [100, 0, 0, 200, 10, 10, 40, 40, 100]);
    }

    #[test]
    fn an_answer_that_was_known_before_the_fault_took_no_time() {
        let way = way([10, 1_200, 1_210, 1_220, 1_260, 1_300, 1_400]);
        let journey = journey(&way, 900, Some(1_000), None);
        assert_eq!(journey.stages_us(), [0, 0, 0, 300, 10, 10, 40, 40, 100]);
    }

    proptest! {
        #[test]
        fn stages_add_up_to_the_total(
            times in proptest::array::uniform7(0u64..1000),
            origin in 0u64..1000,
            health in proptest::option::of(0u64..1000),
            answer in proptest::option::of(0u64..1000),
        ) {
            let way = way(times);
            let journey = journey(&way, origin, health, answer);
            prop_assert_eq!(journey.stages_us().iter().sum::<u64>(), journey.total_us());
        }
    }
}
