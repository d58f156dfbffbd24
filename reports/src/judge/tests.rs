//! Whole records, judged.

use super::*;
use crate::record::{Entry, FaultState, Leftover, Readiness, StepState, UndoState};
use crate::sample::{Luck, mixed, record};

fn verdict_of(summary: &Summary, metric: &str) -> Verdict {
    summary.objectives.iter().find(|row| row.metric == metric).map(|row| row.verdict).unwrap()
}

fn check<'a>(summary: &'a Summary, name: &str) -> (Verdict, &'a str) {
    summary.checks.iter().find(|row| row.name == name).map(|row| (row.verdict, row.why.as_str())).unwrap()
}

fn day() -> Record {
    record(100, Luck::Good)
}

fn asked(mut record: Record, objectives: &[(&str, &str)]) -> Summary {
    record.info.objectives = objectives.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    judge(&record)
}

#[test]
fn a_good_day_passes() {
    let summary = judge(&day());
    assert_eq!(
        (summary.verdict, summary.exit, summary.exit_code),
        (Verdict::Pass, ExitCode::Pass, 0),
        "{summary:#?}"
    );
    assert_eq!(
        (summary.devices.failed_over, summary.devices.failed_back, summary.devices.stranded),
        (100, 100, 0)
    );
    assert_eq!(summary.failover.set_by.as_deref(), Some("detection"));
    assert_eq!(summary.failover.slowest.len(), 10);
    assert_eq!(summary.undo.left, 0);
    assert!(summary.rpo.as_ref().unwrap().acked > 0);
}

#[test]
fn what_people_did_stands_on_the_clock_of_the_run() {
    let summary = judge(&day());
    let acts: Vec<_> = summary.acts.iter().map(|row| (row.at_ms, row.by.as_deref())).collect();
    assert_eq!(acts, [(49e3, Some("Ada")), (61e3, Some("Ada")), (400e3, None)]);
    assert!(summary.acts[2].at_ms > summary.duration_ms, "after the run, and the run is no longer for it");
    assert_eq!((summary.stopping, summary.verdict), (None, Verdict::Pass));
}

#[test]
fn what_ended_a_run_is_told_with_its_moment() {
    let mut record = day();
    let wall = record.events[0].wall;
    let detail = "publish.ack.p99 was 7 s".to_owned();
    let reason = EndReason::StopCondition;
    let event = Event::Stopping { reason, detail: detail.clone() };
    record.events.insert(1, Entry { at_us: 55_000_000, wall, event });
    record.events.last_mut().unwrap().event = Event::RunEnded { reason, detail: Some(detail.clone()) };
    let summary = judge(&record);
    let stopping = summary.stopping.as_ref().unwrap();
    assert_eq!((stopping.at_ms, &stopping.detail), (55e3, &detail));
    assert_eq!(summary.exit, ExitCode::StopCondition);
    assert!(check(&summary, "run").1.contains(&detail), "{summary:?}");
    let page = crate::render(&record, &summary);
    assert!(page.contains("Told to end at 0:55") && page.contains(&detail), "the report says so");
    assert!(page.contains("on-call acknowledged"));
}

#[test]
fn devices_that_never_came_count_as_the_slowest() {
    let summary = judge(&record(500, Luck::Bad));
    assert_eq!(verdict_of(&summary, "failover.outage.p99"), Verdict::Fail);
    let row = summary.objectives.iter().find(|row| row.metric == "failover.outage.p99").unwrap();
    assert!(row.measured.starts_with("> "), "{row:?}");
    assert_eq!((summary.devices.stranded, summary.failover.missing), (6, 6));
    assert!(summary.ledger.lost > 0);
    assert_eq!(verdict_of(&summary, "writes.lost"), Verdict::Fail);
}

#[test]
fn an_incomplete_undo_outranks_everything() {
    let summary = judge(&record(200, Luck::Bad));
    assert_eq!(
        (summary.exit, summary.exit_code, summary.verdict),
        (ExitCode::UndoIncomplete, 20, Verdict::Fail)
    );
    assert_eq!((summary.undo.failed, summary.undo.left), (1, 1));
    assert!(summary.undo.left_items[0].manual.starts_with("aws iot delete-thing"));

    let mut leftover = day();
    for entry in &mut leftover.events {
        if let Event::Swept { leftovers, .. } = &mut entry.event {
            leftovers.push(Leftover { kind: "thing".into(), name: "x".into() });
        }
    }
    assert_eq!(judge(&leftover).exit_code, 20);

    let mut uncured = day();
    for entry in &mut uncured.events {
        if let Event::Fault { state, .. } = &mut entry.event
            && matches!(state, FaultState::Cured | FaultState::CureProved)
        {
            *state = FaultState::CureFailed;
        }
    }
    assert_eq!(judge(&uncured).exit_code, 20);
    // Healed later from the journal: the events do not know, and the journal outranks them.
    let mut healed = uncured;
    let mut entry = healed.undo[0].clone();
    (entry.id, entry.kind, entry.state) = (9_999, "fault".into(), UndoState::Undone);
    healed.undo.push(entry);
    assert_ne!(judge(&healed).exit_code, 20);
}

#[test]
fn a_fault_that_was_not_seen_to_act_is_unknown() {
    let mut record = day();
    record.events.retain(|entry| !matches!(entry.event, Event::Fault { state: FaultState::Proved, .. }));
    let summary = judge(&record);
    let (verdict, why) = check(&summary, "fault:primary-region-dark");
    assert_eq!(verdict, Verdict::Unknown);
    assert_eq!(why, "The fault \"primary-region-dark\" was not seen to act.");
    assert_eq!((summary.verdict, summary.exit_code), (Verdict::Unknown, 11));
}

#[test]
fn nobody_is_blamed_for_ways_when_the_fault_was_not_seen_to_act_or_an_error_ended_the_run() {
    let journeys = ["failover.outage.p99", "failover.detection", "failback.time.p99", "devices.failed_over"];
    let missed = |change: fn(&mut Record), why: &str| {
        let mut record = record(100, Luck::Bad);
        record.info.objectives = journeys
            .into_iter()
            .chain(["replication.shadow.p99"])
            .map(|key| (key.into(), "<= 1ms".into()))
            .collect();
        record.info.objectives.insert("devices.failed_over".into(), ">= 100%".into());
        assert!(journeys.iter().all(|metric| verdict_of(&judge(&record), metric) == Verdict::Fail));
        change(&mut record);
        let summary = judge(&record);
        for row in summary.objectives.iter().filter(|row| journeys.contains(&row.metric.as_str())) {
            assert_eq!(row.verdict, Verdict::Unknown, "{row:?}");
            assert!(row.why.contains(why), "{row:?}");
        }
        // What does not hang on the fault is what it is.
        assert_eq!(verdict_of(&summary, "replication.shadow.p99"), Verdict::Fail);
    };
    let unseen = |record: &mut Record| {
        let proved = |event: &Event| matches!(event, Event::Fault { state: FaultState::Proved, fault, .. } if fault == "primary-health-check");
        record.events.retain(|entry| !proved(&entry.event));
    };
    missed(unseen, "the fault \"primary-health-check\" was not seen to act; it cannot be said");
    let error = |record: &mut Record| {
        let detail = Some("the target is gone".to_owned());
        record.events.last_mut().unwrap().event = Event::RunEnded { reason: EndReason::Error, detail };
    };
    missed(error, "it cannot be said");
}

#[test]
fn a_harness_that_was_the_bottleneck_is_unknown() {
    let slow: [fn(&mut crate::record::HarnessSample); 2] =
        [|sample| sample.timer_delay_us_max = 260_000, |sample| sample.late_sends = 40];
    for change in slow {
        let mut record = day();
        for entry in &mut record.events {
            if let Event::Harness(sample) = &mut entry.event {
                change(sample);
            }
        }
        let summary = judge(&record);
        let (verdict, why) = check(&summary, "harness");
        assert_eq!(verdict, Verdict::Unknown);
        assert!(why.contains("itself the bottleneck"), "{why}");
        assert_eq!(summary.exit_code, 11);
    }
}

#[test]
fn what_a_late_harness_measured_as_too_long_is_not_called_missed() {
    let slow = |record: &mut Record| {
        for entry in &mut record.events {
            if let Event::Harness(sample) = &mut entry.event {
                sample.timer_delay_us_max = 260_000;
            }
        }
    };
    let mut record = record(500, Luck::Bad);
    assert_eq!(verdict_of(&judge(&record), "failover.outage.p99"), Verdict::Fail);
    slow(&mut record);
    let summary = judge(&record);
    assert_eq!(verdict_of(&summary, "failover.outage.p99"), Verdict::Unknown);
    assert_eq!(verdict_of(&summary, "writes.lost"), Verdict::Fail, "that is no time");
}

#[test]
fn what_nobody_could_see_is_not_called_lost() {
    let mut record = record(500, Luck::Bad);
    assert_eq!(verdict_of(&judge(&record), "writes.lost"), Verdict::Fail);
    let (at_us, wall) = (20_000_000, record.events[0].wall);
    let away = Event::Observer { observer: 0, seeing: false, detail: Some("closed".into()) };
    let before_the_end = record.events.len() - 1;
    record.events.insert(before_the_end, Entry { at_us, wall, event: away });
    let summary = judge(&record);
    assert_eq!(check(&summary, "observer").0, Verdict::Unknown);
    assert_eq!(verdict_of(&summary, "writes.lost"), Verdict::Unknown);
}

#[test]
fn how_a_run_ended_decides_its_exit_code() {
    let ends = [
        (EndReason::Operator, 13),
        (EndReason::StopCondition, 12),
        (EndReason::Refused, 14),
        (EndReason::Error, 1),
        (EndReason::NotSteady, 11),
        (EndReason::Completed, 0),
    ];
    for (reason, code) in ends {
        let mut record = day();
        record.events.last_mut().unwrap().event = Event::RunEnded { reason, detail: None };
        let summary = judge(&record);
        assert_eq!(summary.exit_code, code, "{reason:?}");
        assert_eq!(summary.verdict == Verdict::Pass, reason == EndReason::Completed);
    }
    let mut killed = day();
    killed.events.pop();
    let summary = judge(&killed);
    assert_eq!((summary.exit_code, summary.ended), (11, None));
    assert_eq!(check(&summary, "run").0, Verdict::Unknown);
}

#[test]
fn what_was_not_steady_is_unknown_whatever_was_measured() {
    let summary = judge(&day());
    assert_eq!(check(&summary, "steady").0, Verdict::Pass);
    assert!(check(&summary, "steady").1.contains("12 s: devices.missing == 0"), "{summary:?}");
    assert_eq!(summary.preflight.len(), 3);

    let mut record = record(500, Luck::Bad);
    assert_eq!(verdict_of(&judge(&record), "failover.outage.p99"), Verdict::Fail);
    let what = "devices.missing was 3, and is to be == 0".to_owned();
    for entry in &mut record.events {
        if let Event::Steady(steady) = &mut entry.event {
            (steady.held, steady.broken) = (false, vec![what.clone()]);
        }
    }
    let end = Event::RunEnded { reason: EndReason::NotSteady, detail: Some(what.clone()) };
    record.events.last_mut().unwrap().event = end;
    record.undo.clear();
    record.events.retain(|entry| !matches!(entry.event, Event::Fault { .. } | Event::Swept { .. }));
    let summary = judge(&record);
    assert!(summary.objectives.iter().all(|row| row.verdict == Verdict::Unknown), "{summary:#?}");
    assert_eq!(
        (summary.verdict, summary.exit),
        (Verdict::Unknown, ExitCode::Inconclusive),
        "{}",
        summary.reason
    );
    assert!(check(&summary, "steady").1.contains(&what));
    assert!(
        summary.reason.contains("nothing was broken") && summary.reason.contains(&what),
        "{}",
        summary.reason
    );
    let page = crate::render(&record, &summary);
    let head = page.split("</header>").next().unwrap();
    assert!(head.contains("devices.missing was 3"), "where the verdict is");
}

#[test]
fn a_step_that_reached_its_limit_is_unknown() {
    let mut record = day();
    for entry in &mut record.events {
        if let Event::Step { state, name, .. } = &mut entry.event
            && *state == StepState::Completed
            && name == "heal"
        {
            *state = StepState::TimedOut;
        }
    }
    assert_eq!(judge(&record).exit_code, 11);
}

#[test]
fn no_samples_is_unknown_for_every_metric() {
    let mut empty = day();
    empty.events.truncate(1);
    let end = Event::RunEnded { reason: EndReason::Completed, detail: None };
    empty.events.push(Entry { event: end, ..empty.events[0].clone() });
    (empty.ledger, empty.undo) = (vec![], vec![]);
    empty.histograms.clear();
    for metric in crate::objective::METRICS {
        let key = match metric.shape {
            crate::Shape::Scalar => metric.name.to_owned(),
            crate::Shape::Distribution => format!("{}.p99", metric.name),
        };
        let condition = if metric.unit == crate::Unit::Duration { ">= 0s" } else { ">= 0" };
        let summary = asked(empty.clone(), &[(&key, condition)]);
        let row = &summary.objectives[0];
        assert_eq!((row.verdict, row.value, row.samples), (Verdict::Unknown, None, 0), "{row:?}");
        assert!(!row.why.is_empty());
        assert_eq!(summary.exit_code, 11);
    }
}

#[test]
fn every_metric_is_measured_on_a_day_that_has_it_all() {
    let mut full = day();
    let lag = full.histograms["replication.shadow"].clone();
    full.histograms.insert("publish.ack".into(), lag.clone());
    full.histograms.insert("shadow.ack".into(), lag);
    for metric in crate::objective::METRICS {
        for statistic in crate::Statistic::ALL {
            let key = match metric.shape {
                crate::Shape::Scalar => metric.name.to_owned(),
                crate::Shape::Distribution => format!("{}.{}", metric.name, statistic.name()),
            };
            let condition = if metric.unit == crate::Unit::Duration { ">= 0s" } else { ">= 0" };
            let row = &asked(full.clone(), &[(&key, condition)]).objectives[0];
            assert_eq!(row.verdict, Verdict::Pass, "{row:?}");
            assert!(row.samples > 0, "{row:?}");
        }
    }
}

#[test]
fn an_objective_that_is_none_is_unknown_and_says_why() {
    let summary = asked(day(), &[("failover.outge.p99", "<= 90s")]);
    assert_eq!(summary.objectives[0].verdict, Verdict::Unknown);
    assert!(summary.objectives[0].why.contains("did you mean"));
    assert_eq!(asked(day(), &[]).verdict, Verdict::Unknown);
}

#[test]
fn a_health_check_that_never_changed_took_longer_than_the_fault_lasted() {
    let mut record = day();
    record.events.retain(|entry| !matches!(&entry.event, Event::Health { healthy: false, .. }));
    let row = &asked(record.clone(), &[("failover.detection", "<= 45s")]).objectives[0];
    assert_eq!(row.verdict, Verdict::Fail, "{row:?}");
    let row = &asked(record, &[("failover.detection", "<= 1h")]).objectives[0];
    assert_eq!(row.verdict, Verdict::Unknown, "{row:?}");
}

#[test]
fn a_record_cut_off_anywhere_is_judged_and_rendered() {
    let whole = record(12, Luck::Bad);
    for end in (1..whole.events.len()).step_by(7) {
        let mut cut = whole.clone();
        cut.events.truncate(end);
        let summary = judge(&cut);
        assert_ne!(summary.verdict, Verdict::Pass);
        assert!(crate::render(&cut, &summary).ends_with("</html>\n"));
    }
}

#[test]
fn two_breaks_are_two_ways_of_each_device() {
    let mut twice = day();
    let shift = 300_000_000;
    let mut again: Vec<Entry> =
        twice.events.iter().filter(|entry| entry.at_us > 41_000_000).cloned().collect();
    for entry in &mut again {
        entry.at_us += shift;
        if let Event::Moved(way) = &mut entry.event {
            let times = [
                &mut way.resolved_us,
                &mut way.attempt_us,
                &mut way.dns_us,
                &mut way.tcp_us,
                &mut way.tls_us,
                &mut way.connack_us,
                &mut way.first_ack_us,
            ];
            for time in times {
                *time += shift;
            }
        }
    }
    twice.events.retain(|entry| !matches!(entry.event, Event::RunEnded { .. }));
    twice.events.extend(again);
    let summary = judge(&twice);
    assert_eq!((summary.failover.devices, summary.failback.devices), (200, 200));
    assert_eq!(summary.devices.failed_over, 100);
    let once = judge(&day()).failover.total.unwrap();
    assert!((summary.failover.total.unwrap().p99_ms - once.p99_ms).abs() < 1e-6);
}

#[test]
fn readiness_is_the_worst_look_and_unknown_when_it_could_not_be_looked() {
    let look = |ready, not_ready, unknown| {
        let fleet = ready + not_ready + unknown;
        Readiness { fleet, sample: None, ready, not_ready, unknown, devices: vec![] }
    };
    let judged = |looks: &[Readiness], condition: &str| {
        let mut record = day();
        record.events.retain(|entry| !matches!(entry.event, Event::Readiness(_)));
        let at = record.events.iter().position(|entry| matches!(entry.event, Event::Step { .. })).unwrap();
        for look in looks {
            let entry = Entry { event: Event::Readiness(look.clone()), ..record.events[at].clone() };
            record.events.insert(at, entry);
        }
        let summary = asked(record, &[("devices.not_ready", condition)]);
        let row = summary.objectives[0].clone();
        (row.verdict, row.measured, row.why)
    };
    let verdict = |looks: &[Readiness], condition: &str| judged(looks, condition).0;
    assert_eq!(judged(&[look(40, 0, 0)], "== 0").1, "0");
    assert_eq!(verdict(&[look(40, 0, 0), look(39, 1, 0)], "== 0"), Verdict::Fail, "the worst counts");
    assert_eq!(verdict(&[look(39, 1, 0)], "<= 5%"), Verdict::Pass);
    assert_eq!(verdict(&[look(39, 0, 1)], "== 0"), Verdict::Unknown);
    assert_eq!(verdict(&[look(39, 0, 1), look(40, 0, 0)], "== 0"), Verdict::Unknown, "in either order");
    assert_eq!(
        verdict(&[look(30, 1, 9), look(38, 2, 0)], "<= 2"),
        Verdict::Unknown,
        "one of the nine may be"
    );
    assert_eq!(verdict(&[look(38, 1, 1)], "== 0"), Verdict::Fail, "one is enough, whatever the other is");
    assert_eq!(verdict(&[look(0, 0, 0)], "== 0"), Verdict::Unknown);
    assert_eq!(judged(&[], "== 0").2, "No step looked whether the secondary would let devices in.");
}

#[test]
fn each_strategy_is_judged_by_its_own_devices() {
    let summary = asked(
        mixed(100, Luck::Good),
        &[("devices.failed_back", ">= 100%"), ("devices.failed_over", ">= 100%")],
    );
    assert_eq!(summary.verdict, Verdict::Pass, "{}", summary.reason);
    let rows: Vec<_> = summary
        .strategies
        .iter()
        .map(|row| (row.name.as_str(), row.devices, row.failed_over, row.failed_back, row.failover.devices))
        .collect();
    assert_eq!(
        rows,
        [("cname", 70, 70, 70, 70), ("dual-endpoint", 20, 20, 20, 20), ("sticky", 10, 10, 0, 10)]
    );
    assert!(summary.strategies.iter().all(|row| row.failback.missing == 0 && row.stranded == 0));
    let whole = summary.failover.total.as_ref().unwrap();
    let slowest = summary.strategies.iter().filter_map(|row| Some(row.failover.total.as_ref()?.max_ms));
    assert_eq!(slowest.fold(0.0, f64::max).to_bits(), whole.max_ms.to_bits(), "the parts are of the whole");

    let stages = |waterfall: &crate::summary::Waterfall| -> Vec<String> {
        waterfall.stages.iter().map(|stage| stage.stage.clone()).take(3).collect()
    };
    let [cname, dual, _] = summary.strategies.as_slice() else { panic!("three strategies") };
    assert_eq!(stages(&cname.failover), ["detection", "answer", "resolver"]);
    assert_eq!(stages(&dual.failover), ["notice", "attempts", "leave"]);
    assert_eq!(stages(&dual.failback), ["probes", "leave", "dns"]);
    assert!(dual.failover.answer_ms.is_none() && cname.failover.answer_ms.is_some());
    assert_eq!(summary.failover.stages.len(), 11, "of the whole fleet every stage that somebody has");
    let device = summary.failover.p99_device.as_ref().unwrap();
    assert_eq!(device.strategy, "dual-endpoint");
    assert!((device.stages_ms.iter().sum::<f64>() - device.total_ms).abs() < 1e-6, "{device:?}");
}

#[test]
fn a_device_that_is_to_stay_is_not_expected_back() {
    let day = mixed(50, Luck::Good);
    let row = |record: Record, condition: &str| {
        asked(record, &[("devices.failed_back", condition)]).objectives[0].clone()
    };
    let judged = row(day.clone(), ">= 100%");
    assert_eq!((judged.verdict, judged.measured.as_str()), (Verdict::Pass, "100%"));
    assert!(judged.why.contains("5 devices more stay in the secondary by strategy"), "{}", judged.why);
    assert_eq!(row(day.clone(), "== 45").verdict, Verdict::Pass);
    let summary = judge(&day);
    assert_eq!((summary.devices.expected_back, summary.devices.failed_back), (45, 45));
    assert_eq!(summary.failback.missing, 0);

    // One that was to come home and did not is missed as ever.
    let mut late = day.clone();
    late.events.retain(|entry| {
        !matches!(&entry.event, Event::Moved(way) if way.device == "pump-0000" && way.direction == Direction::Failback)
    });
    assert_eq!(row(late.clone(), ">= 100%").verdict, Verdict::Fail);
    assert_eq!(judge(&late).failback.missing, 1);

    // A fleet that only stays has nothing to say about coming home.
    let mut staying = day;
    for strategy in &mut staying.info.strategies {
        strategy.fails_back = false;
    }
    let judged = row(staying, ">= 100%");
    assert_eq!(judged.verdict, Verdict::Unknown);
    assert_eq!(judged.why, "No device has a strategy that brings it home.");
}

#[test]
fn a_record_of_old_is_judged_as_it_was() {
    let mut old = day();
    old.info.strategies.clear();
    for entry in &mut old.events {
        if let Event::Moved(way) = &mut entry.event {
            way.strategy.clear();
        }
    }
    let (old, new) = (judge(&old), judge(&day()));
    assert!(old.strategies.is_empty());
    assert_eq!((old.objectives, old.devices), (new.objectives, new.devices));
    assert_eq!(old.failover.stages, new.failover.stages);
}

#[test]
fn stragglers_are_told_by_the_evidence_of_the_record() {
    use crate::summary::Cause;
    assert_eq!(judge(&mixed(100, Luck::Good)).stragglers.devices, 0, "a good day has none");
    let mut late = day();
    // One whose resolver had the old answer for a minute more, and one that the secondary had no room for meanwhile.
    let mut refused = Vec::new();
    for entry in &mut late.events {
        let Event::Moved(way) = &mut entry.event else { continue };
        if way.direction != Direction::Failover || !["pump-0004", "pump-0007"].contains(&way.device.as_str())
        {
            continue;
        }
        let minute = 60_000_000;
        if way.device == "pump-0004" {
            way.resolved_us += minute;
        } else {
            let failed = Event::ConnectFailed {
                device: way.device.clone(),
                region: way.region.clone(),
                stage: "connack".into(),
                error: "refused".into(),
                connack: Some(3),
                alert: None,
                cut_off: false,
            };
            refused.push(Entry { at_us: way.attempt_us, event: failed, ..entry.clone() });
            let Event::Moved(way) = &mut entry.event else { continue };
            way.attempt_us += minute;
        }
        let Event::Moved(way) = &mut entry.event else { continue };
        if way.device == "pump-0004" {
            way.attempt_us += minute;
        }
        for time in
            [&mut way.dns_us, &mut way.tcp_us, &mut way.tls_us, &mut way.connack_us, &mut way.first_ack_us]
        {
            *time += minute;
        }
        entry.at_us += minute;
    }
    late.events.extend(refused);
    late.events.sort_by_key(|entry| entry.at_us);
    let stragglers = judge(&late).stragglers;
    let causes: Vec<_> = stragglers.slowest.iter().map(|each| (each.device.as_str(), each.cause)).collect();
    assert_eq!(stragglers.devices, 2, "{stragglers:?}");
    assert!(causes.contains(&("pump-0004", Cause::StaleDns)), "{causes:?}");
    assert!(causes.contains(&("pump-0007", Cause::ThrottledConnect)), "{causes:?}");
    assert_eq!(stragglers.causes.iter().map(|row| row.devices).sum::<u64>(), 2);

    // Those that never came are stragglers too, before all others.
    let gone = judge(&record(100, Luck::Bad));
    assert_eq!(gone.stragglers.devices, gone.failover.missing);
    assert!(gone.stragglers.slowest[0].took_ms.is_none());
    assert_eq!(gone.stragglers.slowest[0].cause, Cause::StaleDns, "the answer changed and they never went");
}
