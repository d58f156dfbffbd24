//! A device's strategy at work: where it is headed, and when it goes elsewhere. What it knows is what a real device has: the
//! answers of its resolver or the names of two endpoints, how its own attempts ended, and what its probes found.

use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Shared,
    follow::{Name, Pointed},
    probe::{CLIENT_ID_PAUSE, Prober},
};
use crate::{
    scenario::{Cname, DualEndpoint, Sticky, Strategy},
    target::Target,
};

/// A resolver that fails is asked again after this long.
const RESOLVER_PAUSE: Duration = Duration::from_millis(500);

/// The endpoint that a device is headed for.
#[derive(Debug, Clone)]
pub(super) struct Heading {
    pub(super) host: String,
    pub(super) region: String,
    /// When the resolver was asked for the answer that it follows, if it follows one.
    pub(super) asked_us: Option<u64>,
    /// When it was decided: the resolver first gave this answer, or attempts or probes said so.
    pub(super) decided_us: u64,
}

/// Why a device leaves a connection that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The fleet's name points elsewhere now.
    Answer,
    /// The primary answers its probes again.
    Probes,
}

/// A device's heading, and what changes it.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) heading: Heading,
    guide: Guide,
}

#[derive(Debug)]
enum Guide {
    /// What the fleet's name points to. One that stays asks no more once it is in the secondary.
    Name { pointed: Pointed, every: Duration, stays: bool },
    /// Its own attempts, and its probes if it is to come home by itself.
    Endpoints { failures: Streak, probes: Option<Probes> },
}

/// How often something happened in a row.
#[derive(Debug, Clone, Copy)]
struct Streak {
    needed: u32,
    so_far: u32,
}

/// How a device finds out that the primary is back.
#[derive(Debug, Clone, Copy)]
struct Probes {
    every: Duration,
    successes: u32,
    /// Where in its first period it begins, so that a fleet which came over together does not knock together.
    phase: f64,
}

impl Course {
    /// The first heading: what the name points to, asked for until there is an answer, or the primary.
    pub(super) async fn begin(shared: &Shared, strategy: &Strategy, rng: &mut impl Rng) -> Self {
        let (every, stays) = match strategy {
            Strategy::Cname(Cname { every }) => (*every, false),
            Strategy::Sticky(Sticky { every: Some(every), .. }) => (*every, true),
            Strategy::DualEndpoint(DualEndpoint { failures, probe, successes }) => {
                let probes = Probes { every: **probe, successes: *successes, phase: rng.random() };
                return Self::at_primary(shared, *failures, Some(probes));
            }
            Strategy::Sticky(Sticky { failures, .. }) => {
                return Self::at_primary(shared, failures.unwrap_or(1), None);
            }
        };
        loop {
            if let Ok(pointed) = name(shared, *every).ask().await.map_err(|error| failed(&error))
                && let Some(region) = shared.target.region_of(&pointed.host)
            {
                let heading = followed(shared, region, &pointed);
                return Self { heading, guide: Guide::Name { pointed, every: *every, stays } };
            }
            sleep(RESOLVER_PAUSE).await;
        }
    }

    fn at_primary(shared: &Shared, failures: u32, probes: Option<Probes>) -> Self {
        let guide = Guide::Endpoints { failures: Streak::of(failures), probes };
        Self { heading: heading(shared, shared.target.primary()), guide }
    }

    /// Waits until there is reason to leave a connection that works, for ever if none ever comes. Given up at any moment, it
    /// forgets at most the probes of this connection.
    pub(super) async fn turn(&mut self, shared: &Shared, prober: &Prober) -> Turn {
        let is_away = self.heading.region == shared.target.secondary();
        match &mut self.guide {
            Guide::Name { pointed, every, stays } if !(*stays && is_away) => {
                let region = moved(shared, &name(shared, *every), pointed).await;
                self.heading = followed(shared, &region, pointed);
                Turn::Answer
            }
            Guide::Endpoints { probes: Some(probes), .. } if is_away => {
                probes.answered(shared, prober).await;
                self.heading = heading(shared, shared.target.primary());
                Turn::Probes
            }
            _ => std::future::pending().await,
        }
    }

    /// Whether [`Self::turn`] only makes sense with a connection: nobody goes home from nowhere.
    pub(super) fn turns_connected(&self) -> bool {
        matches!(self.guide, Guide::Endpoints { .. })
    }

    /// An attempt failed: enough of them in a row, and the device is headed for the other endpoint.
    pub(super) fn failed(&mut self, shared: &Shared) {
        if let Guide::Endpoints { failures, .. } = &mut self.guide
            && failures.again()
        {
            let other = other(&shared.target, &self.heading.region).to_owned();
            self.heading = heading(shared, &other);
        }
    }

    /// A connection worked.
    pub(super) fn arrived(&mut self) {
        if let Guide::Endpoints { failures, .. } = &mut self.guide {
            failures.so_far = 0;
        }
    }
}

impl Streak {
    const fn of(needed: u32) -> Self {
        Self { needed, so_far: 0 }
    }

    /// Once more; whether it was often enough, and then it begins anew.
    fn again(&mut self) -> bool {
        self.so_far += 1;
        let is_enough = self.so_far >= self.needed;
        if is_enough {
            self.so_far = 0;
        }
        is_enough
    }
}

impl Probes {
    /// Waits until the primary has let the device in often enough in a row.
    async fn answered(self, shared: &Shared, prober: &Prober) {
        let host = shared.target.host(shared.target.primary());
        let mut successes = Streak::of(self.successes);
        let mut next = Instant::now() + self.every.mul_f64(self.phase);
        loop {
            sleep_until(next).await;
            let is_let_in = prober.is_let_in(host).await;
            // From when it was due, so that a probe which takes its time does not stretch the period; and never sooner than
            // the Region takes this client id again, which also holds for coming home.
            next = (next + self.every).max(Instant::now() + CLIENT_ID_PAUSE);
            if !is_let_in {
                successes.so_far = 0;
            } else if successes.again() {
                break;
            }
        }
        sleep(CLIENT_ID_PAUSE).await;
    }
}

/// Waits until the name points to another endpoint of the target; the answer is its Region.
async fn moved(shared: &Shared, name: &Name<'_>, pointed: &mut Pointed) -> String {
    loop {
        let before = pointed.host.clone();
        name.changed(pointed, &mut |error| failed(&error)).await;
        if let Some(region) = shared.target.region_of(&pointed.host) {
            return region.to_owned();
        }
        // Somewhere else altogether: the device stays where it is.
        pointed.host = before;
    }
}

fn heading(shared: &Shared, region: &str) -> Heading {
    Heading {
        host: shared.target.host(region).to_owned(),
        region: region.to_owned(),
        asked_us: None,
        decided_us: shared.recorder.now_us(),
    }
}

/// The same, as the resolver's answer says.
fn followed(shared: &Shared, region: &str, pointed: &Pointed) -> Heading {
    Heading { asked_us: Some(shared.recorder.clock().us(pointed.asked)), ..heading(shared, region) }
}

fn other<'a>(target: &'a Target, region: &str) -> &'a str {
    if region == target.primary() { target.secondary() } else { target.primary() }
}

fn name(shared: &Shared, every: Duration) -> Name<'_> {
    Name { resolver: &shared.resolver, name: &shared.fleet_name, every }
}

fn failed(error: &anyhow::Error) {
    tracing::debug!(error = %format!("{error:#}"), "the resolver failed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happens_in_a_row_counts() {
        let mut failures = Streak::of(3);
        assert_eq!([(); 3].map(|()| failures.again()), [false, false, true]);
        assert!(!failures.again() && !failures.again(), "it begins anew");
        failures.so_far = 0;
        assert_eq!([(); 3].map(|()| failures.again()), [false, false, true]);
        assert!(Streak::of(1).again());
    }
}
