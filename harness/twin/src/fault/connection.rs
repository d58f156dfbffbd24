//! What a new connection to a Region meets.

use std::{sync::Arc, time::Duration};

use super::{Cut, Fault, Faults, Kind, Port, Rule};

/// What a connection meets at the door.
#[derive(Debug)]
pub(crate) enum Met {
    Nothing,
    Reset,
    /// Nothing comes back until the rule is gone.
    BlackHole(Arc<Rule>),
    Slow {
        delay: Duration,
        bytes_per_s: Option<u64>,
    },
}

impl Faults {
    /// What a connection that was accepted just now meets.
    pub(crate) fn connection(&self, region: &str, port: Port) -> Met {
        if port == Port::Mqtt && self.broker_down(region) {
            return Met::Reset;
        }
        let met = self.meet(Kind::Connections, |rule| cuts(rule, region, port).is_some());
        let Some(rule) = met else { return Met::Nothing };
        match cuts(&rule, region, port) {
            // Accepted in the moment in which the listener closes.
            Some(Cut::Reset | Cut::Refuse) => Met::Reset,
            Some(Cut::BlackHole) => Met::BlackHole(rule),
            Some(Cut::Slow { delay_ms, bytes_per_s }) => {
                Met::Slow { delay: Duration::from_millis(delay_ms), bytes_per_s }
            }
            None => Met::Nothing,
        }
    }

    /// Returns when a listener has to be closed, with the rule that closes it.
    pub(crate) async fn refused(&self, region: &str, port: Port) -> Arc<Rule> {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let refuses = |rule: &Rule| cuts(rule, region, port) == Some(Cut::Refuse);
            if let Some(rule) = self.find(Kind::Connections, refuses) {
                return rule;
            }
            if changes.changed().await.is_err() {
                // The sender lives as long as `self`.
                std::future::pending::<()>().await;
            }
        }
    }
}

fn cuts(rule: &Rule, region: &str, port: Port) -> Option<Cut> {
    match &rule.fault {
        Fault::Connections { region: here, port: door, how, .. } if here == region && *door == port => {
            Some(*how)
        }
        _ => None,
    }
}
