//! EventBridge Scheduler: schedules of the default group in each Region, once, by rate or by cron.
//!
//! State is pure ([`store`]); one task a Region fires what is due; [`universal`] makes API calls of schedules; the codec
//! is [`api`]. Delivery, with its retries, is [`events`](crate::events)'. A schedule fires at its second, where AWS
//! promises its minute; in a dark Region nothing fires, and what was missed fires once afterwards.

mod api;
mod store;
mod universal;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use self::store::{Fired, Schedules};
pub(crate) use self::{
    api::{error_reply, handle},
    universal::UniversalCall,
};
use crate::{events, region::Region, world::World};

/// The schedules of all Regions.
#[derive(Debug)]
pub(crate) struct Scheduler {
    /// By Region.
    shelves: BTreeMap<String, Shelf>,
}

/// One Region's schedules.
#[derive(Debug, Default)]
struct Shelf {
    schedules: Mutex<Schedules>,
    /// Rung when something is due sooner than before.
    wake: Notify,
}

impl Scheduler {
    pub(crate) fn new<'a>(regions: impl IntoIterator<Item = &'a String>) -> Self {
        Self { shelves: regions.into_iter().map(|region| (region.clone(), Shelf::default())).collect() }
    }

    fn shelf(&self, region: &str) -> Option<&Shelf> {
        self.shelves.get(region)
    }
}

/// Starts the task of each Region.
pub(crate) fn start(world: &Arc<World>) {
    for region in &world.regions {
        world.tasks.spawn(tend(Arc::clone(world), Arc::clone(region)));
    }
}

async fn tend(world: Arc<World>, region: Arc<Region>) {
    let Some(shelf) = world.scheduler.shelf(&region.name) else { return };
    let work = async {
        loop {
            region.dark.wait(false).await;
            let now = world.clock.now();
            let fired = shelf.schedules.lock().fire(now, (&region.name, &world.account));
            for fired in fired {
                fire(&world, &region, fired);
            }
            let next = shelf.schedules.lock().next().unwrap_or(Timestamp::MAX);
            tokio::select! {
                () = shelf.wake.notified() => {}
                () = world.clock.sleep_until(next) => {}
            }
        }
    };
    tokio::select! {
        () = world.shutdown.cancelled() => {}
        () = work => {}
    }
}

/// Delivers, and removes a schedule that is over if it asked for that.
fn fire(world: &Arc<World>, region: &Arc<Region>, fired: Fired) {
    let Fired { delivery, name, over } = fired;
    let place = region.name.clone();
    events::spawn_delivery(world, region, delivery, move |world| {
        if let (Some(generation), Some(shelf)) = (over, world.scheduler.shelf(&place)) {
            shelf.schedules.lock().remove(&name, generation);
        }
    });
}

#[cfg(test)]
mod tests;
