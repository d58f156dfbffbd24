//! The life of a stack: making, updating, deleting it, and undoing what failed. Each runs as a task of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    deploy::{Operation, removal_order},
    function::Scope,
    stack::{OnFailure, Plan, Resource},
    template::Removal,
    walk,
};
use crate::world::World;

/// Runs an operation until it is over or the twin ends.
pub(crate) fn start<F>(world: &Arc<World>, operation: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let shutdown = world.shutdown.clone();
    world.tasks.spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = operation => {}
        }
    });
}

impl Operation {
    /// Makes the stack, which is in `CREATE_IN_PROGRESS`.
    pub(crate) async fn create(self) {
        let Some((plan, on_failure, minutes)) =
            self.stack(|s, _| (s.plan.clone(), s.on_failure, s.timeout_minutes))
        else {
            return;
        };
        let deadline = minutes.map(|minutes| Instant::now() + Duration::from_mins(minutes.into()));
        let made = self.apply(&plan, deadline).await.map_err(|failed| failed.reason("create"));
        let Err(why) = made.and_then(|()| self.finish(&plan)) else {
            self.enter("CREATE_COMPLETE", None);
            return;
        };
        match on_failure {
            OnFailure::DoNothing => self.enter("CREATE_FAILED", Some(why.trim_end())),
            OnFailure::Rollback => {
                self.enter("ROLLBACK_IN_PROGRESS", Some(&format!("{why}Rollback requested by user.")));
                let failed = self.remove_all(&plan, &[], true).await;
                self.end_of_removal(&failed, "ROLLBACK_COMPLETE", "ROLLBACK_FAILED");
            }
            OnFailure::Delete => {
                self.enter("DELETE_IN_PROGRESS", Some(&format!("{why}Delete requested by user.")));
                let failed = self.remove_all(&plan, &[], true).await;
                self.end_of_removal(&failed, "DELETE_COMPLETE", "DELETE_FAILED");
            }
        }
    }

    fn end_of_removal(&self, failed: &[String], done: &'static str, not_done: &'static str) {
        if failed.is_empty() {
            self.stack(|stack, _| {
                stack.outputs.clear();
                stack.imports.clear();
            });
            self.enter(done, None);
        } else {
            let why = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
            self.enter(not_done, Some(&why));
        }
    }

    /// Works out outputs and imports, and keeps them unless exports stand against it.
    fn finish(&self, plan: &Plan) -> Result<(), String> {
        let outputs = self.outputs(plan).map_err(|why| format!("{why}. "))?;
        let imports = self.scoped(plan, |scope| {
            let mut imports = BTreeSet::new();
            for name in scope.wanted()? {
                if let Some(resource) = scope.template.resources.get(&name) {
                    scope.imports(&resource.properties, &mut imports)?;
                }
            }
            for output in scope.template.outputs.values() {
                if output.condition.as_ref().map_or(Ok(true), |name| scope.condition(name))? {
                    scope.imports(&output.value, &mut imports)?;
                }
            }
            Ok::<_, crate::error::AwsError>(imports)
        });
        // Without them an export that is in use could go.
        let imports = imports.ok_or("The stack is gone. ")?.map_err(|e| format!("{}. ", e.message))?;
        let mut store = self.world.cloudformation.store.lock();
        let others = store.exports(&self.region, &self.id);
        let own: BTreeMap<String, String> =
            outputs.iter().filter_map(|o| Some((o.export.clone()?, o.value.clone()))).collect();
        if let Some(taken) = own.keys().find(|name| others.contains_key(*name)) {
            return Err(format!("Export with name {taken} is already exported by another stack. "));
        }
        let stack = store.by_id(&self.id).map_err(|e| e.message)?.clone();
        store.check_exports(&stack, &own).map_err(|e| format!("{}. ", e.message))?;
        if let Ok(stack) = store.by_id(&self.id) {
            stack.outputs = outputs;
            stack.imports = imports;
        }
        Ok(())
    }

    /// Brings the stack, which is in `UPDATE_IN_PROGRESS`, from what it is to a plan; if that fails, back again.
    pub(crate) async fn update(self, plan: Plan) {
        let Some((before, snapshot, on_failure)) =
            self.stack(|s, _| (s.plan.clone(), s.resources.clone(), s.on_failure))
        else {
            return;
        };
        self.stack(|stack, now| {
            stack.plan = plan.clone();
            stack.updated = Some(now);
        });
        let applied = self.apply(&plan, None).await.map_err(|failed| failed.reason("update"));
        let wanted = applied.and_then(|()| {
            let wanted = self.wanted(&plan)?;
            self.finish(&plan).map(|()| wanted)
        });
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(why) => {
                if on_failure == OnFailure::DoNothing {
                    self.enter("UPDATE_FAILED", Some(why.trim_end()));
                    return;
                }
                self.enter("UPDATE_ROLLBACK_IN_PROGRESS", Some(&why));
                self.undo(before, snapshot).await;
                return;
            }
        };
        // What the plan no longer has goes last, and what is under way of it is garbage from here on.
        self.stack(|stack, _| {
            let (kept, dropped): (BTreeMap<_, _>, BTreeMap<_, _>) =
                std::mem::take(&mut stack.resources).into_iter().partition(|(name, _)| wanted.contains(name));
            stack.resources = kept;
            stack.garbage.extend(dropped.into_values());
        });
        self.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
        let failed = self.clean(&plan).await;
        let why = "Update successful. One or more resources could not be deleted.";
        self.enter("UPDATE_COMPLETE", (!failed.is_empty()).then_some(why));
    }

    /// The resources that a plan has; an error is one of the plan, and no reason to delete them.
    pub(super) fn wanted(&self, plan: &Plan) -> Result<BTreeSet<String>, String> {
        let wanted = self.scoped(plan, |scope: &Scope<'_>| scope.wanted());
        wanted.ok_or("The stack is gone. ")?.map_err(|error| format!("{}. ", error.message))
    }

    /// Undoes an update: resources go back to what they were before it.
    async fn undo(&self, before: Plan, snapshot: BTreeMap<String, Resource>) {
        let graph = removal_order(&snapshot).reversed();
        let run = |name: String| -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + '_>> {
            let (old, before) = (snapshot.get(&name).cloned(), &before);
            Box::pin(async move {
                match old {
                    Some(old) => self.restore(before, old).await,
                    None => true,
                }
            })
        };
        let failed = walk::walk(&graph, walk::OnFailure::GoOn, || true, run).await;
        self.stack(|stack, _| {
            stack.plan = before.clone();
            let (kept, made): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut stack.resources)
                .into_iter()
                .partition(|(name, _)| snapshot.contains_key(name));
            stack.resources = kept;
            stack.garbage.extend(made.into_values().map(|resource| Resource {
                deletion: if resource.deletion == Removal::Retain {
                    Removal::Retain
                } else {
                    Removal::Delete
                },
                ..resource
            }));
        });
        if !failed.is_empty() {
            let names: Vec<&str> = failed.keys().map(String::as_str).collect();
            let why = format!("The following resource(s) failed to update: [{}]. ", names.join(", "));
            self.enter("UPDATE_ROLLBACK_FAILED", Some(&why));
            return;
        }
        self.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
        self.clean(&before).await;
        self.enter("UPDATE_ROLLBACK_COMPLETE", None);
    }

    async fn restore(&self, before: &Plan, old: Resource) -> bool {
        let Some(now) = self.stack(|stack, _| stack.resources.get(&old.logical).cloned()).flatten() else {
            return true;
        };
        if now.physical == old.physical {
            if now.properties == old.properties && now.status != "UPDATE_FAILED" {
                self.stack(|stack, _| stack.resources.insert(old.logical.clone(), old));
                return true;
            }
            if now.properties == old.properties {
                // It never got as far as to be changed.
                self.set(old, "UPDATE_COMPLETE", None);
                return true;
            }
            return self.change(before, now, old).await;
        }
        self.stack(|stack, _| {
            stack.garbage.retain(|g| g.physical != old.physical || g.logical != old.logical);
            if now.physical.is_some() {
                stack.garbage.push(Resource { deletion: Removal::Delete, ..now });
            }
        });
        self.set(old, "UPDATE_COMPLETE", None);
        true
    }

    /// Deletes what updates left behind, and answers what could not be deleted.
    async fn clean(&self, plan: &Plan) -> Vec<String> {
        let garbage = self.stack(|stack, _| std::mem::take(&mut stack.garbage)).unwrap_or_default();
        let garbage: BTreeMap<String, Resource> =
            garbage.into_iter().enumerate().map(|(n, r)| (format!("{n:05}"), r)).collect();
        let run = |key: String| -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + '_>> {
            let resource = garbage.get(&key);
            Box::pin(async move {
                let Some(resource) = resource else { return true };
                let is_kept = resource.deletion != Removal::Delete;
                self.remove(plan, resource, is_kept).await.is_ok()
            })
        };
        let failed = walk::walk(&removal_order(&garbage), walk::OnFailure::GoOn, || true, run).await;
        failed.keys().filter_map(|key| Some(garbage.get(key)?.logical.clone())).collect()
    }

    /// Deletes the stack, which is in `DELETE_IN_PROGRESS`.
    pub(crate) async fn delete(self, retained: Vec<String>) {
        let Some(plan) = self.stack(|stack, _| stack.plan.clone()) else { return };
        let in_use = {
            let mut store = self.world.cloudformation.store.lock();
            let stack = store.by_id(&self.id).ok().map(|stack| stack.clone());
            stack.and_then(|stack| store.check_exports(&stack, &BTreeMap::new()).err())
        };
        if let Some(why) = in_use {
            self.enter("DELETE_FAILED", Some(&format!("Delete canceled. {}", why.message)));
            return;
        }
        let mut failed = self.remove_all(&plan, &retained, false).await;
        // What a failed rollback left behind.
        failed.extend(self.clean(&plan).await);
        self.end_of_removal(&failed, "DELETE_COMPLETE", "DELETE_FAILED");
    }

    /// Deletes every resource, and answers those that could not be.
    async fn remove_all(&self, plan: &Plan, retained: &[String], is_rollback: bool) -> Vec<String> {
        let resources: BTreeMap<String, Resource> = self
            .stack(|stack, _| stack.resources.clone())
            .unwrap_or_default()
            .into_iter()
            .filter(|(_, r)| !["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&r.status))
            .collect();
        let run = |name: String| -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + '_>> {
            let resource = resources.get(&name);
            Box::pin(async move {
                let Some(resource) = resource else { return true };
                let is_kept = retained.contains(&resource.logical)
                    || match resource.deletion {
                        Removal::Delete => false,
                        Removal::Retain => true,
                        Removal::RetainExceptOnCreate => !is_rollback,
                    };
                let removed = self.remove(plan, resource, is_kept).await;
                self.stack(|stack, now| {
                    if let Some(known) = stack.resources.get_mut(&resource.logical) {
                        known.status = removed.as_ref().copied().unwrap_or("DELETE_FAILED");
                        known.reason = removed.as_ref().err().cloned();
                        known.changed = now;
                    }
                });
                removed.is_ok()
            })
        };
        let order = removal_order(&resources);
        let failed = walk::walk(&order, walk::OnFailure::GoOn, || true, run).await;
        failed.into_iter().filter(|(_, is_begun)| *is_begun).map(|(name, _)| name).collect()
    }
}
