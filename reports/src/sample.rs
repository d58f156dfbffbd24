//! A made-up game day: a fleet that loses its primary Region, fails over and fails back. For tests and for looking at a
//! report without a run. The same size and seed make the same record.

use std::collections::BTreeMap;

use crate::record::{
    Act, ActKind, ApiCalls, Backoff, Direction, EndReason, Entry, Event, FaultState, Guide, HarnessSample,
    Histogram, HistogramSeries, Interval, Leftover, Move, NotReady, Observation, ObservedBy, Preflight,
    PreflightCheck, PreflightOutcome, Quota, QuotaReport, QuotaRequest, QuotaRow, QuotaStorm, QuotaValue,
    QuotaVerdict, Readiness, Record, RunInfo, Sample, Steady, StepState, Strategy, UndoEntry, UndoState,
    Write, new_histogram,
};

const S: u64 = 1_000_000;
const CONNECTED: u64 = 11 * S;
const BROKEN: u64 = 42 * S;
const CURED: u64 = 132 * S;
const END: u64 = 214 * S;

/// Who ran what.
pub(crate) fn info() -> RunInfo {
    let objectives = [
        ("failover.outage.p99", "<= 90s"),
        ("failover.detection", "<= 45s"),
        ("failback.time.p99", "<= 60s"),
        ("replication.shadow.p99", "<= 2s"),
        ("devices.not_ready", "== 0"),
        ("devices.failed_over", ">= 99.9%"),
        ("rpo.seconds", "<= 5s"),
        ("writes.lost", "== 0"),
    ];
    RunInfo {
        run: "k3v9x2ap".into(),
        scenario: "region-loss".into(),
        title: "The primary Region is lost; 500 devices".into(),
        proves: "Devices are back within 90 s and nothing acknowledged is lost".into(),
        seed: 42,
        target: "twin".into(),
        version: "0.1.0".into(),
        primary: "eu-west-1".into(),
        secondary: "eu-central-1".into(),
        devices: 500,
        strategy: "cname, asked every 5s".into(),
        strategies: Vec::new(),
        replay: "gameday run scenarios/region-loss.toml --seed 42".into(),
        objectives: objectives.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

fn strategy(name: &str, guide: Guide, fails_back: bool) -> Strategy {
    let label = match guide {
        Guide::Name => format!("{name}, asked every 5s"),
        Guide::Endpoints => format!("{name}, switches after 3 failures, probes every 10s"),
    };
    Strategy { name: name.into(), label, devices: 0, guide, fails_back }
}

/// The place of a device's strategy among so many.
fn place(number: u32, strategies: usize) -> usize {
    let place = match number % 10 {
        0..=6 => 0,
        7..=8 => 1,
        _ => 2,
    };
    place.min(strategies - 1)
}

/// A write that was sent when it was meant to be.
pub(crate) fn write(
    device: &str,
    seq: u64,
    region: &str,
    sent: u64,
    acked: Option<u64>,
    visible: Option<u64>,
) -> Write {
    Write {
        device: device.to_owned(),
        seq,
        region: Some(region.to_owned()),
        intended_us: sent,
        sent_us: Some(sent),
        acked_us: acked,
        visible_us: visible,
        rejected: None,
        unobserved: false,
    }
}

/// `SplitMix64`: enough to make up numbers.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    /// Mostly near `from`, now and then far above it.
    fn tailed(&mut self, from: u64, scale: u64) -> u64 {
        let share = (self.next() % 10_000) as f64 / 10_000.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the logarithm lies between 0 and 6"
        )]
        let above = (scale as f64 * (1.0 / (1.0 - share * 0.995)).ln()) as u64;
        from + above
    }
}

/// How well the made-up game day goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    /// All objectives are met.
    Good,
    /// Writes are lost, devices are stranded and something is left.
    Bad,
    /// The run is stopped before anything was proved.
    Stopped,
}

/// A made-up record of a fleet of one strategy.
pub(crate) fn record(devices: u32, luck: Luck) -> Record {
    play(Day::new(devices, luck, vec![strategy("cname", Guide::Name, true)]))
}

/// A made-up record of a fleet of three strategies: of 10 devices 7, 2 and 1 have them.
pub(crate) fn mixed(devices: u32, luck: Luck) -> Record {
    let strategies = vec![
        strategy("cname", Guide::Name, true),
        strategy("dual-endpoint", Guide::Endpoints, true),
        strategy("sticky", Guide::Name, false),
    ];
    play(Day::new(devices, luck, strategies))
}

fn play(mut day: Day) -> Record {
    let (devices, luck) = (day.record.info.devices, day.luck);
    day.begin();
    for device in 0..devices {
        day.device(device);
    }
    day.samples();
    day.end();
    day.record.events.sort_by_key(|entry| entry.at_us);
    if luck == Luck::Stopped {
        day.record.events.retain(|entry| entry.at_us < BROKEN + 20 * S);
        day.push(
            BROKEN + 20 * S,
            Event::RunEnded { reason: EndReason::Operator, detail: Some("Ctrl-C".into()) },
        );
        day.record.ledger.retain(|write| write.intended_us < BROKEN + 20 * S);
        for write in &mut day.record.ledger {
            write.visible_us = write.visible_us.filter(|at| *at < BROKEN + 20 * S);
        }
        for fault in ["primary-health-check", "primary-region-dark"] {
            for state in [FaultState::Cured, FaultState::CureProved] {
                day.fault(BROKEN + 19 * S, fault, "", state, "changed back");
            }
        }
        day.record.events.sort_by_key(|entry| entry.at_us);
    }
    day.record
}

struct Day {
    record: Record,
    dice: Dice,
    luck: Luck,
    lags: BTreeMap<u64, Histogram<u64>>,
    /// When the device at hand left its connection before.
    left_us: Option<u64>,
}

impl Day {
    fn new(devices: u32, luck: Luck, strategies: Vec<Strategy>) -> Self {
        let mut info = info();
        info.devices = devices;
        info.strategies = strategies;
        for number in 0..devices {
            let place = place(number, info.strategies.len());
            info.strategies[place].devices += 1;
        }
        info.title = format!("The primary Region is lost; {devices} devices");
        let record = Record {
            info,
            events: Vec::new(),
            acts: Vec::new(),
            ledger: Vec::new(),
            undo: Vec::new(),
            histograms: BTreeMap::new(),
            plan: serde_json::Value::Null,
            quotas: Some(quota_report()),
            scenario: "title = \"The primary Region is lost\"\n".into(),
            notes: Vec::new(),
        };
        Self { record, dice: Dice(7), luck, lags: BTreeMap::new(), left_us: None }
    }

    fn start(&self) -> jiff::Timestamp {
        let _ = self;
        "2026-05-12T09:30:00Z".parse().unwrap_or_default()
    }

    fn push(&mut self, at_us: u64, event: Event) {
        let wall = self.start() + jiff::SignedDuration::from_micros(at_us.cast_signed());
        self.record.events.push(Entry { at_us, wall, event });
    }

    fn step(&mut self, index: u32, name: &str, label: &str, from: u64, to: u64) {
        let event =
            |state| Event::Step { index, name: name.into(), label: label.into(), state, detail: None };
        self.push(from, event(StepState::Began));
        self.push(to, event(StepState::Completed));
    }

    fn fault(&mut self, at_us: u64, fault: &str, label: &str, state: FaultState, detail: &str) {
        let (fault, label, detail) = (fault.into(), label.into(), detail.into());
        self.push(at_us, Event::Fault { fault, label, state, detail, colour: Some("#cf222e".to_owned()) });
    }

    fn readiness(&mut self, at_us: u64) {
        let not_ready = u64::from(self.luck == Luck::Bad);
        let why = "certificate 3f2a9c01d4be is not Active there".to_owned();
        let device = NotReady { device: "device-00003".into(), why };
        let fleet = u64::from(self.record.info.devices);
        self.push(
            at_us,
            Event::Readiness(Readiness {
                fleet,
                sample: None,
                ready: fleet - not_ready,
                not_ready,
                unknown: 0,
                devices: (0..not_ready).map(|_| device.clone()).collect(),
            }),
        );
    }

    fn begin(&mut self) {
        let info = self.record.info.clone();
        self.push(0, Event::RunBegan(info.clone()));
        self.before();
        let devices = info.devices;
        let observation = Observation { by: ObservedBy::Wildcard, observers: 1, devices, observed: devices };
        self.push(S / 20, Event::Observation(observation));
        self.push(S / 20, Event::Backoff(Backoff { min_ms: 500, max_ms: 8_000 }));
        self.push(
            S / 20,
            Event::Quota(Quota {
                region: info.secondary.clone(),
                service: "iotcore".into(),
                code: Quota::CONNECTS.into(),
                name: "Connect requests per second per account".into(),
                value: 60.0,
                burst: None,
                source: "made up".into(),
            }),
        );
        self.push(S / 20, Event::Observer { observer: 0, seeing: true, detail: None });
        self.step(0, "provision", "Provision 500 devices", S / 10, 8 * S);
        self.readiness(8 * S);
        self.step(1, "connect", "Connect, 200 a second", 8 * S, CONNECTED);
        self.step(2, "hold", "Hold for 30 s", CONNECTED, BROKEN - S);
        self.step(
            3,
            "break",
            "Break: primary health check, primary Region dark",
            BROKEN - S,
            BROKEN + 60 * S,
        );
        self.step(4, "hold", "Hold for 30 s", BROKEN + 60 * S, CURED - S);
        self.step(5, "heal", "Heal until failed back", CURED - S, CURED + 50 * S);
        self.step(6, "clean-up", "Clean up", CURED + 70 * S, END - S);
        for (delay, fault, label, how) in [
            (
                0,
                "primary-health-check",
                "Primary health check fails",
                "GET /health answered 503 from 3 checkers",
            ),
            (
                400_000,
                "primary-region-dark",
                "Primary Region dark",
                "TCP connect to the primary's endpoint timed out",
            ),
        ] {
            self.fault(BROKEN + delay, fault, label, FaultState::Applied, "changed");
            self.fault(BROKEN + delay + 1_300_000, fault, label, FaultState::Proved, how);
            self.fault(CURED + delay, fault, label, FaultState::Cured, "changed back");
            self.fault(CURED + delay + 900_000, fault, label, FaultState::CureProved, "read back");
        }
        let name = "fleet.gameday.test".to_owned();
        for (at, healthy) in [(9 * S, true), (BROKEN + 24 * S, false), (CURED + 21 * S, true)] {
            let (region, up) = (info.primary.clone(), if healthy { 16 } else { 2 });
            self.push(
                at,
                Event::Health { region, healthy, checkers_healthy: up, checkers: 16, read_us: None },
            );
            let region = if healthy { &info.primary } else { &info.secondary };
            let target = format!("{region}.iot.test");
            self.push(
                at + 800_000,
                Event::Answer { name: name.clone(), target, region: region.clone(), resolution_us: None },
            );
        }
    }

    /// What was looked at before anything was changed, and that it was steady before anything was broken.
    fn before(&mut self) {
        let check = |name: &str, label: &str, outcome, why: &str| PreflightCheck {
            name: name.into(),
            label: label.into(),
            outcome,
            why: why.into(),
            ignored: outcome == PreflightOutcome::Unknown,
        };
        let checks = vec![
            check("account", "The account", PreflightOutcome::Passed, "123456789012 is on the list"),
            check("connects", "CONNECTs", PreflightOutcome::Warned, "coming over takes 8 s at the least"),
            check("leftovers", "Leftovers", PreflightOutcome::Unknown, "things could not be listed"),
        ];
        self.push(S / 100, Event::Preflight(Preflight { checks }));
        self.push(
            BROKEN - S / 2,
            Event::Steady(Steady {
                held: true,
                for_us: 12 * S,
                hypotheses: vec!["devices.missing == 0".into(), "sends.failed == 0%".into()],
                broken: Vec::new(),
            }),
        );
    }

    fn device(&mut self, number: u32) {
        let device = format!("pump-{number:04}");
        let provisioned_us = S + u64::from(number) * 7 * S / u64::from(self.record.info.devices);
        let lag = self.dice.tailed(700_000, 400_000);
        let connectable =
            Event::Connectable { device: device.clone(), provisioned_us, resolution_us: 250_000 };
        self.push(provisioned_us + lag, connectable);

        let (primary, secondary) = (self.record.info.primary.clone(), self.record.info.secondary.clone());
        let start = 8 * S + u64::from(number) * 5_000;
        let strategy = self.strategy(&device).clone();
        let is_guided_by_name = strategy.guide == Guide::Name;
        self.way(&device, Direction::First, &primary, None, start, start, 1);
        let stranded = self.luck == Luck::Bad && number % 83 == 5;
        let dark = BROKEN + self.dice.between(400_000, 1_500_000);
        let (lost, reason) = if is_guided_by_name {
            (dark, "closed")
        } else {
            (BROKEN + self.dice.between(27 * S, 34 * S), "keep-alive")
        };
        self.left(lost, &device, &primary, reason);
        for attempt in 0..3 {
            let stage = if attempt == 0 { "tcp" } else { "dns" };
            let (device, region, error) = (device.clone(), primary.clone(), "timed out".to_owned());
            let stage = stage.into();
            let failed = Event::ConnectFailed {
                device,
                region,
                stage,
                error,
                connack: None,
                alert: None,
                cut_off: false,
            };
            self.push(lost + (attempt + 1) * 4 * S, failed);
        }
        if stranded {
            self.writes(&device, (dark, u64::MAX), (u64::MAX, u64::MAX));
            return;
        }
        let resolved = if is_guided_by_name {
            BROKEN + 25 * S + self.dice.between(0, 12 * S)
        } else {
            lost + self.dice.between(12 * S, 17 * S)
        };
        let attempt = resolved + self.dice.tailed(100_000, 1_400_000);
        let there =
            self.way(&device, Direction::Failover, &secondary, Some(BROKEN - S), resolved, attempt, 4);
        if !strategy.fails_back {
            self.writes(&device, (dark, there), (u64::MAX, u64::MAX));
            return;
        }
        let resolved = if is_guided_by_name {
            CURED + 22 * S + self.dice.between(0, 14 * S)
        } else {
            CURED + self.dice.between(20 * S, 31 * S)
        };
        let gone = resolved + self.dice.between(100_000, 400_000);
        let reason = if is_guided_by_name { "answer-changed" } else { "primary-answers" };
        self.left(gone, &device, &secondary, reason);
        let back = self.way(&device, Direction::Failback, &primary, Some(gone - 300_000), resolved, gone, 1);
        self.writes(&device, (dark, there), (gone, back));
    }

    fn strategy(&self, device: &str) -> &Strategy {
        let number = device.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let strategies = &self.record.info.strategies;
        &strategies[place(number, strategies.len())]
    }

    fn left(&mut self, at_us: u64, device: &str, region: &str, reason: &str) {
        self.left_us = Some(at_us);
        let (device, region, reason) = (device.into(), region.into(), reason.into());
        self.push(at_us, Event::Left { device, region, reason });
    }

    #[expect(clippy::too_many_arguments, reason = "a move has that many parts")]
    fn way(
        &mut self,
        device: &str,
        direction: Direction,
        region: &str,
        last_ack_us: Option<u64>,
        resolved_us: u64,
        attempt_us: u64,
        attempts: u32,
    ) -> u64 {
        let dns_us = attempt_us + self.dice.tailed(2_000, 3_000);
        let tcp_us = dns_us + self.dice.tailed(9_000, 6_000);
        let tls_us = tcp_us + self.dice.tailed(60_000, 90_000);
        let connack_us = tls_us + self.dice.tailed(15_000, 20_000);
        let first_ack_us = connack_us + self.dice.tailed(20_000, 60_000);
        let strategy = self.strategy(device).name.clone();
        let (device, region) = (device.to_owned(), region.to_owned());
        let way = Move {
            left_us: self.left_us.take(),
            device,
            direction,
            region,
            strategy,
            last_ack_us,
            asked_us: None,
            resolved_us,
            attempt_us,
            dns_us,
            tcp_us,
            tls_us,
            connack_us,
            first_ack_us,
            attempts,
        };
        self.push(first_ack_us, Event::Moved(way));
        first_ack_us
    }

    fn writes(&mut self, device: &str, away: (u64, u64), back: (u64, u64)) {
        let (primary, secondary) = (self.record.info.primary.clone(), self.record.info.secondary.clone());
        let mut due = CONNECTED + self.dice.between(0, 10 * S);
        let mut seq = 0;
        while due < CURED + 65 * S {
            seq += 1;
            let out = (due > away.0 && due < away.1) || (due > back.0 && due < back.1);
            let acked = due + self.dice.tailed(12_000, 15_000);
            let lag = self.dice.tailed(280_000, 190_000);
            let mut visible = acked + lag;
            // What the Region had not sent when it went dark comes when it is back.
            if due < BROKEN && visible > BROKEN {
                visible = CURED + self.dice.between(2 * S, 6 * S);
            }
            let entry = if out {
                let mut entry = write(device, seq, &primary, due, None, None);
                (entry.region, entry.sent_us) = (None, None);
                entry
            } else if due > away.1 && due < back.0 {
                write(device, seq, &secondary, due, Some(acked), Some(acked))
            } else if self.luck == Luck::Bad && due < BROKEN && due + 10 * S > BROKEN && away.1 == u64::MAX {
                write(device, seq, &primary, due, Some(acked), None)
            } else {
                self.lag(visible, visible - acked);
                write(device, seq, &primary, due, Some(acked), Some(visible))
            };
            self.record.ledger.push(entry);
            due += 10 * S;
        }
    }

    fn lag(&mut self, at_us: u64, lag_us: u64) {
        if lag_us > 60 * S {
            return;
        }
        if let Ok(empty) = new_histogram() {
            self.lags.entry(at_us / S).or_insert(empty).saturating_record(lag_us);
        }
    }

    fn samples(&mut self) {
        let (primary, secondary) = (self.record.info.primary.clone(), self.record.info.secondary.clone());
        let fleet = i64::from(self.record.info.devices);
        for second in 1..END / S {
            let at = second * S;
            let by = |direction, region: &str| {
                let moved = |entry: &&Entry| matches!(&entry.event, Event::Moved(way) if way.direction == direction && way.region == region && way.first_ack_us <= at);
                self.record.events.iter().filter(moved).count().cast_signed() as i64
            };
            let left = |region: &str| {
                let left = |entry: &&Entry| matches!(&entry.event, Event::Left { region: from, .. } if from == region && entry.at_us <= at);
                self.record.events.iter().filter(left).count().cast_signed() as i64
            };
            let in_primary =
                by(Direction::First, &primary) - left(&primary) + by(Direction::Failback, &primary);
            let in_secondary = by(Direction::Failover, &secondary) - left(&secondary);
            let per_region = |share: i64| {
                let count = |value: i64| u32::try_from(value / share).unwrap_or(0);
                BTreeMap::from([
                    (primary.clone(), count(in_primary)),
                    (secondary.clone(), count(in_secondary)),
                ])
            };
            let away = u32::try_from(fleet - in_primary - in_secondary).unwrap_or(0);
            let wobble = self.dice.between(0, 5).cast_signed();
            let sample = Sample {
                connected: per_region(1),
                telemetry_acked: per_region(5 + wobble % 2),
                shadow_acked: per_region(10),
                shadow_visible: 40,
                unsent: if second > 11 { away * 3 / 10 } else { 0 },
                connects_failed: if (42..72).contains(&second) { away / 4 } else { 0 },
                behind: Some(if (42..72).contains(&second) { 40 } else { 0 }),
            };
            let harness = HarnessSample {
                cpu_percent: 40.0 + self.dice.between(0, 300) as f64 / 10.0,
                timer_delay_us_max: self.dice.tailed(900, 2_600),
                late_sends: u32::from(second % 40 == 0),
                rss_bytes: 180_000_000 + second * 100_000,
                descriptors: 1_100,
                cpu_limit_percent: Some(200.0),
                machine_cpu_percent: Some(75.0),
                descriptors_limit: Some(20_000),
                sockets: 1_050,
                clock_step_us: 12,
            };
            self.push(at, Event::Sample(sample));
            self.push(at, Event::Harness(harness));
        }
    }

    fn end(&mut self) {
        let calls = [
            ("CreateThing", 500, 12, 0),
            ("CreateKeysAndCertificate", 500, 31, 0),
            ("AttachPolicy", 1_000, 18, 0),
            ("AttachThingPrincipal", 500, 9, 1),
            ("DeleteThing", 500, 6, 0),
            ("DescribeEndpoint", 2, 0, 0),
        ];
        for (operation, ok, throttled, failed) in calls {
            let (caller, region) = ("harness".into(), self.record.info.primary.clone());
            let service = "iot".into();
            let api =
                ApiCalls { caller, region, service, operation: operation.into(), ok, throttled, failed };
            self.push(END - S, Event::Api(api));
        }
        let bad = self.luck == Luck::Bad;
        for region in [self.record.info.primary.clone(), self.record.info.secondary.clone(), "global".into()]
        {
            let kinds = if region == "global" {
                vec!["health checks".into(), "records".into()]
            } else {
                vec!["things".into(), "certificates".into(), "policies".into(), "tables".into()]
            };
            let left = bad && region == self.record.info.secondary;
            let leftovers =
                if left { vec![Leftover { kind: "thing".into(), name: "pump-0088".into() }] } else { vec![] };
            self.push(END - S / 2, Event::Swept { region, kinds, leftovers });
        }
        let text = "Shadow visibility was seen by subscription to the secondary's shadow topics.";
        self.push(12 * S, Event::Note { text: text.into() });
        let act = |second: i64, act, text: &str, by: Option<&str>| Act {
            wall: self.start() + jiff::SignedDuration::from_secs(second),
            act,
            text: text.to_owned(),
            by: by.map(str::to_owned),
        };
        self.record.acts = vec![
            act(49, ActKind::Note, "on-call acknowledged", Some("Ada")),
            act(61, ActKind::Note, "decided to stay in the secondary until the cure", Some("Ada")),
            act(400, ActKind::Note, "written after the run: the pager was late", None),
        ];
        self.push(END, Event::RunEnded { reason: EndReason::Completed, detail: None });
        self.journal();
        let intervals = std::mem::take(&mut self.lags).into_iter();
        let intervals = intervals
            .map(|(second, histogram)| Interval { start_us: second * S, duration_us: S, histogram })
            .collect();
        self.record.histograms.insert("replication.shadow".into(), HistogramSeries { intervals });
    }

    fn journal(&mut self) {
        let start: jiff::Timestamp = "2026-05-12T09:30:00Z".parse().unwrap_or_default();
        for id in 1..=u64::from(self.record.info.devices) + 4 {
            for state in [UndoState::Intended, UndoState::Undone] {
                let failed = self.luck == Luck::Bad && id == 89 && state == UndoState::Undone;
                let entry = UndoEntry {
                    id,
                    wall: start,
                    state: if failed { UndoState::Failed } else { state },
                    region: self.record.info.secondary.clone(),
                    kind: "thing".into(),
                    name: format!("pump-{:04}", id - 1),
                    manual: format!(
                        "aws iot delete-thing --region eu-central-1 --thing-name pump-{:04}",
                        id - 1
                    ),
                    before: None,
                    error: failed.then(|| "ThrottlingException".to_owned()),
                };
                self.record.undo.push(entry);
            }
        }
    }
}

/// What a fleet of 480 asks that comes over within four seconds to a Region that takes 60 CONNECTs a second.
pub(crate) fn quota_report() -> QuotaReport {
    let row = |phase: &str, what: &str, region: &str, peak: f64, quota: f64, verdict| QuotaRow {
        phase: phase.into(),
        what: what.into(),
        region: region.into(),
        unit: "per second".into(),
        sustained: Some(peak / 2.0),
        peak,
        is_count: false,
        quota: Some(QuotaValue {
            service: "iotcore".into(),
            code: Quota::CONNECTS.into(),
            name: "Connect requests per second per account".into(),
            value: quota,
            adjustable: true,
            source: "made up".into(),
        }),
        quota_elsewhere: Some(500.0),
        share: Some(peak / quota),
        verdict,
        why: String::new(),
    };
    QuotaReport {
        title: "The primary Region is lost".into(),
        devices: 480,
        primary: "eu-west-1".into(),
        secondary: "eu-central-1".into(),
        source: "made up".into(),
        verdict: QuotaVerdict::Exceeded,
        tightest: Some(1),
        rows: vec![
            row("provisioning", "DescribeCertificate", "eu-central-1", 8.0, 10.0, QuotaVerdict::Ok),
            row("failover", "CONNECT", "eu-central-1", 120.0, 60.0, QuotaVerdict::Exceeded),
        ],
        storms: vec![QuotaStorm {
            phase: "failover".into(),
            region: "eu-central-1".into(),
            devices: 480,
            offered_per_s: 120.0,
            quota_per_s: Some(60.0),
            burst: 60.0,
            others_per_s: 1.6,
            backoff: Backoff { min_ms: 500, max_ms: 8_000 },
            time_least_s: Some(7.0),
            time_most_s: Some(15.2),
            wait_mean_s: Some(3.1),
        }],
        requests: vec![QuotaRequest {
            region: "eu-central-1".into(),
            service: "iotcore".into(),
            code: Quota::CONNECTS.into(),
            name: "Connect requests per second per account".into(),
            applied: 60.0,
            desired: Some(150.0),
            reason: "480 devices come over within four seconds".into(),
        }],
        notes: Vec::new(),
    }
}
