//! What policies are attached to, in today's operations and in the old ones that know principals only.

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok, policy::summary, required};
use crate::registry::{Policy, Registry};

/// Where the old operations carry the principal.
const PRINCIPAL: &str = "x-amzn-iot-principal";

impl Api<'_> {
    pub(super) fn attachment(&self, operation: &str) -> Outcome {
        let name = self.name;
        let mut registry = self.region.registry.lock();
        match operation {
            "AttachPolicy" => {
                registry.attach_policy(name, required(&self.call.json()?, "target")?).and_then(|()| done())
            }
            "DetachPolicy" => {
                registry.detach_policy(name, required(&self.call.json()?, "target")?).and_then(|()| done())
            }
            "AttachPrincipalPolicy" => {
                let principal = self.header(PRINCIPAL)?;
                registry.certificate_by_arn(principal)?;
                registry.attach_policy(name, principal).and_then(|()| done())
            }
            "DetachPrincipalPolicy" => {
                registry.detach_policy(name, self.header(PRINCIPAL)?).and_then(|()| done())
            }
            "ListTargetsForPolicy" => {
                let targets = registry.policy(name)?.targets.iter();
                let (targets, next) = self.marker_paging()?.take(targets, |t| t.as_str());
                ok(&json!({"targets": targets, "nextMarker": next}))
            }
            "ListPrincipalPolicies" => {
                let principal = self.header(PRINCIPAL)?;
                registry.certificate_by_arn(principal)?;
                self.policies(&registry, registry.attached_policies(principal))
            }
            _ => {
                registry.check_target(name)?;
                let found = if self.flag("recursive") == Some(true) {
                    registry.attached_policies_recursive(name)
                } else {
                    registry.attached_policies(name)
                };
                self.policies(&registry, found)
            }
        }
    }

    fn policies(&self, registry: &Registry, found: Vec<&Policy>) -> Outcome {
        let (found, next) = self.marker_paging()?.take(found.into_iter(), |p| p.name.as_str());
        let list: Vec<Value> = found.iter().map(|p| summary(registry, p)).collect();
        ok(&json!({"policies": list, "nextMarker": next}))
    }
}
