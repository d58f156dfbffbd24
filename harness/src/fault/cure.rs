//! Cures: what undoes a fault, as complete data. A cure runs without the run that broke, from the journal alone, may be
//! repeated, and reads back what it did. What somebody else has changed meanwhile is left as it is.

mod function;
mod health_check;
mod identity;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub(super) use function::{change_variable, reserved, set_reserved};
pub(super) use health_check::{health_check, set_inverted, set_path};
pub(crate) use health_check::{sha256, sha256_of};
pub(super) use identity::{for_each, set_status};

use crate::{
    aws::{Aws, Missing, describe},
    target,
};

/// What cures a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cure", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Cure {
    /// Give a health check's path its last character back. The path holds a secret, so only its SHA-256 is written down.
    HealthCheckPath { health_check: String, last: char, path_sha256: String },
    /// Let a health check mean again what it meant.
    HealthCheckInversion { health_check: String, inverted: bool },
    /// Give a variable of a function its last character back; it is secret as well.
    FunctionVariable { function: String, variable: String, last: char, value_sha256: String },
    /// Give a function the concurrency back that was reserved for it, or none of its own.
    FunctionConcurrency { function: String, reserved: Option<i32> },
    /// Let a function be handed its stream again.
    Mapping { mapping: String },
    /// Let a topic rule act again.
    TopicRule { rule: String },
    /// Make certificates ACTIVE again.
    Certificates { ids: Vec<String> },
    /// Attach a policy to certificates again.
    Policy { policy: String, certificates: Vec<String> },
    /// Give a quota of the twin its value back.
    Quota { api_url: String, code: String, value: f64 },
    /// Switch a fault of the twin off.
    Twin { api_url: String, fault: gameday_twin::Fault },
}

impl Cure {
    /// Cures; the answer is since when.
    pub(crate) async fn apply(&self, aws: &Aws, region: &str) -> anyhow::Result<Instant> {
        let clients = aws.region(region);
        match self {
            Self::HealthCheckPath { health_check, last, path_sha256 } => {
                health_check::restore_path(aws, health_check, *last, path_sha256).await
            }
            Self::HealthCheckInversion { health_check, inverted } => {
                set_inverted(aws, health_check, *inverted).await
            }
            Self::FunctionVariable { function, variable, last, value_sha256 } => {
                function::restore_variable(clients, function, variable, *last, value_sha256).await
            }
            Self::FunctionConcurrency { function, reserved } => {
                set_reserved(clients, function, *reserved).await
            }
            Self::Mapping { mapping } => {
                function::set_mapping(clients, mapping, true).await.map(|at| at.unwrap_or_else(Instant::now))
            }
            Self::TopicRule { rule } => {
                let enabled = clients.iot.enable_topic_rule().rule_name(rule).send().await.missing_ok()?;
                let at = Instant::now();
                if enabled.is_some() {
                    let rule = clients.iot.get_topic_rule().rule_name(rule).send().await;
                    let rule = rule.map_err(|e| anyhow::anyhow!(describe(&e)))?;
                    let is_disabled = rule.rule().and_then(aws_sdk_iot::types::TopicRule::rule_disabled);
                    if is_disabled.context("a rule without its state")? {
                        bail!("the rule reads back as disabled");
                    }
                }
                Ok(at)
            }
            Self::Certificates { ids } => identity::activate(aws, clients, ids).await,
            Self::Policy { policy, certificates } => {
                identity::attach(aws, clients, policy, certificates).await
            }
            Self::Quota { api_url, code, value } => restore_quota(api_url, region, code, *value).await,
            Self::Twin { api_url, fault } => switch_off(api_url, fault).await,
        }
    }

    /// The same as a command for a person.
    pub(crate) fn manual(&self, region: &str) -> String {
        match self {
            Self::HealthCheckPath { health_check, last, .. } => format!(
                "aws route53 get-health-check --health-check-id {health_check}; aws route53 update-health-check \
                 --health-check-id {health_check} --resource-path <its ResourcePath followed by {last}>"
            ),
            Self::HealthCheckInversion { health_check, inverted } => format!(
                "aws route53 update-health-check --health-check-id {health_check} --{}inverted",
                if *inverted { "" } else { "no-" }
            ),
            Self::FunctionVariable { function, variable, last, .. } => format!(
                "aws lambda get-function-configuration --region {region} --function-name {function}; aws lambda \
                 update-function-configuration with the same environment and {last} at the end of {variable}"
            ),
            Self::FunctionConcurrency { function, reserved: Some(reserved) } => format!(
                "aws lambda put-function-concurrency --region {region} --function-name {function} \
                 --reserved-concurrent-executions {reserved}"
            ),
            Self::FunctionConcurrency { function, reserved: None } => {
                format!("aws lambda delete-function-concurrency --region {region} --function-name {function}")
            }
            Self::Mapping { mapping } => {
                format!("aws lambda update-event-source-mapping --region {region} --uuid {mapping} --enabled")
            }
            Self::TopicRule { rule } => {
                format!("aws iot enable-topic-rule --region {region} --rule-name {rule}")
            }
            Self::Certificates { ids } => format!(
                "for id in {}; do aws iot update-certificate --region {region} --certificate-id $id --new-status \
                 ACTIVE; done",
                ids.join(" ")
            ),
            Self::Policy { policy, certificates } => format!(
                "for arn in {}; do aws iot attach-policy --region {region} --policy-name {policy} --target $arn; done",
                certificates.join(" ")
            ),
            Self::Quota { api_url, code, value } => format!(
                "curl -X PUT {api_url}/_twin/quotas -H 'content-type: application/json' -d \
                 '{{\"region\":\"{region}\",\"code\":\"{code}\",\"value\":{value}}}'"
            ),
            Self::Twin { api_url, fault } => format!(
                "curl -X DELETE {api_url}/_twin/faults -H 'content-type: application/json' -d '{}'",
                serde_json::to_string(fault).unwrap_or_default()
            ),
        }
    }
}

/// Switches a mapping off or on; for the faults.
pub(super) use function::set_mapping;

/// Switches a fault of the twin off and reads back that it is. The answer is when it was acknowledged.
async fn switch_off(api_url: &str, fault: &gameday_twin::Fault) -> anyhow::Result<Instant> {
    target::switch_fault(api_url, fault, false).await?;
    let acknowledged = Instant::now();
    if target::fault_states(api_url).await?.iter().any(|state| state.fault == *fault) {
        bail!("the twin still has the fault");
    }
    Ok(acknowledged)
}

/// Sets a quota of the twin and reads it back. The answer is when it was acknowledged.
async fn restore_quota(api_url: &str, region: &str, code: &str, value: f64) -> anyhow::Result<Instant> {
    target::set_quota(api_url, region, code, value).await?;
    let acknowledged = Instant::now();
    let now = target::quota(api_url, region, code).await?.value;
    if now != Some(value) {
        bail!("quota {code} in {region} reads back as {now:?}");
    }
    Ok(acknowledged)
}
