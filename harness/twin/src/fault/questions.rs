//! What each part of the twin asks the rules, in a line of its own.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use super::{Fault, Faults, Kind, Poison, Rule, value::fits};
use crate::mqtt::filter_matches;

/// Who does not get a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lost {
    pub(crate) subscribers: bool,
    pub(crate) rules: bool,
}

impl Faults {
    /// Counts what a fault of a whole Region has hit; its effect is the Region's switch.
    pub(crate) fn count(&self, kind: Kind, region: &str) {
        if let Some(rule) = self.find(kind, |rule| rule.fault.region() == Some(region)) {
            rule.count(1);
        }
    }

    /// Whether a topic rule that would fire stays silent.
    pub(crate) fn rules_silent(&self, region: &str, name: &str) -> bool {
        let met = self.meet(Kind::RulesSilent, |rule| match &rule.fault {
            Fault::RulesSilent { region: here, rule, .. } => here == region && fits(rule.as_ref(), name),
            _ => false,
        });
        met.is_some()
    }

    /// How much longer a Region's writes take to the others, and the rule that says so, to count them.
    pub(crate) fn replication_slow(&self, region: &str) -> Option<(Duration, Arc<Rule>)> {
        let rule = self.find(Kind::ReplicationSlow, |rule| rule.fault.region() == Some(region))?;
        let Fault::ReplicationSlow { delay_ms, .. } = rule.fault else { return None };
        Some((Duration::from_millis(delay_ms), rule))
    }

    /// Who does not get a message that was published.
    pub(crate) fn grey(&self, region: &str, topic: &str) -> Lost {
        let met = self.meet(Kind::BrokerGrey, |rule| match &rule.fault {
            Fault::BrokerGrey { region: here, topic: filter, .. } => {
                here == region && filter.as_ref().is_none_or(|filter| filter_matches(filter, topic))
            }
            _ => false,
        });
        match met.as_deref().map(|rule| &rule.fault) {
            Some(Fault::BrokerGrey { subscribers, rules, .. }) => {
                Lost { subscribers: *subscribers, rules: *rules }
            }
            _ => Lost::default(),
        }
    }

    /// Whether a message is not acknowledged.
    pub(crate) fn mute(&self, region: &str, topic: &str) -> bool {
        let met = self.meet(Kind::BrokerMute, |rule| match &rule.fault {
            Fault::BrokerMute { region: here, topic: filter, .. } => {
                here == region && filter.as_ref().is_none_or(|filter| filter_matches(filter, topic))
            }
            _ => false,
        });
        met.is_some()
    }

    /// Whether a client that connects is cut off.
    pub(crate) fn cut_off(&self, region: &str, client: &str) -> bool {
        let met = self
            .find(Kind::ClientsCutOff, |rule| rule.fault.region() == Some(region) && rule.fault.cuts(client));
        met.inspect(|rule| rule.count(1)).is_some()
    }

    /// Whether no MQTT connection can be made.
    pub(crate) fn broker_down(&self, region: &str) -> bool {
        self.meet(Kind::BrokerRestart, |rule| rule.fault.region() == Some(region)).is_some()
    }

    /// How a stream's record is damaged. `hash` is the record's own, so that the answer stays the same.
    pub(crate) fn poison(&self, region: &str, table: &str, hash: u64) -> Option<Poison> {
        let met = self.find(Kind::StreamPoison, |rule| match &rule.fault {
            Fault::StreamPoison { region: here, table: pattern, share, .. } => {
                here == region && fits(Some(pattern), table) && share.holds(hash)
            }
            _ => false,
        })?;
        met.count(1);
        match met.fault {
            Fault::StreamPoison { how, .. } => Some(how),
            _ => None,
        }
    }

    /// Returns when an invocation that begins now is to be killed, which for most is never.
    pub(crate) async fn function_killed(&self, region: &str, name: &str) {
        let rule = self.find(Kind::FunctionKill, |rule| match &rule.fault {
            Fault::FunctionKill { region: here, function, .. } => {
                here == region && fits(Some(function), name) && rule.comes_up()
            }
            _ => false,
        });
        if let Some(rule) = rule
            && let Fault::FunctionKill { after_ms, .. } = rule.fault
        {
            let due = tokio::time::sleep(Duration::from_millis(after_ms));
            if rule.gone.run_until_cancelled(due).await.is_some() {
                rule.count(1);
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// What a question to the DNS server meets.
    pub(crate) fn dns(&self, name: &str) -> Option<Arc<Rule>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.meet(Kind::Dns, |rule| match &rule.fault {
            Fault::Dns { name: pattern, .. } => pattern
                .as_ref()
                .is_none_or(|p| fits(Some(&p.trim_end_matches('.').to_ascii_lowercase()), &name)),
            _ => false,
        })
    }

    /// Whether the checkers of a health check do not probe.
    pub(crate) fn checks_stuck(&self, id: &str) -> bool {
        let met = self.meet(Kind::HealthChecksStuck, |rule| match &rule.fault {
            Fault::HealthChecksStuck { check } => fits(check.as_ref(), id),
            _ => false,
        });
        met.is_some()
    }
}

impl Fault {
    /// Whether this cuts a client off. Its share is of the clients' ids, so that the same ones are cut each time.
    pub(super) fn cuts(&self, id: &str) -> bool {
        let Self::ClientsCutOff { client, share, .. } = self else { return false };
        // Its keys are constant.
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        fits(client.as_ref(), id) && share.holds(hasher.finish())
    }
}
