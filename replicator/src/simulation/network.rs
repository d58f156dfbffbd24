//! What lies between a function and what it calls: time passes, answers get lost, calls are refused.
//!
//! Everything that is to happen stands in one timeline; its order is drawn from the seed.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::call::{Inner, Name};
use super::random::Random;
use crate::outcome::{Failure, Outcome};

/// How long a call is waited for. What was sent may take effect until then.
pub(crate) const ATTEMPT_MS_MAX: u64 = 3_000;

/// What can go wrong, in times of a thousand calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Refused, to be tried later.
    pub(crate) throttled: u64,
    /// No answer; every other one has its effect nevertheless.
    pub(crate) lost: u64,
    /// Seconds instead of milliseconds.
    pub(crate) slow: u64,
    /// The primary Region cannot be reached.
    pub(crate) primary_gone: bool,
}

type Effect = Box<dyn FnOnce(&mut Inner) + Send>;

/// What is to happen.
pub(crate) enum Action {
    /// Something in the Regions or the tables.
    Effect(Effect),
    /// A step of the history, by its number.
    Step(usize),
}

/// The timeline and its dice.
pub(crate) struct Network {
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    /// What happened, if someone wants to read it.
    pub(crate) trace: Option<Vec<String>>,
    /// Who is at work.
    pub(crate) task: usize,
    timeline: BTreeMap<(u64, u64, u64), Action>,
    made: u64,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("timeline", &self.timeline.len()).finish_non_exhaustive()
    }
}

impl Network {
    pub(crate) fn new(random: Random) -> Self {
        let (weather, trace) = (Weather::default(), None);
        Self { random, weather, trace, task: 0, timeline: BTreeMap::new(), made: 0 }
    }

    /// Puts something into the timeline; what is due in the same millisecond happens in a drawn order.
    pub(crate) fn at(&mut self, due_ms: u64, action: Action) {
        self.made += 1;
        let tie = self.random.below(1 << 16);
        self.timeline.insert((due_ms, tie, self.made), action);
    }

    /// What happens next, and when.
    pub(crate) fn next(&mut self) -> Option<(u64, Action)> {
        self.timeline.pop_first().map(|((due_ms, ..), action)| (due_ms, action))
    }

    fn delay_ms(&mut self) -> u64 {
        let slow = self.weather.slow;
        if self.random.chance(slow) {
            self.random.between(100, ATTEMPT_MS_MAX / 2 - 100)
        } else {
            self.random.between(1, 20)
        }
    }
}

struct Slot<T> {
    outcome: Option<Outcome<T>>,
    arrived: bool,
    waker: Option<Waker>,
}

/// An answer on its way.
pub(crate) struct Answer<T>(Arc<Mutex<Slot<T>>>);

impl<T> Future for Answer<T> {
    type Output = Outcome<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.lock().unwrap();
        if slot.arrived {
            return Poll::Ready(slot.outcome.take().expect("an answer is taken once"));
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Inner {
    fn network(&mut self) -> &mut Network {
        self.network.as_mut().expect("a history has a network")
    }

    pub(crate) fn trace(&mut self, line: impl FnOnce() -> String) {
        let now_ms = self.now_ms;
        let network = self.network();
        let task = network.task;
        if let Some(trace) = &mut network.trace {
            trace.push(format!("{:>9} #{task:<3} {}", now_ms, line()));
        }
    }

    /// Puts an answer on its way.
    fn arrive<T: Send + 'static>(&mut self, slot: Arc<Mutex<Slot<T>>>, due_ms: u64) {
        let effect: Effect = Box::new(move |_| {
            let mut slot = slot.lock().unwrap();
            slot.arrived = true;
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        });
        self.network().at(due_ms, Action::Effect(effect));
    }

    /// Sends a call. Its fate is drawn now.
    pub(crate) fn send<T: fmt::Debug + Send + 'static>(
        &mut self,
        name: Name,
        effect: impl FnOnce(&mut Self) -> Outcome<T> + Send + 'static,
    ) -> Answer<T> {
        let now_ms = self.now_ms;
        let network = self.network();
        let weather = network.weather.clone();
        let slot = Arc::new(Mutex::new(Slot { outcome: None, arrived: false, waker: None }));
        let answer = Answer(slot.clone());
        let gone =
            weather.primary_gone && matches!(name.port, "primary" | "documents" | "progress" | "looks");
        if gone || network.random.chance(weather.throttled) {
            let why = if gone { "unreachable" } else { "throttled" };
            slot.lock().unwrap().outcome = Some(Err(Failure::transient(name.call, why)));
            let due_ms = now_ms + network.delay_ms();
            self.trace(|| format!("{name}: {why}"));
            self.arrive(slot, due_ms);
            return answer;
        }
        if network.random.chance(weather.lost) {
            slot.lock().unwrap().outcome = Some(Err(Failure::transient(name.call, "no answer in time")));
            let happens = network.random.chance(500);
            let late_ms = now_ms + network.random.between(1, ATTEMPT_MS_MAX);
            self.trace(|| format!("{name}: no answer, effect: {happens}"));
            if happens {
                let effect: Effect = Box::new(move |inner| {
                    let outcome = effect(inner);
                    inner.trace(|| format!("{name}, late: {outcome:?}"));
                });
                self.network().at(late_ms, Action::Effect(effect));
            }
            self.arrive(slot, now_ms + ATTEMPT_MS_MAX);
            return answer;
        }
        let due_ms = now_ms + network.delay_ms();
        let task = network.task;
        let effect: Effect = Box::new(move |inner| {
            let outcome = effect(inner);
            inner.network().task = task;
            inner.trace(|| format!("{name}: {outcome:?}"));
            slot.lock().unwrap().outcome = Some(outcome);
            let due_ms = inner.now_ms + inner.network().delay_ms();
            inner.arrive(slot, due_ms);
        });
        self.network().at(due_ms, Action::Effect(effect));
        answer
    }

    /// An answer that comes after some time.
    pub(crate) fn wait(&mut self, ms: u64) -> Answer<()> {
        let slot = Arc::new(Mutex::new(Slot { outcome: Some(Ok(())), arrived: false, waker: None }));
        let due_ms = self.now_ms + ms;
        self.arrive(slot.clone(), due_ms);
        Answer(slot)
    }
}
