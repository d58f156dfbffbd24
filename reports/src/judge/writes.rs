//! What became of each shadow write, and what the secondary did not have when the primary was lost.
//!
//! A write that the secondary itself acknowledged is in the secondary: it is visible, and supersedes the device's
//! earlier writes there. It says nothing of replication, so lag and RPO count the primary's writes alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{RunInfo, Write, WriteFate};
use crate::summary::{Debt, Ledger, Loss, Rpo};

use super::spread::ms;
use super::timeline::Timeline;

const LOSSES_LISTED: usize = 20;

/// Of each device, the highest sequence number that the secondary is known to have had.
pub(crate) fn highest_seen<'a>(info: &RunInfo, ledger: &'a [Write]) -> BTreeMap<&'a str, u64> {
    let mut highest = BTreeMap::new();
    for write in ledger.iter().filter(|write| in_secondary(info, write)) {
        let seq: &mut u64 = highest.entry(write.device.as_str()).or_default();
        *seq = write.seq.max(*seq);
    }
    highest
}

fn by(write: &Write, region: &str) -> bool {
    write.region.as_deref() == Some(region)
}

fn in_secondary(info: &RunInfo, write: &Write) -> bool {
    write.visible_us.is_some() || (write.acked_us.is_some() && by(write, &info.secondary))
}

/// What became of a write, when the secondary had the device's writes up to `highest`.
pub(crate) fn fate(info: &RunInfo, write: &Write, highest: Option<u64>) -> WriteFate {
    if in_secondary(info, write) {
        WriteFate::Visible
    } else if write.acked_us.is_some() && write.unobserved {
        WriteFate::Unobserved
    } else if write.acked_us.is_some() {
        if highest.is_some_and(|highest| highest > write.seq) { WriteFate::Stale } else { WriteFate::Lost }
    } else if write.rejected.is_some() {
        WriteFate::Rejected
    } else if write.sent_us.is_some() {
        WriteFate::Unknown
    } else {
        WriteFate::Unsent
    }
}

/// Counts the fates.
pub(crate) fn ledger(info: &RunInfo, writes: &[Write]) -> Ledger {
    let highest = highest_seen(info, writes);
    let mut ledger = Ledger { writes: writes.len() as u64, ..Ledger::default() };
    let mut losses: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for write in writes {
        let fate = fate(info, write, highest.get(write.device.as_str()).copied());
        let count = match fate {
            WriteFate::Visible => &mut ledger.visible,
            WriteFate::Stale => &mut ledger.stale,
            WriteFate::Lost => &mut ledger.lost,
            WriteFate::Unknown => &mut ledger.unknown,
            WriteFate::Rejected => &mut ledger.rejected,
            WriteFate::Unsent => &mut ledger.unsent,
            WriteFate::Unobserved => &mut ledger.unobserved,
        };
        *count += 1;
        if write.acked_us.is_some() {
            ledger.acked_primary += u64::from(by(write, &info.primary));
            ledger.acked_secondary += u64::from(by(write, &info.secondary));
            let device = losses.entry(&write.device).or_default();
            device.0 += u64::from(fate == WriteFate::Lost);
            device.1 += 1;
        }
    }
    let mut rows: Vec<Loss> = losses
        .into_iter()
        .filter(|(_, (lost, _))| *lost > 0)
        .map(|(device, (lost, acked))| Loss { device: device.to_owned(), lost, acked })
        .collect();
    rows.sort_by(|a, b| b.lost.cmp(&a.lost).then_with(|| a.device.cmp(&b.device)));
    ledger.devices_with_losses = rows.len() as u64;
    rows.truncate(LOSSES_LISTED);
    ledger.losses = rows;
    ledger
}

/// The RPO, frozen at each break; of several breaks, the worst of each number. `None` when nothing was broken.
pub(crate) fn rpo(info: &RunInfo, writes: &[Write], timeline: &Timeline) -> Option<Rpo> {
    timeline.breaks.iter().map(|each| rpo_of(info, writes, each.began_us, each.cured_us)).reduce(|a, b| Rpo {
        acked: a.acked.max(b.acked),
        in_flight: a.in_flight.max(b.in_flight),
        missing: a.missing.max(b.missing),
        devices: a.devices.max(b.devices),
        age_ms: a.age_ms.max(b.age_ms),
    })
}

fn rpo_of(info: &RunInfo, writes: &[Write], began_us: u64, cured_us: Option<u64>) -> Rpo {
    // A shadow is a state: a later write of the device that came through brought the earlier one's place with it.
    let at_break = highest_arrived(info, writes, began_us);
    let at_cure = highest_arrived(info, writes, cured_us.unwrap_or(u64::MAX));
    let (mut rpo, mut devices, mut oldest_us) = (Rpo::default(), BTreeSet::new(), began_us);
    for write in writes.iter().filter(|write| by(write, &info.primary) && !write.unobserved) {
        let Some(acked_us) = write.acked_us.filter(|acked| *acked < began_us) else { continue };
        let device = write.device.as_str();
        let arrived =
            |highest: &BTreeMap<&str, u64>| highest.get(device).is_some_and(|seq| *seq >= write.seq);
        rpo.acked += 1;
        rpo.in_flight += u64::from(!arrived(&at_break));
        if !arrived(&at_cure) {
            rpo.missing += 1;
            devices.insert(device);
            oldest_us = oldest_us.min(acked_us);
        }
    }
    rpo.devices = devices.len() as u64;
    rpo.age_ms = ms(began_us - oldest_us);
    rpo
}

/// What the secondary did not have when a fault was cured, and how long that took to come. `None`: the primary had
/// acknowledged nothing by then.
pub(crate) fn debt(info: &RunInfo, writes: &[Write], cured_us: u64) -> Option<Debt> {
    let at_cure = highest_arrived(info, writes, cured_us);
    let acked = writes.iter().filter(|write| by(write, &info.primary) && !write.unobserved);
    let acked: Vec<(&Write, u64)> =
        acked.filter_map(|write| Some((write, write.acked_us.filter(|at| *at <= cured_us)?))).collect();
    if acked.is_empty() {
        return None;
    }
    let (mut count, mut oldest_us, mut last_owed) = (0, cured_us, BTreeMap::new());
    for (write, acked_us) in acked {
        let device = write.device.as_str();
        if at_cure.get(device).is_none_or(|seq| *seq < write.seq) {
            count += 1;
            oldest_us = oldest_us.min(acked_us);
            let seq: &mut u64 = last_owed.entry(device).or_default();
            *seq = write.seq.max(*seq);
        }
    }
    // A device's debt is paid by the first write of it that is as new as its last one that was owed.
    let mut paid: BTreeMap<&str, u64> = BTreeMap::new();
    for write in writes.iter().filter(|write| by(write, &info.primary)) {
        let device = write.device.as_str();
        if let Some(visible_us) = write.visible_us
            && last_owed.get(device).is_some_and(|seq| write.seq >= *seq)
        {
            let at = paid.entry(device).or_insert(visible_us);
            *at = visible_us.min(*at);
        }
    }
    let drained_us = (paid.len() == last_owed.len())
        .then(|| paid.values().max().map_or(0, |at| at.saturating_sub(cured_us)));
    Some(Debt {
        writes: count,
        devices: last_owed.len() as u64,
        oldest_ms: ms(cured_us - oldest_us),
        drained_ms: drained_us.map(ms),
    })
}

/// Of each device, the highest sequence number that came from the primary and was visible by `by_us`.
fn highest_arrived<'a>(info: &RunInfo, writes: &'a [Write], by_us: u64) -> BTreeMap<&'a str, u64> {
    let mut highest = BTreeMap::new();
    let arrived = |write: &&Write| by(write, &info.primary) && write.visible_us.is_some_and(|at| at <= by_us);
    for write in writes.iter().filter(arrived) {
        let seq: &mut u64 = highest.entry(write.device.as_str()).or_default();
        *seq = write.seq.max(*seq);
    }
    highest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use WriteFate::{Lost, Rejected, Stale, Unknown, Unobserved, Unsent, Visible};

    use super::*;
    use crate::judge::timeline::Break;
    use crate::sample::{info, write};

    fn fates(writes: &[Write]) -> Vec<WriteFate> {
        let info = info();
        let highest = highest_seen(&info, writes);
        writes.iter().map(|w| fate(&info, w, highest.get(w.device.as_str()).copied())).collect()
    }

    #[test]
    fn every_fate_is_told_apart() {
        let primary = info().primary;
        let mut rejected = write("a", 5, &primary, 50, None, None);
        rejected.rejected = Some(429);
        let mut unsent = write("a", 6, &primary, 60, None, None);
        (unsent.region, unsent.sent_us) = (None, None);
        let mut unobserved = write("d", 1, &primary, 10, Some(11), None);
        unobserved.unobserved = true;
        let writes = [
            write("a", 1, &primary, 10, Some(11), Some(20)),
            write("a", 2, &primary, 20, Some(21), None),
            write("a", 3, &primary, 30, Some(31), Some(40)),
            write("a", 4, &primary, 40, None, None),
            rejected,
            unsent,
            write("a", 7, &primary, 70, Some(71), None),
            write("b", 1, &primary, 10, Some(11), None),
            write("c", 1, &primary, 10, None, Some(15)),
            unobserved,
        ];
        assert_eq!(
            fates(&writes),
            [Visible, Stale, Visible, Unknown, Rejected, Unsent, Lost, Lost, Visible, Unobserved]
        );
    }

    #[test]
    fn a_write_acknowledged_by_the_secondary_is_there() {
        let (primary, secondary) = (info().primary, info().secondary);
        let writes =
            [write("a", 1, &primary, 10, Some(11), None), write("a", 2, &secondary, 20, Some(21), None)];
        assert_eq!(fates(&writes), [WriteFate::Stale, WriteFate::Visible]);
        let timeline = Timeline {
            breaks: vec![Break { began_us: 15, cured_us: Some(100), ..Break::default() }],
            ..Timeline::default()
        };
        // It supersedes, and is still no evidence that the primary's write ever came over.
        assert_eq!(rpo(&info(), &writes, &timeline).unwrap().missing, 1);
    }

    #[test]
    fn a_debt_is_what_is_owed_at_the_cure_until_it_came() {
        let primary = info().primary;
        let mut writes = vec![
            write("a", 1, &primary, 10, Some(11_000), Some(20_000)),
            write("a", 2, &primary, 30, Some(31_000), Some(150_000)),
            write("a", 3, &primary, 40, Some(41_000), Some(140_000)),
            // Never seen, and overtaken by one that was.
            write("b", 1, &primary, 10, Some(12_000), None),
            write("b", 2, &primary, 50, Some(60_000), Some(90_000)),
            // Acknowledged after the cure: not owed by then, but as good as what was.
            write("c", 1, &primary, 90, Some(95_000), None),
            write("c", 2, &primary, 101, Some(102_000), Some(130_000)),
        ];
        let owed = |writes: &[Write]| debt(&info(), writes, 100_000);
        let whole = Debt { writes: 3, devices: 2, oldest_ms: 69.0, drained_ms: Some(40.0) };
        assert_eq!(owed(&writes), Some(whole));
        writes.pop();
        assert_eq!(owed(&writes), Some(Debt { drained_ms: None, ..whole }), "c's never came");
        assert_eq!(
            owed(&writes[4..5]),
            Some(Debt { writes: 0, devices: 0, oldest_ms: 0.0, drained_ms: Some(0.0) })
        );
        assert_eq!(owed(&[]), None);
    }

    #[test]
    fn the_rpo_is_frozen_at_the_break() {
        let primary = info().primary;
        let writes = [
            write("a", 1, &primary, 10, Some(11), Some(12)),
            write("a", 2, &primary, 50, Some(60), Some(5_000)),
            write("b", 1, &primary, 80, Some(90), Some(150)),
            write("c", 1, &primary, 80, Some(101), None),
            write("d", 1, &primary, 80, Some(95), None),
        ];
        let timeline = Timeline {
            breaks: vec![Break { began_us: 100, cured_us: Some(1_000), ..Break::default() }],
            ..Timeline::default()
        };
        let rpo = rpo(&info(), &writes, &timeline).unwrap();
        assert_eq!((rpo.acked, rpo.in_flight, rpo.missing, rpo.devices), (4, 3, 2, 2));
        assert!((rpo.age_ms - 0.04).abs() < 1e-9, "{}", rpo.age_ms);
        assert_eq!(super::rpo(&info(), &writes, &Timeline::default()), None);
    }

    fn any_write() -> impl Strategy<Value = Write> {
        let times = (0u64..100, proptest::option::of(0u64..100), proptest::option::of(0u64..300));
        ("[ab]", 1u64..6, any::<bool>(), times).prop_map(|(device, seq, first, (sent, acked, visible))| {
            let info = info();
            let region = if first { info.primary } else { info.secondary };
            write(&device, seq, &region, sent, acked.map(|ack| sent + ack), visible)
        })
    }

    proptest! {
        #[test]
        fn every_write_has_one_fate(writes in proptest::collection::vec(any_write(), 0..40)) {
            let ledger = ledger(&info(), &writes);
            let sum = ledger.visible + ledger.stale + ledger.lost + ledger.unknown + ledger.rejected + ledger.unsent + ledger.unobserved;
            prop_assert_eq!(sum, ledger.writes);
            prop_assert_eq!(ledger.writes, writes.len() as u64);
        }

        #[test]
        fn seeing_one_more_write_loses_nothing(
            mut writes in proptest::collection::vec(any_write(), 1..40),
            pick in any::<prop::sample::Index>(),
        ) {
            let before = ledger(&info(), &writes).lost;
            let index = pick.index(writes.len());
            writes[index].visible_us = Some(1);
            prop_assert!(ledger(&info(), &writes).lost <= before);
        }

        #[test]
        fn what_is_missing_was_in_flight(
            writes in proptest::collection::vec(any_write(), 0..40),
            began in 0u64..200,
            lasts in proptest::option::of(0u64..200),
        ) {
            let rpo = rpo_of(&info(), &writes, began, lasts.map(|lasts| began + lasts));
            prop_assert!(rpo.missing <= rpo.in_flight && rpo.in_flight <= rpo.acked);
            prop_assert!(rpo.devices <= rpo.missing);
            prop_assert!(rpo.age_ms <= ms(began));
            prop_assert_eq!(rpo.missing == 0, rpo.age_ms == 0.0);
            // A later cure can only bring more over.
            prop_assert!(rpo_of(&info(), &writes, began, None).missing <= rpo.missing);
        }
    }
}
