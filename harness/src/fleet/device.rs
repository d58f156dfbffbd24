//! One device: follows the fleet's name, connects, and when a connection ends or the name moves, connects again.

use std::{sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use gameday_report::record::{Direction, Event};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;

use super::{
    Dialer, Made, Shared,
    connection::{Connection, End},
    follow::{Name, Pointed, backoff},
    load::Load,
};
use crate::scenario::Strategy;

/// A resolver that fails is asked again after this long.
const RESOLVER_PAUSE: Duration = Duration::from_millis(500);

/// What a device follows: the endpoint that the fleet's name points to.
#[derive(Debug, Clone)]
pub(super) struct Follow {
    pub(super) pointed: Pointed,
    pub(super) region: String,
    /// When its resolver first gave this answer.
    pub(super) resolved_us: u64,
}

/// A device and what it carries from connection to connection.
pub(super) struct Device {
    pub(super) shared: Arc<Shared>,
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) dialer: Dialer,
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
        Ok(Self {
            shared: shared.clone(),
            number: made.number,
            name: made.name.clone(),
            dialer,
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
        let stop = self.shared.stop.clone();
        let first = tokio::select! {
            () = stop.cancelled() => return,
            follow = self.first_answer() => follow,
        };
        self.follow(first).await;
        self.load.own_up(&self.shared, self.number);
    }

    async fn follow(&mut self, mut follow: Follow) {
        let stop = self.shared.stop.clone();
        let mut failures: u32 = 0;
        while !self.shared.stop.is_cancelled() {
            self.attempts += 1;
            let connection = Connection::new(self, &follow);
            let (end, acked) = connection.run(self, &mut follow).await;
            failures = if acked { 0 } else { failures + 1 };
            match end {
                End::AnswerChanged => {}
                End::Stopped => return,
                End::Failed | End::Lost => {
                    let pause = backoff(&mut self.rng, failures);
                    // The name may move while the device waits: then there is nothing to wait for.
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = sleep(pause) => {}
                        () = changed(&self.shared, &mut follow) => {}
                    }
                }
            }
        }
    }

    async fn first_answer(&self) -> Follow {
        loop {
            if let Some(follow) = ask(&self.shared).await {
                return follow;
            }
            sleep(RESOLVER_PAUSE).await;
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

    pub(super) fn connect_failed(&self, region: &str, stage: &str, error: &str) {
        self.shared.recorder.meter().connects_failed.fetch_add(1, Relaxed);
        self.shared.recorder.event(Event::ConnectFailed {
            device: self.name.clone(),
            region: region.to_owned(),
            stage: stage.to_owned(),
            error: error.to_owned(),
        });
    }
}

/// Follows the fleet's name until it points to another endpoint of the target.
pub(super) async fn changed(shared: &Shared, follow: &mut Follow) {
    let name = name(shared);
    loop {
        let before = follow.pointed.host.clone();
        name.changed(&mut follow.pointed, &mut |error| failed(&error)).await;
        if let Some(region) = shared.target.region_of(&follow.pointed.host) {
            region.clone_into(&mut follow.region);
            follow.resolved_us = shared.recorder.now_us();
            return;
        }
        // Somewhere else altogether: the device stays where it is.
        follow.pointed.host = before;
    }
}

async fn ask(shared: &Shared) -> Option<Follow> {
    let pointed = name(shared).ask().await.map_err(|error| failed(&error)).ok()?;
    let region = shared.target.region_of(&pointed.host)?.to_owned();
    Some(Follow { pointed, region, resolved_us: shared.recorder.now_us() })
}

fn name(shared: &Shared) -> Name<'_> {
    let Strategy::Cname(strategy) = &shared.scenario.fleet.strategy;
    Name { resolver: &shared.resolver, name: &shared.fleet_name, every: *strategy.every }
}

fn failed(error: &anyhow::Error) {
    tracing::debug!(error = %format!("{error:#}"), "the resolver failed");
}
