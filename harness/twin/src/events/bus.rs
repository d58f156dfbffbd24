//! The default bus of a Region: its rules, the events on their way to it, and the task that tends both. While the Region
//! is dark nothing moves; afterwards each schedule that was missed fires once.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::{delivery, envelope, rule::Rules};
use crate::{
    region::Region,
    room::{Place, Room},
    world::World,
};

/// Events of API calls on their way to a bus.
const WAITING_MAX: usize = 100_000;
/// Bytes of the calls that they tell of.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One Region's bus.
#[derive(Debug)]
pub(crate) struct Bus {
    rules: Mutex<Rules>,
    /// Enabled rules with a pattern: while there is none, events need not be made.
    patterns: AtomicUsize,
    /// By when they arrive.
    waiting: Mutex<VecDeque<(Timestamp, Json, Place)>>,
    room: Arc<Room>,
    /// Rung when something is due sooner than before.
    wake: Notify,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            rules: Mutex::default(),
            patterns: AtomicUsize::default(),
            waiting: Mutex::default(),
            room: Room::new(WAITING_MAX, WAITING_BYTES_MAX),
            wake: Notify::default(),
        }
    }
}

impl Bus {
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Rules) -> T) -> T {
        look(&self.rules.lock())
    }

    /// Changes the rules; the task looks anew at what is due.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut Rules) -> T) -> T {
        let mut rules = self.rules.lock();
        let done = act(&mut rules);
        self.patterns.store(rules.patterns().count(), Ordering::Relaxed);
        drop(rules);
        self.wake.notify_one();
        done
    }

    /// Whether any rule could match an event of which this is known. Costs next to nothing while no rule has a pattern.
    pub(crate) fn wants(&self, known: impl FnOnce() -> Json) -> bool {
        self.patterns.load(Ordering::Relaxed) > 0 && self.rules.lock().wants(&known())
    }

    /// Sets an event of so many bytes on its way. Events arrive in the order in which they were sent.
    pub(crate) fn send(&self, arrives: Timestamp, event: Json, bytes: usize) {
        let Some(place) = self.room.take(bytes) else {
            tracing::warn!("too many events are on their way to a bus: one was dropped");
            return;
        };
        self.waiting.lock().push_back((arrives, event, place));
        self.wake.notify_one();
    }

    fn next(&self) -> Option<Timestamp> {
        let arrival = self.waiting.lock().front().map(|(at, ..)| *at);
        arrival.into_iter().chain(self.rules.lock().next()).min()
    }

    fn arrived(&self, now: Timestamp) -> Option<Json> {
        let mut waiting = self.waiting.lock();
        let is_due = waiting.front().is_some_and(|(at, ..)| *at <= now);
        is_due.then(|| waiting.pop_front()).flatten().map(|(_, event, _)| event)
    }
}

/// Hands an event to the rules of a Region.
pub(crate) fn route(world: &Arc<World>, region: &Arc<Region>, event: &Json) {
    let Some(bus) = world.events.bus(&region.name) else { return };
    for made in bus.read(|rules| rules.route(event, world.clock.now())) {
        delivery::spawn(world, region, made, |_| {});
    }
}

/// Tends a Region's bus until the twin stops.
pub(crate) async fn tend(world: Arc<World>, region: Arc<Region>) {
    let Some(bus) = world.events.bus(&region.name) else { return };
    let work = async {
        loop {
            region.dark.wait(false).await;
            let now = world.clock.now();
            while let Some(event) = bus.arrived(now) {
                route(&world, &region, &event);
            }
            fire(&world, &region, bus, now);
            tokio::select! {
                () = bus.wake.notified() => {}
                () = world.clock.sleep_until(bus.next().unwrap_or(Timestamp::MAX)) => {}
            }
        }
    };
    tokio::select! {
        () = world.shutdown.cancelled() => {}
        () = work => {}
    }
}

fn fire(world: &Arc<World>, region: &Arc<Region>, bus: &Bus, now: Timestamp) {
    let event = |arn: &str| {
        let place = (region.name.as_str(), world.account.as_str());
        envelope(("aws.events", "Scheduled Event"), place, now, &[arn.to_owned()], &json!({}))
    };
    let made = bus.rules.lock().fire(now, event);
    for made in made {
        delivery::spawn(world, region, made, |_| {});
    }
}
