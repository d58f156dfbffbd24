//! Traffic policies and instances as the API spells them.

use serde::{Deserialize, Serialize};

use crate::route53::traffic::{Instance, Policy, Version};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreatePolicyRequest {
    pub(crate) name: String,
    pub(crate) document: String,
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateVersionRequest {
    pub(crate) document: String,
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CommentRequest {
    pub(crate) comment: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateInstanceRequest {
    pub(crate) hosted_zone_id: String,
    pub(crate) name: String,
    #[serde(rename = "TTL")]
    pub(crate) ttl_s: u32,
    pub(crate) traffic_policy_id: String,
    pub(crate) traffic_policy_version: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateInstanceRequest {
    #[serde(rename = "TTL")]
    pub(crate) ttl_s: u32,
    pub(crate) traffic_policy_id: String,
    pub(crate) traffic_policy_version: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyXml {
    id: String,
    version: u32,
    name: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    document: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyResponse {
    pub(crate) traffic_policy: PolicyXml,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicySummary {
    id: String,
    name: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    latest_version: u32,
    traffic_policy_count: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct PolicySummaries {
    #[serde(rename = "TrafficPolicySummary")]
    pub(crate) summary: Vec<PolicySummary>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListPoliciesResponse {
    pub(crate) traffic_policy_summaries: PolicySummaries,
    pub(crate) is_truncated: bool,
    /// Empty on the last page: AWS requires the element.
    pub(crate) traffic_policy_id_marker: String,
    pub(crate) max_items: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Policies {
    #[serde(rename = "TrafficPolicy")]
    pub(crate) policy: Vec<PolicyXml>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListVersionsResponse {
    pub(crate) traffic_policies: Policies,
    pub(crate) is_truncated: bool,
    /// Empty on the last page: AWS requires the element.
    pub(crate) traffic_policy_version_marker: String,
    pub(crate) max_items: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InstanceXml {
    id: String,
    hosted_zone_id: String,
    name: String,
    #[serde(rename = "TTL")]
    ttl_s: u32,
    state: &'static str,
    message: String,
    traffic_policy_id: String,
    traffic_policy_version: u32,
    traffic_policy_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InstanceResponse {
    pub(crate) traffic_policy_instance: InstanceXml,
}

#[derive(Debug, Serialize)]
pub(crate) struct Instances {
    #[serde(rename = "TrafficPolicyInstance")]
    pub(crate) instance: Vec<InstanceXml>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListInstancesResponse {
    pub(crate) traffic_policy_instances: Instances,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hosted_zone_id_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traffic_policy_instance_name_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traffic_policy_instance_type_marker: Option<&'static str>,
    pub(crate) is_truncated: bool,
    pub(crate) max_items: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CountResponse {
    pub(crate) traffic_policy_instance_count: usize,
}

impl PolicyXml {
    pub(crate) fn new(policy: &Policy, number: u32, version: &Version) -> Self {
        Self {
            id: policy.id.clone(),
            version: number,
            name: policy.name.clone(),
            kind: policy.kind.as_str(),
            document: version.text.clone(),
            comment: version.comment.clone(),
        }
    }
}

impl PolicySummary {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            id: policy.id.clone(),
            name: policy.name.clone(),
            kind: policy.kind.as_str(),
            latest_version: policy.version_latest(),
            traffic_policy_count: policy.versions.len(),
        }
    }
}

impl InstanceXml {
    pub(crate) fn new(instance: &Instance) -> Self {
        Self {
            id: instance.id.clone(),
            hosted_zone_id: instance.zone_id.clone(),
            name: instance.name.clone(),
            ttl_s: instance.ttl_s,
            state: if instance.fault.is_empty() { "Applied" } else { "Failed" },
            message: instance.fault.clone(),
            traffic_policy_id: instance.policy_id.clone(),
            traffic_policy_version: instance.version,
            traffic_policy_type: instance.kind.as_str(),
        }
    }
}
