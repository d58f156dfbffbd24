//! The operations on API keys and usage plans.

use std::collections::BTreeMap;

use axum::http::Method as Verb;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{Context, created, empty, ok},
    key::{ApiKey, KEYS_MAX, Keys, PLANS_MAX, UsagePlan},
    new_id, random_text,
    rest_api::{bad_request, check_tags, limit_exceeded, not_found},
};
use crate::{call::Reply, error::AwsError};

const VALUE_CHARS: usize = 40;
const VALUE_CHARS_MIN: usize = 20;
const VALUE_CHARS_MAX: usize = 128;

impl Context<'_> {
    /// Does something with the Region's keys and plans.
    fn keys<T>(&self, work: impl FnOnce(&mut Keys) -> Result<T, AwsError>) -> Result<T, AwsError> {
        let mut keys = self.world.apigateway.keys.lock();
        work(keys.entry(self.call.region.clone()).or_default())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateKey {
    name: Option<String>,
    description: Option<String>,
    value: Option<String>,
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Answers a call under `apikeys`.
pub(super) fn keys(context: &Context<'_>, verb: &Verb, rest: &[&str]) -> Result<Reply, AwsError> {
    let missing = || not_found("API Key");
    let asked = |name: &str| context.call.query(name) == Some("true");
    context.keys(|all| match (verb, rest) {
        (&Verb::POST, []) => {
            let request: CreateKey = context.input()?;
            check_tags(&request.tags)?;
            let value = request.value.unwrap_or_else(|| random_text(VALUE_CHARS));
            if !(VALUE_CHARS_MIN..=VALUE_CHARS_MAX).contains(&value.len()) {
                return Err(bad_request("API Key value should be 20 to 128 characters"));
            }
            if all.keys.values().any(|key| key.value == value) {
                return Err(AwsError::new(409, "ConflictException", "API Key already exists"));
            }
            if all.keys.len() >= KEYS_MAX {
                return Err(limit_exceeded("Too many API keys"));
            }
            let (name, description, enabled, tags) =
                (request.name, request.description, request.enabled, request.tags);
            let key = ApiKey { name, description, value, enabled, tags, created: context.now };
            let id = new_id();
            let reply = created(&key.describe(&id, true));
            all.keys.insert(id, key);
            Ok(reply)
        }
        (&Verb::GET, []) => {
            let (with_values, prefix) =
                (asked("includeValues"), context.call.query("name").unwrap_or_default());
            let named = all.keys.iter().filter(|(_, key)| {
                prefix.is_empty() || key.name.as_ref().is_some_and(|name| name.starts_with(prefix))
            });
            context.page(named.map(|(id, key)| (id.clone(), key.describe(id, with_values))))
        }
        (&Verb::GET, [id]) => {
            all.keys.get(*id).map(|key| ok(&key.describe(id, asked("includeValue")))).ok_or_else(missing)
        }
        (&Verb::PATCH, [id]) => {
            let key = all.keys.get_mut(*id).ok_or_else(missing)?;
            for patch in context.patches()? {
                match (patch.op.as_str(), patch.path.as_str()) {
                    ("replace", "/enabled") => key.enabled = patch.value == "true",
                    ("replace", "/name") => key.name = Some(patch.value),
                    ("replace", "/description") => key.description = Some(patch.value),
                    _ => return Err(patch.refuse()),
                }
            }
            Ok(ok(&key.describe(id, false)))
        }
        (&Verb::DELETE, [id]) => {
            all.keys.remove(*id).ok_or_else(missing)?;
            for plan in all.plans.values_mut() {
                plan.keys.retain(|key| key != id);
            }
            Ok(empty(202))
        }
        _ => Err(context.unknown()),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatePlan {
    name: String,
    description: Option<String>,
    #[serde(default)]
    api_stages: Json,
    throttle: Option<Json>,
    quota: Option<Json>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Answers a call under `usageplans`.
pub(super) fn plans(context: &Context<'_>, verb: &Verb, rest: &[&str]) -> Result<Reply, AwsError> {
    let missing = || not_found("Usage Plan");
    match (verb, rest) {
        (&Verb::POST, []) => {
            let request: CreatePlan = context.input()?;
            check_tags(&request.tags)?;
            let stages = UsagePlan::stages(&request.api_stages)?;
            for (api, stage) in &stages {
                check_stage(context, api, stage)?;
            }
            let plan = UsagePlan {
                name: request.name,
                description: request.description,
                stages,
                keys: Vec::new(),
                throttle: request.throttle,
                quota: request.quota,
                tags: request.tags,
            };
            context.keys(|all| {
                if all.plans.len() >= PLANS_MAX {
                    return Err(limit_exceeded("Too many usage plans"));
                }
                let id = new_id();
                let reply = created(&plan.describe(&id));
                all.plans.insert(id, plan);
                Ok(reply)
            })
        }
        (&Verb::GET, []) => context.keys(|all| {
            let of = context.call.query("keyId");
            let plans = all.plans.iter().filter(|(_, p)| of.is_none_or(|of| p.keys.iter().any(|k| k == of)));
            context.page(plans.map(|(id, plan)| (id.clone(), plan.describe(id))))
        }),
        (&Verb::GET, [id]) => {
            context.keys(|all| all.plans.get(*id).map(|p| ok(&p.describe(id))).ok_or_else(missing))
        }
        (&Verb::PATCH, [id]) => update_plan(context, id),
        (&Verb::DELETE, [id]) => {
            context.keys(|all| {
                if let Some((api, stage)) = all.plans.get(*id).ok_or_else(missing)?.stages.first() {
                    return Err(bad_request(format!(
                        "Cannot delete Usage Plan {id} because there are API Stages associated with it, including \
                         {api}:{stage}"
                    )));
                }
                all.plans.remove(*id);
                Ok(empty(202))
            })
        }
        (verb, [id, "keys", rest @ ..]) => context.keys(|all| plan_keys(context, verb, all, id, rest)),
        _ => Err(context.unknown()),
    }
}

fn check_stage(context: &Context<'_>, api: &str, stage: &str) -> Result<(), AwsError> {
    let there = context.api(api, |api| Ok(api.stages.contains_key(stage)));
    if there.is_ok_and(|there| there) {
        return Ok(());
    }
    Err(not_found("API Stage"))
}

fn update_plan(context: &Context<'_>, id: &str) -> Result<Reply, AwsError> {
    let patches = context.patches()?;
    for patch in patches.iter().filter(|p| p.path == "/apiStages" && p.op == "add") {
        let (api, stage) = patch.value.split_once(':').ok_or_else(|| patch.refuse())?;
        check_stage(context, api, stage)?;
    }
    context.keys(|all| {
        let plan = all.plans.get_mut(id).ok_or_else(|| not_found("Usage Plan"))?;
        for patch in patches {
            let stage = patch.value.split_once(':').map(|(api, stage)| (api.to_owned(), stage.to_owned()));
            match (patch.op.as_str(), patch.path.as_str(), stage) {
                ("add", "/apiStages", Some((api, stage))) => plan.add_stage(api, stage)?,
                ("remove", "/apiStages", Some(stage)) => plan.stages.retain(|s| *s != stage),
                ("replace", "/name", _) => plan.name = patch.value,
                ("replace", "/description", _) => plan.description = Some(patch.value),
                _ => return Err(patch.refuse()),
            }
        }
        Ok(ok(&plan.describe(id)))
    })
}

/// The keys of a plan.
fn plan_keys(
    context: &Context<'_>,
    verb: &Verb,
    all: &mut Keys,
    plan: &str,
    rest: &[&str],
) -> Result<Reply, AwsError> {
    let Keys { keys, plans } = all;
    let plan = plans.get_mut(plan).ok_or_else(|| not_found("Usage Plan"))?;
    let describe = |id: &str| {
        let key = keys.get(id)?;
        Some(json!({"id": id, "type": "API_KEY", "value": key.value, "name": key.name}))
    };
    let missing = || not_found("API Key");
    match (verb, rest) {
        (&Verb::POST, []) => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct CreatePlanKey {
                key_id: String,
                key_type: String,
            }
            let request: CreatePlanKey = context.input()?;
            if request.key_type != "API_KEY" {
                return Err(bad_request("Invalid key type: must be API_KEY"));
            }
            let described = describe(&request.key_id).ok_or_else(missing)?;
            if plan.keys.contains(&request.key_id) {
                return Err(AwsError::new(409, "ConflictException", "Usage plan key already exists"));
            }
            plan.keys.push(request.key_id);
            Ok(created(&described))
        }
        (&Verb::GET, []) => {
            let mut ids = plan.keys.clone();
            ids.sort();
            context.page(ids.into_iter().filter_map(|id| describe(&id).map(|key| (id, key))))
        }
        (&Verb::GET, [id]) if plan.keys.iter().any(|k| k == id) => {
            describe(id).map(|key| ok(&key)).ok_or_else(missing)
        }
        (&Verb::DELETE, [id]) => {
            let before = plan.keys.len();
            plan.keys.retain(|key| key != id);
            if plan.keys.len() == before { Err(missing()) } else { Ok(empty(202)) }
        }
        (&Verb::GET, [_]) => Err(missing()),
        _ => Err(context.unknown()),
    }
}
