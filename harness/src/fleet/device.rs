//! One device: follows the fleet's name, connects, and when a connection ends or the name moves, connects again.

use std::{sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use gameday_report::record::{Direction, Event};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Dialer, Made, Shared,
    connection::{Connection, End},
    load::Load,
};
use crate::scenario::Strategy;

/// Back-off after a failed attempt: full jitter below a limit that doubles between these two.
const BACKOFF_MS_MIN: u64 = 500;
const BACKOFF_MS_MAX: u64 = 8_000;
/// A resolver that fails is asked again after this long.
const RESOLVER_PAUSE: Duration = Duration::from_millis(500);

/// What a device follows: the endpoint that the fleet's name points to.
#[derive(Debug, Clone)]
pub(super) struct Follow {
    pub(super) host: String,
    pub(super) region: String,
    /// When its resolver first gave this answer.
    pub(super) resolved_us: u64,
    /// The resolver is not asked again before: the period and the TTL have run out then.
    next_ask: Instant,
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
        let dialer = Dialer::new(
            &shared.tls,
            &made.identity,
            shared.resolver.clone(),
            shared.target.mqtt_port(),
            shared.recorder.clock(),
        )?;
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
                    let pause = self.backoff(failures);
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

    fn backoff(&mut self, failures: u32) -> Duration {
        let limit_ms = (BACKOFF_MS_MIN << failures.min(10)).min(BACKOFF_MS_MAX);
        Duration::from_millis(self.rng.random_range(BACKOFF_MS_MIN..=limit_ms))
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

/// Follows the fleet's name until it points elsewhere: asks on the scenario's period, and never before the TTL has run
/// out. When to ask next is kept in `follow`, so that it does not start anew with each attempt. A resolver that fails
/// leaves the device where it is.
pub(super) async fn changed(shared: &Shared, follow: &mut Follow) {
    let Strategy::Cname(strategy) = &shared.scenario.fleet.strategy;
    loop {
        sleep_until(follow.next_ask).await;
        match ask(shared).await {
            Some(answer) if answer.host != follow.host => {
                *follow = answer;
                return;
            }
            Some(answer) => follow.next_ask = answer.next_ask,
            None => follow.next_ask = Instant::now() + *strategy.every,
        }
    }
}

async fn ask(shared: &Shared) -> Option<Follow> {
    let Strategy::Cname(strategy) = &shared.scenario.fleet.strategy;
    let answer = match shared.resolver.cname(&shared.fleet_name).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(error = %format!("{error:#}"), "the resolver failed");
            return None;
        }
    };
    let region = shared.target.region_of(&answer.host)?.to_owned();
    Some(Follow {
        host: answer.host,
        region,
        resolved_us: shared.recorder.now_us(),
        next_ask: Instant::now() + (*strategy.every).max(answer.ttl),
    })
}
