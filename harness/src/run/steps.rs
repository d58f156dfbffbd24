//! Playing the steps of a scenario.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use anyhow::{Context, bail};
use futures::future::join_all;
use gameday_report::record::{Event, FaultState, ObservedBy, StepState};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Game, Played};
use crate::{
    deploy::Site,
    fault::{Breakage, Ground},
    fleet::{self, Dialer, Heat, Recipe, Shared, Tls, Workshop},
    identity::Identity,
    journal::Change,
    measure::{HealthWatch, Observer, Turns, observe, watch_answer, watch_health},
    names::RUN_ATTRIBUTE,
    plan,
    scenario::{Break, Connect, Heal, Provision, Scenario, Step, Until},
};

/// Observers have this long to see before the first device writes.
const OBSERVERS_WAIT: Duration = Duration::from_mins(1);

impl Game {
    /// Deployment, and every step in order.
    pub(super) async fn play(&mut self) -> Played {
        match self.play_steps().await {
            Ok(()) => Played::Completed,
            Err(error) => error.downcast().map_or_else(Played::Failed, Played::Ended),
        }
    }

    async fn play_steps(&mut self) -> anyhow::Result<()> {
        self.take_lease().await?;
        self.watch_steadiness();
        self.record_quotas().await;
        self.step(0, "deploy", "Deploy the replicator and the health checks", StepState::Began, None);
        match self.deploy().await {
            Ok(()) => self.step(
                0,
                "deploy",
                "Deploy the replicator and the health checks",
                StepState::Completed,
                None,
            ),
            Err(error) => {
                let detail = Some(format!("{error:#}"));
                self.step(
                    0,
                    "deploy",
                    "Deploy the replicator and the health checks",
                    StepState::Failed,
                    detail,
                );
                return Err(error);
            }
        }
        for (n, step) in self.scenario.step.clone().iter().enumerate() {
            let index = u32::try_from(n + 1)?;
            self.steps_left_max = self.scenario.step[n..].iter().map(|step| *step.time_max()).sum();
            let planned = self.plan.steps.get(n).context("the plan lacks a step")?;
            let (name, label) = (plan::name(step), planned.label.clone());
            self.output.line(&format!("{:>5} {label}", format!("{}/{}", n + 1, self.scenario.step.len())));
            self.step(index, name, &label, StepState::Began, None);
            match self.play_step(step).await {
                Ok(None) => self.step(index, name, &label, StepState::Completed, None),
                Ok(Some(why)) => {
                    self.output.line(&format!("      timed out: {why}"));
                    self.step(index, name, &label, StepState::TimedOut, Some(why));
                }
                Err(error) => {
                    self.step(index, name, &label, StepState::Failed, Some(format!("{error:#}")));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Plays a step. `Some` is why it ran into its limit; the run goes on.
    async fn play_step(&mut self, step: &Step) -> anyhow::Result<Option<String>> {
        match step {
            Step::Provision(step) => self.provision(step).await,
            Step::Connect(step) => self.connect(step).await,
            Step::Hold(step) => {
                tokio::time::sleep(*step.time).await;
                Ok(None)
            }
            Step::Readiness(step) => self.readiness(step).await,
            Step::Break(step) => self.break_(step).await,
            Step::Heal(step) => self.heal(step).await,
        }
    }

    pub(super) fn step(&self, index: u32, name: &str, label: &str, state: StepState, detail: Option<String>) {
        self.recorder.event(Event::Step {
            index,
            name: name.to_owned(),
            label: label.to_owned(),
            state,
            detail,
        });
    }

    async fn deploy(&mut self) -> anyhow::Result<()> {
        let site = Site {
            run: &self.id,
            aws: &self.aws,
            target: &self.target,
            journal: &self.journal,
            scenario: &self.scenario,
        };
        let deployment = site.deploy(&self.output).await?;
        let watch = |check: &str, region: &str, is_primary| {
            let watch = HealthWatch {
                check: check.to_owned(),
                region: region.to_owned(),
                is_primary,
                threshold: self.scenario.dns.health_check.failures,
            };
            self.watch(watch_health(self.recorder.clone(), self.aws.clone(), watch));
        };
        watch(&deployment.primary_check, self.target.primary(), true);
        watch(&deployment.secondary_check, self.target.secondary(), false);
        self.watch(watch_answer(
            self.recorder.clone(),
            self.resolver.clone(),
            self.target.clone(),
            deployment.fleet_name.clone(),
        ));
        self.observe(&deployment.observer, &site.name("observer"))?;
        self.deployment = Some(deployment);
        Ok(())
    }

    /// Starts those who see what arrives in the secondary.
    fn observe(&self, identity: &Identity, name: &str) -> anyhow::Result<()> {
        let Some(observation) = self.plan.observation else { return Ok(()) };
        self.recorder.event(Event::Observation(gameday_report::record::Observation {
            by: observation.by,
            observers: observation.observers,
            devices: observation.devices,
            observed: observation.observed,
        }));
        self.output.line(&format!("      {}", observation.label()));
        let tls = Tls::new(&self.target.endpoints.ca_pem)?;
        let (config, port) = (tls.config(identity)?, self.target.mqtt_port());
        let turns = Arc::new(Turns::default());
        let heat = heat(&self.scenario, self.seed);
        let shadow = self.scenario.load.shadow.as_ref();
        let documents_of =
            |device: &str| shadow.map(|shadow| format!("{}/update/documents", shadow.topic(device)));
        for (number, devices) in (0..).zip(observation.assign(self.seed, &heat)) {
            let dialer = Dialer::new(config.clone(), self.resolver.clone(), port, self.recorder.clock());
            let named = devices.iter().filter_map(|device| self.recorder.ledger().name(*device));
            let topics = match observation.by {
                ObservedBy::Wildcard => documents_of("+").into_iter().collect(),
                ObservedBy::Names => named.filter_map(documents_of).collect(),
            };
            self.watch(observe(Observer {
                number,
                recorder: self.recorder.clone(),
                dialer,
                client_id: format!("{name}-{}", number + 1),
                host: self.target.host(self.target.secondary()).to_owned(),
                topics,
                turns: turns.clone(),
                run: self.id.clone(),
                primary: self.target.primary().to_owned(),
            }));
        }
        Ok(())
    }

    /// Runs something beside the steps until the run ends.
    pub(super) fn watch(&self, watching: impl Future<Output = ()> + Send + 'static) {
        let stop = self.watch_stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = watching => {}
            }
        });
    }

    async fn provision(&mut self, step: &Provision) -> anyhow::Result<Option<String>> {
        if self.pooled.is_some() {
            return self.take(step).await;
        }
        let deployment = self.deployment.as_ref().context("nothing is deployed")?;
        let policy = deployment.device_policy.clone();
        // Undone newest first: the primary's devices go before those that were copied from them.
        for clients in [&self.aws.secondary, &self.aws.primary] {
            self.journal.intend(Change::Fleet {
                region: clients.region.clone(),
                run: self.id.clone(),
                policy: policy.clone(),
            })?;
        }
        let attributes = [(RUN_ATTRIBUTE.to_owned(), self.id.clone())].into();
        let workshop = Arc::new(self.workshop(Recipe { policy, attributes, ..Recipe::default() }));
        self.workshop = Some(workshop.clone());
        let count = self.scenario.fleet.devices;
        let limit = Instant::now() + *step.at_most;
        let Ok(made) = timeout_at(limit, fleet::provision(&workshop, count)).await else {
            bail!("{count} devices could not be made within {}", step.at_most);
        };
        let (devices, connectable) = made?;
        self.devices = devices;
        self.connectable(limit, connectable).await
    }

    /// Takes devices that are there, and looks for them in the secondary.
    async fn take(&mut self, step: &Provision) -> anyhow::Result<Option<String>> {
        let pooled = self.pooled.as_ref().context("no fleet is named")?;
        let count = self.scenario.fleet.devices;
        let workshop = Arc::new(self.workshop(pooled.recipe()?.clone()));
        self.workshop = Some(workshop.clone());
        self.devices = pooled.devices(count, self.recorder.now_us())?;
        let limit = Instant::now() + *step.at_most;
        self.connectable(limit, fleet::look_for(&workshop, &self.devices)).await
    }

    fn workshop(&self, recipe: Recipe) -> Workshop {
        Workshop {
            run: self.id.clone(),
            aws: self.aws.clone(),
            recorder: self.recorder.clone(),
            journal: self.journal.clone(),
            recipe,
            is_pooled: self.pooled.is_some(),
            issued: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Waits until every device was seen in the secondary.
    async fn connectable(
        &self,
        limit: Instant,
        connectable: impl Future<Output = ()>,
    ) -> anyhow::Result<Option<String>> {
        let count = self.scenario.fleet.devices;
        let waited = timeout_at(limit, connectable).await;
        let seen = self.recorder.board().look(|board| board.connectable);
        match waited {
            Ok(()) if seen == count => Ok(None),
            _ => Ok(Some(format!("{seen} of {count} devices were connectable in the secondary by then"))),
        }
    }

    async fn connect(&mut self, step: &Connect) -> anyhow::Result<Option<String>> {
        let deployment = self.deployment.as_ref().context("nothing is deployed")?;
        let shared = Arc::new(Shared {
            run: self.id.clone(),
            scenario: self.scenario.clone(),
            assignment: self.assignment.clone(),
            target: self.target.clone(),
            recorder: self.recorder.clone(),
            resolver: self.resolver.clone(),
            tls: Tls::new(&self.target.endpoints.ca_pem)?,
            fleet_name: deployment.fleet_name.clone(),
            load_stop: CancellationToken::new(),
            load_until_us: AtomicU64::new(u64::MAX),
            stop: CancellationToken::new(),
            seed: self.seed,
            heat: heat(&self.scenario, self.seed),
        });
        self.fleet = Some(shared.clone());
        let limit = Instant::now() + *step.at_most;
        let observers = self.plan.observation.map_or(0, |observation| observation.observers as usize);
        // Those that are not there by then are in the record, and the judge makes of it that it does not know.
        self.recorder
            .board()
            .wait(OBSERVERS_WAIT.min(*step.at_most), |board| board.observers.len() >= observers)
            .await;
        let starting = fleet::start(&shared, &self.devices, step.rate_per_s, &self.device_tasks);
        let Ok(started) = timeout_at(limit, starting).await else {
            return Ok(Some(format!("at {} a second not every device had begun by then", step.rate_per_s)));
        };
        started?;
        let left = limit.saturating_duration_since(Instant::now());
        self.all_in(self.target.primary(), left, |_| true).await
    }

    async fn break_(&mut self, step: &Break) -> anyhow::Result<Option<String>> {
        self.be_steady().await?;
        self.arm().await?;
        let ground = self.ground(&step.faults)?;
        let mut acting = Vec::new();
        for fault in &step.faults {
            self.broken.lock().push(fault.clone());
            let applied = ground.apply(fault).await;
            acting.push(applied.with_context(|| format!("{} could not be applied", fault.entry().name))?);
            self.output.line(&format!("      broken: {}", fault.label()));
        }
        let prove =
            |acting| async move { timeout(*step.at_most, ground.prove(acting)).await.unwrap_or(false) };
        let proving = join_all(acting.into_iter().map(prove));
        let (proved, reached) = tokio::join!(proving, self.until(step.until, *step.at_most));
        for (fault, proved) in step.faults.iter().zip(proved) {
            if !proved {
                self.output.line(&format!("      NOT SEEN TO ACT: {}", fault.label()));
            }
        }
        reached
    }

    async fn heal(&mut self, step: &Heal) -> anyhow::Result<Option<String>> {
        self.cure().await;
        if let Some(fault) = self.broken.get_mut().first() {
            return Ok(Some(format!("{} could not be healed", fault.entry().label)));
        }
        self.until(step.until, *step.at_most).await
    }

    /// Cures every fault that is applied, and says so in the record. Those that could not be cured stay on the list.
    pub(super) async fn cure(&mut self) {
        let cured = self.journal.cure(&self.aws).await;
        let mut uncured = Vec::new();
        for fault in std::mem::take(self.broken.get_mut()) {
            let Ok(ground) = self.ground(&[]) else { continue };
            let entry = fault.entry();
            // What the journal no longer holds is cured, and nobody knows since when.
            match cured.get(entry.name).cloned().unwrap_or_else(|| Ok(Instant::now())) {
                Ok(since) => {
                    ground.record(&fault, FaultState::Cured, format!("{} was undone", entry.label), since);
                    ground.record(
                        &fault,
                        FaultState::CureProved,
                        entry.cure_proof.to_owned(),
                        Instant::now(),
                    );
                    self.output.line(&format!("      healed: {}", entry.label));
                }
                Err(why) => {
                    ground.record(&fault, FaultState::CureFailed, why.clone(), Instant::now());
                    self.output.line(&format!("      NOT HEALED: {}: {why}", entry.label));
                    uncured.push(fault);
                }
            }
        }
        *self.broken.get_mut() = uncured;
        self.disarm().await;
    }

    fn ground<'a>(&'a self, faults: &'a [Breakage]) -> anyhow::Result<Ground<'a>> {
        let deployment = self.deployment.as_ref().context("nothing is deployed")?;
        Ok(Ground {
            run: &self.id,
            seed: self.seed,
            aws: &self.aws,
            target: &self.target,
            deployment,
            devices: &self.devices,
            policy: self
                .workshop
                .as_ref()
                .map_or(&deployment.device_policy, |workshop| &workshop.recipe.policy),
            resolver: &self.resolver,
            journal: &self.journal,
            recorder: &self.recorder,
            faults,
            is_spoilt: self.is_spoilt,
        })
    }

    async fn until(&self, until: Option<Until>, at_most: Duration) -> anyhow::Result<Option<String>> {
        match until {
            None => Ok(None),
            Some(Until::FailedOver) => self.all_in(self.target.secondary(), at_most, |_| true).await,
            Some(Until::FailedBack) => {
                let is_expected = |number| self.assignment.fails_back(number);
                self.all_in(self.target.primary(), at_most, is_expected).await
            }
        }
    }

    /// Waits until every device that is expected there has an acknowledged publish in `region`.
    async fn all_in(
        &self,
        region: &str,
        at_most: Duration,
        is_expected: impl Fn(u32) -> bool,
    ) -> anyhow::Result<Option<String>> {
        let count = self.devices.iter().filter(|device| is_expected(device.number)).count();
        let board = self.recorder.board();
        if board.wait(at_most, |state| state.devices_in(region, &is_expected) >= count).await {
            return Ok(None);
        }
        let there = board.look(|state| state.devices_in(region, &is_expected));
        let who = if count < self.devices.len() { "devices that come home by themselves" } else { "devices" };
        Ok(Some(format!("{there} of {count} {who} were in {region} by then")))
    }
}

/// Who writes more than others.
pub(super) fn heat(scenario: &Scenario, seed: u64) -> Heat {
    Heat::new(scenario.fleet.devices, scenario.load.shadow.as_ref().map_or(0.0, |shadow| shadow.zipf), seed)
}
