//! The storm of a failover: how fast the secondary took the fleet, and how fast its CONNECT quota would have let it.

use std::collections::BTreeMap;

use crate::record::{Backoff, Event, Quota, Record};
use crate::summary::{Refusal, Storm, StormShare};

use super::journeys::Journeys;
use super::spread::{ms, rank};
use super::timeline::Timeline;

/// CONNACK of a broker that takes no more CONNECTs now: of MQTT 3.1.1 "server unavailable", of MQTT 5 "quota exceeded".
pub(super) const THROTTLED: [u8; 2] = [3, 0x97];
/// What a bucket holds that nobody says anything of, in seconds of its rate.
const BURST_S: f64 = 1.0;
/// Shares of the fleet, in percent.
const SHARES: [f64; 4] = [50.0, 90.0, 99.0, 100.0];
/// Points of the curve.
const POINTS_MAX: usize = 200;

/// Attempts to get into the secondary while a break lasted.
#[derive(Debug, Default)]
struct Attempts {
    /// By how they failed.
    failed: BTreeMap<String, u64>,
    throttled: u64,
    throttled_device_max: u64,
}

/// The worst storm of the record; none when no device failed over, or nothing says what the quota was.
pub(crate) fn storm(record: &Record, timeline: &Timeline, failovers: &Journeys<'_>) -> Option<Storm> {
    let quota = record.events.iter().find_map(|entry| match &entry.event {
        Event::Quota(quota) if quota.code == Quota::CONNECTS && quota.region == record.info.secondary => {
            Some(quota)
        }
        _ => None,
    })?;
    let backoff = record.events.iter().find_map(|entry| match &entry.event {
        Event::Backoff(backoff) => Some(*backoff),
        _ => None,
    });
    let storms = (0..timeline.breaks.len())
        .filter_map(|index| of_break(record, timeline, failovers, index, quota, backoff));
    // Of equal ones the first.
    storms.reduce(|worst, each| if each.ratio > worst.ratio { each } else { worst })
}

/// CONNECTs of devices that the secondary throttled, in all breaks; none without a break.
pub(crate) fn throttled(record: &Record, timeline: &Timeline) -> Option<u64> {
    let all = (0..timeline.breaks.len()).map(|index| attempts(record, timeline, index).throttled);
    (!timeline.breaks.is_empty()).then(|| all.sum())
}

fn of_break(
    record: &Record,
    timeline: &Timeline,
    failovers: &Journeys<'_>,
    index: usize,
    quota: &Quota,
    backoff: Option<Backoff>,
) -> Option<Storm> {
    let origin_us = timeline.breaks.get(index)?.began_us;
    let answer_us = timeline.breaks.get(index)?.answer_us;
    let of_this = || failovers.ways.iter().filter(|journey| journey.origin_us == origin_us);
    // Behind the TLS handshake nothing but the quota is in the way of a CONNECT.
    let began_us = of_this().map(|journey| journey.way.tls_us).min()?;
    let mut waits_us: Vec<u64> =
        of_this().map(|journey| journey.way.connack_us.saturating_sub(began_us)).collect();
    waits_us.sort_unstable();
    let missing_us: Vec<u64> = failovers
        .absent
        .iter()
        .filter(|absent| absent.origin_us == origin_us)
        .map(|absent| absent.until_us.saturating_sub(began_us))
        .collect();
    let fleet = waits_us.len() + missing_us.len();
    let burst = quota.burst.unwrap_or(quota.value * BURST_S);
    let bound_us = |place: usize| bound_us(place, quota.value, burst);
    let mean = |sum: f64| sum / fleet as f64;
    let wait_mean_us = mean(waits_us.iter().chain(&missing_us).map(|us| *us as f64).sum());
    let wait_mean_bound_us = mean((1..=fleet).map(bound_us).sum());
    let share = |percent: f64| {
        let place = rank(fleet, percent / 100.0);
        let took_us = waits_us.get(place.checked_sub(1)?)?;
        Some(StormShare {
            percent,
            devices: place as u64,
            took_ms: ms(*took_us),
            bound_ms: bound_us(place) / 1e3,
        })
    };
    let attempts = attempts(record, timeline, index);
    let mut refusals: Vec<Refusal> =
        attempts.failed.into_iter().map(|(how, attempts)| Refusal { how, attempts }).collect();
    refusals.sort_by_key(|row| std::cmp::Reverse(row.attempts));
    Some(Storm {
        quota: quota.clone(),
        burst,
        backoff,
        began_ms: ms(began_us),
        after_fault_ms: ms(began_us.saturating_sub(origin_us)),
        after_answer_ms: answer_us.and_then(|at_us| began_us.checked_sub(at_us)).map(ms),
        devices: waits_us.len() as u64,
        missing: missing_us.len() as u64,
        shares: SHARES.into_iter().filter_map(share).collect(),
        wait_mean_ms: wait_mean_us / 1e3,
        wait_mean_bound_ms: wait_mean_bound_us / 1e3,
        ratio: (wait_mean_bound_us > 0.0 && wait_mean_bound_us.is_finite())
            .then(|| wait_mean_us / wait_mean_bound_us),
        connected: curve(&waits_us),
        refusals,
        throttled: attempts.throttled,
        throttled_device_max: attempts.throttled_device_max,
    })
}

/// When a bucket that is full at the beginning has let in so many, if it is asked without a pause.
fn bound_us(place: usize, rate_per_s: f64, burst: f64) -> f64 {
    let beyond = (place as f64 - burst).max(0.0);
    if beyond > 0.0 { beyond / rate_per_s * 1e6 } else { 0.0 }
}

/// How many were in by when: every device of a small fleet, else steps that are even by devices.
fn curve(waits_us: &[u64]) -> Vec<(f64, u64)> {
    let step = waits_us.len().div_ceil(POINTS_MAX).max(1);
    let places = (1..=waits_us.len()).filter(|place| place % step == 0 || *place == waits_us.len());
    places.filter_map(|place| Some((ms(*waits_us.get(place - 1)?), place as u64))).collect()
}

/// The attempts of devices in the secondary that failed from a break's beginning to its end.
fn attempts(record: &Record, timeline: &Timeline, index: usize) -> Attempts {
    let from_us = timeline.breaks.get(index).map_or(u64::MAX, |each| each.began_us);
    let until_us = timeline.until_us(index);
    let mut attempts = Attempts::default();
    let mut by_device: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in &record.events {
        let Event::ConnectFailed { device, region, stage, connack, alert, cut_off, .. } = &entry.event else {
            continue;
        };
        if *region != record.info.secondary || !(from_us..=until_us).contains(&entry.at_us) {
            continue;
        }
        let how = match (connack, alert) {
            (Some(code), _) if THROTTLED.contains(code) => {
                attempts.throttled += 1;
                *by_device.entry(device).or_default() += 1;
                format!("CONNECT throttled: CONNACK {code}")
            }
            (Some(code), _) => format!("CONNACK {code}"),
            (None, Some(alert)) => format!("TLS alert {alert}"),
            (None, None) if *cut_off => format!("Connection ended by the endpoint, at stage {stage}"),
            (None, None) => format!("No answer in time, at stage {stage}"),
        };
        *attempts.failed.entry(how).or_default() += 1;
    }
    attempts.throttled_device_max = by_device.into_values().max().unwrap_or(0);
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Direction, Entry};
    use crate::sample::{Luck, record};
    use crate::verdict::Verdict;
    use crate::{Summary, judge};

    const RATE: f64 = 4.0;

    /// Sets what the record says of a quota.
    fn set(record: &mut Record, change: impl Fn(&mut Quota)) {
        for entry in &mut record.events {
            if let Event::Quota(quota) = &mut entry.event {
                change(quota);
            }
        }
    }

    /// A game day of 100 devices that the secondary lets in by four a second, `late` by the bound each.
    fn day(late: f64) -> Record {
        let mut day = record(100, Luck::Good);
        let mut place = 0;
        let (mut began_us, mut refused) = (None, Vec::new());
        for entry in &mut day.events {
            let Event::Moved(way) = &mut entry.event else { continue };
            if way.direction != Direction::Failover {
                continue;
            }
            place += 1;
            let began_us = *began_us.get_or_insert(way.tls_us);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
            let wait_us = (bound_us(place, RATE, RATE) * late) as u64;
            way.tls_us = way.tls_us.max(began_us);
            (way.connack_us, way.first_ack_us) = (began_us + wait_us, began_us + wait_us + 1_000);
            refused.push((way.device.clone(), began_us));
        }
        let wall = day.events[0].wall;
        let mut say = |at_us, event| day.events.insert(1, Entry { at_us, wall, event });
        for (device, at_us) in &refused[4..] {
            say(*at_us, failed(device, "eu-central-1", Some(3)));
        }
        say(refused[9].1, failed(&refused[9].0, "eu-central-1", Some(3)));
        say(refused[9].1, failed(&refused[9].0, "eu-central-1", None));
        say(refused[9].1, failed(&refused[9].0, "eu-west-1", Some(3)));
        say(1, failed(&refused[9].0, "eu-central-1", Some(3)));
        set(&mut day, |quota| quota.value = RATE);
        day
    }

    fn failed(device: &str, region: &str, connack: Option<u8>) -> Event {
        Event::ConnectFailed {
            device: device.into(),
            region: region.into(),
            stage: "connack".into(),
            error: "refused".into(),
            connack,
            alert: None,
            cut_off: false,
        }
    }

    fn asked(mut record: Record, metric: &str, condition: &str) -> (Verdict, Summary) {
        record.info.objectives = [(metric.to_owned(), condition.to_owned())].into_iter().collect();
        let summary = judge(&record);
        (summary.objectives[0].verdict, summary)
    }

    #[test]
    fn a_storm_is_held_against_what_the_quota_allows() {
        let (verdict, summary) = asked(day(1.0), "failover.storm.ratio", "<= 1.01");
        let storm = summary.storm.as_ref().unwrap();
        assert_eq!(verdict, Verdict::Pass, "{storm:?}");
        assert_eq!((storm.devices, storm.missing), (100, 0));
        let last = storm.shares.last().unwrap();
        assert!((last.bound_ms - 24_000.0).abs() < 1.0, "96 beyond a bucket of 4, by 4 a second: {last:?}");
        assert!((last.took_ms - 24_000.0).abs() < 1.0, "{last:?}");
        assert!((storm.wait_mean_ms - storm.wait_mean_bound_ms).abs() < 1.0, "{storm:?}");
        assert_eq!((storm.throttled, storm.throttled_device_max), (97, 2), "{storm:?}");
        let refusals: Vec<(&str, u64)> =
            storm.refusals.iter().map(|row| (row.how.as_str(), row.attempts)).collect();
        let expected = [("CONNECT throttled: CONNACK 3", 97), ("No answer in time, at stage connack", 1)];
        assert_eq!(refusals, expected);

        let (verdict, summary) = asked(day(1.5), "failover.storm.ratio", "<= 1.1");
        assert_eq!(verdict, Verdict::Fail);
        assert!((summary.objectives[0].value.unwrap() - 1.5).abs() < 1e-3, "{:?}", summary.objectives[0]);
        assert_eq!(asked(day(1.0), "failover.storm.time", "<= 25s").0, Verdict::Pass);
        assert_eq!(asked(day(1.0), "failover.storm.time", "<= 23s").0, Verdict::Fail);
        assert_eq!(asked(day(1.0), "connects.throttled", "== 97").0, Verdict::Pass);
    }

    #[test]
    fn without_the_quota_of_the_secondary_or_beyond_it_there_is_nothing_to_compare() {
        let mut unknown = day(1.0);
        set(&mut unknown, |quota| quota.region = "eu-west-1".into());
        let (verdict, summary) = asked(unknown, "failover.storm.ratio", "<= 2");
        assert_eq!((verdict, summary.storm.is_none()), (Verdict::Unknown, true));

        let mut large = day(1.0);
        set(&mut large, |quota| quota.value = 500.0);
        let (verdict, summary) = asked(large, "failover.storm.ratio", "<= 2");
        assert_eq!(verdict, Verdict::Unknown, "all of them fit into the bucket");
        assert!(summary.objectives[0].why.contains("bucket"), "{:?}", summary.objectives[0]);
    }

    #[test]
    fn a_device_that_never_came_makes_it_longer_than_was_seen() {
        let day = record(500, Luck::Bad);
        let (_, summary) = asked(day.clone(), "failover.storm.ratio", "<= 100");
        let storm = summary.storm.as_ref().unwrap();
        assert_eq!(storm.missing, summary.failover.missing);
        assert!(storm.missing > 0 && storm.shares.iter().all(|share| share.percent < 100.0), "{storm:?}");
        let row = &summary.objectives[0];
        assert!(row.measured.starts_with("> "), "{row:?}");
        assert_eq!(asked(day, "failover.storm.time", "<= 1h").0, Verdict::Unknown);
    }
}
