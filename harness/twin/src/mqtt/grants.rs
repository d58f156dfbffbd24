//! What a connection may do, by the policies of its certificate.
//!
//! Connect and Subscribe are evaluated each time. Publish and Receive, which come with every message, use policies that
//! were read at most [`FRESH`] ago and remember their last decisions: a change of policies counts within that time, where
//! AWS takes seconds to minutes. An idle connection remembers no decisions.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    authorize::{PolicyDocument, Variables, allowed},
    region::Region,
};

/// Policies are read again after this.
const FRESH: Duration = Duration::from_secs(1);
/// Decisions remembered.
const DECISIONS_MAX: usize = 16;

/// What is decided for each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Publish,
    RetainPublish,
    Receive,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "iot:Publish",
            Self::RetainPublish => "iot:RetainPublish",
            Self::Receive => "iot:Receive",
        }
    }
}

/// The permissions of one connection.
#[derive(Debug)]
pub(super) struct Grants {
    pub(super) variables: Variables,
    /// The certificate's ARN.
    principal: String,
    /// `arn:aws:iot:<region>:<account>:`.
    arn_prefix: String,
    policies: Vec<Arc<PolicyDocument>>,
    read: Option<Instant>,
    decisions: BTreeMap<Action, BTreeMap<Box<str>, bool>>,
}

impl Grants {
    pub(super) fn new(principal: String, arn_prefix: String, variables: Variables) -> Self {
        Self {
            variables,
            principal,
            arn_prefix,
            policies: Vec::new(),
            read: None,
            decisions: BTreeMap::new(),
        }
    }

    /// Whether policies as they are now allow `action` on the resource `kind/name`.
    pub(super) fn allows_now(&mut self, region: &Region, action: &str, kind: &str, name: &str) -> bool {
        self.read_policies(region);
        self.decide(action, kind, name)
    }

    /// Whether `topic` may be published to, or received from.
    pub(super) fn allows(&mut self, region: &Region, action: Action, topic: &str, now: Instant) -> bool {
        if self.read.is_none_or(|read| now.saturating_duration_since(read) >= FRESH) {
            self.read_policies(region);
        }
        if let Some(decided) = self.decisions.get(&action).and_then(|d| d.get(topic)) {
            return *decided;
        }
        let decided = self.decide(action.as_str(), "topic", topic);
        let decisions = self.decisions.entry(action).or_default();
        if decisions.len() >= DECISIONS_MAX {
            decisions.clear();
        }
        decisions.insert(topic.into(), decided);
        decided
    }

    /// Forgets decisions and when policies were read.
    pub(super) fn forget(&mut self) {
        self.read = None;
        self.decisions = BTreeMap::new();
    }

    fn read_policies(&mut self, region: &Region) {
        self.decisions.clear();
        self.policies.clear();
        let registry = region.registry.lock();
        let thing = self.variables.thing_name.as_deref();
        self.policies.extend(registry.policies_of(&self.principal, thing).iter().map(|p| p.parsed.clone()));
        drop(registry);
        self.read = Some(Instant::now());
    }

    fn decide(&self, action: &str, kind: &str, name: &str) -> bool {
        let resource = format!("{}{kind}/{name}", self.arn_prefix);
        allowed(self.policies.iter().map(AsRef::as_ref), action, &resource, &self.variables)
    }
}
