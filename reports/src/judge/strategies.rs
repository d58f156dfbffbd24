//! What became of the devices of each strategy: the same questions as of the whole fleet, asked of a part of it.

use std::collections::BTreeMap;

use crate::record::{Direction, Guide, Record, Strategy};
use crate::summary::StrategyRow;

use super::failback_outage;
use super::journeys::{failbacks, failovers};
use super::spread::distribution;
use super::timeline::{Break, Timeline};
use super::trace::Trace;

/// A row a strategy, in the order of the scenario. A record of old has none.
pub(crate) fn rows(
    record: &Record,
    traces: &BTreeMap<&str, Trace<'_>>,
    timeline: &Timeline,
) -> Vec<StrategyRow> {
    record.info.strategies.iter().map(|strategy| row(strategy, traces, timeline)).collect()
}

fn row(strategy: &Strategy, traces: &BTreeMap<&str, Trace<'_>>, timeline: &Timeline) -> StrategyRow {
    let is_its = |trace: &&Trace<'_>| trace.strategy.is_some_and(|each| each.name == strategy.name);
    let its = || traces.values().filter(is_its);
    let count = |wanted: &dyn Fn(&Trace<'_>) -> bool| its().filter(|trace| wanted(trace)).count() as u64;
    let began_us = timeline.breaks.first().map(|each| each.began_us);
    // What a health check or an answer says is nothing to a device that does not ask.
    let told = |moment: fn(&Break) -> Option<u64>| match strategy.guide {
        Guide::Name => timeline.first(moment),
        Guide::Endpoints => None,
    };
    StrategyRow {
        name: strategy.name.clone(),
        label: strategy.label.clone(),
        devices: u64::from(strategy.devices),
        fails_back: strategy.fails_back,
        connected_before_fault: began_us
            .map_or(0, |began_us| count(&|trace| trace.connected_before(began_us))),
        failed_over: count(&|trace| trace.went(Direction::Failover)),
        failed_back: count(&|trace| trace.went(Direction::Failback)),
        stranded: began_us.map_or(0, |began_us| count(&|trace| trace.stranded(began_us))),
        failover: failovers(its(), timeline).waterfall(told(Break::detected_us), told(Break::answered_us)),
        failback: failbacks(its(), timeline)
            .waterfall(told(Break::recovered_us), told(Break::answered_back_us)),
        failback_outage: distribution(&failback_outage(its())),
    }
}
