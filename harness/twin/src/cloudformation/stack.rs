//! One stack: what it was made from, the resources that it has, and what happened to it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{
    change_set::ChangeSet,
    function::Known,
    template::{Removal, Template},
};

/// Events that a stack keeps: the newest. AWS keeps them for 90 days.
const EVENTS_MAX: usize = 5_000;
/// The type of the events of a stack itself.
pub(crate) const STACK_KIND: &str = "AWS::CloudFormation::Stack";

/// A resource that a stack has, or had until its last operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resource {
    pub(crate) logical: String,
    pub(crate) kind: String,
    /// None until it is known.
    pub(crate) physical: Option<String>,
    pub(crate) attributes: Map<String, Json>,
    /// Without functions, as it was last made or changed.
    pub(crate) properties: Json,
    pub(crate) depends_on: BTreeSet<String>,
    pub(crate) deletion: Removal,
    pub(crate) replacement: Removal,
    pub(crate) metadata: Json,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) changed: Timestamp,
}

impl Resource {
    /// As functions see it.
    pub(crate) fn known(&self) -> Option<Known> {
        let id = self.physical.clone()?;
        Some(Known { id, attributes: self.attributes.clone() })
    }
}

/// What happened to a stack or one of its resources.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) logical: String,
    pub(crate) physical: String,
    pub(crate) kind: String,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) properties: Option<String>,
    pub(crate) token: Option<String>,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    pub(crate) export: Option<String>,
}

/// What becomes of a stack whose making fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnFailure {
    #[default]
    Rollback,
    DoNothing,
    Delete,
}

/// What a stack is to be: everything that a call of create or update says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Plan {
    pub(crate) body: String,
    pub(crate) template: Arc<Template>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) notification_arns: Vec<String>,
    pub(crate) role: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Stack {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) plan: Plan,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Option<Timestamp>,
    pub(crate) deleted: Option<Timestamp>,
    pub(crate) on_failure: OnFailure,
    pub(crate) timeout_minutes: Option<u32>,
    pub(crate) is_protected: bool,
    /// By logical id.
    pub(crate) resources: BTreeMap<String, Resource>,
    /// What an update replaced or dropped, until it is cleaned up.
    pub(crate) garbage: Vec<Resource>,
    pub(crate) outputs: Vec<Output>,
    /// Names of the exports that it takes.
    pub(crate) imports: BTreeSet<String>,
    /// The newest last.
    pub(crate) events: VecDeque<Event>,
    /// By id.
    pub(crate) change_sets: BTreeMap<String, ChangeSet>,
    /// The change set that was executed last.
    pub(crate) change_set: Option<String>,
    /// The client's token of the operation that runs.
    pub(crate) token: Option<String>,
}

impl Stack {
    pub(crate) fn new(id: String, name: &str, region: &str, plan: Plan, now: Timestamp) -> Self {
        Self {
            id,
            name: name.to_owned(),
            region: region.to_owned(),
            plan,
            status: "REVIEW_IN_PROGRESS",
            reason: None,
            created: now,
            updated: None,
            deleted: None,
            on_failure: OnFailure::default(),
            timeout_minutes: None,
            is_protected: false,
            resources: BTreeMap::new(),
            garbage: Vec::new(),
            outputs: Vec::new(),
            imports: BTreeSet::new(),
            events: VecDeque::new(),
            change_sets: BTreeMap::new(),
            change_set: None,
            token: None,
        }
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// Whether an operation runs.
    pub(crate) fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// Whether it may be updated.
    pub(crate) fn is_updatable(&self) -> bool {
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"].contains(&self.status)
            || (["CREATE_FAILED", "UPDATE_FAILED"].contains(&self.status)
                && self.on_failure == OnFailure::DoNothing)
    }

    /// Sets the stack's status and says so in an event.
    pub(crate) fn enter(&mut self, status: &'static str, reason: Option<&str>, now: Timestamp) {
        self.status = status;
        self.reason = reason.map(str::to_owned);
        if status == "DELETE_COMPLETE" {
            self.deleted = Some(now);
        }
        let event = Event {
            id: uuid::Uuid::new_v4().to_string(),
            at: now,
            logical: self.name.clone(),
            physical: self.id.clone(),
            kind: STACK_KIND.to_owned(),
            status,
            reason: self.reason.clone(),
            properties: None,
            token: self.token.clone(),
        };
        self.push(event);
    }

    /// Says in an event what happens to a resource.
    pub(crate) fn record(
        &mut self,
        resource: &Resource,
        status: &'static str,
        reason: Option<&str>,
        now: Timestamp,
    ) {
        let millis = now.as_millisecond();
        let event = Event {
            id: format!("{}-{status}-{millis}-{}", resource.logical, self.events.len()),
            at: now,
            logical: resource.logical.clone(),
            physical: resource.physical.clone().unwrap_or_default(),
            kind: resource.kind.clone(),
            status,
            reason: reason.map(str::to_owned),
            properties: Some(resource.properties.to_string()),
            token: self.token.clone(),
        };
        self.push(event);
    }

    fn push(&mut self, event: Event) {
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Its resources as functions see them.
    pub(crate) fn known(&self) -> BTreeMap<String, Known> {
        self.resources.iter().filter_map(|(name, r)| Some((name.clone(), r.known()?))).collect()
    }
}
