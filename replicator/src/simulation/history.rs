//! A history: what operators and devices do in two Regions, told to the replicator late, twice, in any
//! order, by functions that are ended at any call. All of it is drawn from one seed.
//!
//! While faults run only safety is judged ([`super::truth`]). When they have ended, everything is
//! delivered, the repair runs every minute, and within [`SETTLED_MS_MAX`] the secondary must equal the
//! primary and the error table must be empty. What differs without a row in the error table was dropped.

mod compare;
mod event;
mod functions;
mod operator;
mod pipeline;
mod plan;
mod tell;
#[cfg(test)]
mod tests;
mod way;

use super::call::{Inner, Link};
use super::executor::{End, Executor};
use super::network::{Action, Network};
use super::planted::Planted;
use super::random::Random;
use super::truth::Truth;
use operator::Operator;
use pipeline::{Done, Pipeline};
use plan::{Plan, Trouble};

/// How much time the secondary may take after the faults have ended. A type is deleted five minutes
/// after its deprecation in the secondary, and the repair comes once a minute.
pub(crate) const SETTLED_MS_MAX: u64 = 30 * 60_000;

/// How often the repair runs.
const REPAIR_MS: u64 = 60_000;

/// How often the walk through both Regions begins.
const RECONCILE_MS: u64 = 30 * 60_000;

/// How many steps a history may take: more is going round in circles.
const STEPS_MAX: usize = 400_000;

/// What happens by itself.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Operate,
    DeviceWrites,
    Begin(Trouble),
    End(Trouble),
    /// All faults are over.
    Calm,
    Repair,
    Reconcile,
    Pipeline(pipeline::Step),
}

/// Why a history failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) why: Vec<String>,
    pub(crate) trace: Vec<String>,
}

/// What a history was, for statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) calls: u64,
    pub(crate) repairs: u64,
    pub(crate) killed: u64,
}

pub(crate) struct History {
    link: Link,
    plan: Plan,
    random: Random,
    executor: Executor<Done>,
    steps: Vec<Step>,
    operator: Operator,
    pipeline: Pipeline,
    writes: u64,
    told: Told,
}

/// Runs the history of a seed.
pub(crate) fn run(seed: u64, planted: Option<Planted>, traced: bool) -> Result<Told, Broken> {
    let mut history = History::new(seed, planted, traced);
    let judged = history.judge();
    let mut inner = history.link.inner();
    let trace = inner.network.as_mut().and_then(|network| network.trace.take()).unwrap_or_default();
    judged.map_err(|why| Broken { why, trace }).map(|()| history.told)
}

impl History {
    fn new(seed: u64, planted: Option<Planted>, traced: bool) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::draw(seed, &mut random);
        let mut inner = Inner::new(event::BEGIN_S * 1_000);
        inner.planted = planted;
        let mut network = Network::new(Random::new(random.next()));
        network.weather = plan.weather.clone();
        network.trace = traced.then(|| vec![format!("{plan:?}")]);
        inner.network = Some(network);
        inner.secondary_ahead_ms = plan.region_ms;
        inner.truth = Some(Truth::new(plan.skew_ms_max()));
        let link = Link::new(inner);
        let mut history = Self {
            operator: Operator::new(plan.focus),
            pipeline: Pipeline::new(&link),
            executor: Executor::new(),
            steps: Vec::new(),
            writes: 1_000,
            told: Told::default(),
            link,
            plan,
            random,
        };
        for (at_ms, step) in history.plan.steps(&mut history.random) {
            history.at(event::BEGIN_S * 1_000 + at_ms, step);
        }
        history
    }

    fn at(&mut self, due_ms: u64, step: Step) {
        self.steps.push(step);
        let number = self.steps.len() - 1;
        let mut inner = self.link.inner();
        inner.network.as_mut().expect("a network").at(due_ms, Action::Step(number));
    }

    /// Some milliseconds from now.
    fn soon(&mut self, ms: u64, step: Step) {
        let due_ms = self.link.inner().now_ms + ms;
        self.at(due_ms, step);
    }

    /// Lets everything happen that is to happen.
    fn drain(&mut self) -> Result<(), Vec<String>> {
        for _ in 0..STEPS_MAX {
            if let Some(task) = self.executor.pick(&mut self.random) {
                self.link.inner().network.as_mut().expect("a network").task = task;
                if let Some(end) = self.executor.poll(task) {
                    self.told.killed += u64::from(end == End::Killed);
                    self.ended(task, end);
                }
                continue;
            }
            let next = {
                let mut inner = self.link.inner();
                let next = inner.network.as_mut().expect("a network").next();
                if let Some((due_ms, _)) = &next {
                    inner.now_ms = inner.now_ms.max(*due_ms);
                }
                next
            };
            match next {
                None => return Ok(()),
                Some((_, Action::Effect(effect))) => {
                    let mut inner = self.link.inner();
                    effect(&mut inner);
                    self.told.calls += 1;
                }
                Some((_, Action::Step(number))) => {
                    let step = self.steps[number].clone();
                    self.step(step);
                }
            }
            self.follow_changes();
            let mut inner = self.link.inner();
            let truth = inner.truth.as_mut().expect("a history knows what was true");
            if !truth.violations.is_empty() {
                return Err(std::mem::take(&mut truth.violations));
            }
        }
        Err(vec!["it goes round in circles".to_owned()])
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Operate => self.operate(),
            Step::DeviceWrites => {
                self.writes += 1;
                let key =
                    (self.random.one(&["a", "b"]).to_owned(), self.random.one(&operator::SHADOWS).to_owned());
                let update = Plan::device_update(&mut self.random, self.writes);
                self.link.inner().device_writes(&key, &update);
            }
            Step::Begin(trouble) => self.trouble(trouble, true),
            Step::End(trouble) => self.trouble(trouble, false),
            Step::Calm => {
                self.plan.calm();
                for trouble in Trouble::all() {
                    self.trouble(trouble, false);
                }
                let mut inner = self.link.inner();
                inner.network.as_mut().expect("a network").weather = super::network::Weather::default();
                inner.trace(|| "the faults have ended".to_owned());
            }
            Step::Repair => self.start_repair(),
            Step::Reconcile => self.start_reconcile(),
            Step::Pipeline(step) => self.pipeline_step(step),
        }
    }

    fn operate(&mut self) {
        if self.pipeline.primary_gone {
            return;
        }
        let said = {
            let mut inner = self.link.inner();
            let said = self.operator.step(&mut inner, &mut self.random);
            let now_ms = inner.now_ms;
            let Inner { truth, primary, .. } = &mut *inner;
            truth.as_mut().expect("a history knows what was true").observe(primary, now_ms);
            for said in &said {
                inner.trace(|| format!("SAID {}", said.summary()));
            }
            said
        };
        for saying in said {
            self.say(saying);
        }
    }

    fn trouble(&mut self, trouble: Trouble, on: bool) {
        match trouble {
            Trouble::PrimaryGone => {
                self.pipeline.primary_gone = on;
                let mut inner = self.link.inner();
                inner.network.as_mut().expect("a network").weather.primary_gone = on;
            }
            Trouble::TablePaused(stream) => self.pipeline.of_mut(stream).is_table_paused = on,
            Trouble::StreamPaused(stream) => self.pipeline.of_mut(stream).is_stream_paused = on,
        }
        self.link.inner().trace(|| format!("{trouble:?}: {on}"));
    }

    fn judge(&mut self) -> Result<(), Vec<String>> {
        self.drain()?;
        if self.plan.loses_any() {
            self.reconcile()?;
        }
        let calm_ms = self.link.inner().now_ms.max(self.plan.end_ms);
        loop {
            let (differences, rows, now_ms) = {
                let inner = self.link.inner();
                let rows: Vec<String> = inner
                    .errors
                    .rows
                    .values()
                    .map(|row| format!("error row: {} {}: {} {}", row.device, row.event, row.what, row.why))
                    .collect();
                (compare::differences(&inner, self.plan.tells_all()), rows, inner.now_ms)
            };
            if differences.is_empty() && rows.is_empty() {
                return Ok(());
            }
            // What waits for an event that is never told cannot know that it is not merely late: its row stays.
            let waits_in_vain = differences.is_empty() && !self.plan.tells_all();
            let is_over = now_ms > calm_ms + SETTLED_MS_MAX;
            if is_over && (waits_in_vain || self.holds_old_types(&differences, rows.len())) {
                return Ok(());
            }
            if rows.is_empty() || is_over {
                let what =
                    if rows.is_empty() { "it differs without an error row" } else { "it does not settle" };
                return Err([vec![what.to_owned()], differences, rows].concat());
            }
            self.repair()?;
        }
    }

    /// Lets the walk that mends what lost events missed come to its end, twice: the first time it may go
    /// on where one that was ended stopped.
    fn reconcile(&mut self) -> Result<(), Vec<String>> {
        for _ in 0..2 {
            // The repair goes on meanwhile.
            let due_ms = self.link.inner().now_ms + RECONCILE_MS;
            while !self.link.inner().errors.rows.is_empty() && self.link.inner().now_ms < due_ms {
                self.repair()?;
            }
            let walks = self.pipeline.walks;
            while self.pipeline.walks == walks {
                self.soon(RECONCILE_MS, Step::Reconcile);
                self.drain()?;
            }
        }
        Ok(())
    }

    fn repair(&mut self) -> Result<(), Vec<String>> {
        self.told.repairs += 1;
        self.soon(REPAIR_MS, Step::Repair);
        self.drain()
    }

    /// Whether all that is left are types which were made again with another definition while a thing of
    /// the secondary has the old one: AWS neither changes nor deletes such a type, and a row says so.
    fn holds_old_types(&self, differences: &[String], rows: usize) -> bool {
        let inner = self.link.inner();
        let said = inner.errors.rows.keys().filter(|(device, _)| device.starts_with("type#")).count();
        let in_use = |name: &str| {
            inner.secondary.things.values().any(|thing| thing.thing.thing_type.as_deref() == Some(name))
        };
        let is_held = |line: &String| {
            line.strip_prefix("type ").and_then(|rest| rest.split(':').next()).is_some_and(in_use)
        };
        !differences.is_empty() && said == rows && differences.iter().all(is_held)
    }
}
