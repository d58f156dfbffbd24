//! Bringing a stack's resources to what a plan says, one step a resource.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::time::Instant;

use super::{
    change_set::{changed, pseudo},
    client::Failure,
    function::Scope,
    graph::Graph,
    kind,
    resource::{self, Job, Made},
    stack::{Output, Plan, Resource, Stack},
    template::{Declared, Removal},
    walk::{OnFailure, walk},
};
use crate::{error::AwsError, world::World};

/// An operation on one stack.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) world: Arc<World>,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) region: String,
}

/// Why a stack's resources are not what a plan says.
#[derive(Debug)]
pub(super) enum NotApplied {
    /// These failed.
    Resources(Vec<String>),
    /// The plan does not work out.
    Plan(String),
    TooLate,
}

impl NotApplied {
    /// In words, as the stack's status has them. `verb` is what was to be done with the resources.
    pub(super) fn reason(self, verb: &str) -> String {
        match self {
            Self::Resources(names) => {
                format!("The following resource(s) failed to {verb}: [{}]. ", names.join(", "))
            }
            Self::Plan(why) => format!("{why}. "),
            Self::TooLate => "Stack creation time exceeded the specified timeout. ".to_owned(),
        }
    }
}

/// What one step does to a resource.
enum Act {
    Create,
    /// The old one stays until the operation is over.
    Replace(Box<Resource>),
    Update(Box<Resource>),
    /// Nothing, but what becomes of it one day.
    Keep,
}

impl Operation {
    pub(super) fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Works on the stack. It is there while its operation runs.
    pub(super) fn stack<T>(&self, work: impl FnOnce(&mut Stack, Timestamp) -> T) -> Option<T> {
        let now = self.now();
        self.world.cloudformation.store.lock().by_id(&self.id).ok().map(|stack| work(stack, now))
    }

    pub(super) fn enter(&self, status: &'static str, reason: Option<&str>) {
        self.stack(|stack, now| stack.enter(status, reason, now));
    }

    /// Works with functions as they are worked out now.
    pub(super) fn scoped<T>(&self, plan: &Plan, work: impl FnOnce(&Scope<'_>) -> T) -> Option<T> {
        let (resources, pseudo, exports) = {
            let mut store = self.world.cloudformation.store.lock();
            let exports = store.exports(&self.region, &self.id);
            let stack = store.by_id(&self.id).ok()?;
            (stack.known(), pseudo(stack, plan, &self.world.account), exports)
        };
        Some(work(&Scope {
            template: &plan.template,
            parameters: &plan.parameters,
            pseudo: &pseudo,
            exports: &exports,
            resources,
            conditions: std::cell::RefCell::default(),
        }))
    }

    /// Makes every resource what the plan says; if one fails, says which and why.
    pub(super) async fn apply(&self, plan: &Plan, deadline: Option<Instant>) -> Result<(), NotApplied> {
        let graph =
            self.scoped(plan, Graph::of).ok_or_else(|| NotApplied::Plan("The stack is gone".to_owned()))?;
        let graph = graph.map_err(|error| NotApplied::Plan(error.message))?;
        let may_begin = || deadline.is_none_or(|at| Instant::now() < at);
        let run = |name: String| -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + '_>> {
            Box::pin(async move { self.step(plan, &name).await })
        };
        let failed = walk(&graph, OnFailure::Stop, may_begin, run).await;
        if failed.is_empty() {
            return Ok(());
        }
        let begun = failed.into_iter().filter(|(_, is_begun)| *is_begun).map(|(name, _)| name);
        let begun: Vec<String> = begun.collect();
        Err(if begun.is_empty() { NotApplied::TooLate } else { NotApplied::Resources(begun) })
    }

    fn job<'a>(&'a self, plan: &'a Plan, logical: &'a str, kind: &'a str) -> Job<'a> {
        Job {
            world: &self.world,
            region: &self.region,
            stack_name: &self.name,
            stack_id: &self.id,
            stack_tags: &plan.tags,
            logical,
            kind,
        }
    }

    async fn step(&self, plan: &Plan, name: &str) -> bool {
        let Some(declared) = plan.template.resources.get(name) else { return true };
        let resolved = self.scoped(plan, |scope| {
            let mut depends_on = declared.depends_on.iter().cloned().collect();
            scope.dependencies(&declared.properties, &mut depends_on)?;
            let properties = scope.resolve(&declared.properties)?.unwrap_or_default();
            Ok::<_, AwsError>((properties, depends_on))
        });
        let (resolved, problem) = match resolved {
            Some(Ok(resolved)) => (resolved, None),
            Some(Err(error)) => (<(Json, _)>::default(), Some(error.message)),
            None => return false,
        };
        let (properties, depends_on) = resolved;
        let resource = Resource {
            logical: name.to_owned(),
            kind: declared.kind.clone(),
            physical: None,
            attributes: serde_json::Map::new(),
            properties,
            depends_on,
            deletion: declared.deletion,
            replacement: declared.replacement,
            metadata: declared.metadata.clone(),
            status: "",
            reason: None,
            changed: self.now(),
        };
        let old = self.stack(|stack, _| stack.resources.get(name).cloned()).flatten();
        let act = problem.map_or_else(|| act(old.clone(), declared, &resource), Err);
        match act {
            Err(problem) => {
                let status = if old.is_some() { "UPDATE_FAILED" } else { "CREATE_FAILED" };
                let kept = old.filter(|old| old.physical.is_some()).unwrap_or(resource);
                self.set(kept, status, Some(&problem));
                false
            }
            Ok(Act::Keep) => {
                self.stack(|stack, _| {
                    if let Some(known) = stack.resources.get_mut(name) {
                        known.deletion = resource.deletion;
                        known.replacement = resource.replacement;
                        known.metadata = resource.metadata;
                        known.depends_on = resource.depends_on;
                    }
                });
                true
            }
            Ok(Act::Create) => self.make(plan, resource).await,
            Ok(Act::Replace(old)) => self.replace(plan, *old, resource).await,
            Ok(Act::Update(old)) => self.change(plan, *old, resource).await,
        }
    }

    /// Records a resource with its status, and says so.
    pub(super) fn set(&self, mut resource: Resource, status: &'static str, reason: Option<&str>) {
        self.stack(|stack, now| {
            resource.status = status;
            resource.reason = reason.map(str::to_owned);
            resource.changed = now;
            stack.record(&resource, status, reason, now);
            stack.resources.insert(resource.logical.clone(), resource);
        });
    }

    async fn make(&self, plan: &Plan, mut resource: Resource) -> bool {
        self.set(resource.clone(), "CREATE_IN_PROGRESS", None);
        let job = self.job(plan, &resource.logical, &resource.kind);
        match Box::pin(resource::create(&job, &resource.properties)).await {
            Ok(made) => {
                resource.take(made);
                self.set(resource.clone(), "CREATE_IN_PROGRESS", Some("Resource creation Initiated"));
                self.set(resource, "CREATE_COMPLETE", None);
                true
            }
            Err(Failure { reason, left, .. }) => {
                resource.physical = left;
                self.set(resource, "CREATE_FAILED", Some(&reason));
                false
            }
        }
    }

    async fn replace(&self, plan: &Plan, old: Resource, mut resource: Resource) -> bool {
        let why = "Requested update requires the creation of a new physical resource; hence creating one.";
        self.set(old.clone(), "UPDATE_IN_PROGRESS", Some(why));
        let job = self.job(plan, &resource.logical, &resource.kind);
        match Box::pin(resource::create(&job, &resource.properties)).await {
            Ok(made) => {
                resource.take(made);
                let policy = resource.replacement;
                self.stack(|stack, _| stack.garbage.push(Resource { deletion: policy, ..old }));
                self.set(resource.clone(), "UPDATE_IN_PROGRESS", Some("Resource creation Initiated"));
                self.set(resource, "UPDATE_COMPLETE", None);
                true
            }
            Err(Failure { reason, left, .. }) => {
                if left.is_some() {
                    let half = Resource { physical: left, deletion: Removal::Delete, ..resource };
                    self.stack(|stack, _| stack.garbage.push(half));
                }
                self.set(old, "UPDATE_FAILED", Some(&reason));
                false
            }
        }
    }

    /// Changes a resource in place.
    pub(super) async fn change(&self, plan: &Plan, old: Resource, mut resource: Resource) -> bool {
        let id = old.physical.clone().unwrap_or_default();
        resource.physical = Some(id.clone());
        resource.attributes = old.attributes.clone();
        self.set(resource.clone(), "UPDATE_IN_PROGRESS", None);
        let job = self.job(plan, &resource.logical, &resource.kind);
        match Box::pin(resource::update(&job, &id, &old.properties, &resource.properties)).await {
            Ok(made) => {
                if made.id != id {
                    let policy = resource.replacement;
                    self.stack(|stack, _| stack.garbage.push(Resource { deletion: policy, ..old }));
                }
                resource.take(made);
                self.set(resource, "UPDATE_COMPLETE", None);
                true
            }
            // It keeps the new properties: what of them is in force is not known, and a rollback sets the old ones.
            Err(Failure { reason, .. }) => {
                self.set(resource, "UPDATE_FAILED", Some(&reason));
                false
            }
        }
    }

    /// Deletes one resource, or leaves it as its policy says. The event's status is that of the outcome.
    pub(super) async fn remove(
        &self,
        plan: &Plan,
        resource: &Resource,
        is_kept: bool,
    ) -> Result<&'static str, String> {
        let Some(id) = &resource.physical else { return Ok("DELETE_COMPLETE") };
        let say = |status: &'static str, reason: Option<&str>| {
            self.stack(|stack, now| stack.record(resource, status, reason, now));
        };
        if is_kept {
            say("DELETE_SKIPPED", None);
            return Ok("DELETE_SKIPPED");
        }
        say("DELETE_IN_PROGRESS", None);
        let job = self.job(plan, &resource.logical, &resource.kind);
        match Box::pin(resource::delete(&job, id, &resource.properties)).await {
            Ok(()) => {
                say("DELETE_COMPLETE", None);
                Ok("DELETE_COMPLETE")
            }
            Err(Failure { reason, .. }) => {
                say("DELETE_FAILED", Some(&reason));
                Err(reason)
            }
        }
    }

    /// The outputs of a plan with the resources as they are.
    pub(super) fn outputs(&self, plan: &Plan) -> Result<Vec<Output>, String> {
        self.scoped(plan, |scope| outputs(plan, scope))
            .ok_or("The stack is gone")?
            .map_err(|error: AwsError| error.message)
    }
}

impl Resource {
    pub(super) fn take(&mut self, made: Made) {
        self.physical = Some(made.id);
        self.attributes = made.attributes;
    }
}

/// The outputs of a plan whose conditions hold.
pub(crate) fn outputs(plan: &Plan, scope: &Scope<'_>) -> Result<Vec<Output>, AwsError> {
    let mut outputs = Vec::new();
    for (key, declared) in &plan.template.outputs {
        if !declared.condition.as_ref().map_or(Ok(true), |name| scope.condition(name))? {
            continue;
        }
        let export = declared.export.as_ref().map(|name| scope.string(name, "the name of an export"));
        outputs.push(Output {
            key: key.clone(),
            value: scope.string(&declared.value, &format!("the value of output {key}"))?,
            description: declared.description.clone(),
            export: export.transpose()?,
        });
    }
    Ok(outputs)
}

fn act(old: Option<Resource>, declared: &Declared, new: &Resource) -> Result<Act, String> {
    let Some(old) = old.filter(|old| old.physical.is_some()) else { return Ok(Act::Create) };
    if old.kind != declared.kind {
        return Err(format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following \
             resources: [{}]",
            new.logical
        ));
    }
    // One that failed to be made is made again, and its remains go.
    if old.status == "CREATE_FAILED" {
        return Ok(Act::Replace(Box::new(old)));
    }
    if changed(&old.properties, &new.properties).is_empty() && old.status != "UPDATE_FAILED" {
        return Ok(Act::Keep);
    }
    let kind = kind::find(&old.kind).ok_or("Unrecognized resource type")?;
    if kind.replaced_by(&old.properties, &new.properties).is_empty() {
        return Ok(Act::Update(Box::new(old)));
    }
    let named = kind.named_by.map(|name| (&old.properties[name], &new.properties[name]));
    if let Some((before, after)) = named
        && !after.is_null()
        && before == after
    {
        let id = old.physical.unwrap_or_default();
        return Err(format!(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {id} and \
             update the stack again."
        ));
    }
    Ok(Act::Replace(Box::new(old)))
}

/// What waits for what among resources that are to be deleted: all that depend on one go before it.
pub(super) fn removal_order(resources: &BTreeMap<String, Resource>) -> Graph {
    let keys = |logical: &str| {
        let named = resources.iter().filter(|(_, r)| r.logical == *logical);
        named.map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    let before = resources
        .iter()
        .map(|(key, resource)| {
            let waits = resource.depends_on.iter().flat_map(|logical| keys(logical)).filter(|k| k != key);
            (key.clone(), waits.collect())
        })
        .collect();
    // Old and new resources of one update may wait for each other: then the order is nobody's.
    let free = || resources.keys().map(|key| (key.clone(), std::collections::BTreeSet::new())).collect();
    Graph::new(before).or_else(|_| Graph::new(free())).unwrap_or_default().reversed()
}
