//! Policies and their versions.

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok, required};
use crate::registry::{Policy, Registry, tags_of};

impl Api<'_> {
    pub(super) fn policy(&self, operation: &str) -> Outcome {
        let (name, now_s) = (self.name, self.world.clock.now_s());
        let mut registry = self.region.registry.lock();
        match operation {
            "CreatePolicy" => {
                let body = self.call.json()?;
                let (document, tags) = (required(&body, "policyDocument")?, tags_of(&body["tags"])?);
                registry.create_policy(name, document, now_s)?;
                let arn = registry.arn(&format!("policy/{name}"));
                registry.tag(&arn, tags)?;
                ok(&json!({
                    "policyName": name, "policyArn": arn, "policyDocument": document, "policyVersionId": "1",
                }))
            }
            "GetPolicy" => {
                let policy = registry.policy(name)?;
                let mut body = summary(&registry, policy);
                body["policyDocument"] = json!(policy.document);
                body["defaultVersionId"] = json!(policy.default_version.to_string());
                body["creationDate"] = json!(policy.created_s);
                body["lastModifiedDate"] = json!(policy.modified_s);
                body["generationId"] = json!(policy.generation);
                ok(&body)
            }
            "DeletePolicy" => registry.delete_policy(name).and_then(|()| done()),
            "CreatePolicyVersion" => {
                let body = self.call.json()?;
                let document = required(&body, "policyDocument")?;
                let default = self.flag("setAsDefault") == Some(true);
                let number = registry.create_policy_version(name, document, default, now_s)?;
                ok(&json!({
                    "policyArn": registry.arn(&format!("policy/{name}")), "policyDocument": document,
                    "policyVersionId": number.to_string(), "isDefaultVersion": default,
                }))
            }
            "SetDefaultPolicyVersion" => {
                registry.set_default_policy_version(name, self.last, now_s).and_then(|()| done())
            }
            "DeletePolicyVersion" => registry.delete_policy_version(name, self.last).and_then(|()| done()),
            "GetPolicyVersion" => {
                let policy = registry.policy(name)?;
                let (number, version) = policy.version(self.last)?;
                let mut body = summary(&registry, policy);
                body["policyDocument"] = json!(version.document);
                body["policyVersionId"] = json!(number.to_string());
                body["isDefaultVersion"] = json!(number == policy.default_version);
                body["creationDate"] = json!(version.created_s);
                body["lastModifiedDate"] = json!(version.created_s);
                body["generationId"] = json!(policy.generation);
                ok(&body)
            }
            "ListPolicyVersions" => ok(&json!({"policyVersions": versions(registry.policy(name)?)})),
            _ => {
                let (found, next) = self.marker_paging()?.take(registry.policies(), |p| p.name.as_str());
                let list: Vec<Value> = found.iter().map(|p| summary(&registry, p)).collect();
                ok(&json!({"policies": list, "nextMarker": next}))
            }
        }
    }
}

/// Name and ARN, as lists of policies have them.
pub(super) fn summary(registry: &Registry, policy: &Policy) -> Value {
    json!({"policyName": policy.name, "policyArn": registry.arn(&format!("policy/{}", policy.name))})
}

/// The newest first.
fn versions(policy: &Policy) -> Vec<Value> {
    let version = |number: &u64, created_s: i64| {
        json!({
            "versionId": number.to_string(), "isDefaultVersion": *number == policy.default_version,
            "createDate": created_s,
        })
    };
    policy.versions.iter().rev().map(|(number, v)| version(number, v.created_s)).collect()
}
