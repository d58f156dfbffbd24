//! The groups of devices: a policy of a group is one of each thing in it, and in the groups under it.
//!
//! So what lets a device in may be attached high above it. A group is compared once a sweep, however many
//! devices are under it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::compare::Difference;
use crate::look::Regions;
use crate::outcome::Outcome;
use crate::ports::{Clock, Region};

/// How deep groups may lie below each other. AWS has seven levels.
const DEPTH_MAX: usize = 16;

/// How many groups are remembered. Beyond this one is compared again for each device.
const GROUPS_MAX: usize = 10_000;

/// The groups that were compared.
#[derive(Debug, Default)]
pub(super) struct Groups {
    known: Mutex<BTreeMap<String, Arc<Known>>>,
}

/// How a group stands.
#[derive(Debug, Default)]
struct Known {
    parent: Option<String>,
    differences: Vec<Difference>,
}

impl Groups {
    /// How a group, and each above it up to the root, differs in the secondary; `policies` says whether
    /// those are compared.
    pub(super) async fn compare<P: Region, S: Region, C: Clock>(
        &self,
        regions: &Regions<'_, P, S, C>,
        group: &str,
        policies: bool,
    ) -> Outcome<Vec<Difference>> {
        let (mut found, mut next) = (Vec::new(), Some(group.to_owned()));
        for _ in 0..DEPTH_MAX {
            let Some(name) = next.take() else { break };
            let known = self.known(regions, &name, policies).await?;
            found.extend(known.differences.iter().cloned());
            next.clone_from(&known.parent);
        }
        Ok(found)
    }

    async fn known<P: Region, S: Region, C: Clock>(
        &self,
        regions: &Regions<'_, P, S, C>,
        name: &str,
        policies: bool,
    ) -> Outcome<Arc<Known>> {
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.get(name) {
                return Ok(Arc::clone(known));
            }
        }
        let looked = Arc::new(look(regions, name, policies).await?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < GROUPS_MAX {
            known.insert(name.to_owned(), Arc::clone(&looked));
        }
        Ok(looked)
    }
}

async fn look<P: Region, S: Region, C: Clock>(
    regions: &Regions<'_, P, S, C>,
    name: &str,
    policies: bool,
) -> Outcome<Known> {
    let (here, there) = futures::join!(regions.primary.group(name), regions.secondary.group(name));
    // One that is gone in the meantime is no difference: its own deletion says so.
    let Some(here) = here? else { return Ok(Known::default()) };
    let mut differences = match there? {
        None => vec![Difference::GroupAbsent(name.to_owned())],
        Some(there) if there.parent != here.parent => vec![Difference::ParentDiffers(name.to_owned())],
        Some(_) => Vec::new(),
    };
    if policies {
        differences.extend(regions.compare_group_policies(name).await?);
    }
    Ok(Known { parent: here.parent, differences })
}
