//! One day, played over virtual time: the scenario's steps in order, with what they draw by chance.

use std::collections::BTreeMap;

use gameday_twin::QuotaBook;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{
    Known,
    backlog::{Backlog, Pipeline, Writers, behind},
    detection::{Guide, Turn, asked_s, given_up_s, probed_s, turned_s},
    figure::{Drawn, quantile, whole},
    provision::Works,
    storm::{Broker, Storm},
};
use crate::{
    aws::Pace,
    plan::{CHECKERS, Place, Plan},
    scenario::{Break, Heal, Scenario, Step, Until},
};

/// Devices that are played one by one; beyond this each stands for several.
const COMERS_MAX: f64 = 1_000.0;
/// What a bucket holds, in seconds of its rate.
const BURST_S: f64 = 1.0;
/// A step without a limit of its own that matters ends by then.
const FOREVER_S: f64 = 30.0 * 24.0 * 3_600.0;

/// Codes of quotas, as AWS has them.
const CONNECTS: &str = "L-AEA1E176";
const SHADOWS: &str = "L-6CC6395A";

/// Faults by which the health check turns.
const TURN_CHECK: [&str; 3] = ["primary-health-check", "primary-health-check-inverted", DARK];
/// Fault with which every connection to the primary ends.
const DARK: &str = "primary-region-dark";
/// Faults with which the replicator applies nothing.
const STOP_REPLICATION: [&str; 2] = ["replication-paused", "stream-mapping-disabled"];

/// What is played.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) plan: &'a Plan,
    pub(super) known: &'a Known,
    pub(super) pace: Pace,
    pub(super) quotas: QuotaBook,
}

/// A figure of a day: its name, and the step that it is of, from 1 on.
pub(super) type Key = (&'static str, usize);

/// How a day went.
#[derive(Debug, Clone, Default)]
pub(super) struct Played {
    pub(super) figures: BTreeMap<Key, f64>,
    pub(super) devices_behind: Backlog,
    pub(super) writes_behind: Backlog,
    /// Of the last failover: seconds since the step began, and devices that were in.
    pub(super) storm: Vec<(f64, f64)>,
    pub(super) lasted_s: f64,
    pub(super) notes: Vec<String>,
}

/// One device, or some that are taken as one.
#[derive(Debug, Clone, Copy)]
struct Comer {
    guide: Guide,
    fails_back: bool,
    /// When it last asked for the fleet's name.
    asked_s: f64,
    is_away: bool,
}

struct Day<'a> {
    stage: &'a Stage<'a>,
    rng: ChaCha8Rng,
    now_s: f64,
    weight: f64,
    comers: Vec<Comer>,
    writers: Writers,
    pipeline: Pipeline,
    stopped_since_s: Option<f64>,
    handshakes_per_s: f64,
    made_per_s: f64,
    played: Played,
}

impl Stage<'_> {
    /// How many are played, and for how many devices each stands.
    fn comers(&self) -> (usize, f64) {
        let devices = f64::from(self.plan.devices);
        let weight = (devices / COMERS_MAX).max(1.0);
        (whole((devices / weight).round()).max(1), weight)
    }

    /// What sets the pace of provisioning, and the devices a second that it lets pass.
    pub(super) fn tightest(&self) -> Option<(String, f64)> {
        Works::of(self.plan, &self.pace, &self.quotas, 1.0).tightest
    }

    /// Plays a day. The same seed gives the same day.
    pub(super) fn play(&self, seed: u64) -> Played {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (known, scenario) = (self.known, self.scenario);
        let (count, weight) = self.comers();
        // On AWS devices are machines of their own, and functions are elsewhere.
        let machine = |cost_s: f64| {
            if self.plan.aim.target == "twin" && cost_s > 0.0 {
                known.processors / cost_s
            } else {
                f64::INFINITY
            }
        };
        let (made_per_s, handshakes_per_s) =
            (machine(known.make_cpu_s.once(&mut rng)), machine(known.connect_cpu_s.once(&mut rng)));
        let shadows_per_s = self.quota(Place::Secondary, SHADOWS).min(known.shadow_per_s.once(&mut rng));
        let pipeline = Pipeline {
            writes_per_s: scenario.load.shadow.as_ref().map_or(0.0, |load| 1.0 / load.every.as_secs_f64()),
            applied_per_s: shadows_per_s,
            takes_s: known.shadow_s.once(&mut rng),
            stopped: Vec::new(),
        };
        let ttl_s = scenario.dns.ttl.as_secs_f64();
        let counts = scenario.fleet.strategy.counts(scenario.fleet.devices);
        let devices = f64::from(scenario.fleet.devices);
        let (mut comers, mut until) = (Vec::with_capacity(count), 0.0);
        for ((_, strategy), of) in scenario.fleet.strategy.shares().into_iter().zip(counts) {
            until += f64::from(of) / devices * count as f64;
            let comer = Comer {
                guide: Guide::of(strategy, ttl_s),
                fails_back: strategy.fails_back(),
                asked_s: 0.0,
                is_away: false,
            };
            comers.resize(whole(until.round()).min(count), comer);
        }
        let mut day = Day {
            stage: self,
            rng,
            now_s: 0.0,
            weight,
            comers,
            writers: Writers::default(),
            pipeline,
            stopped_since_s: None,
            handshakes_per_s,
            made_per_s,
            played: Played::default(),
        };
        for (index, step) in scenario.step.iter().enumerate() {
            day.step(index + 1, step);
        }
        day.end()
    }

    fn quota(&self, place: Place, code: &str) -> f64 {
        let region = self.plan.aim.region(place);
        let applies = self.quotas.of_code(region, code).filter(|_| self.plan.aim.quotas_enforced);
        applies.map_or(f64::INFINITY, |quota| quota.value)
    }
}

impl Day<'_> {
    fn step(&mut self, number: usize, step: &Step) {
        let limit_s = step.time_max().as_secs_f64();
        let took_s = match step {
            Step::Provision(_) => self.provision(number),
            Step::Readiness(step) => {
                let looked = f64::from(step.devices(self.stage.plan.devices));
                let took_s = looked / self.stage.pace.readiness_per_s();
                self.told("readiness.time", number, took_s);
                took_s
            }
            Step::Connect(step) => self.connect(number, f64::from(step.rate_per_s)),
            Step::Hold(step) => step.time.as_secs_f64(),
            Step::Break(step) => self.break_(number, step),
            Step::Heal(step) => self.heal(number, step),
        };
        if took_s > limit_s {
            self.played.notes.push(format!(
                "step {number} takes longer than its limit of {limit_s} s: a run would go on then, with what is there"
            ));
        }
        self.now_s += took_s;
    }

    fn told(&mut self, name: &'static str, number: usize, value: f64) {
        self.played.figures.insert((name, number), value);
    }

    fn provision(&mut self, number: usize) -> f64 {
        let stage = self.stage;
        let works = Works::of(stage.plan, &stage.pace, &stage.quotas, self.weight);
        let takes = stage.known.registry_s.on_a_day(&mut self.rng);
        let count = self.comers.len();
        let made = works.provision(&mut self.rng, count, self.weight, self.made_per_s, takes);
        let done_s = made.done_s();
        self.told("provision.time", number, done_s);
        if stage.scenario.fleet.pool.is_none() {
            self.told("replication.registry.p50", number, quantile(&made.took_s, 0.5));
            self.told("replication.registry.p99", number, quantile(&made.took_s, 0.99));
            let mut backlog = behind(&made.made_s, &made.seen_s, self.weight);
            backlog.points.iter_mut().for_each(|(at_s, _)| *at_s += self.now_s);
            self.played.devices_behind = backlog;
        }
        done_s
    }

    fn broker(&self, place: Place) -> Broker<'_> {
        let fleet = &self.stage.scenario.fleet;
        let quota = self.stage.quota(place, CONNECTS);
        // Health checks connect, too.
        let probes = CHECKERS / self.stage.scenario.dns.health_check.interval.as_secs_f64();
        Broker {
            connects_per_s: (quota - probes).max(quota / 10.0),
            burst: (quota * BURST_S).max(1.0),
            handshakes_per_s: self.handshakes_per_s,
            timeout_s: fleet.connect_timeout.as_secs_f64(),
            backoff: &fleet.backoff,
            until_s: self.now_s + FOREVER_S,
            weight: self.weight,
        }
    }

    /// Devices come to a Region at these moments, none for those who stay where they are; when the last of them was in, since
    /// the step began.
    fn come(&mut self, place: Place, comes_s: &[Option<f64>]) -> (Storm, f64) {
        let coming: Vec<f64> = comes_s.iter().flatten().copied().collect();
        let mut rng = self.rng.clone();
        let takes: Drawn<'_> = self.stage.known.connect_s.on_a_day(&mut rng);
        let storm = self.broker(place).lets_in(&mut rng, &coming, takes);
        self.rng = rng;
        let last_s = storm.in_s.iter().flatten().copied().fold(self.now_s, f64::max);
        (storm, last_s - self.now_s)
    }

    fn connect(&mut self, number: usize, per_s: f64) -> f64 {
        let comes_s: Vec<Option<f64>> =
            (0..self.comers.len()).map(|n| Some(self.now_s + n as f64 * self.weight / per_s)).collect();
        let (storm, took_s) = self.come(Place::Primary, &comes_s);
        for (comer, at_s) in self.comers.iter_mut().zip(comes_s.iter().flatten()) {
            comer.asked_s = *at_s;
        }
        for in_s in storm.in_s.into_iter().flatten() {
            self.writers.come(in_s, self.weight);
        }
        self.told("connect.time", number, took_s);
        took_s
    }

    fn break_(&mut self, number: usize, step: &Break) -> f64 {
        let names: Vec<&str> = step.faults.iter().map(|fault| fault.entry().name).collect();
        let (turns, dark) = (names.iter().any(|name| TURN_CHECK.contains(name)), names.contains(&DARK));
        for name in &names {
            if !TURN_CHECK.contains(name) && !STOP_REPLICATION.contains(name) {
                self.played.notes.push(format!("step {number}: what {name} does is not in the model"));
            }
        }
        let struck_s = self.now_s + self.stage.known.strike_s.once(&mut self.rng);
        if names.iter().any(|name| STOP_REPLICATION.contains(name)) {
            self.stopped_since_s.get_or_insert(struck_s);
        }
        if !turns {
            return struck_s - self.now_s;
        }
        let check = &self.stage.scenario.dns.health_check;
        let turned_s = struck_s + turned_s(check, Turn::Unhealthy, &mut self.rng);
        let answered_s = turned_s + self.stage.known.answer_s.once(&mut self.rng);
        let backoff = self.stage.scenario.fleet.backoff;
        let (mut comes_s, mut leaves_s) = (Vec::new(), Vec::new());
        for comer in &mut self.comers {
            let comes = match comer.guide {
                Guide::Name { period_s } if !comer.is_away => {
                    comer.asked_s = asked_s(comer.asked_s, period_s, answered_s);
                    Some(comer.asked_s)
                }
                Guide::Endpoints { failures, .. } if dark && !comer.is_away => {
                    Some(struck_s + given_up_s(failures, &backoff, &mut self.rng))
                }
                _ => None,
            };
            comer.is_away |= comes.is_some();
            leaves_s.extend(comes.map(|comes_s| if dark { struck_s } else { comes_s }));
            comes_s.push(comes);
        }
        for at_s in leaves_s {
            self.writers.go(at_s, self.weight);
        }
        let (storm, took_s) = self.come(Place::Secondary, &comes_s);
        self.told("failover.time", number, took_s);
        let mut in_s: Vec<f64> = storm.in_s.iter().flatten().map(|in_s| in_s - self.now_s).collect();
        in_s.sort_by(f64::total_cmp);
        self.told("failover.p50", number, quantile(&in_s, 0.5));
        self.told("failover.throttled", number, storm.throttled);
        let patience_s = check.interval.as_secs_f64() * f64::from(check.failures);
        if storm.throttled > 0.0
            && in_s.last().zip(in_s.first()).is_some_and(|(last, first)| last - first > patience_s)
        {
            self.played.notes.push(format!(
                "step {number}: the storm is longer than the health check's patience: if CONNECTs of the secondary's own check are \
                 throttled, the answer may turn back"
            ));
        }
        self.played.storm =
            (1..).map(|n| f64::from(n) * self.weight).zip(in_s).map(|(n, s)| (s, n)).collect();
        if step.until == Some(Until::FailedOver) { took_s } else { struck_s - self.now_s }
    }

    fn heal(&mut self, number: usize, step: &Heal) -> f64 {
        let cured_s = self.now_s + self.stage.known.strike_s.once(&mut self.rng);
        if let Some(since_s) = self.stopped_since_s.take() {
            self.pipeline.stopped.push((since_s, cured_s));
        }
        if !self.comers.iter().any(|comer| comer.is_away) {
            return cured_s - self.now_s;
        }
        let check = &self.stage.scenario.dns.health_check;
        let turned_s = cured_s + turned_s(check, Turn::Healthy, &mut self.rng);
        let answered_s = turned_s + self.stage.known.answer_s.once(&mut self.rng);
        let mut comes_s = Vec::new();
        for comer in &mut self.comers {
            let comes = match comer.guide {
                _ if !comer.is_away || !comer.fails_back => None,
                Guide::Name { period_s } => {
                    comer.asked_s = asked_s(comer.asked_s, period_s, answered_s);
                    Some(comer.asked_s)
                }
                Guide::Endpoints { home, .. } => home.map(|probes| cured_s + probed_s(probes, &mut self.rng)),
            };
            comer.is_away &= comes.is_none();
            comes_s.push(comes);
        }
        let (storm, took_s) = self.come(Place::Primary, &comes_s);
        for in_s in storm.in_s.iter().flatten() {
            self.writers.come(*in_s, self.weight);
        }
        self.told("failback.time", number, took_s);
        if step.until == Some(Until::FailedBack) { took_s } else { cured_s - self.now_s }
    }

    fn end(mut self) -> Played {
        if let Some(since_s) = self.stopped_since_s.take() {
            self.pipeline.stopped.push((since_s, self.now_s));
        }
        // What is left at the end is given its time.
        let until_s = self.now_s + self.stage.scenario.converge_at_most.as_secs_f64();
        let (backlog, caught_up_s) = self.pipeline.backlog(self.writers, until_s);
        let all = self.stage.scenario.step.len();
        if backlog.peak > 0.0 {
            self.played.figures.insert(("replication.shadow.p50", all), self.pipeline.takes_s);
            self.played.figures.insert(("backlog.writes.peak", all), backlog.peak);
        }
        if let Some(caught_up_s) = caught_up_s {
            self.played.figures.insert(("backlog.caught_up", all), caught_up_s);
        } else if !self.pipeline.stopped.is_empty() && backlog.peak > 0.0 {
            self.played.notes.push("the replicator does not catch up before the end".to_owned());
        }
        if self.played.devices_behind.peak > 0.0 {
            self.played.figures.insert(("backlog.devices.peak", all), self.played.devices_behind.peak);
        }
        self.played.writes_behind = backlog;
        self.played.lasted_s = self.now_s;
        self.played.figures.insert(("steps.time", all), self.now_s);
        self.played
    }
}
