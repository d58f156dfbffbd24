//! A switch that tasks can wait for.

use tokio::sync::watch;

/// On or off.
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
