//! The operations on deployments and stages.

use std::collections::BTreeMap;

use axum::http::Method as Verb;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, created, empty, ok},
    rest_api::{Deployment, RestApi, STAGES_MAX, Stage, bad_request, limit_exceeded, not_found},
};
use crate::{call::Reply, error::AwsError};

/// Answers a call under an API's `deployments`.
pub(super) fn deployments(
    context: &Context<'_>,
    verb: &Verb,
    api: &str,
    rest: &[&str],
) -> Result<Reply, AwsError> {
    context.api(api, |api| match (verb, rest) {
        (&Verb::POST, []) => create_deployment(context, api),
        (&Verb::GET, []) => {
            context.page(api.deployments.iter().map(|(id, d)| (id.clone(), describe_deployment(id, d))))
        }
        (&Verb::GET, [id]) => {
            let deployment = api.deployments.get(*id);
            deployment.map(|d| ok(&describe_deployment(id, d))).ok_or_else(|| not_found("Deployment"))
        }
        (&Verb::DELETE, [id]) => {
            if api.stages.values().any(|stage| stage.deployment == *id) {
                let message = "Active stages pointing to this deployment must be moved or deleted";
                return Err(bad_request(message));
            }
            api.deployments.remove(*id).map(|_| empty(202)).ok_or_else(|| not_found("Deployment"))
        }
        _ => Err(context.unknown()),
    })
}

fn describe_deployment(id: &str, deployment: &Deployment) -> Json {
    let mut answer = json!({"id": id, "createdDate": deployment.created.as_second()});
    if let Some(description) = &deployment.description {
        answer["description"] = json!(description);
    }
    answer
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateDeployment {
    stage_name: Option<String>,
    stage_description: Option<String>,
    description: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    canary_settings: Option<Json>,
}

fn create_deployment(context: &Context<'_>, api: &mut RestApi) -> Result<Reply, AwsError> {
    let request: CreateDeployment = context.input()?;
    if request.canary_settings.is_some() {
        return Err(bad_request("The twin has no canary deployments"));
    }
    let now = context.now;
    let mut staged = None;
    if let Some(name) = request.stage_name {
        check_stage(api, &name)?;
        let mut stage = api.stages.get(&name).cloned().unwrap_or_else(|| Stage {
            deployment: String::new(),
            description: None,
            variables: BTreeMap::new(),
            tags: BTreeMap::new(),
            created: now,
            modified: now,
        });
        stage.modified = now;
        stage.variables.extend(request.variables);
        if request.stage_description.is_some() {
            stage.description = request.stage_description;
        }
        stage.check()?;
        staged = Some((name, stage));
    }
    let id = api.deploy(request.description, now)?;
    if let Some((name, mut stage)) = staged {
        stage.deployment.clone_from(&id);
        api.stages.insert(name, stage);
    }
    let deployment = api.deployments.get(&id).ok_or_else(|| not_found("Deployment"))?;
    Ok(created(&describe_deployment(&id, deployment)))
}

fn check_stage(api: &RestApi, name: &str) -> Result<(), AwsError> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Err(bad_request("Stage name only allows a-zA-Z0-9_-"));
    }
    if !api.stages.contains_key(name) && api.stages.len() >= STAGES_MAX {
        return Err(limit_exceeded("Maximum number of stages reached"));
    }
    Ok(())
}

/// Answers a call under an API's `stages`.
pub(super) fn stages(
    context: &Context<'_>,
    verb: &Verb,
    api: &str,
    rest: &[&str],
) -> Result<Reply, AwsError> {
    context.api(api, |api| match (verb, rest) {
        (&Verb::POST, []) => create_stage(context, api),
        (&Verb::GET, []) => {
            let of = context.call.query("deploymentId");
            let stages = api.stages.iter().filter(|(_, s)| of.is_none_or(|of| s.deployment == of));
            Ok(ok(&json!({"item": stages.map(|(name, s)| describe_stage(name, s)).collect::<Vec<_>>()})))
        }
        (&Verb::GET, [name]) => {
            api.stages.get(*name).map(|s| ok(&describe_stage(name, s))).ok_or_else(|| not_found("stage"))
        }
        (&Verb::PATCH, [name]) => update_stage(context, api, name),
        (&Verb::DELETE, [name]) => {
            api.stages.remove(*name).map(|_| empty(202)).ok_or_else(|| not_found("stage"))
        }
        _ => Err(context.unknown()),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateStage {
    stage_name: String,
    deployment_id: String,
    description: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    canary_settings: Option<Json>,
    #[serde(default)]
    cache_cluster_enabled: bool,
}

fn create_stage(context: &Context<'_>, api: &mut RestApi) -> Result<Reply, AwsError> {
    let request: CreateStage = context.input()?;
    if request.canary_settings.is_some() || request.cache_cluster_enabled {
        return Err(bad_request("The twin has neither canaries nor caches"));
    }
    check_stage(api, &request.stage_name)?;
    if api.stages.contains_key(&request.stage_name) {
        return Err(AwsError::new(409, "ConflictException", "Stage already exists"));
    }
    if !api.deployments.contains_key(&request.deployment_id) {
        return Err(bad_request("Deployment id does not exist"));
    }
    let stage = Stage {
        deployment: request.deployment_id,
        description: request.description,
        variables: request.variables,
        tags: request.tags,
        created: context.now,
        modified: context.now,
    };
    stage.check()?;
    let reply = created(&describe_stage(&request.stage_name, &stage));
    api.stages.insert(request.stage_name, stage);
    Ok(reply)
}

/// Settings of methods at a stage change nothing here: they are taken if they only log, throttle or measure.
const METHOD_SETTINGS: [&str; 5] = [
    "/logging/loglevel",
    "/logging/dataTrace",
    "/metrics/enabled",
    "/throttling/burstLimit",
    "/throttling/rateLimit",
];

fn update_stage(context: &Context<'_>, api: &mut RestApi, name: &str) -> Result<Reply, AwsError> {
    let patches = context.patches()?;
    let mut stage = api.stages.get(name).cloned().ok_or_else(|| not_found("stage"))?;
    for patch in patches {
        match (patch.op.as_str(), patch.path.as_str()) {
            ("replace", "/deploymentId") => {
                if !api.deployments.contains_key(&patch.value) {
                    return Err(bad_request("Deployment id does not exist"));
                }
                stage.deployment = patch.value;
            }
            ("replace", "/description") => stage.description = Some(patch.value),
            (op, path) => match (op, path.strip_prefix("/variables/")) {
                ("replace" | "add", Some(variable)) => {
                    stage.variables.insert(variable.to_owned(), patch.value);
                }
                ("remove", Some(variable)) => {
                    stage.variables.remove(variable);
                }
                ("replace", None) if METHOD_SETTINGS.iter().any(|s| path.ends_with(s)) => {}
                _ => return Err(patch.refuse()),
            },
        }
    }
    stage.check()?;
    stage.modified = context.now;
    let reply = ok(&describe_stage(name, &stage));
    api.stages.insert(name.to_owned(), stage);
    Ok(reply)
}

fn describe_stage(name: &str, stage: &Stage) -> Json {
    let mut answer = json!({
        "stageName": name,
        "deploymentId": stage.deployment,
        "cacheClusterEnabled": false,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {},
        "tracingEnabled": false,
        "tags": stage.tags,
        "createdDate": stage.created.as_second(),
        "lastUpdatedDate": stage.modified.as_second(),
    });
    if let Some(description) = &stage.description {
        answer["description"] = json!(description);
    }
    if !stage.variables.is_empty() {
        answer["variables"] = json!(stage.variables);
    }
    answer
}
