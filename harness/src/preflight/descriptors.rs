//! Whether this process may open as many files as the fleet has connections.

use futures::{FutureExt, future::ready};

use super::{Check, Finding, Ground, Stage};
use crate::{descriptors, plan::Observation};

pub(super) static CHECK: Check = Check {
    name: "descriptors",
    label: "Open files",
    stage: Stage::Here,
    can_be_ignored: false,
    look: |ground| ready(look(ground)).boxed_local(),
};

fn look(ground: &Ground<'_>) -> Finding {
    let fleet = &ground.scenario.fleet;
    let observers = Observation::of(ground.scenario).map_or(0, |observation| observation.observers);
    let others = fleet.strategy.probing(fleet.devices) + observers;
    match descriptors::check(fleet.devices, others, ground.target.is_embedded(), ground.descriptors) {
        Err(error) => Finding::refused(format!("{error:#}")),
        Ok(()) => Finding::passed(match ground.descriptors {
            Some(limit) => format!("this process may open {limit}, which is enough"),
            None => "this process may open as many as it likes".to_owned(),
        }),
    }
}
