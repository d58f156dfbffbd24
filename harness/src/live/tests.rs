use gameday_report::record::{Direction, Move};

use super::*;
use crate::scenario::Scenario;

const SCENARIO: &str = r#"
title = "t"
proves = "p"
converge_at_most = "20s"
[fleet]
devices = 4
strategy = { cname = { every = "5s" } }
[[step]]
provision = { via = "api", at_most = "30s" }
[[step]]
connect = { rate_per_s = 200, at_most = "10s" }
[[step]]
break = { faults = ["primary-region-dark"], at_most = "1m" }
"#;

fn began() -> Event {
    let info = serde_json::json!({
        "run": "abcd1234", "scenario": "s", "title": "t", "proves": "p", "seed": 1, "target": "twin", "version": "0",
        "primary": "us-east-1", "secondary": "us-west-2", "devices": 4, "strategy": "cname", "replay": "r",
        "objectives": {},
    });
    Event::RunBegan(serde_json::from_value(info).unwrap())
}

fn moved(device: &str) -> Event {
    Event::Moved(Move {
        device: device.to_owned(),
        direction: Direction::First,
        region: "us-east-1".to_owned(),
        strategy: String::new(),
        last_ack_us: None,
        left_us: None,
        asked_us: None,
        resolved_us: 0,
        attempt_us: 0,
        dns_us: 0,
        tcp_us: 0,
        tls_us: 0,
        connack_us: 0,
        first_ack_us: 0,
        attempts: 1,
    })
}

fn left(device: &str, reason: &str) -> Event {
    Event::Left { device: device.to_owned(), region: "us-east-1".to_owned(), reason: reason.to_owned() }
}

fn step(index: u32, state: StepState) -> Event {
    Event::Step { index, name: "break".to_owned(), label: "Break: dark".to_owned(), state, detail: None }
}

fn fault(state: FaultState) -> Event {
    let [fault, label, detail] = ["primary-region-dark", "dark", "why"].map(str::to_owned);
    Event::Fault { fault, label, state, detail, colour: None }
}

fn live(events: &[(u64, Event)]) -> Live {
    let mut live = Live::default();
    for (at_s, event) in events {
        live.take(at_s * 1_000_000, event);
    }
    live
}

#[test]
fn a_device_is_away_from_its_loss_to_its_next_acknowledged_publish() {
    let mut live = live(&[
        (0, began()),
        (1, moved("a")),
        (1, moved("b")),
        (1, moved("c")),
        (5, left("a", "keep-alive")),
        (8, left("b", "reset")),
        // It was let in and got nothing acknowledged.
        (9, left("a", "keep-alive")),
    ]);
    let reading = live.reading(10_000_000);
    assert_eq!((reading.fleet, reading.away, reading.away_longest_us), (4, 2, 5_000_000));
    live.take(11_000_000, &moved("a"));
    live.take(12_000_000, &left("b", GOODBYE));
    let reading = live.reading(13_000_000);
    assert_eq!((reading.away, reading.away_longest_us), (0, 0), "one is back, one said goodbye");
}

#[test]
fn what_is_broken_is_on_the_list_until_it_is_cured() {
    let mut live = live(&[(0, began()), (3, step(3, StepState::Began)), (4, fault(FaultState::Applied))]);
    let scenario = Scenario::parse(SCENARIO, "f.toml", &[]).unwrap();
    let status = live.status(14_000_000, RunState::Running, Some(&scenario));
    assert_eq!((status.broken[0].for_ms, status.broken[0].seen), (10_000, false));
    let limits = status.step.as_ref().map(|step| (step.number, step.of, step.at_most_ms));
    assert_eq!(limits, Some((3, 3, Some(60_000))));
    assert_eq!(status.left_ms_max, Some(49_000 + 20_000), "this step and convergence");
    assert!(
        status.lines()[0]
            .starts_with("step 3/3: 11 s of at most 1 min 0 s | at most 1 min 9 s to the end | Break: dark"),
        "{status:?}"
    );
    assert_eq!(status.lines()[1], "broken: dark for 10 s, not yet seen to act");
    live.take(15_000_000, &fault(FaultState::Proved));
    live.take(16_000_000, &fault(FaultState::CureFailed));
    let status = live.status(17_000_000, RunState::Running, None);
    assert_eq!(status.lines()[1], "broken: dark for 13 s, NOT HEALED: why");
    live.take(18_000_000, &fault(FaultState::Cured));
    let status = live.status(19_000_000, RunState::Running, None);
    assert_eq!(status.lines()[1], "nothing is broken");
    assert_eq!(status.left_ms_max, None, "nobody knows how long the steps may take");
}

#[test]
fn a_run_that_is_told_to_end_says_why_and_one_that_was_killed_where() {
    let stopping = Event::Stopping { reason: EndReason::Operator, detail: "by SIGINT".to_owned() };
    let live = live(&[(0, began()), (3, step(3, StepState::Began)), (9, stopping)]);
    let scenario = Scenario::parse(SCENARIO, "f.toml", &[]).unwrap();
    let status = live.status(9_000_000, RunState::Stopping, Some(&scenario));
    assert!(
        status.lines()[0]
            .starts_with("STOPPING, by SIGINT | step 3/3: 6 s of at most 1 min 0 s | Break: dark"),
        "{status:?}"
    );
    assert_eq!(status.left_ms_max, None);
    let killed = live.status(live.last_us(), RunState::Killed, Some(&scenario)).lines()[0].clone();
    assert!(killed.starts_with("KILLED: the record breaks off 9 s into the run | step 3/3"), "{killed}");
}
