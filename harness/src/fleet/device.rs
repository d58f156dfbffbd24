//! One device: connects where its strategy says, and when a connection ends or its course changes, connects again.

use std::{sync::Arc, sync::atomic::Ordering::Relaxed};

use anyhow::Context;
use gameday_report::record::{Direction, Event};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;

use super::{
    Dialer, Made, Shared,
    connection::{Connection, End},
    course::Course,
    load::Load,
    probe::Prober,
    refusal::Refusal,
};
use crate::scenario::Strategy;

/// A device and what it carries from connection to connection.
pub(super) struct Device {
    pub(super) shared: Arc<Shared>,
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) dialer: Dialer,
    pub(super) prober: Arc<Prober>,
    strategy: Strategy,
    /// The name of its strategy in the record.
    pub(super) strategy_name: String,
    pub(super) load: Load,
    pub(super) rng: ChaCha8Rng,
    /// The Region of the last connection that had a publish acknowledged.
    pub(super) region: Option<String>,
    pub(super) last_ack_us: Option<u64>,
    pub(super) left_us: Option<u64>,
    /// Attempts since the last connection that had a publish acknowledged.
    pub(super) attempts: u32,
}

impl Device {
    pub(super) fn new(shared: &Arc<Shared>, made: &Made, seed: u64) -> anyhow::Result<Self> {
        let (config, port) = (shared.tls.config(&made.identity)?, shared.target.mqtt_port());
        let dialer = Dialer::new(config, shared.resolver.clone(), port, shared.recorder.clock());
        let fleet = &shared.scenario.fleet;
        let assigned = shared.assignment.of(made.number).context("a device without a strategy")?;
        let prober = Prober {
            dialer: dialer.apart(),
            client_id: made.name.clone(),
            keep_alive: *fleet.keep_alive,
            patience: *fleet.connect_timeout,
        };
        Ok(Self {
            shared: shared.clone(),
            number: made.number,
            name: made.name.clone(),
            dialer,
            prober: Arc::new(prober),
            strategy: assigned.strategy.clone(),
            strategy_name: assigned.known.name.clone(),
            load: Load::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            region: None,
            last_ack_us: None,
            left_us: None,
            attempts: 0,
        })
    }

    /// Connects again and again until the run stops. A connection is never dropped from outside: it ends itself, so that
    /// its end is in the record.
    pub(super) async fn run(mut self) {
        let shared = self.shared.clone();
        let course = tokio::select! {
            () = shared.stop.cancelled() => return,
            course = Course::begin(&shared, &self.strategy, &mut self.rng) => course,
        };
        self.follow(course).await;
        self.load.own_up(&self.shared, self.number);
    }

    async fn follow(&mut self, mut course: Course) {
        let (shared, prober) = (self.shared.clone(), self.prober.clone());
        let mut failures: u32 = 0;
        while !shared.stop.is_cancelled() {
            self.attempts += 1;
            let connection = Connection::new(self, &course.heading);
            let (end, acked) = connection.run(self, &mut course).await;
            failures = if acked { 0 } else { failures + 1 };
            if acked {
                course.arrived();
            }
            match end {
                End::Turned(_) => {}
                End::Stopped => return,
                End::Failed | End::Lost => {
                    if !acked {
                        course.failed(&shared);
                    }
                    let pause = shared.scenario.fleet.backoff.wait(&mut self.rng, failures);
                    let turned = async {
                        if course.turns_connected() {
                            std::future::pending::<()>().await;
                        }
                        course.turn(&shared, &prober).await
                    };
                    // The name may move while the device waits: then there is nothing to wait for.
                    tokio::select! {
                        () = shared.stop.cancelled() => {}
                        () = sleep(pause) => {}
                        _ = turned => {}
                    }
                }
            }
        }
    }

    /// Why a connection to `region` is made.
    pub(super) fn direction(&self, region: &str) -> Direction {
        match self.region.as_deref() {
            None => Direction::First,
            Some(before) if before == region => Direction::Reconnect,
            Some(_) if region == self.shared.target.secondary() => Direction::Failover,
            Some(_) => Direction::Failback,
        }
    }

    pub(super) fn connect_failed(&self, region: &str, stage: &str, error: String, refusal: Refusal) {
        self.shared.recorder.meter().connects_failed.fetch_add(1, Relaxed);
        self.shared.recorder.board().refused(self.number);
        self.shared.recorder.event(Event::ConnectFailed {
            device: self.name.clone(),
            region: region.to_owned(),
            stage: stage.to_owned(),
            error,
            connack: refusal.connack,
            alert: refusal.alert,
            cut_off: refusal.is_cut_off,
        });
    }
}
