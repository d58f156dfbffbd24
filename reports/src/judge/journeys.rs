//! The way of each device to the other Region, and the devices that did not come.
//!
//! A percentile over the devices that came back would praise a fleet of which half is gone. So devices that had to
//! come and did not are counted too, as longer than any that came: see [`Journeys::missing`].

use std::collections::BTreeSet;

use crate::record::{Direction, Guide, Move};
use crate::summary::{DeviceStages, StageSpread, Waterfall};

use super::spread::{at, bins, distribution, ms, rank};
use super::stage::Stage;
use super::timeline::{Break, Timeline};
use super::trace::Trace;

const SLOWEST_LISTED: usize = 10;
const CURVE_POINTS: usize = 200;

/// One device's way, counted from `origin_us`.
#[derive(Debug, Clone)]
pub(crate) struct Journey<'a> {
    pub(crate) way: &'a Move,
    pub(crate) guide: Guide,
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
    pub(crate) fn stages_us(&self) -> Vec<(Stage, u64)> {
        let stages = Stage::of(self.way.direction, self.guide);
        let mut ends: Vec<Option<u64>> = stages.iter().map(|stage| self.end_us(*stage)).collect();
        let mut next = self.way.first_ack_us;
        for end in ends.iter_mut().rev().flatten() {
            *end = (*end).min(next);
            next = *end;
        }
        let mut from = self.origin_us;
        let lasted = |end: Option<u64>| {
            let end = end.unwrap_or(from).max(from);
            let lasted = end - from;
            from = end;
            lasted
        };
        stages.iter().copied().zip(ends.into_iter().map(lasted)).collect()
    }

    fn end_us(&self, stage: Stage) -> Option<u64> {
        let way = self.way;
        match stage {
            Stage::Detection | Stage::Recovery => self.health_us,
            Stage::Answer => self.answer_us,
            Stage::Notice => way.left_us,
            Stage::Resolver | Stage::Attempts | Stage::Probes => Some(way.resolved_us),
            Stage::Leave => Some(way.attempt_us),
            Stage::Dns => Some(way.dns_us),
            Stage::Tcp => Some(way.tcp_us),
            Stage::Tls => Some(way.tls_us),
            Stage::Connack => Some(way.connack_us),
            Stage::Publish => Some(way.first_ack_us),
        }
    }

    /// As a row under these stages; one that it does not have took no time.
    fn row(&self, stages: &[Stage]) -> DeviceStages {
        let own = self.stages_us();
        let took = |stage: &Stage| own.iter().find(|(name, _)| name == stage).map_or(0, |(_, us)| *us);
        DeviceStages {
            device: self.way.device.clone(),
            strategy: self.way.strategy.clone(),
            total_ms: ms(self.total_us()),
            attempts: self.way.attempts,
            stages_ms: stages.iter().map(|stage| ms(took(stage))).collect(),
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
    /// Who they are.
    pub(crate) absent: Vec<Absent<'a>>,
}

/// A device that had to come and did not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Absent<'a> {
    pub(crate) device: &'a str,
    pub(crate) origin_us: u64,
    /// It had come by then if it had come in time.
    pub(crate) until_us: u64,
}

impl<'a> Journeys<'a> {
    fn new(mut ways: Vec<Journey<'a>>, absent: Vec<Absent<'a>>) -> Self {
        ways.sort_by(|a, b| a.total_us().cmp(&b.total_us()).then_with(|| a.way.device.cmp(&b.way.device)));
        let away_us = |each: &Absent<'_>| each.until_us.saturating_sub(each.origin_us);
        Self {
            ways,
            missing: absent.len() as u64,
            missing_at_least_us: absent.iter().map(away_us).min(),
            absent,
        }
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

    /// Every stage that one of these ways has, in order.
    fn stages(&self) -> Vec<Stage> {
        let stages = self.ways.iter().flat_map(|each| Stage::of(each.way.direction, each.guide));
        stages.copied().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The summary of these ways.
    pub(crate) fn waterfall(&self, health: Option<u64>, answer: Option<u64>) -> Waterfall {
        let totals = self.totals_us();
        let mut silence: Vec<u64> = self
            .ways
            .iter()
            .filter_map(|each| Some(each.way.first_ack_us.saturating_sub(each.way.last_ack_us?)))
            .collect();
        silence.sort_unstable();
        let stages = self.stages();
        let device = |quantile| {
            self.ways.get(rank(self.ways.len(), quantile).checked_sub(1)?).map(|each| each.row(&stages))
        };
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
            stages: self.stage_spreads(&stages),
            set_by: longest
                .and_then(|((index, _), _)| stages.get(index))
                .map(|stage| stage.name().to_owned()),
            set_by_percent: longest.map(|((_, took), total)| took / total * 100.0),
            median_device: device(0.5),
            p99_device,
            slowest: self.ways.iter().rev().take(SLOWEST_LISTED).map(|each| each.row(&stages)).collect(),
            bins: bins(&totals),
            returned: curve(&totals),
        }
    }

    /// The spread of each stage over the devices that have it.
    fn stage_spreads(&self, stages: &[Stage]) -> Vec<StageSpread> {
        let mut columns: Vec<Vec<u64>> = vec![Vec::new(); stages.len()];
        for (stage, took_us) in self.ways.iter().flat_map(Journey::stages_us) {
            let place = stages.iter().position(|each| *each == stage);
            if let Some(column) = place.and_then(|place| columns.get_mut(place)) {
                column.push(took_us);
            }
        }
        let spread = |(mut values, stage): (Vec<u64>, &Stage)| {
            values.sort_unstable();
            let value = |quantile| at(&values, quantile).map_or(0.0, ms);
            StageSpread {
                stage: stage.name().to_owned(),
                label: stage.label().to_owned(),
                p50_ms: value(0.5),
                p95_ms: value(0.95),
                p99_ms: value(0.99),
                max_ms: value(1.0),
            }
        };
        columns.into_iter().zip(stages).map(spread).collect()
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

/// The ways to the secondary, one a device and break.
pub(crate) fn failovers<'a: 't, 't>(
    traces: impl IntoIterator<Item = &'t Trace<'a>>,
    timeline: &Timeline,
) -> Journeys<'a> {
    let (mut ways, mut absent) = (Vec::new(), Vec::new());
    for trace in traces {
        let mut came = BTreeSet::new();
        for way in trace.moves.iter().filter(|way| way.direction == Direction::Failover) {
            let Some(index) = timeline.break_before(way.first_ack_us) else { continue };
            let Some(each) = timeline.breaks.get(index) else { continue };
            if came.insert(index) {
                ways.push(Journey {
                    way,
                    guide: trace.guide(),
                    origin_us: each.began_us,
                    health_us: each.unhealthy_us,
                    answer_us: each.answer_us,
                });
            }
        }
        for (index, each) in timeline.breaks.iter().enumerate() {
            let until_us = timeline.until_us(index);
            if !came.contains(&index) && stayed_away(trace, each, until_us) {
                absent.push(Absent { device: trace.device, origin_us: each.began_us, until_us });
            }
        }
    }
    Journeys::new(ways, absent)
}

/// It lost the primary in the break and had no acknowledged publish anywhere until `until_us`.
fn stayed_away(trace: &Trace<'_>, each: &Break, until_us: u64) -> bool {
    let inside = |at: u64| at >= each.began_us && at < until_us;
    let from_primary = trace.left.iter().filter(|left| left.from_primary).map(|left| left.at_us);
    let left = from_primary.into_iter().find(|at| inside(*at));
    let back =
        |left: u64| trace.moves.iter().any(|way| way.first_ack_us >= left && way.first_ack_us <= until_us);
    left.is_some_and(|left| !back(left)) || trace.stranded(each.began_us)
}

/// The ways back to the primary, one a device and break. A device whose strategy does not bring it home is not missed.
pub(crate) fn failbacks<'a: 't, 't>(
    traces: impl IntoIterator<Item = &'t Trace<'a>>,
    timeline: &Timeline,
) -> Journeys<'a> {
    let (mut ways, mut absent) = (Vec::new(), Vec::new());
    for trace in traces {
        let mut came = BTreeSet::new();
        for way in trace.moves.iter().filter(|way| way.direction == Direction::Failback) {
            let Some(index) = timeline.cure_before(way.first_ack_us) else { continue };
            let Some((each, cured_us)) =
                timeline.breaks.get(index).and_then(|each| Some((each, each.cured_us?)))
            else {
                continue;
            };
            if came.insert(index) {
                ways.push(Journey {
                    way,
                    guide: trace.guide(),
                    origin_us: cured_us,
                    health_us: each.healthy_us,
                    answer_us: each.answer_back_us,
                });
            }
        }
        for (index, each) in timeline.breaks.iter().enumerate() {
            let Some(cured_us) = each.cured_us else { continue };
            let until_us = timeline.back_until_us(index);
            let last = trace.moves.iter().rfind(|way| way.first_ack_us <= until_us);
            let stayed = last
                .is_some_and(|way| way.direction == Direction::Failover && way.first_ack_us >= each.began_us);
            if stayed && trace.fails_back() && !came.contains(&index) {
                absent.push(Absent { device: trace.device, origin_us: cured_us, until_us });
            }
        }
    }
    Journeys::new(ways, absent)
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
            strategy: String::new(),
            last_ack_us: None,
            left_us: None,
            asked_us: None,
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

    fn took(journey: &Journey<'_>) -> Vec<u64> {
        journey.stages_us().into_iter().map(|(_, us)| us).collect()
    }

    #[test]
    fn a_device_that_found_out_for_itself_is_not_held_up_by_the_health_check() {
        let way = way([1_000, 1_200, 1_210, 1_220, 1_260, 1_300, 1_400]);
        let journey = Journey {
            way: &way,
            guide: Guide::Name,
            origin_us: 900,
            health_us: Some(5_000),
            answer_us: Some(6_000),
        };
        assert_eq!(took(&journey), [100, 0, 0, 200, 10, 10, 40, 40, 100]);
    }

    #[test]
    fn an_answer_that_was_known_before_the_fault_took_no_time() {
        let way = way([10, 1_200, 1_210, 1_220, 1_260, 1_300, 1_400]);
        let journey = Journey {
            way: &way,
            guide: Guide::Name,
            origin_us: 900,
            health_us: Some(1_000),
            answer_us: None,
        };
        assert_eq!(took(&journey), [0, 0, 0, 300, 10, 10, 40, 40, 100]);
    }

    #[test]
    fn a_device_that_knows_both_endpoints_waits_for_no_health_check() {
        let mut there = way([1_000, 1_200, 1_210, 1_220, 1_260, 1_300, 1_400]);
        there.left_us = Some(960);
        let (health_us, answer_us) = (Some(970), Some(980));
        let over = Journey { way: &there, guide: Guide::Endpoints, origin_us: 900, health_us, answer_us };
        assert_eq!(took(&over), [60, 40, 200, 10, 10, 40, 40, 100]);
        let mut home = there.clone();
        home.direction = Direction::Failback;
        let back = Journey { way: &home, ..over };
        assert_eq!(took(&back), [100, 200, 10, 10, 40, 40, 100]);
    }

    proptest! {
        #[test]
        fn stages_add_up_to_the_total(
            times in proptest::array::uniform7(0u64..1000),
            origin_us in 0u64..1000,
            health_us in proptest::option::of(0u64..1000),
            answer_us in proptest::option::of(0u64..1000),
            left_us in proptest::option::of(0u64..1000),
            is_failback: bool,
            is_guided_by_name: bool,
        ) {
            let mut way = way(times);
            way.left_us = left_us;
            way.direction = if is_failback { Direction::Failback } else { Direction::Failover };
            let guide = if is_guided_by_name { Guide::Name } else { Guide::Endpoints };
            let journey = Journey { way: &way, guide, origin_us, health_us, answer_us };
            prop_assert_eq!(took(&journey).iter().sum::<u64>(), journey.total_us());
        }
    }
}
