//! Provisioning templates: what `RegisterThing`, bulk registration and just-in-time provisioning make of one. A template
//! and parameters resolve to a plan, without touching anything; the plan is then carried out on the registry.
//!
//! Guarantees: a template that is wrong, or parameters that do not fill it, change nothing. What the registry refuses
//! while a plan is carried out ends it there: what was done before stays, as after calls of which a later one failed.
//! The registry events are those of the calls that would have done the same.

mod apply;
#[cfg(test)]
mod fuzz;
mod intrinsic;
mod plan;
mod report;
mod runner;
mod task;
mod template;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use apply::Registered;
pub(crate) use plan::Plan;
pub(crate) use report::ReportKind;
pub(crate) use runner::{reports_bucket, start};
pub(crate) use task::{RegistrationTasks, Task, TaskInput, TaskStatus};
pub(crate) use template::Template;

use crate::{error::AwsError, region::Region, world::World};

/// Provisions what the template says with these parameters. Events of what was made are published in any case.
pub(crate) fn register(
    world: &Arc<World>,
    region: &Arc<Region>,
    template: &Template,
    parameters: &BTreeMap<String, String>,
) -> Result<Registered, AwsError> {
    carry_out(world, region, &template.plan(parameters)?)
}

fn carry_out(world: &Arc<World>, region: &Arc<Region>, plan: &Plan) -> Result<Registered, AwsError> {
    // Signing takes a while, and the registry is not held meanwhile.
    let issued = plan
        .request()
        .map(|csr| {
            world.pki.issue(csr, world.clock.now_s()).map_err(|e| failure(format!("CSR is not valid: {e}")))
        })
        .transpose()?;
    let mut events = Vec::new();
    let now_ms = world.clock.now_ms();
    let registered = plan.apply(issued, &mut region.registry.lock(), now_ms, &mut events);
    region.announce(world, events);
    registered
}

/// AWS's error for a registration that could not be carried out.
fn failure(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ResourceRegistrationFailureException", message)
}
