//! The live state of the run: what steps wait for and what the screen shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::sync::watch;

/// What is known now.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// What Route 53 says of the primary's health check.
    pub(crate) primary_healthy: Option<bool>,
    /// The same of the secondary's.
    pub(crate) secondary_healthy: Option<bool>,
    /// The Region that the fleet's name points to.
    pub(crate) answer_region: Option<String>,
    /// Each device's Region since its last acknowledged first publish, by its number.
    pub(crate) device_regions: BTreeMap<u32, String>,
    /// Devices, by their numbers, that tried to connect and could not, and had no publish acknowledged since.
    pub(crate) refused: BTreeSet<u32>,
    /// Devices seen connectable in the secondary.
    pub(crate) connectable: u32,
    /// The observers that see their documents.
    pub(crate) observers: BTreeSet<u32>,
}

impl State {
    /// Devices, of those that are asked for, that have an acknowledged publish in this Region as their last.
    pub(crate) fn devices_in(&self, region: &str, is_asked_for: impl Fn(u32) -> bool) -> usize {
        self.device_regions.iter().filter(|(number, at)| *at == region && is_asked_for(**number)).count()
    }
}

/// The shared state.
#[derive(Debug)]
pub(crate) struct Board {
    state: watch::Sender<State>,
}

impl Default for Board {
    fn default() -> Self {
        Self { state: watch::Sender::new(State::default()) }
    }
}

impl Board {
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    /// A device tried to connect and could not. Nobody is woken for one that is known to fail.
    pub(crate) fn refused(&self, number: u32) {
        self.state.send_if_modified(|state| state.refused.insert(number));
    }

    /// Looks at the state without copying it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.borrow())
    }

    /// Waits until the condition holds; `false` when it did not within `at_most`.
    pub(crate) async fn wait(&self, at_most: Duration, mut until: impl FnMut(&State) -> bool) -> bool {
        let mut changes = self.state.subscribe();
        let reached = tokio::time::timeout(at_most, changes.wait_for(|state| until(state))).await;
        matches!(reached, Ok(Ok(_)))
    }
}
