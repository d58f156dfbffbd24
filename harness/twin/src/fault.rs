//! Faults of the twin, as values: a Region that is dark, replication that is paused. The control API sets and removes them.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What can be broken in the twin. Sent as JSON to the control API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Nothing gets in or out of the Region: connections stay open and silent, new ones are never answered, its API
    /// calls hang, its tables do not replicate. Route 53, being global, goes on.
    RegionDark {
        /// The Region.
        region: String,
    },
    /// Writes to global tables made in this Region stay there until it is removed.
    ReplicationPaused {
        /// The Region whose writes do not leave.
        region: String,
    },
}

/// A switch that tasks can wait for.
#[derive(Debug)]
pub(crate) struct Switch {
    state: watch::Sender<bool>,
}

impl Default for Switch {
    fn default() -> Self {
        Self { state: watch::Sender::new(false) }
    }
}

impl Switch {
    pub(crate) fn set(&self, on: bool) {
        self.state.send_replace(on);
    }

    pub(crate) fn is_on(&self) -> bool {
        *self.state.borrow()
    }

    /// Returns once the switch is as asked.
    pub(crate) async fn wait(&self, on: bool) {
        let mut state = self.state.subscribe();
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = state.wait_for(|s| *s == on).await;
    }
}
