//! What a report must always be: the same bytes for the same record, whole in itself, and safe.

use crate::record::{Direction, Event, NotReady, Record};
use crate::sample::{Luck, mixed, record};
use crate::{judge, render};

fn html(record: &Record) -> String {
    render(record, &judge(record))
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    for luck in [Luck::Good, Luck::Bad, Luck::Stopped] {
        assert_eq!(html(&record(120, luck)), html(&record(120, luck)));
    }
}

#[test]
fn the_report_needs_nothing_else() {
    let html = html(&record(60, Luck::Good));
    for outside in ["http://", "https://", "src=", "href=", "@import", "url(", "<script", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert_eq!(html.matches("#0102").count(), 0, "a sentinel colour was not replaced");
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
}

#[test]
fn nothing_from_a_record_is_markup() {
    const HOSTILE: &str = "<script>alert('x')</script>\"&<b onmouseover=\"x\">";
    let mut record = mixed(30, Luck::Bad);
    for strategy in &mut record.info.strategies {
        strategy.name = format!("{HOSTILE}{}", strategy.name);
        strategy.label = format!("x, {HOSTILE}");
    }
    let info = &mut record.info;
    for text in [
        &mut info.title,
        &mut info.proves,
        &mut info.strategy,
        &mut info.target,
        &mut info.replay,
        &mut info.run,
    ] {
        *text = HOSTILE.to_owned();
    }
    info.objectives.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
    record.scenario = HOSTILE.to_owned();
    record.notes.push(HOSTILE.to_owned());
    for write in &mut record.ledger {
        write.device = format!("{HOSTILE}{}", write.device);
    }
    for entry in &mut record.undo {
        (entry.name, entry.manual, entry.kind) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
        entry.error = Some(HOSTILE.to_owned());
    }
    for entry in &mut record.events {
        match &mut entry.event {
            Event::Moved(way) => {
                way.device = format!("{HOSTILE}{}", way.device);
                way.strategy = format!("{HOSTILE}{}", way.strategy);
            }
            Event::Left { device, .. } => *device = format!("{HOSTILE}{device}"),
            Event::Fault { label, detail, fault, colour, .. } => {
                (*label, *detail, *fault) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
                *colour = Some(HOSTILE.into());
            }
            Event::Step { label, .. } => *label = HOSTILE.to_owned(),
            Event::Readiness(look) => {
                look.devices = vec![NotReady { device: HOSTILE.into(), why: HOSTILE.into() }];
            }
            Event::Preflight(look) => {
                for check in &mut look.checks {
                    (check.label, check.why) = (HOSTILE.into(), HOSTILE.into());
                }
            }
            Event::Steady(steady) => steady.hypotheses = vec![HOSTILE.into()],
            Event::Api(calls) => calls.operation = HOSTILE.to_owned(),
            Event::Swept { region, kinds, leftovers } => {
                (*region, *kinds) = (HOSTILE.into(), vec![HOSTILE.into()]);
                leftovers.push(crate::record::Leftover { kind: HOSTILE.into(), name: HOSTILE.into() });
            }
            _ => {}
        }
    }
    let html = html(&record);
    assert!(!html.contains("<script"));
    assert!(!html.contains("<b onmouseover"));
    assert!(html.matches("&lt;script&gt;").count() > 10);
}

#[test]
fn the_verdict_is_on_the_first_screen() {
    let good = html(&record(60, Luck::Good));
    let head = &good[good.find("<header>").unwrap()..good.find("</header>").unwrap()];
    assert!(
        head.contains("Objectives met") && head.contains("none was lost") && head.contains("60 <small>of 60")
    );
    assert!(head.contains("and the slowest of 60 after"), "60 devices have no 99th in 100");
    assert!(html(&record(100, Luck::Good)).contains("and 99 of 100 after"));
    let stopped = html(&record(60, Luck::Stopped));
    assert!(stopped.contains("Stopped by the operator"));
    let tile = &stopped[stopped.find("Writes lost").unwrap()..];
    assert!(tile.starts_with("Writes lost</dt><dd>–</dd>"), "it is not decided: {}", &tile[..200]);
    assert!(html(&record(100, Luck::Bad)).contains("Undo incomplete"));
}

#[test]
fn a_rehearsal_on_the_twin_does_not_read_like_one_on_aws() {
    const BADGE: &str = "Rehearsed on the twin (one machine), not on AWS";
    let mut record = record(20, Luck::Good);
    for (target, twin) in [("twin", true), ("http://127.0.0.1:4566", true), ("aws", false)] {
        target.clone_into(&mut record.info.target);
        let html = html(&record);
        let head = html.find("<header>").unwrap()..html.find("</header>").unwrap();
        assert_eq!(html[head].contains(BADGE), twin, "{target}");
        assert_eq!(html.contains("times are loopback"), twin, "{target}");
    }
}

#[test]
fn what_was_never_acknowledged_is_on_the_first_screen() {
    let mut record = record(20, Luck::Good);
    let head = |record: &Record| html(record).split("</header>").next().unwrap().to_owned();
    assert!(!head(&record).contains("never acknowledged"));
    let mut sent = record.ledger.iter_mut().filter(|write| write.acked_us.is_some());
    for write in [sent.next().unwrap(), sent.next().unwrap()] {
        (write.acked_us, write.visible_us) = (None, None);
    }
    assert!(head(&record).contains("2 more were sent and never acknowledged."), "{}", head(&record));
}

#[test]
fn an_empty_record_renders_as_unknown() {
    let mut empty = record(5, Luck::Good);
    empty.events.truncate(1);
    (empty.ledger, empty.undo) = (vec![], vec![]);
    empty.histograms.clear();
    let html = html(&empty);
    assert!(html.contains("Inconclusive"));
    assert!(html.contains("There are no samples."));
    for broken in ["NaN", "inf ", "Infinity"] {
        assert!(!html.contains(broken), "{broken}");
    }
}

#[test]
fn a_large_fleet_does_not_make_a_large_report() {
    let html = html(&record(5_000, Luck::Good));
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[test]
fn devices_that_were_not_ready_are_named() {
    let bad = html(&record(60, Luck::Bad));
    assert!(
        bad.contains("Ready to fail over?") && bad.contains("certificate 3f2a9c01d4be is not Active there")
    );
    assert!(bad.contains("all of 60"));
    let mut silent = record(60, Luck::Good);
    silent.events.retain(|entry| !matches!(entry.event, Event::Readiness(_)));
    assert!(!html(&silent).contains("Ready to fail over?"), "nobody looked");
}

#[test]
fn strategies_are_compared_where_there_are_several() {
    let one = html(&record(60, Luck::Good));
    assert!(!one.contains("Strategies compared") && !one.contains("by strategy"));
    let html = html(&mixed(100, Luck::Good));
    let section = &html[html.find("id=\"strategies\"").unwrap()..];
    let section = &section[..section.find("</section>").unwrap()];
    for said in [
        "dual-endpoint",
        "switches after 3 failures",
        "70 of 70",
        "10 devices of <b>sticky</b> stay",
        "set by",
    ] {
        assert!(section.contains(said), "{said}");
    }
    assert_eq!(section.matches("<figure>").count(), 2 + 3 + 2, "curves, and where the time of each went");
    // Where nobody went there is nothing to compare, and it says so.
    let mut idle = mixed(20, Luck::Good);
    idle.events.retain(|entry| !matches!(&entry.event, Event::Fault { .. } | Event::Left { .. }));
    idle.events
        .retain(|entry| !matches!(&entry.event, Event::Moved(way) if way.direction != Direction::First));
    let idle = self::html(&idle);
    let section = &idle[idle.find("id=\"strategies\"").unwrap()..];
    assert!(section[..section.find("</section>").unwrap()].contains("No device failed over."));
    assert!(html.contains("10 devices stay in eu-central-1 by strategy and are not expected back"));
    assert_eq!(html.matches("#0102").count(), 0, "a sentinel colour was not replaced");
}
