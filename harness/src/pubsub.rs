//! One device that publishes and hears what it publishes, and that follows a name to another Region.
//!
//! It never hangs: an attempt to connect, a subscription, a question to the resolver and the wait for the last acknowledgements have
//! a bound each, and until it has connected once so has the number of attempts. A resolver that fails leaves the connection as it is.
//! Messages are due on a schedule; what is due while there is no connection is counted as unsent and not kept.

mod event;
mod session;

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::session::{End, Reached, Sending, Session};
use crate::{
    clock::RunClock,
    fleet::{Dialer, Name, Pointed, Resolver},
    scenario::Backoff,
};

pub(crate) use event::{Event, Events, Summary};

/// Whoever does not follow a name, or has not been connected yet, gives up after so many attempts in a row.
const ATTEMPTS_MAX: u32 = 10;
/// A device that moves waits up to this long before it connects, so that not all that follow a name come at once.
const MOVE_MS_MAX: u64 = 500;

/// What is said, and how.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) client_id: String,
    /// What tells its messages from those of others.
    pub(crate) id: String,
    pub(crate) topic: String,
    pub(crate) message: String,
    /// None: until it is stopped.
    pub(crate) count: Option<u32>,
    pub(crate) interval: Duration,
    /// Whether messages are acknowledged (QoS 1).
    pub(crate) acknowledged: bool,
    pub(crate) connect_timeout: Duration,
}

/// Where to.
#[derive(Debug, Clone)]
pub(crate) enum Whither {
    Endpoint(String),
    /// What a name points to; `follow` is whether it goes where the name goes.
    Name {
        name: String,
        every: Duration,
        follow: bool,
    },
}

/// The device.
#[derive(Debug)]
pub(crate) struct PubSub<'a> {
    pub(crate) settings: Settings,
    pub(crate) whither: Whither,
    pub(crate) dialer: Dialer,
    pub(crate) resolver: &'a Resolver,
    pub(crate) clock: RunClock,
    pub(crate) stop: CancellationToken,
    pub(crate) events: &'a Events,
}

impl PubSub<'_> {
    /// Runs until all was sent, somebody stops it, or it gives up.
    pub(crate) async fn run(&self) -> Summary {
        let mut rng = ChaCha8Rng::seed_from_u64(rand::random());
        let Some(mut host) = self.first(&mut rng).await else { return self.events.summary() };
        let mut sending = Sending::new(&self.settings);
        let mut failures = 0;
        let mut before = host.name().to_owned();
        while !self.stop.is_cancelled() && !sending.is_done() {
            let at = host.name().to_owned();
            if at != before {
                let from = std::mem::replace(&mut before, at.clone());
                self.events.tell(&Event::Moved { from, to: at.clone() });
            }
            let session = Session { of: self, host: &at };
            let (end, reached) = session.run(&mut sending, &mut host).await;
            failures = if reached == Reached::Answer { 0 } else { failures + 1 };
            let pause = match end {
                End::Done => break,
                End::Moved => Duration::from_millis(rng.random_range(0..=MOVE_MS_MAX)),
                End::Lost(error) => {
                    let stage = self.dialer.timings.lock().stage();
                    let again = Backoff::default().wait(&mut rng, failures);
                    let again_in_ms = u64::try_from(again.as_millis()).unwrap_or(u64::MAX);
                    self.events.tell(&if reached > Reached::Nothing {
                        Event::Lost { host: at, error, again_in_ms }
                    } else {
                        Event::ConnectFailed { host: at, stage, error, again_in_ms }
                    });
                    // A name that never led anywhere is more likely mistyped than about to be right.
                    let is_patient = self.follows() && self.events.summary().connects > 0;
                    if failures >= ATTEMPTS_MAX && !is_patient {
                        self.events.tell(&Event::GaveUp { attempts: failures });
                        break;
                    }
                    again
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = sleep(pause) => {}
                // Where the name moves there is nothing to wait for.
                () = self.moved(&mut host) => {}
            }
        }
        self.events.summary()
    }

    fn follows(&self) -> bool {
        matches!(self.whither, Whither::Name { follow: true, .. })
    }

    /// Where to connect first; none: it was stopped, or gave up.
    async fn first(&self, rng: &mut ChaCha8Rng) -> Option<Host> {
        let Some(name) = self.name() else {
            let Whither::Endpoint(host) = &self.whither else { return None };
            return Some(Host::Fixed(host.clone()));
        };
        let mut failures = 0;
        loop {
            let error = tokio::select! {
                () = self.stop.cancelled() => return None,
                asked = name.ask() => match asked {
                    Ok(pointed) => {
                        let (name, host) = (name.name.to_owned(), pointed.host.clone());
                        self.events.tell(&Event::Resolved { name, host });
                        return Some(Host::Pointed(pointed));
                    }
                    Err(error) => error,
                },
            };
            self.dns_failed(&error);
            failures += 1;
            if failures >= ATTEMPTS_MAX {
                self.events.tell(&Event::GaveUp { attempts: failures });
                return None;
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = sleep(Backoff::default().wait(rng, failures)) => {}
            }
        }
    }

    fn name(&self) -> Option<Name<'_>> {
        let Whither::Name { name, every, .. } = &self.whither else { return None };
        Some(Name { resolver: self.resolver, name, every: *every })
    }

    /// Waits until the name points elsewhere, for ever if none is followed.
    async fn moved(&self, host: &mut Host) {
        match (self.name(), host) {
            (Some(name), Host::Pointed(pointed)) if self.follows() => {
                name.changed(pointed, &mut |error| self.dns_failed(&error)).await;
            }
            _ => std::future::pending().await,
        }
    }

    fn dns_failed(&self, error: &anyhow::Error) {
        let Whither::Name { name, .. } = &self.whither else { return };
        self.events.tell(&Event::DnsFailed { name: name.clone(), error: format!("{error:#}") });
    }
}

/// An endpoint, and whether a name pointed to it.
#[derive(Debug, Clone)]
enum Host {
    Fixed(String),
    Pointed(Pointed),
}

impl Host {
    fn name(&self) -> &str {
        match self {
            Self::Fixed(host) => host,
            Self::Pointed(pointed) => &pointed.host,
        }
    }
}
